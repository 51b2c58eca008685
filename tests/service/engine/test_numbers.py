"""By the virtual clock history is counted, not drawn for: its numbers tell what happened, and not how it came about."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest
from msgspec.structs import replace

from machines.asked import Fire
from service.batch import Job
from service.engine import Engine
from tests.service.engine.faults import refuse_history
from tests.service.engine.proxy import Proxy
from tests.service.engine.town import OPENED, Town, alone, together


@pytest.fixture
async def town(town: Town) -> Town:
    """One that lives by the virtual clock."""
    await town.stand_still()
    return town


async def next_number(town: Town) -> int:
    """Where history goes on."""
    return int(await town.db.fetchval("SELECT next_seq FROM virtual_clock"))


def refused(town: Town, escalation: str) -> Job:
    """An attempt that ends as a denial."""
    return town.call("dan", escalation, "act", authority="modify_contract", detail="no")


async def some(town: Town, engine: Engine, *, at_once: bool) -> list[asyncpg.Record]:
    """Reports, notes and a refusal, decided in one batch or each in its own; what history says then."""
    first, second = await town.standing(engine, "T-1", "T-2")
    jobs = [
        town.call("dan", first, "note", text="a"),
        refused(town, second),
        town.call("dan", second, "note", text="b"),
    ]
    jobs += [town.report("T-3"), town.call("dan", first, "note", text="c")]
    if at_once:
        await together(engine, jobs)
    else:
        for job in jobs:
            await alone(engine, job)
    return list(await town.db.fetch("SELECT seq, hash FROM history ORDER BY seq"))


async def test_decided_together_or_each_alone_is_the_same_history(town: Town, postgres_url: str, template: str):
    owner = await asyncpg.connect(postgres_url)
    await owner.execute(f"CREATE DATABASE test_one_by_one TEMPLATE {template}")
    url = f"{postgres_url.rpartition('/')[0]}/test_one_by_one"
    other = Town(url, await asyncpg.connect(url))
    await other.settle_down()
    await other.stand_still()
    one, two = town.engine(virtual=True), other.engine(virtual=True)
    assert await some(town, one, at_once=True) == await some(other, two, at_once=False)
    await two.stop()
    await other.db.close()
    await owner.execute("DROP DATABASE test_one_by_one")
    await owner.close()


@pytest.mark.parametrize("at_commit", [False, True])
async def test_a_batch_that_is_undone_and_tried_again_has_the_numbers_that_it_had(town: Town, at_commit: bool):
    engine = town.engine(virtual=True)
    (escalation,) = await town.standing(engine, "T-1")
    expected = await next_number(town)
    await refuse_history(town.db, "40001", times=3, at_commit=at_commit)
    await together(engine, [town.call("dan", escalation, "note", text=text) for text in "ab"])
    rows = await town.db.fetch("SELECT seq FROM history ORDER BY seq DESC LIMIT 2")
    assert [row["seq"] for row in rows] == [expected + 1, expected]
    assert await next_number(town) == expected + 2


async def test_what_comes_to_nothing_takes_no_number(town: Town):
    engine = town.engine(virtual=True)
    (escalation,) = await town.standing(engine, "T-1")
    await alone(engine, town.call("dan", escalation, "note", key="k", text="a"))
    expected = await next_number(town)
    unknown = town.call("dan", escalation, "note", text="a")
    unknown.digest = "0" * 64
    stale = replace(town.transition(escalation, "note", text="a"), if_match=1)
    vain = {
        "repeated": town.call("dan", escalation, "note", key="k", text="a"),
        "unknown": unknown,
        "nowhere": town.call("dan", "01a20c09-0301-76f9-8658-b3ebd38e7940", "note", text="a"),
        "stale": town.job("dan", stale, key="s"),
        "fired": town.job("clock", Fire("T-1", "engage", OPENED - timedelta(hours=1))),
    }
    told = {name: (await alone(engine, job)).status for name, job in vain.items()}
    assert told == {"repeated": 201, "unknown": 401, "nowhere": 404, "stale": 412, "fired": 201}
    assert await next_number(town) == expected
    assert (await alone(engine, refused(town, escalation))).status == 403
    assert await next_number(town) == expected + 1


async def test_a_number_that_came_to_another_request_does_not_vouch_for_the_one_that_was_lost(town: Town, proxy: Proxy):
    """Two nodes: the first loses its COMMIT, and before it looks what became of it the second has taken its number."""
    node, other = town.engine(proxy.url, virtual=True), town.engine(virtual=True)
    one, two = await town.standing(node, "T-1", "T-2")
    lost = proxy.stop_at("COMMIT", "lose")
    node.put(first := refused(town, one))
    await lost.reached.wait()
    look = proxy.stop_at("BEGIN")
    lost.go.set()
    await look.reached.wait()
    second = refused(town, two)
    second.command = replace(second.command, request_id="another")
    assert (await alone(other, second)).status == 403
    look.go.set()
    assert (await first.reply).status == 403
    assert await town.db.fetchval("SELECT count(*) FROM denial") == 2
