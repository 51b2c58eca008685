"""Several nodes on one database, and no leader: each timer fires once, whoever is first, stands still or fails."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from machines.asked import Fire
from machines.values import TimerKind
from service import timers
from service.timers import IN_FLIGHT
from tests.service.clock.conftest import HOUR, MINUTE, START
from tests.service.clock.nodes import Count, firing, left_due, now_is, offered
from tests.service.engine.conftest import proxy, quiet, within_a_minute
from tests.service.engine.conftest import town as town
from tests.service.engine.proxy import Proxy
from tests.service.engine.town import Town, alone, answers, put

__all__ = ["proxy", "quiet", "within_a_minute"]
KINDS: tuple[TimerKind, ...] = ("engage", "respond", "p1")
RAISED = "SELECT count(*) FROM history h JOIN allowed_move m ON m.id = h.move WHERE m.trigger = 'escalate'"


@pytest.mark.parametrize("nodes", [1, 2, 5])
async def test_each_timer_fires_once_however_many_nodes_race(town: Town, nodes: int):
    engines = [town.engine() for _ in range(nodes)]
    ids, due = await offered(town, engines[0], 320, START)
    await now_is(town, due)
    before = await left_due(town.db)
    count = Count(before)
    async with firing(town, engines, count):
        await count.reached.wait()
    assert await left_due(town.db) == 0
    rows = await town.db.fetch(
        "SELECT escalation_id, count(*) AS times, max(detail ->> 'due_at') AS due_at FROM history h"
        " JOIN allowed_move m ON m.id = h.move WHERE m.trigger = 'escalate' GROUP BY escalation_id"
    )
    assert len(rows) == len(ids)
    assert {(row["times"], row["due_at"]) for row in rows} == {(1, "2026-01-05T13:00:00Z")}
    assert len(count.lateness) == before, "nothing was counted twice"


async def test_no_more_are_in_flight_than_may_be(town: Town):
    engine = town.engine(in_flight=1)
    _, due = await offered(town, engine, IN_FLIGHT + 50, START)
    await now_is(town, due)
    handed: list[int] = []
    put_in = engine.put

    def counted(job, *, first=False):
        put_in(job, first=first)
        handed.append(engine._lanes.waiting)

    engine.put = counted  # type: ignore[method-assign]
    count = Count(IN_FLIGHT + 50)
    async with firing(town, [engine], count):
        await count.reached.wait()
    assert max(handed) <= IN_FLIGHT


async def test_a_late_timer_is_decided_at_the_real_now_and_keeps_its_due_instant(town: Town):
    engine = town.engine()
    (one,), due = await offered(town, engine, 1, START)
    await now_is(town, due + 9 * HOUR)
    count = Count(2)
    async with firing(town, [engine], count):
        await count.reached.wait()
    row = await town.db.fetchrow(
        f"SELECT h.at, h.detail ->> 'due_at' AS due_at {RAISED[16:]} AND escalation_id = $1", one
    )
    assert (row["at"], row["due_at"]) == (due + 9 * HOUR, "2026-01-05T13:00:00Z")
    assert max(count.lateness) >= 9 * 3600


async def test_after_a_stop_an_unanswered_l4_is_paged_once_and_then_in_its_cadence(town: Town):
    engine = town.engine()
    (one,), due = await offered(town, engine, 1, START)
    await now_is(town, due)
    count = Count(2)
    async with firing(town, [engine], count):
        await count.reached.wait()
    assert (await town.versions(one))[-1] in ("escalate", "remind")
    await town.db.execute("DELETE FROM timer WHERE kind = 'update'")
    await now_is(town, due + 30 * MINUTE)  # five pages were missed
    again = Count(1)
    async with firing(town, [engine], again):
        await again.reached.wait()
    assert (await town.versions(one)).count("repage") == 1
    page_by = await town.db.fetchval("SELECT page_by FROM escalation WHERE id = $1", one)
    assert page_by == due + 35 * MINUTE
    await town.db.execute("UPDATE timer SET due_at = $1 WHERE kind = 'respond'", page_by)
    await town.db.execute(
        "INSERT INTO timer SELECT ticket_id, 'update', next_update_by FROM escalation WHERE next_update_by IS NOT NULL"
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_firing_and_accepting_never_both_win(town: Town, seed: int):
    rng = random.Random(seed)
    engines = [town.engine(), town.engine()]
    ids, due = await offered(town, engines[0], 48, START)
    await now_is(town, due)
    jobs = [
        (town.call("dan", each, "accept"), town.job("clock", Fire(f"T-{n:05}", "respond", due)))
        for n, each in enumerate(ids)
    ]
    for pair in jobs:
        for job in rng.sample(pair, 2):
            rng.choice(engines).put(job)
    for accepted, fired in jobs:
        accept, fire = await answers([accepted.reply, fired.reply])
        assert (accept.status == 201) != (fire.triggers == ("escalate",)), (accept, fire)


async def test_a_timer_that_cannot_be_decided_is_not_tried_in_a_busy_loop_and_stops_no_other(town: Town):
    engine = town.engine()
    (bad, good), due = await offered(town, engine, 2, START)
    await town.db.execute("DELETE FROM timer WHERE kind = 'update'")
    await town.db.execute("SET session_replication_role = replica")
    await town.db.execute("UPDATE escalation SET handoff = handoff::jsonb - 'status' WHERE id = $1", bad)
    await now_is(town, due)
    count = Count(1)
    async with firing(town, [engine], count):
        await count.reached.wait()
    assert count.in_vain <= 3
    assert (await town.versions(good))[-1] == "escalate"
    await town.db.execute(
        'UPDATE escalation SET handoff = handoff::jsonb || \'{"status": "briefed"}\' WHERE id = $1', bad
    )
    await town.db.execute("INSERT INTO timer SELECT ticket_id, 'update', next_update_by FROM escalation")


async def test_a_node_without_a_database_looks_again(town: Town, proxy: Proxy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(timers, "LOOKS_EVERY", 0.05)
    engine = town.engine()
    (one,), due = await offered(town, engine, 1, START)
    count = Count(2)
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with firing(town, [engine], count):
        await town.db.execute(f"SELECT pg_terminate_backend(pid) {others}")
        await now_is(town, due)
        await count.reached.wait()
    assert "escalate" in await town.versions(one)


async def test_a_stale_firing_writes_nothing_at_all(town: Town):
    engine = town.engine()
    (one,), due = await offered(town, engine, 1, START)
    await now_is(town, due)
    ticket = await town.db.fetchval("SELECT xmin::text || ctid::text FROM ticket")
    await alone(engine, town.call("dan", one, "accept"))
    rows = "SELECT (SELECT count(*) FROM history), (SELECT count(*) FROM outbox), (SELECT count(*) FROM denial)"
    before = await town.db.fetchrow(rows)
    stale = [Fire("T-00000", kind, due - timedelta(minutes=n)) for n in (0, 1) for kind in KINDS]
    assert {told.triggers for told in await answers(put(engine, [town.job("clock", fire) for fire in stale]))} == {()}
    assert await town.db.fetchrow(rows) == before
    assert await town.db.fetchval("SELECT xmin::text || ctid::text FROM ticket") == ticket


async def test_a_p1_timer_fires_once_on_five_nodes(town: Town):
    engines = [town.engine() for _ in range(5)]
    await now_is(town, START)
    tickets = [f"P-{n}" for n in range(40)]
    await answers(put(engines[0], [town.report(ticket, priority="p1", opened_at=START) for ticket in tickets]))
    await now_is(town, START + 4 * HOUR)
    count = Count(40)
    async with firing(town, engines, count):
        await count.reached.wait()
    rows = await town.db.fetch(
        "SELECT ticket_id, count(*) AS rows, min(detail ->> 'due_at') AS due FROM history GROUP BY 1"
    )
    assert len(rows) == 40
    assert {(row["rows"], row["due"]) for row in rows} == {(2, "2026-01-05T13:00:00Z")}
    assert await town.db.fetchval("SELECT count(*) FROM timer WHERE kind = 'p1'") == 0
