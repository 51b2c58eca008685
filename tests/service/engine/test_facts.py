"""Sentence 2: facts are read after the locks; who asks is one of them, and `now` too."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.service.engine.proxy import Proxy
from tests.service.engine.test_lock import WAITS
from tests.service.engine.town import Town, alone, together


async def waits_while(town: Town, proxy: Proxy, job, *statements: str):
    """What the job is told when another transaction, which holds T-1, does these and commits while it waits."""
    engine = town.engine(proxy.url, in_flight=1)
    other = await town.lock("T-1")
    third_try = proxy.stop_at(WAITS, wait=False)
    waiting = asyncio.create_task(alone(engine, job))
    await third_try.reached.wait()
    for statement in statements:
        await other.execute(statement)
    await other.execute("COMMIT")
    await other.close()
    return await waiting


async def test_what_changed_while_the_command_waited_for_its_lock_is_seen(town: Town, proxy: Proxy):
    (escalation,) = await town.standing(town.engine(), "T-1")
    solve = town.call("dan", escalation, "de_escalate", criterion="issue_resolved")
    clocks = "WITH t AS (DELETE FROM timer WHERE kind IN ('first_response', 'resolution'))"
    told = await waits_while(town, proxy, solve, f"{clocks} UPDATE ticket SET status = 'solved' WHERE id = 'T-1'")
    assert (told.status, told.state) == (201, "de_escalating")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ("UPDATE principal SET role = 'manager', level = 2 WHERE id = 'dan'", 403),
        ("UPDATE principal SET role = 'auditor', level = 0 WHERE id = 'dan'", 403),
        ("UPDATE person SET level = 1 WHERE id = 'dan'", 403),
        ("UPDATE person SET active = false WHERE id = 'dan'", 401),
        ("UPDATE principal SET active = false WHERE id = 'dan'", 401),
        ("UPDATE api_key SET revoked_at = clock_timestamp() WHERE principal_id = 'dan'", 401),
    ],
)
async def test_who_lost_a_role_or_key_is_refused_even_while_waiting_for_the_lock(
    town: Town, proxy: Proxy, change: str, status: int
):
    (escalation,) = await town.standing(town.engine(), "T-1")
    credit = town.call("dan", escalation, "act", authority="approve_service_credit", detail="100")
    told = await waits_while(town, proxy, credit, change)
    assert told.status == status
    assert "act" not in await town.versions(escalation)


async def test_a_demoted_person_is_refused_in_the_next_command_by_every_node(town: Town):
    nodes = [town.engine(), town.engine()]
    (escalation,) = await town.standing(nodes[0], "T-1")
    credit = {"authority": "approve_service_credit", "detail": "100"}
    before = [await alone(node, town.call("dan", escalation, "act", **credit)) for node in nodes]
    await town.db.execute("UPDATE principal SET role = 'lead', level = 1 WHERE id = 'dan'")
    after = [await alone(node, town.call("dan", escalation, "act", **credit)) for node in nodes]
    assert [told.status for told in before + after] == [201, 201, 403, 403]
    assert after[0].failed == ("actor_holds_authority",)


async def test_a_promoted_person_may_in_the_next_command(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    await alone(engine, town.call("lee", escalation, "join", reason="to help"))
    credit = {"authority": "approve_service_credit", "detail": "100"}
    assert (await alone(engine, town.call("lee", escalation, "act", **credit))).status == 403
    await town.db.execute("UPDATE principal SET role = 'director', level = 3 WHERE id = 'lee'")
    assert (await alone(engine, town.call("lee", escalation, "act", **credit))).status == 403, "the roster says 1"
    await town.db.execute("UPDATE person SET level = 3 WHERE id = 'lee'")
    assert (await alone(engine, town.call("lee", escalation, "act", **credit))).status == 201


async def test_a_wrong_secret_is_nobody(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    forged = town.call("dan", escalation, "note", text="a")
    forged.digest = "0" * 64
    assert (await alone(engine, forged)).status == 401
    as_clock = town.call("dan", escalation, "note", text="a")
    as_clock.key = "clock"
    assert (await alone(engine, as_clock)).status == 401


async def test_now_is_read_after_the_lock_and_once_a_batch(town: Town, proxy: Proxy):
    (escalation,) = await town.standing(town.engine(), "T-1")
    note = town.call("dan", escalation, "note", text="a")
    seen = "CREATE TABLE seen AS SELECT clock_timestamp() AS at"
    await waits_while(town, proxy, note, seen)
    at, before = await town.db.fetchrow(
        "SELECT at, (SELECT at FROM seen) FROM history WHERE escalation_id = $1 ORDER BY version DESC LIMIT 1",
        escalation,
    )
    assert at > before
    await together(town.engine(), [town.call("dan", escalation, "note", text=text) for text in "bcd"])
    newest = await town.db.fetch("SELECT at FROM history ORDER BY seq DESC LIMIT 3")
    assert len({row["at"] for row in newest}) == 1


async def test_a_row_is_never_before_the_one_before_it(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    last = await town.db.fetchval("SELECT max(at) FROM history")
    await town.db.execute("INSERT INTO virtual_clock (now) VALUES ($1)", last - timedelta(hours=1))
    assert (await alone(engine, town.call("dan", escalation, "note", text="a"))).status == 201
    assert await town.db.fetchval("SELECT at FROM history ORDER BY version DESC LIMIT 1") == last


async def test_facts_are_no_more_statements_for_more_commands(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, in_flight=1)
    escalations = await town.standing(engine, *(f"T-{n}" for n in range(64)))
    counts = []
    for few in (1, 2, 64):
        proxy.said.clear()
        told = await together(engine, [town.call("dan", each, "note", text="a") for each in escalations[:few]])
        assert {answer.status for answer in told} == {201}
        counts.append(len(proxy.said))
    assert counts[0] == counts[1] == counts[2]
    assert counts[0] <= 6
