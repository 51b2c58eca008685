"""Sentence 7: at most 64 a batch, nobody starves, the queue is bounded, a stopped node's rows come free."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

import service.engine
from machines.asked import Fire
from service import database
from service.engine import ENOUGH, Unavailable
from service.lanes import BATCH
from tests.service.engine.proxy import Proxy
from tests.service.engine.test_lock import WAITS
from tests.service.engine.town import Town, alone, answers, put


async def test_a_batch_is_64_at_most(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    await answers(put(engine, [town.call("dan", escalation, "note", text=str(n)) for n in range(200)]))
    sizes = await town.db.fetch("SELECT count(*) AS n FROM history WHERE version > 3 GROUP BY xid")
    assert sum(row["n"] for row in sizes) == 200
    assert max(row["n"] for row in sizes) <= 64


async def test_a_bulk_of_250_delays_a_request_and_a_timer_by_no_batch(town: Town):
    engine = town.engine(in_flight=1)
    bulky, asked, due_on = await town.standing(engine, "T-1", "T-2", "T-3", accepted=False)
    due = await town.db.fetchval("SELECT due_at FROM timer WHERE kind = 'respond' AND ticket_id = 'T-3'")
    await town.db.execute("INSERT INTO virtual_clock (now) VALUES ($1)", due)
    items = [town.job("dan", town.transition(bulky, "note", text=str(n)), lane="bulk") for n in range(250)]
    one = [town.call("dan", asked, "note", text="a"), town.job("clock", Fire("T-3", "respond", due))]
    replies = put(engine, items + one)
    await answers(replies)
    order = await town.db.fetch("SELECT xid, min(seq) AS first FROM history WHERE version > 2 GROUP BY xid ORDER BY 2")
    for escalation in (asked, due_on):
        batch = await town.db.fetchval("SELECT xid FROM history WHERE escalation_id = $1 AND version = 3", escalation)
        assert batch == order[0]["xid"]
    assert len(order) == 4


async def test_many_requests_do_not_starve_a_bulk_either(town: Town):
    engine = town.engine(in_flight=1)
    asked, bulky = await town.standing(engine, "T-1", "T-2")
    requests = [town.call("dan", asked, "note", text=str(n)) for n in range(128)]
    items = [town.job("dan", town.transition(bulky, "note", text=str(n)), lane="bulk") for n in range(32)]
    await answers(put(engine, requests + items))
    first = await town.db.fetchval("SELECT xid FROM history WHERE escalation_id = $1 AND version = 4", asked)
    together = await town.db.fetchval(
        "SELECT count(*) FROM history WHERE escalation_id = $1 AND xid = $2 AND version > 3", bulky, first
    )
    assert together == 32


async def test_two_batches_are_in_flight_at_once_on_connections_of_their_own(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url)
    one, two = await town.standing(engine, "T-1", "T-2")
    stops = [proxy.stop_at("COMMIT"), proxy.stop_at("COMMIT")]
    replies = put(engine, [town.call("dan", one, "note", text="a")])
    await stops[0].reached.wait()
    replies += put(engine, [town.call("dan", two, "note", text="b")])
    await stops[1].reached.wait()
    for stop in stops:
        stop.go.set()
    assert [told.status for told in await answers(replies)] == [201, 201]


async def test_three_eighths_of_a_batch_begin_beside_another_at_once_and_fewer_when_it_takes_long(
    town: Town, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service.engine, "LONG", 3600)
    engine = town.engine(proxy.url)
    one, two = await town.standing(engine, "T-1", "T-2")
    stops = [proxy.stop_at("COMMIT"), proxy.stop_at("COMMIT")]
    replies = put(engine, [town.call("dan", one, "note", text="a")])
    await stops[0].reached.wait()
    replies += put(engine, [town.call("dan", two, "note", text=str(n)) for n in range(ENOUGH - 1)])
    await asyncio.sleep(0)
    assert not stops[1].reached.is_set()
    replies += put(engine, [town.call("dan", two, "note", text="enough")])
    await stops[1].reached.wait()
    for stop in stops:
        stop.go.set()
    assert {told.status for told in await answers(replies)} == {201}


async def test_a_batch_after_which_another_waits_begins_its_transaction_in_its_commit(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, in_flight=1)
    (escalation,) = await town.standing(engine, "T-1")
    at_commit = proxy.stop_at("COMMIT")
    proxy.said.clear()
    replies = put(engine, [town.call("dan", escalation, "note", text=str(n)) for n in range(BATCH + 1)])
    await at_commit.reached.wait()
    at_commit.go.set()
    assert {told.status for told in await answers(replies)} == {201}
    assert [text for text in proxy.said if text in ("BEGIN", "COMMIT")] == ["BEGIN", "COMMIT", "BEGIN", "COMMIT"]
    assert proxy.chained == 1


async def test_who_waits_for_a_lock_held_elsewhere_holds_up_no_neighbour(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url)
    one, two = await town.standing(engine, "T-1", "T-2")
    other = await town.lock("T-1")
    waits = proxy.stop_at(WAITS)
    waiting = put(engine, [town.call("dan", one, "note", text="a")])
    await waits.reached.wait()
    (told,) = await answers(put(engine, [town.call("dan", two, "note", text="b")]))
    assert told.status == 201
    waits.go.set()
    await other.close()
    assert [told.status for told in await answers(waiting)] == [201]


async def test_a_full_queue_says_so_at_once_and_takes_again_when_there_is_room(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, in_flight=1, queue_limit=3)
    (escalation,) = await town.standing(engine, "T-1")
    at_commit = proxy.stop_at("COMMIT")
    replies = put(engine, [town.call("dan", escalation, "note", text="a")])
    await at_commit.reached.wait()
    waiting = [asyncio.ensure_future(alone(engine, town.call("dan", escalation, "note", text=t))) for t in "bcd"]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as caught:
        await engine.submit(town.call("dan", escalation, "note", text="e"))
    assert not caught.value.unknown
    at_commit.go.set()
    assert (await answers(replies))[0].status == 201
    assert {(await each).status for each in waiting} == {201}
    assert (await alone(engine, town.call("dan", escalation, "note", text="f"))).status == 201


async def test_every_connection_has_the_time_limits_and_the_role_that_owns_nothing(town: Town):
    conn = await database.open_connection(town.url)
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "role")
    assert [await conn.fetchval("SELECT current_setting($1)", name) for name in names] == [
        "2s",
        "5s",
        "3s",
        "escalation_service",
    ]
    await conn.close()


async def test_a_stopped_nodes_rows_come_free_in_its_time_limit_and_another_node_goes_on(town: Town, proxy: Proxy):
    stopped, other = town.engine(proxy.url, idle_in_transaction_session_timeout="100ms"), town.engine()
    (escalation,) = await town.standing(stopped, "T-1")
    after_locks = proxy.stop_at("json_build_object")
    frozen = asyncio.create_task(alone(stopped, town.call("dan", escalation, "note", text="a")))
    await after_locks.reached.wait()
    assert (await alone(other, town.call("dan", escalation, "note", text="b"))).version == 4
    after_locks.go.set()
    assert (await frozen).version == 5, "the node that wakes up decides again, on what stands now"


async def test_so_do_the_rows_of_one_that_stops_before_commit(town: Town, proxy: Proxy):
    stopped, other = town.engine(proxy.url, idle_in_transaction_session_timeout="100ms"), town.engine()
    (escalation,) = await town.standing(other, "T-1", accepted=False)
    at_commit = proxy.stop_at("COMMIT")
    frozen = asyncio.create_task(alone(stopped, town.call("dan", escalation, "accept")))
    await at_commit.reached.wait()
    assert (await alone(other, town.call("dan", escalation, "decline", reason="on leave"))).status == 201
    at_commit.go.set()
    told = await frozen
    assert told.status == 403, "it was offered to somebody else meanwhile"
    assert (await town.versions(escalation))[2:] == ["decline", "escalate"]


@pytest.mark.parametrize("what", ["a key", "a new ticket"])
async def test_who_waits_for_what_a_stopped_node_has_not_committed_is_decided_when_it_comes_free(
    town: Town, proxy: Proxy, what: str
):
    stopped = town.engine(proxy.url, idle_in_transaction_session_timeout="150ms")
    other = town.engine(in_flight=1, lock_timeout="100ms")
    one, two = await town.standing(other, "T-1", "T-2")
    at_commit = proxy.stop_at("COMMIT")
    if what == "a key":
        first, second = (town.call("dan", each, "note", key="once", text="a") for each in (one, two))
    else:
        first, second = town.report("T-9"), town.report("T-9")
    frozen = asyncio.create_task(alone(stopped, first))
    await at_commit.reached.wait()
    told = await answers(put(other, [second, town.call("dan", two, "note", text="b")]))
    assert [answer.status for answer in told] == [201, 201]
    at_commit.go.set()
    assert (await frozen).code == ("key_reused" if what == "a key" else None)


async def test_a_wait_for_a_lock_ends_in_its_time_limit(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, lock_timeout="50ms")
    (escalation,) = await town.standing(engine, "T-1")
    holder = await town.lock("T-1")
    third_try = proxy.stop_at(WAITS, wait=False)
    with pytest.raises(Unavailable) as caught:
        await engine.submit(town.call("dan", escalation, "note", text="a"))
    assert third_try.reached.is_set()
    assert not caught.value.unknown
    await holder.close()


async def test_a_killed_backend_costs_a_retry_and_nothing_else(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    await town.db.execute(f"SELECT pg_terminate_backend(pid) {others}")
    assert (await alone(engine, town.call("dan", escalation, "note", text="a"))).version == 4
    assert isinstance(town.db, asyncpg.Connection)
