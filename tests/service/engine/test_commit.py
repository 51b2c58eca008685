"""Sentences 4 and 5: a batch is written set-wise and committed for everybody; each caller has their own answer."""

from __future__ import annotations

import asyncio

import pytest

from tests.service.engine.proxy import Proxy
from tests.service.engine.town import Town, alone, put, together


async def test_a_cancelled_caller_does_not_undo_the_commit(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url)
    (escalation,) = await town.standing(engine, "T-1")
    at_commit = proxy.stop_at("COMMIT")
    caller = asyncio.create_task(engine.submit(town.call("dan", escalation, "note", text="a")))
    await at_commit.reached.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    at_commit.go.set()
    assert (await alone(engine, town.call("dan", escalation, "note", text="b"))).version == 5
    assert await town.versions(escalation) == ["open", "engage", "accept", "note", "note"]


async def test_a_cancelled_caller_takes_no_neighbour_along(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, in_flight=1)
    one, two = await town.standing(engine, "T-1", "T-2")
    at_commit = proxy.stop_at("COMMIT")
    replies = put(engine, [town.call("dan", one, "note", text="a"), town.call("dan", two, "note", text="b")])
    await at_commit.reached.wait()
    replies[0].cancel()
    at_commit.go.set()
    assert (await replies[1]).status == 201
    assert (await town.versions(one))[-1] == (await town.versions(two))[-1] == "note"


async def test_who_gave_up_before_being_taken_is_not_decided(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, in_flight=1)
    (escalation,) = await town.standing(engine, "T-1")
    at_commit = proxy.stop_at("COMMIT")
    (first,) = put(engine, [town.call("dan", escalation, "note", text="a")])
    await at_commit.reached.wait()
    gone, last = put(engine, [town.call("dan", escalation, "note", text=text) for text in "bc"])
    gone.cancel()
    at_commit.go.set()
    await first
    await last
    assert await town.versions(escalation) == ["open", "engage", "accept", "note", "note"]


async def test_each_caller_of_a_batch_gets_their_own_answer_and_no_refusal_fails_a_neighbour(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url)
    one, two = await town.standing(engine, "T-1", "T-2")
    stale = town.transition(two, "note", text="stale")
    unknown = town.call("dan", one, "note", text="who?")
    unknown.digest = "f" * 64
    jobs = [
        (201, town.call("dan", one, "note", text="a")),
        (403, town.call("dan", one, "act", authority="modify_contract", detail="b")),
        (404, town.call("dan", "01a20c09-0301-76f9-8658-b3ebd38e7940", "note", text="c")),
        (404, town.call("dan", "not an id", "note", text="d")),
        (409, town.call("dan", two, "to_closed")),
        (412, town.job("dan", type(stale)(two, "note", stale.fields, if_match=1))),
        (422, town.call("dan", two, "de_escalate", criterion="issue_resolved")),
        (401, unknown),
        (403, town.report("T-3", "aud")),
        (422, town.report("T-4", customer="nobody")),
        (201, town.report("T-5")),
        (201, town.call("dan", two, "note", text="e")),
    ]
    proxy.said.clear()
    told = await together(engine, [job for _, job in jobs])
    assert [answer.status for answer in told] == [status for status, _ in jobs]
    assert proxy.said.count("COMMIT") == 1
    assert (await town.versions(one))[-1] == (await town.versions(two))[-1] == "note"
    assert await town.db.fetchval("SELECT count(*) FROM ticket WHERE revision = 0") == 0


async def test_a_batch_is_one_transaction(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url)
    escalations = await town.standing(engine, *(f"T-{n}" for n in range(20)))
    await together(engine, [town.call("dan", each, "note", text="a") for each in escalations])
    assert await town.db.fetchval("SELECT count(DISTINCT xid) FROM history WHERE version = 4") == 1


async def test_everything_that_a_transition_plans_is_there_when_it_is_answered(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    row = await town.db.fetchrow("SELECT * FROM escalation WHERE id = $1", escalation)
    timers = {
        r["kind"]: r["due_at"]
        for r in await town.db.fetch(
            "SELECT kind, due_at FROM timer WHERE kind NOT IN ('first_response', 'resolution')"
        )
    }
    assert timers == {"update": row["next_update_by"]}
    planned = await town.db.fetchval("SELECT sum(messages) FROM history WHERE escalation_id = $1", escalation)
    assert planned == await town.db.fetchval("SELECT count(*) FROM outbox WHERE escalation_id = $1", escalation) > 0
    assert await town.db.fetchval("SELECT count(*) FROM ticket_event WHERE ticket_id = 'T-1'") == 1


async def test_stopping_decides_what_waits_and_takes_nothing_more(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    replies = put(engine, [town.call("dan", escalation, "note", text=str(n)) for n in range(100)])
    await engine.stop()
    assert {(await reply).status for reply in replies} == {201}
    with pytest.raises(Exception, match="stopping"):
        await engine.submit(town.call("dan", escalation, "note", text="late"))
