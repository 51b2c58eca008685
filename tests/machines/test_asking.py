"""`domain.md`, "Channels": by what a customer asks for an escalation. A sentence, a test."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from machines.asking import word_in
from machines.matrix import PolicyError, default_text, load, parse
from machines.values import Word
from tests.machines.cast import NOW, POLICY
from tests.machines.play import Play

KIM = "kim@acme.example"
COUNT = (
    "ESCALATE",
    "escalate",
    "Re: [T-1] Payments are down - please Escalate!",
    "ＥＳＣＡＬＡＴＥ",
    "EſCALATE",
    "AW: 𝐄𝐒𝐂𝐀𝐋𝐀𝐓𝐄",
    "Re: ⒺⓈⒸⒶⓁⒶⓉⒺ",
    "ESC\u00adALATE",
    "\u200eESCALATE\u200f",
    "ESCA\u200bLATE",
    '"ESCALATE"',
    "ESCALATE/urgent",
    "[T-1]ESCALATE",
    "Don't de-escalate: ESCALATE",
    "pre-escalate",
    "Dé ESCALATE",
    "made-ESCALATE",
)
DO_NOT = (
    "",
    "Payments are down",
    "ESCALATED",
    "escalates",
    "escalation",
    "re_escalate",
    "ESCALATE_NOW",
    "ESCALATE2",
    "deescalate",
    "de-escalate",
    "DE-ESCALATE",
    "De‐Escalate",
    "de–escalate",
    "de−escalate",
    "ＤＥ－ＥＳＣＡＬＡＴＥ",
    "de\u00ad-escalate",
    "ESC ALATE",
    "escalate\u0301s",
    "дe-ESCALATЕs",
)
LOOK_ALIKE = (
    "ЕSСАLАТЕ",
    "ESCALАTE",
    "Re: [T-1] ΕSCALATΕ",
    "ESCALATÉ",
    "escalate\u0301",
    "ESCA1ATE",
    "E5CALATE",
    "ᎬᏚᏟᎪᏞᎪᎢᎬ",
    "ᴇꜱᴄᴀʟᴀᴛᴇ",
)


@pytest.mark.parametrize("subject", COUNT)
def test_escalate_as_a_whole_word_folded_by_nfkc_and_case_asks(subject: str):
    found = word_in(subject, POLICY)
    assert found
    assert (found.word, found.look_alike) == ("escalate", False)


@pytest.mark.parametrize("subject", DO_NOT)
def test_no_other_word_and_not_de_escalate(subject: str):
    assert word_in(subject, POLICY) is None


@pytest.mark.parametrize("subject", LOOK_ALIKE)
def test_look_alikes_are_found_and_ask_for_nothing(subject: str):
    found = word_in(subject, POLICY)
    assert found
    assert found.look_alike


@pytest.mark.parametrize("subject", ["de-ЕSСАLАТЕ", "ԁе-ESCALATE", "DЕ-ESCALATE"])
def test_de_escalate_is_undone_in_whatever_letters(subject: str):
    assert word_in(subject, POLICY) is None


def test_the_word_is_shown_with_its_place_and_the_real_one_comes_before_what_looks_like_it():
    assert word_in("Re: ⒺSCALATE", POLICY) == Word("escalate", 4)
    assert word_in("ЕSCALATE? ESCALATE!", POLICY) == Word("escalate", 10)
    assert word_in("ﷺ ЕSCALATE", POLICY) == Word("escalate", 2, look_alike=True), "one character is many when folded"


def test_which_word_it_is_stands_in_the_policy():
    text = default_text().replace('words = ["escalate"]', 'words = ["escalate", "eskalieren"]')
    assert word_in("Bitte eskalieren", parse(text)) == Word("eskalieren", 6)
    with pytest.raises(PolicyError, match=r"asking\.words must be words of small Latin letters"):
        parse(default_text().replace('words = ["escalate"]', 'words = ["ESCALATE"]'))
    with pytest.raises(PolicyError, match=r"asking\.words is empty"):
        parse(default_text().replace('words = ["escalate"]', "words = []"))


def test_a_policy_that_was_published_before_it_named_the_word_still_has_it():
    document = msgspec.to_builtins(POLICY.document)
    del document["asking"]
    assert word_in("ESCALATE", load(msgspec.json.encode(document), 1)) == Word("escalate", 0)


# In a contact ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["enterprise", "professional", "starter"])
def test_a_reply_with_the_word_in_its_subject_is_a_request_in_every_tier(tier: str):
    play = Play(tier)
    play.report()
    got = play.contact("reply", sender=KIM, subject="Re: ESCALATE")
    assert got.contact
    assert (got.contact.request, got.contact.word, got.refused) == (True, Word("escalate", 4), ())
    found = play.stands.situations
    assert [(s.situation, s.detail) for s in found] == [
        ("customer_request", {"contact": got.contact.id, "word": "escalate", "place": 4})
    ]
    due = {"enterprise": timedelta(hours=1), "professional": timedelta(hours=4), "starter": None}[tier]
    assert play.stands.engage_by == (due and NOW + due)


@pytest.mark.parametrize(
    "more",
    [
        {"sender": "eve@elsewhere.example"},
        {"author_role": "system"},
        {"author_role": "agent"},
        {"request": False},
        {"subject": "Re: DE-ESCALATE"},
        {"subject": "Re: ЕSCALATE"},
        {"subject": "Re: it is down", "body": "ESCALATE\n> ESCALATE"},
        {"subject": None, "body": "Please escalate"},
    ],
    ids=["a stranger", "an auto-reply", "the desk", "request: false", "de-", "look-alike", "in the text", "no subject"],
)
def test_a_reply_is_none_from_a_stranger_from_a_machine_or_without_the_word(more: dict[str, Any]):
    play = Play()
    play.report()
    got = play.contact("reply", **{"sender": KIM, "subject": "Re: ESCALATE", **more})
    assert got.contact, "it is kept"
    assert (play.e, got.contact.request, got.refused) == (None, False, ())


def test_a_look_alike_is_kept_with_the_contact():
    play = Play()
    play.report()
    got = play.contact("reply", sender=KIM, subject="ЕSCALATE")
    assert got.contact
    assert got.contact.word == Word("escalate", 0, look_alike=True)


@pytest.mark.parametrize("channel", ["portal", "call"])
def test_the_word_is_read_in_replies_alone(channel: str):
    play = Play()
    play.report()
    got = play.contact(channel, sender=KIM, subject="ESCALATE", request=False)
    assert got.contact
    assert (play.e, got.contact.word) == (None, None)


def test_the_emergency_contact_is_for_p0_security_issues_of_every_tier():
    for tier in ("enterprise", "professional", "starter"):
        play = Play(tier)
        play.report(priority="p0")
        assert [f.guard for f in play.contact("emergency").refused] == ["channel_allowed"], "no security flag"
        play.begins("security_flag")
        got = play.contact("emergency")
        assert got.refused == ()
        assert play.stands.target_level == 3
        play = Play(tier)
        play.report(priority="p1")
        play.begins("security_flag")
        assert [f.guard for f in play.contact("emergency").refused] == ["channel_allowed"], "no P0"


def test_the_same_contact_told_again_is_one():
    play = Play()
    play.report()
    first = play.contact("reply", sender=KIM, subject="ESCALATE", id="c-1", once=True)
    seen = len(play.entries)
    again = play.contact("reply", sender=KIM, subject="ESCALATE", id="c-1", once=True)
    assert again.stale
    assert (again.contact, again.situations, len(play.entries)) == (first.contact, (), seen)
    assert play.ticket
    assert play.ticket.revision == 2
