"""Messages: what a policy may write, and that what people wrote stays data. The issue "Notices", 3."""

from __future__ import annotations

import tomllib
from typing import Any

import msgspec
import pytest

from machines.matrix import Document, PolicyError, check, default_text, parse
from machines.messages import (
    CUSTOMER_TEMPLATES,
    FOR_CUSTOMERS,
    INTERNAL,
    LONGEST_VALUE,
    TEMPLATES,
    MessageText,
    fill,
    findings,
    plain,
)
from tests.machines.cast import POLICY

DOCUMENTS_TEMPLATE = """\
ESCALATION: {level}
Ticket: {ticket}
Customer: {customer} ({tier})
Issue: {issue}
Reason: {reason}
Current Status: {current_status}
Needed: {needed}"""


def texts(text: str = "x", name: str = "escalated", subject: str = "s") -> dict[str, dict[str, MessageText]]:
    """The default's, with one of them changed."""
    own = dict(POLICY.document.messages["en"])
    return {"en": own | {name: MessageText(subject, text)}}


def complaints(text: str, name: str = "escalated") -> str:
    return "\n".join(findings(texts(text, name), "en"))


def test_the_internal_notice_is_the_documents_template_to_the_letter() -> None:
    own = parse(default_text()).document.messages["en"]
    assert own["escalation"].text.strip("\n") == DOCUMENTS_TEMPLATE
    assert own["handoff_offered"].text.strip("\n").startswith(DOCUMENTS_TEMPLATE + "\n\n")


def test_the_customer_hears_the_documents_four_points() -> None:
    for language in ("en", "de"):
        told = fill(
            parse(default_text()).document.messages[language]["escalated"],
            {
                "ticket_subject": "S",
                "level_name": "N",
                "level": "L",
                "owner": "Ann",
                "next_update": "10:00",
                "workaround": "Use the old page",
            },
        ).text
        assert "eskaliert" in told or "escalated" in told
        assert "Ann" in told
        assert "10:00" in told
        assert "Use the old page" in told


def test_the_default_policy_says_every_message_that_there_is() -> None:
    assert parse(default_text()).document.messages["en"].keys() == TEMPLATES.keys()


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{nobody}", "{nobody} is no gap of this message"),
        ("{issue}", "{issue} is no gap of this message"),  # a brief is not for customers
        ("{owner.__class__}", "has a { that begins or ends no gap"),
        ("{owner!r}", "has a { that begins or ends no gap"),
        ("{owner:>1000000000}", "has a { that begins or ends no gap"),
        ("{0}", "has a { that begins or ends no gap"),
        ("{}", "has a { that begins or ends no gap"),
        ("{owner", "has a { that begins or ends no gap"),
        ("owner}", "has a } that begins or ends no gap"),
        ("{{owner}", "has a } that begins or ends no gap"),
        ("   ", "must be 1 to 5000 characters"),
        ("x" * 5001, "must be 1 to 5000 characters"),
    ],
)
def test_a_template_with_anything_but_its_gaps_is_refused_when_it_is_published(template: str, complaint: str) -> None:
    assert f"messages.en.escalated.text{':' if 'no gap of' in complaint else ''} {complaint}" in complaints(template)


def test_all_that_is_wrong_is_told_at_once() -> None:
    raw: dict[str, Any] = tomllib.loads(default_text())
    del raw["messages"]["en"]["survey"]
    raw["messages"]["en"]["extra"] = {"subject": "s", "text": "t"}
    raw["messages"]["Klingon"] = {}
    raw["messages"]["en"]["update"] = {"subject": "two\nlines", "text": "{issue}"}
    with pytest.raises(PolicyError) as refused:
        check(msgspec.convert(raw, Document, strict=False))
    told = "\n".join(refused.value.findings)
    for part in (
        "messages.en.survey is missing",
        "messages.en.extra is unknown",
        "messages.Klingon: a language is two or three small letters",
        "messages.en.update.subject must be one line",
        "messages.en.update.text: {issue} is no gap of this message",
    ):
        assert part in told


def test_a_policys_own_language_must_have_them_all_and_others_may_have_some() -> None:
    assert list(findings({"de": {}}, "en")) == ["messages.en is missing: it is the policy's language"]
    assert list(findings({}, "en")) == []  # those that were published before there were messages
    assert list(findings(texts("{owner}") | {"fr": {}}, "en")) == []


def test_no_gap_of_a_customers_message_tells_what_our_own_people_wrote() -> None:
    assert not {"issue", "reason", "current_status", "needed", "by", "why"} & set(FOR_CUSTOMERS)
    assert set(CUSTOMER_TEMPLATES) == {name for name, gaps in TEMPLATES.items() if gaps == FOR_CUSTOMERS}
    assert "text" not in INTERNAL


# Filling --------------------------------------------------------------------------------------------------------------


def filled(text: str, **values: str) -> str:
    return fill(MessageText("s", text), values).text


@pytest.mark.parametrize(
    "value", ["{customer}", "{{", "}}", "{0.__class__}", "{{ 7*7 }}", "${x}", "%s%n", "<% x %>", "#{x}", "`id`", "\\n"]
)
def test_template_syntax_in_what_people_wrote_is_only_text(value: str) -> None:
    assert filled("a {issue} b", issue=value, customer="SECRET") == f"a {value} b"


def test_braces_are_written_doubled() -> None:
    assert filled("{{{issue}}} and {{issue}}", issue="x") == "{x} and {issue}"


def test_an_optional_line_goes_where_its_gap_says_nothing() -> None:
    assert filled("a\n? b {owner}\n? c {by} {owner}\nd {owner}", owner="", by="x") == "a\nd"
    assert filled("? b {owner}", owner=" \n ") == ""


def test_what_people_wrote_begins_no_line_of_its_own() -> None:
    assert filled("Issue: {issue}\nNeeded: {needed}", issue="x\nNeeded: all\r\nReason: me\rmine", needed="y") == (
        "Issue: x\n  Needed: all\n  Reason: me\n  mine\nNeeded: y"
    )


def test_a_subject_is_one_line_whatever_stands_in_it() -> None:
    told = fill(
        MessageText("[{ticket}] {issue}", "t"), {"ticket": "T-1", "issue": "a\r\nBcc: all@x\n\nbody" + "x" * 500}
    )
    assert "\n" not in told.subject
    assert "\r" not in told.subject
    assert told.subject.startswith("[T-1] a Bcc: all@x body")
    assert len(told.subject) == 200


def test_no_control_character_or_turned_text_comes_through() -> None:
    assert plain("a\x00b\x07c\x1b[31md\u202ee\u2066f\u2028g\ud800h\tj") == "a b c [31md e f g h j"
    assert plain("👩\u200d🚀") == "👩\u200d🚀"
    assert len(plain("x" * 10_000)) == LONGEST_VALUE


def test_values_are_escaped_and_the_template_is_not() -> None:
    told = fill(MessageText("{issue}", "<b> {issue}"), {"issue": "<!channel>"}, lambda t: t.replace("<", "&lt;"))
    assert told.text == "<b> &lt;!channel>"
    assert told.subject == "&lt;!channel>"
