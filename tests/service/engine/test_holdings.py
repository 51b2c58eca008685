"""Offers go to whoever holds fewest: counted as escalations change hands, never by looking at all that are live."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

import sql
from machines.asked import Duty
from service import database, verify
from service.asks import wants
from tests.service.engine.proxy import Proxy
from tests.service.engine.town import Town, alone, together

COUNTED = "SELECT coalesce(sum(held), 0) FROM holding WHERE person = $1"
STEPS = ("confirm_with_customer", "update_ticket", "document_lessons")


@pytest.fixture
async def two(town: Town) -> Town:
    """A town with two directors on duty, dan and eve."""
    await town.db.execute("INSERT INTO person (id, name, level, on_duty) VALUES ('eve', 'Eve', 3, true)")
    return town


async def offered(town: Town, ticket: str) -> str:
    """Whom this ticket's escalation is offered to."""
    told = await town.db.fetchval(
        "SELECT offered_to FROM escalation WHERE ticket_id = $1 AND closed_at IS NULL", ticket
    )
    return str(told)


async def held(town: Town, *people: str) -> list[int]:
    """What is counted for each of them."""
    return [await town.db.fetchval(COUNTED, who) for who in people]


async def test_offers_alternate_whichever_node_makes_them(two: Town):
    nodes = [two.engine(), two.engine()]
    for n in range(6):
        await alone(nodes[n % 4 // 2], two.report(f"T-{n}"))
    assert [await offered(two, f"T-{n}") for n in range(6)] == ["dan", "eve"] * 3


async def test_within_a_batch_each_offer_knows_of_those_before_it(two: Town):
    await together(two.engine(), [two.report(f"T-{n}") for n in range(6)])
    assert [await offered(two, f"T-{n}") for n in range(6)] == ["dan", "eve"] * 3


async def test_who_owns_what_they_were_offered_holds_it_once_until_it_is_closed(two: Town):
    engine = two.engine()
    one, _ = await two.standing(engine, "T-1", "T-2", accepted=False)
    await alone(engine, two.call("dan", one, "accept"))
    assert await held(two, "dan", "eve") == [1, 1]
    await alone(engine, two.call("dan", one, "reassign", to="eve", reason="end of shift"))
    assert await held(two, "dan", "eve") == [1, 2], "its owner stays accountable until eve accepts"
    await two.db.execute("UPDATE person SET on_duty = false WHERE id = 'eve'")
    await together(engine, [two.job("", Duty(ticket, "eve")) for ticket in ("T-1", "T-2")])
    assert await held(two, "dan", "eve") == [2, 0]
    await alone(engine, two.report("T-1", status="solved"))
    done = [("complete_step", {"step": step, "detail": "done"}) for step in STEPS]
    ending = [("de_escalate", {"criterion": "issue_resolved"}), *done, ("close", {})]
    told = await together(engine, [two.call("dan", one, trigger, **fields) for trigger, fields in ending])
    assert [answer.status for answer in told] == [201] * len(ending)
    assert await held(two, "dan", "eve") == [1, 0]


async def test_two_batches_that_concern_the_same_person_do_not_wait_for_each_other(town: Town, proxy: Proxy):
    first, second = town.engine(proxy.url), town.engine()
    at_commit = proxy.stop_at("COMMIT")
    opening = asyncio.create_task(alone(first, town.report("T-1")))
    await at_commit.reached.wait()
    assert (await alone(second, town.report("T-2"))).status == 201
    assert await offered(town, "T-2") == "dan"
    assert not opening.done(), "dan's count of the first batch is not committed"
    at_commit.go.set()
    assert (await opening).status == 201
    assert await held(town, "dan") == [2]


def scans(plan: dict[str, Any], table: str) -> Iterator[dict[str, Any]]:
    """The nodes of a plan that read this table."""
    if plan.get("Relation Name") == table:
        yield plan
    for below in plan.get("Plans", ()):
        yield from scans(below, table)


async def test_an_offer_reads_no_escalation_but_its_own_however_many_are_live(town: Town):
    await town.standing(town.engine(), *(f"T-{n}" for n in range(64)), accepted=False)
    want = wants([town.report("T-7")], at_once=False)
    assert want.roster
    conn = await database.open_connection(town.url)
    told = await conn.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.query('engine.facts')}", *want.arguments({}))
    await conn.close()
    read = [node["Actual Rows"] * node["Actual Loops"] for node in scans(json.loads(told)[0]["Plan"], "escalation")]
    assert sum(read) == 1


async def test_what_connections_that_are_gone_have_counted_becomes_one_row_each_and_no_count_changes(two: Town):
    gone = two.engine()
    await together(gone, [two.report(f"T-{n}") for n in range(4)])
    await gone.stop()
    await two.db.execute("SELECT pg_terminate_backend(hand, 10000) FROM holding")  # returns when it has ended
    alive = two.engine()
    await alone(alive, two.report("T-4"))
    pool = await database.connect(two.url)
    await asyncio.gather(*(pool.execute(sql.query("housekeeping.sum_holdings")) for _ in range(2)))
    await pool.close()
    rows = await two.db.fetch("SELECT person, held FROM holding WHERE person <> 'ann' ORDER BY 1, 2")
    assert [tuple(row) for row in rows] == [("dan", 1), ("dan", 2), ("eve", 2)]
    await alone(alive, two.report("T-5"))
    assert await offered(two, "T-5") == "eve"


async def test_a_hand_written_change_of_hands_is_counted_like_any_other(town: Town):
    await town.standing(town.engine(), "T-1")
    by_hand = town.db.transaction()
    await by_hand.start()
    await town.db.execute("UPDATE escalation SET owner = 'vic', engaged = '{vic}'")
    assert await held(town, "dan", "vic") == [0, 1]
    await by_hand.rollback()


async def test_the_migration_counts_what_was_live_before_it(town: Town):
    await town.standing(town.engine(), "T-1", "T-2")
    (step,) = (each for each in sql.migrations() if each.name == "holdings")
    await town.db.execute("DROP TABLE holding; DROP FUNCTION holdings_are_counted, holders CASCADE")
    await town.db.execute(f"BEGIN; {step.text}; COMMIT")
    assert await held(town, "dan") == [2]
    assert await verify.run(town.url) == []
