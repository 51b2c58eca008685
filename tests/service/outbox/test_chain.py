"""`notify_chain`: done when each message was handed over, was parked, or failed its first try and is being retried. So
no receiver that is down keeps anybody from closing. Domain, "De-escalation"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service import verify
from service.channels.letter import Later, Letter, Refused
from service.metrics import METRICS
from service.outbox.chain import chains_told
from service.outbox.sender import Sender
from service.submit import HOUSE
from tests.service.conftest import running
from tests.service.outbox.conftest import NINE, Fake, Post

MAIL = {"smtp_url": "smtp+plain://127.0.0.1:1", "mail_from": "esc@our.example"}
LESSONS: dict[str, Any] = {"step": "document_lessons", "detail": "Watch the pool"}


def is_down(letter: Letter) -> None:
    raise Later("answered 500")


@pytest.fixture
async def post(database_url: str) -> AsyncIterator[Post]:
    """A service with a channel set up; what it sends, the test does."""
    async with running(database_url, **MAIL) as service:
        await service.now_is(NINE)
        yield Post(service)
        assert await verify.run(database_url) == []


async def ending(post: Post) -> str:
    """De-escalated, confirmed and updated: the chain is to be notified, and nothing was sent yet."""
    service = post.service
    customer = {"name": "Acme", "tier": "enterprise", "account_manager": "amy@our.example", "contacts": []}
    (await service.call("root", "PUT", "/v1/customers/acme", customer)).ok()
    e, to = await service.held("T-1")
    await service.ticket("T-1", status="solved", resolved_at=NINE, updated_at=NINE)
    (await service.act(to, e, "de_escalate", criterion="issue_resolved")).ok(201)
    (await service.act(to, e, "complete_step", step="confirm_with_customer", detail="Mail of today")).ok(201)
    (await service.act(to, e, "complete_step", step="update_ticket")).ok(201)
    return e


async def told(post: Post) -> int:
    house = post.service.app[HOUSE]
    return await chains_told(house.reads, house.engine)


async def steps(post: Post, e: str) -> list[str]:
    return list((await post.service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["steps"])


async def closes(post: Post, e: str) -> None:
    owner = await post.service.db.fetchval("SELECT owner FROM escalation WHERE id = $1", e)
    (await post.service.act(owner, e, "complete_step", **LESSONS)).ok(201)
    (await post.service.act(owner, e, "close")).ok(201)


async def step_is_done(post: Post, e: str) -> None:
    """By the watch of the service itself."""
    async with asyncio.timeout(20):
        while "notify_chain" not in await steps(post, e):  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.02)


async def test_everyone_ever_engaged_or_offered_the_channel_and_the_account_manager_hear_it_once(post: Post) -> None:
    await ending(post)
    rows = await post.rows("template = 'chain_notified'")
    assert [(row["audience"], row["recipient"]) for row in rows] == [
        ("person", "ann"),
        ("person", rows[1]["recipient"]),
        ("escalations", "#escalations"),
        ("account_manager", "amy@our.example"),
    ]


async def test_it_is_done_once_each_message_was_handed_over(post: Post) -> None:
    e = await ending(post)
    assert await told(post) == 0, "nothing was sent yet"
    owner = await post.service.db.fetchval("SELECT owner FROM escalation")
    (await post.service.act(owner, e, "complete_step", **LESSONS)).problem(422, "guard_failed")
    (await post.service.act("ann", e, "complete_step", step="notify_chain", detail="now")).ok(201)
    assert "notify_chain" not in await steps(post, e)
    await post.sender(Fake(slots=50)).settle()
    await step_is_done(post, e)
    (await post.service.act("ann", e, "complete_step", step="notify_chain", detail="and again")).ok(201)
    assert len(await post.rows("template = 'chain_notified'")) == 4
    await closes(post, e)


@pytest.mark.parametrize("why", ["is down", "refuses"])
async def test_a_receiver_that_is_down_or_refuses_keeps_nobody_from_closing(post: Post, why: str) -> None:
    def answer(letter: Letter) -> None:
        if letter.template == "chain_notified":
            raise Later("answered 500") if why == "is down" else Refused("answered 410")

    e = await ending(post)
    await post.sender(Fake(slots=50, answer=answer)).settle()
    assert await post.statuses("template = 'chain_notified'") == {"planned" if why == "is down" else "parked"}
    await step_is_done(post, e)
    await closes(post, e)


async def test_one_that_was_down_for_long_is_not_waited_for_though_its_last_message_stands_behind(post: Post) -> None:
    e = await ending(post)
    await post.sender(Fake(slots=50, answer=is_down)).settle()
    waiting = await post.rows("template = 'chain_notified' AND recipient = 'ann'")
    assert [row["attempts"] for row in waiting] == [0], "it stands behind one that failed"
    await step_is_done(post, e)
    await closes(post, e)


async def test_what_nobody_asks_is_waited_for_two_minutes(post: Post) -> None:
    e = await ending(post)
    await post.service.now_is("2026-01-05T09:01:59Z")
    assert await told(post) == 0
    await post.service.now_is("2026-01-05T09:02:00Z")
    await step_is_done(post, e)


async def test_two_nodes_that_see_it_do_it_once(post: Post) -> None:
    e = await ending(post)
    await post.sender(Fake(slots=50)).settle()
    await asyncio.gather(*(told(post) for _ in range(4)))
    await step_is_done(post, e)
    rows: list[Any] = (await post.service.call("ann", "GET", f"/v1/history?escalation_id={e}")).ok()["items"]
    assert [row["actor"] for row in rows if row["reason"] == "notify_chain"] == ["clock", "clock"]


async def test_without_a_channel_the_step_is_done_in_the_transition_that_planned_it(database_url: str) -> None:
    async with running(database_url) as service:
        await service.now_is(NINE)
        post = Post(service)
        e = await ending(post)
        assert "notify_chain" in await steps(post, e)
        await Sender(service.app[HOUSE].reads, (), service.app[METRICS]).settle()
        await closes(post, e)
