"""Which words count: whole ones, in any case and spelling, where a customer wrote them. `domain.md`, "Channels"."""

from __future__ import annotations

import pytest

from machines.asked import Found, Heard, Report
from machines.document import WordList
from machines.matrix import default_text, parse
from machines.values import Ticket
from service.hearing.words import MOST, Finder, find

POLICY = parse(default_text(), 1)


def said(body: str | None, subject: str | None = None, role: str = "customer") -> tuple[Found, ...]:
    """What is found in a contact."""
    return find(POLICY, Heard("c", "T-1", None, "reply", "kim@acme.example", role, subject, body))  # type: ignore[arg-type]


def words(*texts: str, **more: object) -> list[tuple[str, str]]:
    """The words that a list of `needs`, `near`, `unless` … finds in a body: the form in the list and where."""
    told = {"words": (("leak", "leaks"), ("data breach",), ("straße",)), **more}
    finder = Finder((WordList("list", "security_flag", "en", origin="default", **told),))  # type: ignore[arg-type]
    return [(f.word, f.text) for f in finder.find(("body", text) for text in texts)]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("it does LEAK", "LEAK"),
        ("it leaks, badly", "leaks"),
        ("(leak)", "leak"),
        ("memory_leak", "leak"),
        ("ＬＥＡＫ", "ＬＥＡＫ"),
        ("le\u00adak", "le\u00adak"),
        ("\u200bleak\u200b", "leak\u200b"),
        ("a data\u00a0breach", "data\u00a0breach"),
        ("a DATA\r\n   breach!", "DATA\r\n   breach"),
        ("STRASSE", "STRASSE"),
        ("die Straße", "Straße"),
    ],
)
def test_a_word_counts_in_any_case_and_spelling_of_unicode(text, written):
    assert [at for _, at in words(text)] == [written]


PARTS = ("leaky", "bleak", "leak2", "leake\u0301", "leak\u0301", "databreach", "data-breach", "")


@pytest.mark.parametrize("text", PARTS)
def test_a_part_of_a_word_does_not_count(text):
    assert words(text) == []


def test_the_place_of_a_word_is_that_of_the_text_as_it_came():
    text = "Ünïcode ﬁrst \u00ad\u200b e\u0301 \u00a0 then a ﬁne Ｌeak"
    (found,) = Finder((WordList("list", "security_flag", "en", (("leak",),), "default"),)).find([("body", text)])
    assert text[found.at : found.at + len(found.text)] == found.text == "Ｌeak"


def test_a_list_can_need_several_different_words_close_together():
    near = {"needs": 2, "near": 20}
    assert words("leak leak leak", **near) == []
    assert words("leak, a data breach", **near) == [("leak", "leak"), ("data breach", "data breach")]
    assert words("leak" + " " * 3 + "x" * 30 + " data breach", **near) == []
    assert words("leak", "data breach", **near) == [], "each text by itself"


def test_inside_a_phrase_of_unless_nothing_counts():
    assert words("a memory leak", unless=("memory leak",)) == []
    assert words("a memory leak, then a leak", unless=("memory leak",)) == [("leak", "leak")]


def test_a_list_may_be_for_the_subject_alone():
    assert [f.list for f in said("new password", "Where to change it?")] == []
    (found,) = said("Where to change it?", "New PASSWORD")
    assert (found.list, found.word, found.field, found.at, found.text) == (
        *("security-subject-en", "password", "subject", 4),
        "PASSWORD",
    )


@pytest.mark.parametrize("role", ["agent", "system"])
def test_what_the_desk_writes_is_not_read(role):
    assert said("We were hacked and are losing money", "Security breach", role) == ()


def test_a_subject_that_repeats_the_one_it_answers_is_not_read():
    for subject in ("Re: Security breach", "AW: Security breach", "FWD: Security breach", "re[2]: Security breach"):
        assert said("thanks", subject) == (), subject
    assert said("thanks", "Resecuring: security breach") != ()


def test_a_ticket_is_read_as_the_customers_first_words():
    ticket = Ticket("T-1", subject="Data breach", description="hello\n> we were hacked\nthe password was leaked")
    found = find(POLICY, Report(ticket))
    assert {(f.field, f.text) for f in found} >= {("subject", "Data breach"), ("description", "password")}
    assert not any(f.text == "hacked" for f in found)


@pytest.mark.parametrize(
    ("text", "situation"),
    [
        ("Somebody hacked our account", "security_flag"),
        ("Es gibt ein Datenleck in der App", "security_flag"),
        ("Nous avons une fuite de données", "security_flag"),
        ("Tenemos una brecha de seguridad", "security_flag"),
        ("هناك ثغرة أمنية في النظام", "security_flag"),
        ("We are losing money every minute", "revenue_impact"),
        ("We can’t take payments since nine", "revenue_impact"),
        ("Our sales have collapsed since the update", "revenue_impact"),
        ("Wir haben einen Umsatzausfall", "revenue_impact"),
        ("C'est une perte de chiffre d’affaires", "revenue_impact"),
        ("Estamos perdiendo dinero", "revenue_impact"),
        ("هناك خسائر مالية كبيرة", "revenue_impact"),
    ],
)
def test_each_language_has_its_words(text, situation):
    assert {f.situation for f in said(text)} == {situation}


@pytest.mark.parametrize(
    "text",
    [
        "Please escalate this ticket",
        "The page is slow and the export fails",
        "I can not find the lost order in the list",
        "the secure area does not load, I typed my password",
        "Our sales team can't log in",
        "There is a memory leak in the worker",
        "This e-mail is confidential and intended solely for the addressee; unauthorized access is forbidden",
    ],
)
def test_everyday_words_are_no_flag(text):
    assert said(text) == ()


def test_what_is_kept_of_one_text_is_bounded():
    lists = (WordList("many", "security_flag", "en", tuple((f"word{n}",) for n in range(50)), "default"),)
    assert len(Finder(lists).find([("body", " ".join(f"word{n}" for n in range(50)))])) == MOST


def test_a_policy_without_words_finds_none():
    assert Finder(()).find([("body", "hacked")]) == ()
