"""Idempotency keys: the same command twice is once, whoever asks where, and its answer is the same bytes."""

from __future__ import annotations

import asyncio

import pytest

from tests.service.engine.proxy import Proxy
from tests.service.engine.town import Town, alone, put, together, told


async def test_64_callers_with_one_key_on_two_nodes_have_one_effect_and_the_same_bytes(town: Town):
    nodes = [town.engine(), town.engine()]
    (escalation,) = await town.standing(nodes[0], "T-1", accepted=False)
    replies = await asyncio.gather(
        *(nodes[n % 2].submit(town.call("dan", escalation, "accept", key="once")) for n in range(64))
    )
    assert len({(reply.status, reply.body, reply.etag) for reply in replies}) == 1
    assert sorted(reply.replayed for reply in replies) == [False] + [True] * 63
    assert await town.versions(escalation) == ["open", "engage", "accept"]
    assert await town.db.fetchval("SELECT count(*) FROM answered") == 1
    assert await town.db.fetchval("SELECT body FROM answered") == replies[0].body.decode()


async def test_64_callers_with_keys_of_their_own_make_a_serial_history_and_none_is_lost(town: Town):
    nodes = [town.engine(), town.engine()]
    (escalation,) = await town.standing(nodes[0], "T-1")
    answers = await asyncio.gather(
        *(alone(nodes[n % 2], town.call("dan", escalation, "note", key=f"k{n}", text=str(n))) for n in range(64))
    )
    assert {answer.status for answer in answers} == {201}
    assert sorted(answer.version for answer in answers) == list(range(4, 68))
    assert len(await town.versions(escalation)) == 67
    hashes = await town.db.fetch("SELECT version, hash FROM history WHERE escalation_id = $1", escalation)
    stored = {row["version"]: row["hash"] for row in hashes}
    assert {answer.version: answer.hash for answer in answers}.items() <= stored.items()


async def test_one_key_on_two_escalations_from_two_nodes_is_one_effect_and_the_other_is_told(town: Town, proxy: Proxy):
    first, second = town.engine(proxy.url), town.engine()
    one, two = await town.standing(second, "T-1", "T-2")
    at_commit = proxy.stop_at("COMMIT")
    holding = asyncio.create_task(alone(first, town.call("dan", one, "note", key="once", text="a")))
    await at_commit.reached.wait()
    waiting = asyncio.create_task(alone(second, town.call("dan", two, "note", key="once", text="a")))
    at_commit.go.set()
    done, refused = await holding, await waiting
    assert (done.status, refused.status, refused.code) == (201, 422, "key_reused")
    assert len(await town.versions(one)) == 4
    assert len(await town.versions(two)) == 3


async def test_so_it_is_within_one_batch_and_for_another_body(town: Town):
    engine = town.engine()
    one, two = await town.standing(engine, "T-1", "T-2")
    answers = await together(
        engine,
        [
            town.call("dan", one, "note", key="once", text="a"),
            town.call("dan", two, "note", key="once", text="a"),
            town.call("dan", one, "note", key="once", text="b"),
            town.call("dan", one, "note", key="once", text="a"),
        ],
    )
    assert [answer.status for answer in answers] == [201, 422, 422, 201]
    assert answers[0] == answers[3]
    assert len(await town.versions(one)) == 4


async def test_a_node_that_wrote_a_key_first_makes_the_other_answer_its_bytes(town: Town, proxy: Proxy):
    first, second = town.engine(), town.engine(proxy.url, in_flight=1)
    one, two = await town.standing(first, "T-1", "T-2")
    at_write = proxy.stop_at("history_rows")
    neighbour, late = put(
        second, [town.call("dan", two, "note", text="a"), town.call("dan", "nowhere", "note", key="once", text="a")]
    )
    await at_write.reached.wait()
    at_write.go.set()
    assert told(await neighbour).status == 201
    assert (await late).status == 404, "what is nowhere is not kept"
    at_write = proxy.stop_at("history_rows")
    replies = put(second, [town.call("dan", two, "note", key="twice", text="a")])
    await at_write.reached.wait()
    early = await first.submit(town.call("dan", one, "note", key="twice", text="a"))
    at_write.go.set()
    assert early.status == 201
    assert told(await replies[0]).code == "key_reused"
    assert len(await town.versions(two)) == 4


async def test_keys_are_each_principals_own(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    answers = await together(
        engine, [town.call(who, escalation, "note", key="once", text="a") for who in ("dan", "ann", "lee", "dan")]
    )
    assert [answer.version for answer in answers] == [4, 5, 6, 4]


async def test_a_refusal_is_kept_too_and_is_one_denial(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1", accepted=False)
    credit = {"authority": "approve_service_credit", "detail": "100"}
    first = await engine.submit(town.call("dan", escalation, "act", key="once", **credit))
    await alone(engine, town.call("dan", escalation, "accept"))
    again = await engine.submit(town.call("dan", escalation, "act", key="once", **credit))
    assert (first.status, first.body, again.replayed) == (403, again.body, True)
    assert (await alone(engine, town.call("dan", escalation, "act", key="new", **credit))).status == 201
    assert await town.db.fetchval("SELECT count(*) FROM denial") == 1


@pytest.mark.parametrize(("hours", "replayed"), [(47, True), (49, False)])
async def test_a_key_is_kept_48_hours(town: Town, hours: int, replayed: bool):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    await engine.submit(town.call("dan", escalation, "note", key="once", text="a"))
    await town.db.execute("UPDATE answered SET at = at - $1 * interval '1 hour'", hours)
    again = await engine.submit(town.call("dan", escalation, "note", key="once", text="a"))
    assert again.replayed is replayed
    assert len(await town.versions(escalation)) == (4 if replayed else 5)


async def test_a_stored_answer_is_not_for_a_key_that_was_revoked(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    await engine.submit(town.call("dan", escalation, "note", key="once", text="a"))
    await town.db.execute("UPDATE api_key SET revoked_at = clock_timestamp() WHERE principal_id = 'dan'")
    assert (await engine.submit(town.call("dan", escalation, "note", key="once", text="a"))).status == 401
