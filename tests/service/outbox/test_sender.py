"""Delivery: at least once under one id, in order for each escalation and recipient, and nobody waits for another's
receiver. The rules of the issue "Notices", 1."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from service.channels.letter import Later, Letter, Refused
from service.outbox.lane import LEASE
from service.outbox.tries import Outcome, backoff, failed
from tests.service.outbox.conftest import Fake, Post, letter


def refuses(letter: Letter) -> None:
    raise Refused("no such address")


def is_down(letter: Letter) -> None:
    raise Later("answered 500")


async def test_without_a_channel_the_inbox_has_it_all_at_once(post: Post) -> None:
    await post.service.opened("T-1")
    await post.sender().settle()
    rows = await post.rows()
    assert {(row["status"], row["target"]) for row in rows} == {("delivered", "inbox")}
    assert {row["delivered_at"] for row in rows} == {datetime(2026, 1, 5, 9, tzinfo=UTC)}


async def test_each_planned_row_is_handed_over_once_under_an_id_of_its_own(post: Post) -> None:
    await post.service.held("T-1")
    ops = Fake()
    await post.sender(ops).settle()
    rows = await post.rows()
    assert ops.keys == [f"{row['escalation_id']}.{row['version']}.{row['ordinal']}" for row in rows]
    assert {(row["status"], row["target"], row["attempts"]) for row in rows} == {("delivered", "ops", 1)}


async def test_an_audience_without_a_channel_of_its_own_goes_to_the_inbox(post: Post) -> None:
    await post.service.opened("T-1")
    await post.sender(Fake(audiences=("person",))).settle()
    assert {row["target"] for row in await post.rows("audience = 'person'")} == {"ops"}
    assert {row["target"] for row in await post.rows("audience <> 'person'")} == {"inbox"}


async def test_who_dies_between_handing_over_and_marking_leaves_it_to_another_under_the_same_id(post: Post) -> None:
    await post.service.opened("T-1")
    dies, lives = Fake(slots=50), Fake()
    dead = post.sender(dies)
    await dead.route()
    await dead.lanes[0].step()
    await post.until(lambda: len(dies.got) == 5)  # handed over, and never marked
    other = post.sender(lives)
    await other.settle()
    assert lives.got == []
    assert await post.statuses() == {"planned"}
    remaining = await post.service.db.fetchval("SELECT max(leased_until) - clock_timestamp() FROM outbox")
    assert timedelta(0) < remaining <= LEASE <= timedelta(seconds=5)
    await post.service.db.execute("UPDATE outbox SET leased_until = clock_timestamp()")  # it has passed
    await other.settle()
    assert sorted(lives.keys) == sorted(dies.keys)
    assert await post.statuses() == {"delivered"}


async def test_a_lease_is_renewed_while_a_letter_is_on_its_way(post: Post) -> None:
    await post.service.opened("T-1")
    gate = asyncio.Event()

    async def waits(letter: Letter) -> None:
        await gate.wait()

    node = post.sender(Fake(slots=1, answer=waits))
    await node.route()
    await node.lanes[0].step()
    await post.service.db.execute("UPDATE outbox SET leased_until = clock_timestamp() WHERE leased_until IS NOT NULL")
    post.now += 1.5
    await node.lanes[0].step()
    assert await post.service.db.fetchval("SELECT max(leased_until) > clock_timestamp() + '3 s' FROM outbox")
    gate.set()
    await node.settle()
    assert await post.statuses() == {"delivered"}


async def test_who_was_slow_for_too_long_spoils_nothing_of_whoever_took_over(post: Post) -> None:
    await post.service.opened("T-1")
    gate = asyncio.Event()

    async def fails_late(letter: Letter) -> None:
        await gate.wait()
        raise Later("answered 500")

    slow, quick = post.sender(Fake(slots=50, answer=fails_late)), post.sender(Fake())
    await slow.route()
    await slow.lanes[0].step()
    await post.service.db.execute("UPDATE outbox SET leased_until = clock_timestamp()")
    await quick.settle()
    gate.set()
    await slow.lanes[0].drain()
    assert await post.statuses() == {"delivered"}
    assert {row["error"] for row in await post.rows()} == {None}


async def test_two_nodes_share_the_rows_and_send_none_twice(post: Post) -> None:
    for n in range(8):
        await post.service.opened(f"T-{n}")
    mine, theirs = Fake(slots=3), Fake(slots=3)
    await asyncio.gather(post.sender(mine).settle(), post.sender(theirs).settle())
    keys = mine.keys + theirs.keys
    assert len(keys) == len(set(keys)) == len(await post.rows())


async def test_one_escalations_letters_to_one_recipient_keep_their_order(post: Post) -> None:
    e, _ = await post.service.held("T-1")
    for n in range(3):
        (await post.service.act("mia", e, "update_customer", text=f"Step {n}")).ok(201)
    down = True

    def first_is_down(letter: Letter) -> None:
        if down:
            raise Later("answered 500")

    slack = Fake(answer=first_is_down)
    node = post.sender(slack)
    await node.settle()
    asked = [letter for letter in slack.got if letter.audience == "customer"]
    assert len({letter.key for letter in asked}) == 1, "the others wait behind the first"
    waits = {row["next_try_at"] for row in await post.rows("audience = 'customer'")}
    assert len(waits) == 1, "and are not looked at meanwhile"
    down = False
    await post.service.now_is("2026-01-05T09:00:05Z")
    slack.got.clear()
    await node.settle()
    versions = [letter.version for letter in slack.got if letter.audience == "customer"]
    assert versions == sorted(versions)
    assert len(versions) == 5
    assert await post.statuses() == {"delivered"}


async def test_a_receiver_that_is_down_is_tried_again_after_longer_and_longer_waits(post: Post) -> None:
    await post.service.opened("T-1")
    desk = Fake(answer=is_down, audiences=("help_desk",))
    node = post.sender(desk)
    begun, waits = datetime(2026, 1, 5, 9, tzinfo=UTC), list[float]()
    now = begun
    while await post.statuses("audience = 'help_desk'") == {"planned"}:
        await node.settle()
        [row] = await post.rows("audience = 'help_desk'")
        if row["status"] == "planned":
            waits.append((row["next_try_at"] - now).total_seconds())
            now = row["next_try_at"]
            await post.service.now_is(now.isoformat())
    assert row["status"] == "parked"
    assert row["error"] == "given up after 48 hours: answered 500"
    assert timedelta(hours=48) <= now - begun < timedelta(hours=49)
    assert len(set(desk.keys)) == 1
    assert len(desk.keys) == row["attempts"] == len(waits) + 1
    for n, wait in enumerate(waits):
        assert 0.5 * min(3600, 2**n) <= wait <= min(3600, 2**n)


def test_waits_differ_so_that_receivers_are_not_asked_by_all_at_once() -> None:
    rng = random.Random(1)
    assert len({backoff(5, rng.random()) for _ in range(100)}) == 100
    assert backoff(10_000, 0.0) == 3600


async def test_a_permanent_refusal_is_parked_and_asked_no_more(post: Post) -> None:
    await post.service.opened("T-1")  # a page for level 2: no other channel is tried for it
    slack = Fake("slack", "slack", answer=refuses)
    node = post.sender(slack, Fake())
    await node.settle()
    parked = await post.rows("target = 'slack'")
    assert {(row["status"], row["error"], row["attempts"]) for row in parked} == {("parked", "no such address", 1)}
    await post.service.now_is("2026-01-09T09:00:00Z")
    slack.got.clear()
    await node.settle()
    assert slack.got == []


async def test_what_a_channel_did_not_foresee_is_tried_again(post: Post) -> None:
    await post.service.opened("T-1")

    def breaks(letter: Letter) -> None:
        raise KeyError("a bug")

    await post.sender(Fake(answer=breaks)).settle()
    errors = {(row["status"], row["error"]) for row in await post.rows("error IS NOT NULL")}
    assert errors == {("planned", "the channel failed: KeyError")}


async def test_whoever_asks_for_time_gets_it_for_all_their_letters(post: Post) -> None:
    for n in range(3):
        await post.service.opened(f"T-{n}")

    def busy(letter: Letter) -> None:
        raise Later("answered 429", after=30.0)

    slack = Fake(slots=1, answer=busy)
    node = post.sender(slack)
    await node.settle()
    assert len(slack.got) == 1
    slack.answer = lambda letter: None
    post.now += 29.0
    await node.settle()
    assert len(slack.got) == 1
    post.now += 1.0
    await post.service.now_is("2026-01-05T09:00:30Z")
    await node.settle()
    assert await post.statuses() == {"delivered"}


async def test_a_target_that_hangs_holds_up_no_other(post: Post) -> None:
    for n in range(12):
        await post.service.opened(f"T-{n}")
    never = asyncio.Event()
    hangs = Fake("poison", slots=2, audiences=("person", "customer"), answer=lambda letter: never.wait())
    desk = Fake("desk", audiences=("help_desk", "escalations"))
    node = post.sender(hangs, desk)
    running = asyncio.create_task(node.run())
    try:
        await post.until(lambda: len(desk.got) == 24)
    finally:
        running.cancel()
    assert hangs.most == 2
    assert await post.statuses("target = 'poison'") == {"planned"}


# Pages for level 3 and above ------------------------------------------------------------------------------------------


async def page(post: Post) -> str:
    """An escalation that calls the director."""
    return await post.service.opened("T-1", situation="executive_visibility")


async def test_a_refused_page_for_level_3_goes_over_another_channel_at_once(post: Post) -> None:
    await page(post)
    slack, email = (
        Fake("slack", "slack", answer=refuses, only="dan"),
        Fake("email", "email", only="dan"),
    )
    await post.sender(slack, email).settle()
    [row] = await post.rows("template = 'handoff_offered'")
    assert (row["status"], row["target"], row["passed"], row["attempts"]) == ("delivered", "email", ["slack"], 2)
    assert email.keys == slack.keys


async def test_one_that_nobody_takes_goes_over_another_channel_within_five_minutes(post: Post) -> None:
    await page(post)
    slack, email = (
        Fake("slack", "slack", answer=is_down, only="dan"),
        Fake("email", "email", only="dan"),
    )
    node = post.sender(slack, email)
    begun = now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    while not email.got:
        await node.settle()
        [row] = await post.rows("template = 'handoff_offered'")
        if row["status"] == "planned":
            now = row["next_try_at"]
            await post.service.now_is(now.isoformat())
    assert now - begun < timedelta(minutes=4)
    assert len(slack.got) > 3
    assert set(slack.keys) == set(email.keys)


async def test_where_every_channel_refused_a_page_it_is_parked_and_none_is_asked_twice(post: Post) -> None:
    await page(post)
    slack, email = (Fake(kind, kind, answer=refuses, only="dan") for kind in ("slack", "email"))
    await post.sender(slack, email).settle()
    [row] = await post.rows("template = 'handoff_offered'")
    assert (row["status"], row["passed"], row["error"]) == ("parked", ["slack"], "no such address")
    assert (len(slack.got), len(email.got)) == (1, 1)


async def test_one_that_its_target_is_too_busy_for_goes_over_another_channel_too(post: Post) -> None:
    await page(post)
    slack, email = Fake("slack", "slack", only="dan"), Fake("email", "email", only="dan")
    node = post.sender(slack, email)
    await node.route()  # and the lane never comes to it
    await post.service.now_is("2026-01-05T09:01:59Z")
    assert await node.hurry() == 0
    await post.service.now_is("2026-01-05T09:02:00Z")
    assert await node.hurry() == 1
    assert await node.hurry() == 0, "the other one has its own time"
    await node.settle()
    assert (len(slack.got), len(email.got)) == (0, 1)
    [row] = await post.rows("template = 'handoff_offered'")
    assert (row["target"], row["passed"], row["status"]) == ("email", ["slack"], "delivered")


async def test_where_there_is_no_other_channel_it_stays(post: Post) -> None:
    await page(post)
    node = post.sender(Fake("slack", "slack", only="dan"), Fake("email", "email", only="acme"))
    await node.route()
    await post.service.now_is("2026-01-05T10:00:00Z")
    assert await node.hurry() == 0


async def test_no_target_is_left_alone_for_longer_than_a_minute(post: Post) -> None:
    await post.service.opened("T-1")

    def busy(letter: Letter) -> None:
        raise Later("answered 503", after=3600.0)

    slack = Fake(slots=1, answer=busy)
    node = post.sender(slack)
    await node.settle()
    post.now += 60.0
    await node.settle()
    assert len(slack.got) == 2


@pytest.mark.parametrize(
    ("what", "another", "status"),
    [
        (letter(), True, "planned"),
        (letter(first_tried_at=datetime(2026, 1, 5, 8, 58, tzinfo=UTC)), True, "passed"),
        (letter(first_tried_at=datetime(2026, 1, 5, 8, 58, tzinfo=UTC)), False, "planned"),
        (letter(first_tried_at=datetime(2026, 1, 5, 8, 58, tzinfo=UTC), payload={"level": 2}), True, "planned"),
        (letter(first_tried_at=datetime(2026, 1, 5, 8, 58, tzinfo=UTC), template="joined"), True, "planned"),
        (letter(first_tried_at=datetime(2026, 1, 3, 9, tzinfo=UTC), template="joined"), True, "parked"),
    ],
)
def test_only_an_urgent_page_with_another_way_leaves_a_receiver_before_48_hours(
    what: Letter, another: bool, status: str
) -> None:
    assert failed(what, Later("answered 500"), another, random.Random(1)).status == status


def test_a_long_wait_is_not_heeded_where_a_page_has_another_way() -> None:
    assert failed(letter(), Later("429", 3600.0), True, random.Random(1)).wait <= 30
    assert failed(letter(), Later("429", 3600.0), False, random.Random(1)).wait == 3600
    assert failed(letter(), Refused("no"), False, random.Random(1)) == Outcome("parked", error="no")


# What is there no more ------------------------------------------------------------------------------------------------


async def test_rows_of_a_target_that_is_gone_find_another(post: Post) -> None:
    await post.service.opened("T-1")
    old = post.sender(Fake(answer=is_down))
    await old.settle()
    new = post.sender(Fake("other"))
    await new.sweep()
    await new.settle()
    await post.service.now_is("2026-01-05T10:00:00Z")
    await new.settle()
    assert {row["target"] for row in await post.rows()} == {"other"}
    assert await post.statuses() == {"delivered"}


async def test_what_waits_and_what_was_sent_is_measured(post: Post) -> None:
    await post.service.opened("T-1")
    node = post.sender(Fake(answer=is_down, only="mia"))
    await node.settle()
    await post.service.now_is("2026-01-05T09:00:00.25Z")
    await node.sweep()
    text = post.metrics.text().decode()
    assert 'escalation_messages_waiting{target="ops"} 1.0' in text
    assert 'escalation_messages_oldest_seconds{target="ops"} 0.25' in text
    assert 'escalation_message_seconds_count{kind="webhook",outcome="planned"} 1.0' in text
