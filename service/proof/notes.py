"""Checkpoints: the head of the tree at a size, as a note that is signed with Ed25519 and read by people and by tools.

A note is a C2SP signed note, its text a C2SP checkpoint (the formats of transparency logs), so that witnesses and tools
that others wrote can read it:

    escalations.example          whose tree it is
    4096                         how many rows it is over
    9vHNJ…=                      its head, base64
    seq 4120                     the number of its last row
    at 2026-01-05T09:00:00Z      when it was signed
                                 (an empty line, then the signature)
    — escalations.example 6QkC…
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct, to_builtins

ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+]{1,200}")
_PRIVATE = "PRIVATE+KEY+"


class NoteError(ValueError):
    """A key or a note that isn't one, or that nobody whom we trust has signed; the message says which."""


class Checkpoint(Struct, frozen=True):
    """The head of the tree (hex) over the first `size` rows, the last of which has this `seq`."""

    origin: str
    size: int
    head: str
    seq: int
    at: datetime


class Signer:
    """A key that signs, from `PRIVATE+KEY+name+id+base64`."""

    def __init__(self, text: str) -> None:
        """Raises NoteError where the text is no such key."""
        if not text.startswith(_PRIVATE):
            raise NoteError(f"a signing key begins with {_PRIVATE}: make one with `keys signing`")
        self.name, id_, seed = _parts(text.removeprefix(_PRIVATE))
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = _public_text(self.name, self._key.public_key().public_bytes_raw())
        self._id = bytes.fromhex(id_)
        if self.public.split("+")[1] != id_:
            raise NoteError("the signing key's id is not that of its key: was it copied whole?")

    @classmethod
    def made(cls, name: str) -> tuple[str, Signer]:
        """A new key of this name, as text that is kept secret, and the signer; raises NoteError for a bad name."""
        if not _NAME.fullmatch(name):
            raise NoteError("a name is 1 to 200 characters without spaces and +, like escalations.example")
        key = Ed25519PrivateKey.generate()
        id_ = _public_text(name, key.public_key().public_bytes_raw()).split("+")[1]
        text = f"{_PRIVATE}{name}+{id_}+{_b64(ED25519 + key.private_bytes_raw())}"
        return text, cls(text)

    def sign(self, checkpoint: Checkpoint) -> str:
        """The whole note."""
        text = _text(checkpoint)
        return f"{text}\n— {self.name} {_b64(self._id + self._key.sign(text.encode()))}\n"


class Verifier:
    """A public key, from `name+id+base64`."""

    def __init__(self, text: str) -> None:
        """Raises NoteError where the text is no such key."""
        self.name, id_, key = _parts(text.strip())
        if _public_text(self.name, key).split("+")[1] != id_:
            raise NoteError("the public key's id is not that of its key: was it copied whole?")
        self._id, self._key = bytes.fromhex(id_), Ed25519PublicKey.from_public_bytes(key)

    def read(self, note: str) -> Checkpoint:
        """What a note says; raises NoteError where this key has not signed it."""
        text, _, signatures = note.partition("\n\n")
        text += "\n"
        for line in signatures.splitlines():
            found = re.fullmatch(r"— (\S+) (\S+)", line)
            if found and found[1] == self.name:
                signature = _unb64(found[2])
                if signature[:4] == self._id:
                    try:
                        self._key.verify(signature[4:], text.encode())
                    except InvalidSignature:
                        raise NoteError("the signature is not this note's: it was changed after signing") from None
                    return _checkpoint(text)
        raise NoteError(f"{self.name} has not signed this note")


def split(notes: str) -> list[str]:
    """The notes of a file to which one was written after the other."""
    found = re.findall(r"(?:[^\n]+\n){3,}\n(?:— [^\n]+\n)+", notes)
    left = notes
    for note in found:
        left = left.replace(note, "", 1)
    if left.strip():
        raise NoteError(f"holds what is no checkpoint: {left.strip().splitlines()[0][:80]}")
    return found


def _text(c: Checkpoint) -> str:
    head = _b64(bytes.fromhex(c.head))
    return f"{c.origin}\n{c.size}\n{head}\nseq {c.seq}\nat {to_builtins(c.at)}\n"


def _checkpoint(text: str) -> Checkpoint:
    found = re.fullmatch(r"(\S+)\n(\d{1,19})\n(\S+)\nseq (\d{1,19})\nat (\S+)\n", text)
    if found is None:
        raise NoteError("is signed, but is no checkpoint of history")
    try:
        at = datetime.fromisoformat(found[5])
    except ValueError as error:
        raise NoteError(f"is signed, but is no checkpoint of history: {error}") from None
    return Checkpoint(found[1], int(found[2]), _unb64(found[3]).hex(), int(found[4]), at)


def _parts(text: str) -> tuple[str, str, bytes]:
    found = re.fullmatch(r"([^\s+]{1,200})\+([0-9a-f]{8})\+(\S+)", text)
    raw = _unb64(found[3]) if found else b""
    if found is None or raw[:1] != ED25519 or len(raw) != 33:
        raise NoteError("is no Ed25519 key as `keys signing` prints it: name+id+base64")
    return found[1], found[2], raw[1:]


def _public_text(name: str, key: bytes) -> str:
    id_ = hashlib.sha256(name.encode() + b"\n" + ED25519 + key).digest()[:4]
    return f"{name}+{id_.hex()}+{_b64(ED25519 + key)}"


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unb64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise NoteError(f"holds what is no base64: {text[:40]}") from None
