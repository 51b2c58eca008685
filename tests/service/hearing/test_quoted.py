"""What somebody wrote themselves, and what they only quote, forward or are made to append."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from service.hearing.quoted import MOST_LINES, own_text, own_words

MAIL = Path(__file__).parents[4] / "shared" / "data" / "mail" / "email_reply_parser" / "test" / "emails"


def own(text: str) -> str:
    """What is left, on one line."""
    kept = own_words(text)
    assert len(kept) == len(text), "places stay what they are"
    assert all(a in (b, " ") for a, b in zip(kept, text, strict=True))
    return " ".join(kept.split())


QUOTED = [
    "> HISTORY",
    "  >> HISTORY\n> HISTORY",
    "On Mon, 5 Jan 2026 at 09:00, Kim <kim@acme.example> wrote:\n\n> HISTORY",
    "On Mon, 5 Jan 2026 at 09:00, Kim\n<kim@acme.example> wrote:\nHISTORY without marks",
    "Am 05.01.2026 um 09:00 schrieb Kim <kim@acme.example>:\nHISTORY",
    "Le lun. 5 janv. 2026 à 09:00, Kim <kim@acme.example> a écrit :\nHISTORY",
    "El lun, 5 ene 2026 a las 9:00, Kim (<kim@acme.example>) escribió:\nHISTORY",
    "2026-01-05 9:00 GMT+03:00 Kim <kim@acme.example>:\n> HISTORY",
    "-----Original Message-----\nFrom: Kim\nHISTORY",
    "---------- Forwarded message ---------\nFrom: Kim <kim@acme.example>\nHISTORY",
    "Begin forwarded message:\n\nFrom: Kim\nHISTORY",
    "-----Ursprüngliche Nachricht-----\nVon: Kim\nHISTORY",
    "From: Kim <kim@acme.example>\nSent: Monday, 5 January 2026\nTo: desk\nSubject: HISTORY",
    "*Von:* Kim <kim@acme.example>\n*Gesendet:* Montag\nHISTORY",
    "=== Please reply above this line ===\nHISTORY",
    "-- \nKim Kay\nHISTORY officer",
    "Sent from my iPhone",
    "On Tue, Sep 25, 2012 at 8:59 AM, Kim Kay\n<kim@acme.example>wrote:\n> HISTORY",
    "02.04.2012 14:20 пользователь <kim@acme.example> написал:\n> HISTORY",
    "El 5 ene 2026, Kim escribió:\n> HISTORY",
    "-------- Weitergeleitete Nachricht --------\nHISTORY",
    "From: Kim\nkim@acme.example\nSent: Monday\nTo: desk\nHISTORY",
    "Envoyé de mon iPhone",
    "This e-mail is confidential. HISTORY is intended solely for\nthe addressee.",
]


@pytest.mark.parametrize("history", QUOTED)
def test_what_others_wrote_and_what_is_appended_is_left_out(history):
    assert own(f"Thanks, it works.\n\n{history}\n") == "Thanks, it works."
    assert own(f"Thanks, it works.\n\n{history}\n".replace("\n", "\r\n")) == "Thanks, it works."


def test_a_line_that_stands_right_above_a_quotation_is_kept():
    text = "Hello\nOn 05.01.2026 09:00, Kim <kim@acme.example> wrote:\n> HISTORY"
    assert own(text) == "Hello"


def test_an_answer_below_a_signature_and_a_quotation_is_kept():
    text = "Thanks\n-- \nKim\n\nOn 5 Jan 2026, Ann <ann@desk.example> wrote:\n> is it secure?\nno, it is not\n"
    assert own(text) == "Thanks no, it is not"


def test_answers_between_quoted_lines_are_read():
    text = "On Monday, 5 Jan, Kim <k@a.example> wrote:\n> is it secure?\nno, it is not\n> are you sure?\nyes\n"
    assert own(text) == "no, it is not yes"


@pytest.mark.parametrize(
    "text",
    [
        "On Monday the server wrote: disk full",
        "From: this morning on\nnothing works",
        "We tried it on two hosts -- both fail",
        "One is not on: it says what it wrote\nhere",
        "--\n" + "a long text after a rule\n" * 20,
        "I sent it from my phone and it failed",
        "Sent from my desk, it is much easier than from a phone.",
        "As he wrote:\nit works",
    ],
)
def test_what_only_looks_like_it_is_read(text):
    assert own(text) == " ".join(text.split())


@pytest.mark.skipif(not MAIL.is_dir(), reason="no ../shared/data/mail: the real mails are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "kept", "gone"),
    [
        ("email_1_1.txt", "folks", "riak-users mailing list"),
        ("email_1_2.txt", "You can list the keys", "What is the best way"),
        ("email_1_3.txt", "Oh thanks.", "wrote:"),
        ("email_1_5.txt", "One: Here's what I've got.", "wrote:"),
        ("email_1_8.txt", "I will reply under this one", "wrote:"),
        ("email_iPhone.txt", "Here is another email", "Sent from"),
        ("email_BlackBerry.txt", "Here is another email", "Sent from"),
        ("email_2_1.txt", "Outlook with a reply", "Loren Siebert"),
    ],
)
def test_real_mails_keep_what_was_written_and_lose_what_was_quoted(name, kept, gone):
    text = own((MAIL / name).read_text(encoding="utf-8"))
    assert kept in text, text
    assert gone not in text, text


@pytest.mark.parametrize("history", QUOTED)
def test_a_mails_text_is_the_same_words_without_the_gaps(history):
    text = f"Thanks.\n\nIt works.\n\n{history}\n"
    assert own_text(text) == own_text(text.replace("\n", "\r\n")) == "Thanks.\n\nIt works."
    assert own_text(text).split() == own(text).split()
    assert own_text(history) == ""


def test_a_mails_text_does_not_end_in_a_rule_and_has_no_more_lines_than_are_looked_at():
    assert own_text("It works.\n\n\n\nAll of it.\n------\n=====\n") == "It works.\n\nAll of it."
    assert own_text("a\n" * MOST_LINES + "b") == "a\n" * (MOST_LINES - 1) + "a"


PIECES = (
    "a\n",
    " ",
    "-",
    ">",
    "\n \n",
    "On a wrote ",
    "From: a\n",
    "this message ",
    "a:\n",
    "_" * 9,
    "--\n",
    "from:\n",
    "on 5 a@b:\n",
    "<a@b\n",
)


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_long(piece):
    began = time.process_time()
    own_words((piece * 100_000)[:100_000])
    own_text((piece * 200_000)[:200_000])
    assert time.process_time() - began < 3
