"""Sentence 1: one lock, one order, the ticket's row."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from machines.asked import Fire
from tests.service.engine.proxy import Proxy
from tests.service.engine.town import Town, alone, answers, put, together

WAITS = r"FOR UPDATE(?! SKIP)"
"""How a locking statement that waits is told from one that skips."""


def locks(proxy: Proxy) -> list[str]:
    """The locking statements that passed, as `skips` and `waits`."""
    said = [text for text in proxy.said if "FOR UPDATE" in text]
    return ["skips" if "SKIP LOCKED" in text else "waits" for text in said]


async def test_a_ticket_locked_elsewhere_is_skipped_and_its_neighbour_is_decided(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, in_flight=1)
    held, free = await town.standing(engine, "T-1", "T-2")
    other = await town.lock("T-1")
    third_try = proxy.stop_at(WAITS)
    waiting, decided = put(engine, [town.call("dan", held, "note", text="a"), town.call("dan", free, "note", text="b")])
    await third_try.reached.wait()
    assert decided.done()
    assert not waiting.done()
    await other.close()
    third_try.go.set()
    assert (await answers([waiting]))[0].status == 201


async def test_a_command_skips_twice_and_waits_on_its_third_try(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, in_flight=1)
    (escalation,) = await town.standing(engine, "T-1")
    other = await town.lock("T-1")
    proxy.said.clear()
    third_try = proxy.stop_at(WAITS)
    waiting = asyncio.create_task(alone(engine, town.call("dan", escalation, "note", text="a")))
    await third_try.reached.wait()
    assert locks(proxy) == ["skips", "skips"]
    third_try.go.set()
    await other.close()
    assert (await waiting).status == 201
    assert locks(proxy) == ["skips", "skips", "waits"]


async def test_two_nodes_decide_one_ticket_one_after_the_other(town: Town, proxy: Proxy):
    first, second = town.engine(proxy.url), town.engine()
    (escalation,) = await town.standing(second, "T-1", accepted=False)
    at_commit = proxy.stop_at("COMMIT")
    accepting = asyncio.create_task(alone(first, town.call("dan", escalation, "accept")))
    await at_commit.reached.wait()
    again = asyncio.create_task(alone(second, town.call("dan", escalation, "accept")))
    neighbour = await town.standing(second, "T-2")
    assert neighbour
    assert not again.done()
    at_commit.go.set()
    assert (await accepting).status == 201
    refused = await again
    assert (refused.status, refused.failed) == (422, ("handoff_pending",))


async def test_nodes_that_wait_for_the_same_tickets_take_them_in_one_order(town: Town, proxy: Proxy):
    left, right = town.engine(proxy.url, in_flight=1), town.engine(proxy.url, in_flight=1)
    one, two = await town.standing(left, "T-1", "T-2")
    other = await town.lock("T-1", "T-2")
    proxy.said.clear()
    stops = [proxy.stop_at(WAITS), proxy.stop_at(WAITS)]
    replies = put(left, [town.call("dan", one, "note", text="a"), town.call("dan", two, "note", text="b")])
    replies += put(right, [town.call("dan", two, "note", text="c"), town.call("dan", one, "note", text="d")])
    for stop in stops:
        await stop.reached.wait()
        stop.go.set()
    await other.close()
    assert [told.status for told in await answers(replies)] == [201] * 4
    assert locks(proxy).count("waits") == 2, "a deadlock would have made them try again"


async def test_a_ticket_is_made_to_be_locked_and_leaves_nothing_when_the_report_is_refused(town: Town):
    engine = town.engine()
    refused, made = await together(engine, [town.report("T-1", "aud"), town.report("T-2")])
    assert (refused.status, made.status) == (403, 201)
    assert [row["id"] for row in await town.db.fetch("SELECT id FROM ticket")] == ["T-2"]


async def test_one_ticket_reported_first_by_two_nodes_is_one_ticket(town: Town, proxy: Proxy):
    first, second = town.engine(proxy.url), town.engine()
    at_commit = proxy.stop_at("COMMIT")
    reporting = asyncio.create_task(alone(first, town.report("T-1")))
    await at_commit.reached.wait()
    again = asyncio.create_task(alone(second, town.report("T-1", subject="Still down")))
    at_commit.go.set()
    opened, same = await reporting, await again
    assert opened.id == same.id
    assert opened.triggers == ("open", "engage")
    assert same.triggers == ()
    assert await town.db.fetchval("SELECT revision FROM ticket WHERE id = 'T-1'") == 2


async def test_a_timer_that_two_nodes_hand_in_fires_once(town: Town):
    left, right = town.engine(), town.engine()
    (escalation,) = await town.standing(left, "T-1", accepted=False)
    due = await town.db.fetchval("SELECT due_at FROM timer WHERE kind = 'respond'")
    await town.db.execute("INSERT INTO virtual_clock (now) VALUES ($1)", due)
    fire = Fire("T-1", "respond", due)
    told = await asyncio.gather(*(alone(node, town.job("clock", fire)) for node in (left, right, left)))
    assert sorted(answer.triggers for answer in told) == [(), (), ("escalate",)]
    assert (await town.versions(escalation)) == ["open", "engage", "escalate"]


async def test_a_timer_fires_only_if_it_is_armed_for_that_very_instant(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1", accepted=False)
    due = await town.db.fetchval("SELECT due_at FROM timer WHERE kind = 'respond'")
    early = await alone(engine, town.job("clock", Fire("T-1", "respond", due)))
    await town.db.execute("INSERT INTO virtual_clock (now) VALUES ($1)", due + timedelta(hours=1))
    for instant in (due - timedelta(seconds=1), due + timedelta(seconds=1), datetime(2026, 1, 1, tzinfo=UTC)):
        stale = await alone(engine, town.job("clock", Fire("T-1", "respond", instant)))
        assert stale.triggers == ()
    elsewhere = await alone(engine, town.job("clock", Fire("T-9", "respond", due)))
    assert early.triggers == elsewhere.triggers == ()
    assert await town.versions(escalation) == ["open", "engage"]


async def test_accepting_and_the_timer_never_both_win(town: Town):
    left, right = town.engine(), town.engine()
    (escalation,) = await town.standing(left, "T-1", accepted=False)
    due = await town.db.fetchval("SELECT due_at FROM timer WHERE kind = 'respond'")
    await town.db.execute("INSERT INTO virtual_clock (now) VALUES ($1)", due)
    fired, accepted = await asyncio.gather(
        alone(left, town.job("clock", Fire("T-1", "respond", due))),
        alone(right, town.call("dan", escalation, "accept")),
    )
    assert (fired.triggers == ("escalate",)) != (accepted.triggers == ("accept",))
