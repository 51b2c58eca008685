"""The survey: a signed link, one answer, 1 to 5 and a comment. The issue "Notices", 3."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from service.survey import answered_for, token
from tests.service.conftest import Answer
from tests.service.outbox.conftest import Fake, Post
from tests.service.outbox.test_words import life

ID = "01a20c09-0301-76f9-8658-b3ebd38e7940"


def test_a_token_names_its_escalation_and_only_under_the_secret_that_signed_it() -> None:
    signed = token(ID, "old")
    assert answered_for(signed, ["new", "old"]) == ID
    assert answered_for(signed, ["new"]) is None
    assert token(ID, "old") != token(ID.replace("e7940", "e7941"), "old")


@pytest.mark.parametrize("n", range(43))
def test_a_token_that_was_changed_anywhere_is_none(n: int) -> None:
    signed = token(ID, "s")
    other = signed[:n] + ("A" if signed[n] != "A" else "B") + signed[n + 1 :]
    assert answered_for(other, ["s"]) in (None, ID if n == 42 else None)  # the last one has bits that say nothing


@pytest.mark.parametrize("text", ["", "x", "A" * 43, "ü" * 43, "A" * 42 + "=", "A" * 9999, "../" * 14 + "x"])
def test_what_is_none_is_none(text: str) -> None:
    assert answered_for(text, ["s"]) is None


async def fill(post: Post, link: str, **form: str) -> Answer:
    raw = urlencode(form).encode()
    return await post.service.call(None, "POST", link, raw=raw, Content_Type="application/x-www-form-urlencoded")


async def closed(post: Post) -> str:
    """The path of the survey's link, from the message that a customer got."""
    everything = Fake(slots=50)
    await life(post, post.sender(everything, public_url="https://esc.example"))
    [asked] = [letter.wording().text for letter in everything.got if letter.template == "survey"]
    found = re.search(r"https://esc\.example(/survey/\S+)", asked)
    assert found, asked
    return found[1]


async def test_a_customer_answers_once_with_a_score_and_a_comment(post: Post) -> None:
    link = await closed(post)
    page = await post.service.call(None, "GET", link)
    assert page.status == 200
    assert page.raw.count(b'name="score"') == 5
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for wrong in ({}, {"score": "0"}, {"score": "6"}, {"score": "five"}, {"score": "3", "more": "x"}, {"score": "²"}):
        refused = await fill(post, link, **{"text": "Kept <i>as typed</i>", **wrong})
        assert refused.status == 422
        assert b"Not sent yet" in refused.raw
        assert b"Kept &lt;i&gt;as typed&lt;/i&gt;" in refused.raw
    counted = await fill(post, link, score="4", text="Quick & <b>kind</b>")
    assert counted.status == 200
    assert b"Your answer was counted" in counted.raw
    again = await fill(post, link, score="1", text="Once more")
    assert again.status == 409
    assert b"the first answer counts" in again.raw
    assert again.headers["Referrer-Policy"] == "no-referrer"
    assert b'name="score"' not in (await post.service.call(None, "GET", link)).raw
    row = await post.service.db.fetchrow("SELECT id, csat, state FROM escalation")
    assert (row["csat"], row["state"]) == (4, "closed")
    rated = (await post.service.call("ann", "GET", "/v1/history?trigger=rate")).ok()["items"]
    assert [(t["actor"], t["from"], t["to"], t["detail"]["text"]) for t in rated] == [
        ("clock", "closed", "closed", "Quick & <b>kind</b>")
    ]


async def test_nobody_answers_before_the_end_or_without_the_link(post: Post) -> None:
    e = await post.service.opened("T-1")
    secret = await post.service.db.fetchval("SELECT secret FROM signing_key")
    for link in (f"/survey/{token(e, secret)}", f"/survey/{token(e, 'guessed')}", "/survey/x", f"/survey/{e}"):
        for answer in (await post.service.call(None, "GET", link), await fill(post, link, score="5")):
            assert answer.status == 404
            assert b"There is no such survey" in answer.raw
    (await post.service.act("vic", e, "rate", score=5)).problem(409, "no_such_move")
