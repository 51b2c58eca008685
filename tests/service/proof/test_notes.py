"""Signed checkpoints: what one key has signed is read back by its public key, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from service.proof.notes import Checkpoint, NoteError, Signer, Verifier, split

TEXT, SIGNER = Signer.made("escalations.example")
CHECKPOINT = Checkpoint("escalations.example", 4096, "ab" * 32, 4120, datetime(2026, 1, 5, 9, tzinfo=UTC))
NOTE = SIGNER.sign(CHECKPOINT)


def test_a_signed_checkpoint_is_read_back():
    assert Verifier(SIGNER.public).read(NOTE) == CHECKPOINT
    assert NOTE.splitlines()[:2] == ["escalations.example", "4096"]


def test_a_key_is_the_same_when_it_is_read_again():
    assert Signer(TEXT).sign(CHECKPOINT) == NOTE, "Ed25519 has no chance in it"


@pytest.mark.parametrize("old_new", [("4096", "4095"), ("seq 4120", "seq 4121"), ("09:00", "10:00")])
def test_a_changed_note_is_no_note_of_ours(old_new: tuple[str, str]):
    with pytest.raises(NoteError, match="changed after signing"):
        Verifier(SIGNER.public).read(NOTE.replace(*old_new))


def test_another_key_of_the_same_name_has_not_signed_it():
    _, other = Signer.made("escalations.example")
    with pytest.raises(NoteError, match="has not signed"):
        Verifier(other.public).read(NOTE)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "n" * 201])
def test_a_name_that_a_note_could_not_hold_makes_no_key(name: str):
    with pytest.raises(NoteError, match="1 to 200 characters"):
        Signer.made(name)


SPOILED = ["empty", "not a key", "the other half", "cut", "of another name"]


@pytest.mark.parametrize("text", ["", "x", SIGNER.public, TEXT[:-4], TEXT.replace("example", "exampel")], ids=SPOILED)
def test_what_is_no_signing_key_says_so(text: str):
    with pytest.raises(NoteError):
        Signer(text)


@pytest.mark.parametrize(
    "text", ["", "x", TEXT, SIGNER.public[:-4], SIGNER.public.replace("example", "exampel")], ids=SPOILED
)
def test_what_is_no_public_key_says_so(text: str):
    with pytest.raises(NoteError):
        Verifier(text)


def test_notes_that_were_written_one_after_the_other_are_told_apart():
    more = [SIGNER.sign(replace(CHECKPOINT, size=n)) for n in (1, 2, 3)]
    assert split("".join(more)) == more
    assert split("\n".join(more)) == more
    assert split("") == []


def test_a_file_that_holds_anything_else_says_where():
    with pytest.raises(NoteError, match="no checkpoint: rubbish"):
        split(NOTE + "rubbish\n")
