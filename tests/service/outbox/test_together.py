"""No storms: pages to one person within two minutes for one issue are one message. The issue "Notices", 8."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from service.channels.letter import Later, Letter
from tests.service.conftest import BRIEF, CUSTOMERS
from tests.service.outbox.conftest import Fake, Post

PAGES = "template = 'handoff_offered' ORDER BY id --"


def is_down(letter: Letter) -> None:
    raise Later("answered 500")


def slack(**how: Any) -> Fake:
    """A channel whose messages can be written into."""
    return Fake("slack", "slack", together="amended", only="dan", answer=lambda letter: f"D1/{letter.id}", **how)


async def page(post: Post, ticket: str, issue: str | None = "INC-7") -> None:
    """The director is called for a ticket of this issue; customers differ, for a third report is another matter."""
    customer = list(CUSTOMERS)[int(ticket[2:]) % 3]
    await post.service.ticket(ticket, issue_key=issue, customer_id=customer)
    body = {"ticket_id": ticket, "situation": "executive_visibility", "reason": "Their board asks", "brief": BRIEF}
    (await post.service.call("ann", "POST", "/v1/escalations", body)).ok(201)


async def pages(post: Post) -> list[dict[str, Any]]:
    return await post.rows(PAGES)


async def test_pages_for_one_issue_are_one_message_that_lists_them_and_each_row_is_marked(post: Post) -> None:
    for n in range(5):
        await page(post, f"T-{n}")
    channel = slack(slots=1)
    await post.sender(channel).settle()
    [told] = channel.got
    rows = await pages(post)
    assert told.pages == tuple(row["id"] for row in rows)
    assert told.key == f"{rows[0]['escalation_id']}.{rows[0]['version']}.{rows[0]['ordinal']}"
    wording = told.wording()
    assert wording.subject == "ESCALATION: 5 for INC-7 are offered to you"
    lines = [line.strip() for line in wording.text.splitlines() if "offered to you" in line and "INC-7" not in line]
    assert lines == [f"ESCALATION: Level 3 [T-{n}] is offered to you" for n in range(5)]
    assert {(row["status"], row["attempts"], row["told_in"]) for row in rows} == {("delivered", 1, rows[0]["id"])}
    assert {row["receipt"] for row in rows} == {f"D1/{rows[0]['id']}"}


async def test_others_issues_people_and_messages_are_told_apart(post: Post) -> None:
    await page(post, "T-1")
    await page(post, "T-2", "INC-8")
    await page(post, "T-3", None)
    await page(post, "T-4", None)
    channel = slack()
    await post.sender(channel).settle()
    assert [letter.pages for letter in channel.got] == [(), (), (), ()]
    assert all("Their board asks" in letter.wording().text or letter.ticket_id for letter in channel.got)


async def test_what_comes_within_two_minutes_is_written_into_the_message_that_is_there(post: Post) -> None:
    await page(post, "T-1")
    channel = slack()
    node = post.sender(channel)
    await node.settle()
    await post.service.now_is("2026-01-05T09:01:59Z")
    await page(post, "T-2")
    await node.settle()
    first, second = channel.got
    rows = await pages(post)
    assert (first.pages, first.amends) == ((), None)
    assert (second.pages, second.amends) == (tuple(row["id"] for row in rows), f"D1/{rows[0]['id']}")
    assert {row["told_in"] for row in rows} == {rows[0]["id"]}
    await post.service.now_is("2026-01-05T09:02:00Z")
    await page(post, "T-3")
    await node.settle()
    assert (channel.got[2].pages, channel.got[2].amends) == ((), None), "their time is over"


async def test_where_a_message_stays_as_it_is_what_comes_later_is_told_when_the_two_minutes_are_over(
    post: Post,
) -> None:
    await page(post, "T-1")
    email = Fake("email", "email", together="collected", only="dan")
    node = post.sender(email)
    await node.settle()
    for n in (2, 3):
        await post.service.now_is(f"2026-01-05T09:00:{n}0Z")
        await page(post, f"T-{n}")
        await node.settle()
    assert len(email.got) == 1
    await post.service.now_is("2026-01-05T09:02:00Z")
    await node.settle()
    assert [len(letter.pages) for letter in email.got] == [0, 2]
    assert await post.statuses(PAGES) == {"delivered"}


async def test_a_page_waits_a_moment_for_others_and_one_without_an_issue_does_not(post: Post) -> None:
    await page(post, "T-1")
    await page(post, "T-2", None)
    channel = slack()
    node = post.sender(channel, gathers=timedelta(hours=1))
    await node.settle()
    assert [letter.ticket_id for letter in channel.got] == ["T-2"]
    await post.service.db.execute("UPDATE outbox SET leased_until = clock_timestamp() WHERE ticket_id = 'T-1'")
    await page(post, "T-3")
    await node.settle()
    assert [len(letter.pages) for letter in channel.got] == [0, 2], "what has just come goes with it"


async def test_machines_that_read_messages_get_one_for_each(post: Post) -> None:
    for n in range(3):
        await page(post, f"T-{n}")
    ops = Fake(only="dan")
    await post.sender(ops).settle()
    assert [letter.pages for letter in ops.got] == [(), (), ()]


async def test_one_that_fails_is_tried_again_as_a_whole_and_each_row_has_its_own_outcome(post: Post) -> None:
    for n in range(3):
        await page(post, f"T-{n}")
    channel = slack()
    channel.answer = is_down
    node = post.sender(channel)
    await node.settle()
    assert {(row["status"], row["attempts"], row["told_in"]) for row in await pages(post)} == {("planned", 1, None)}
    channel.answer = lambda letter: "D1/1"
    await post.service.now_is("2026-01-05T09:00:05Z")
    await node.settle()
    assert [len(letter.pages) for letter in channel.got] == [3, 3]
    assert await post.statuses(PAGES) == {"delivered"}


async def test_while_a_message_is_on_its_way_no_second_one_is_sent_beside_it(post: Post) -> None:
    await page(post, "T-1")
    channel = slack()
    node, other = post.sender(channel), post.sender(channel)
    await node.route()
    await node.lanes[0].step()  # handed over, and not marked yet
    await page(post, "T-2")
    await other.settle()
    assert len(channel.got) <= 1
    await node.settle()
    assert [len(letter.pages) for letter in channel.got] == [0, 2]
    assert channel.got[1].amends is not None


async def test_a_storm_lists_some_and_counts_all_and_no_message_tells_of_more_than_a_hundred(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.outbox.words.LISTED", 2)
    monkeypatch.setattr("service.outbox.together.MOST", 3)
    for n in range(5):
        await page(post, f"T-{n}")
    channel = slack()
    await post.sender(channel).settle()
    assert [len(letter.pages) for letter in channel.got] == [3, 2]
    assert "… +1" in channel.got[0].wording().text
    assert await post.statuses(PAGES) == {"delivered"}
