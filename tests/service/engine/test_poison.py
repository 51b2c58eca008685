"""Sentence 6, first half: what the database refuses is told to the culprit alone; races are run again whole."""

from __future__ import annotations

import asyncpg
import pytest

from service.engine import Unavailable
from tests.service.engine.faults import refuse_history
from tests.service.engine.proxy import Proxy
from tests.service.engine.test_lock import WAITS
from tests.service.engine.town import Town, put, together, told

NUL = "no door lets \x00 through"


@pytest.mark.parametrize("culprits", [(0,), (63,), (31,), (5, 40), (0, 1, 62, 63)])
async def test_the_culprits_of_a_full_batch_fail_alone_and_their_neighbours_commit(
    town: Town, culprits: tuple[int, ...]
):
    engine = town.engine()
    escalations = await town.standing(engine, *(f"T-{n}" for n in range(64)))
    texts = [NUL if n in culprits else "a" for n in range(64)]
    replies = put(engine, [town.call("dan", e, "note", text=t) for e, t in zip(escalations, texts, strict=True)])
    for n, reply in enumerate(replies):
        if n in culprits:
            with pytest.raises(asyncpg.DataError):
                await reply
        else:
            assert told(await reply).version == 4
    noted = await town.db.fetchval("SELECT count(*) FROM history WHERE version = 4")
    assert noted == 64 - len(culprits)


async def test_a_culprit_between_commands_of_its_own_ticket_leaves_no_gap(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    texts = [NUL if n == 30 else "a" for n in range(64)]
    replies = put(engine, [town.call("dan", escalation, "note", text=text) for text in texts])
    with pytest.raises(asyncpg.DataError):
        await replies[30]
    versions = [told(await reply).version for n, reply in enumerate(replies) if n != 30]
    assert sorted(versions) == list(range(4, 67))
    assert len(await town.versions(escalation)) == 66


async def test_a_command_whose_telling_fails_is_a_culprit_too(town: Town):
    engine = town.engine()
    one, two = await town.standing(engine, "T-1", "T-2")
    jobs = [town.call("dan", one, "note", text="a"), town.call("dan", two, "note", text="b")]

    def stumble(_):
        raise ArithmeticError("made up")

    jobs[0].render = stumble
    replies = put(engine, jobs)
    with pytest.raises(ArithmeticError):
        await replies[0]
    assert told(await replies[1]).status == 201
    assert (await town.versions(one))[-1] == "accept"


@pytest.mark.parametrize("code", ["40001", "40P01"], ids=["serialization", "deadlock"])
@pytest.mark.parametrize("at_commit", [False, True], ids=["in the write", "in COMMIT"])
async def test_a_race_is_run_again_whole(town: Town, code: str, at_commit: bool):
    engine = town.engine()
    escalations = await town.standing(engine, *(f"T-{n}" for n in range(64)))
    await refuse_history(town.db, code, at_commit=at_commit)
    answers = await together(engine, [town.call("dan", each, "note", text="a") for each in escalations])
    assert [(answer.status, answer.version) for answer in answers] == [(201, 4)] * 64
    assert await town.db.fetchval("SELECT count(DISTINCT xid) FROM history WHERE version = 4") == 1


async def test_a_race_that_is_never_won_is_given_up(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    await refuse_history(town.db, "40001", times=1000)
    with pytest.raises(Unavailable) as caught:
        await engine.submit(town.call("dan", escalation, "note", text="a"))
    assert not caught.value.unknown
    assert (await town.versions(escalation))[-1] == "accept"


@pytest.mark.parametrize("code", ["53100", "53200", "53300", "57014"])
async def test_a_database_that_cannot_now_is_unavailable_and_not_a_fault_of_the_command(town: Town, code: str):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    await refuse_history(town.db, code)
    with pytest.raises(Unavailable) as caught:
        await engine.submit(town.call("dan", escalation, "note", text="a"))
    assert not caught.value.unknown
    assert (await together(engine, [town.call("dan", escalation, "note", text="b")]))[0].version == 4


@pytest.mark.parametrize("code", ["40001", "57014", "22P05"], ids=["a race", "busy", "poison"])
async def test_who_was_skipped_has_no_part_in_what_becomes_of_the_batch(town: Town, proxy: Proxy, code: str):
    engine = town.engine(proxy.url, in_flight=1)
    held, free = await town.standing(engine, "T-1", "T-2")
    await refuse_history(town.db, code)
    other = await town.lock("T-1")
    third_try = proxy.stop_at(WAITS)
    jobs = [town.call("dan", held, "note", text="a"), town.call("dan", free, "note", text="b")]
    skipped, failing = put(engine, jobs)
    await third_try.reached.wait()
    await other.close()
    third_try.go.set()
    assert told(await skipped).status == 201
    if code == "40001":
        assert told(await failing).status == 201
    else:
        with pytest.raises((Unavailable, asyncpg.DataError)):
            await failing
    await engine.stop()
    assert await town.versions(held) == ["open", "engage", "accept", "note"]


async def test_a_ticket_that_stays_locked_costs_no_neighbour_their_answer(town: Town):
    engine = town.engine(in_flight=1, lock_timeout="50ms")
    held, free = await town.standing(engine, "T-1", "T-2")
    other = await town.lock("T-1")
    waiting = town.call("dan", held, "note", text="a")
    waiting.tries = 2
    replies = put(engine, [waiting, town.call("dan", free, "note", text="b")])
    with pytest.raises(Unavailable):
        await replies[0]
    assert told(await replies[1]).status == 201
    await other.close()
    await engine.stop()
    assert (await town.versions(held))[-1] == "accept", "who was told 503 may not find it done"
