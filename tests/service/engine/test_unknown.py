"""Sentence 6, second half: a connection that dies in COMMIT. Under the tickets' locks, absent means not committed."""

from __future__ import annotations

import asyncio

import pytest

from machines.asked import Fire, Transition
from service.engine import Unavailable
from tests.service.engine.faults import blocked, let_commit, slow_commit
from tests.service.engine.proxy import Fate, Proxy
from tests.service.engine.town import Town, alone, put, together, told

FATES: list[Fate] = ["lose", "lose_answer", "hang_up"]


@pytest.mark.parametrize("fate", FATES)
async def test_a_connection_cut_in_commit_leaves_one_effect_and_the_right_answer(town: Town, proxy: Proxy, fate: Fate):
    engine = town.engine(proxy.url)
    (escalation,) = await town.standing(engine, "T-1")
    proxy.stop_at("COMMIT", fate, wait=False)
    answer = await alone(engine, town.call("dan", escalation, "note", text="a"))
    assert (answer.status, answer.version) == (201, 4)
    head = await town.db.fetchval("SELECT head FROM escalation WHERE id = $1", escalation)
    assert answer.hash == head
    assert await town.versions(escalation) == ["open", "engage", "accept", "note"]


@pytest.mark.parametrize("fate", FATES)
async def test_so_does_every_command_of_a_full_batch(town: Town, proxy: Proxy, fate: Fate):
    engine = town.engine(proxy.url)
    escalations = await town.standing(engine, *(f"T-{n}" for n in range(32)))
    proxy.stop_at("COMMIT", fate, wait=False)
    jobs = [town.call("dan", each, "note", text=text) for each in escalations for text in "ab"]
    jobs[7] = town.call("dan", escalations[3], "act", authority="modify_contract", detail="no")
    answers = await together(engine, jobs)
    assert [answer.status for answer in answers] == [201] * 7 + [403] + [201] * 56
    assert await town.db.fetchval("SELECT count(*) FROM history WHERE version > 3") == 63
    assert await town.db.fetchval("SELECT count(*) FROM denial") == 1


@pytest.mark.parametrize("fate", FATES)
async def test_a_refusal_whose_denial_was_cut_off_is_one_denial(town: Town, proxy: Proxy, fate: Fate):
    engine = town.engine(proxy.url)
    (escalation,) = await town.standing(engine, "T-1")
    proxy.stop_at("COMMIT", fate, wait=False)
    answer = await alone(engine, town.call("dan", escalation, "act", authority="modify_contract", detail="a"))
    assert answer.status == 403
    assert await town.db.fetchval("SELECT count(*) FROM denial") == 1


@pytest.mark.parametrize("fate", FATES)
async def test_an_answer_that_alone_was_to_be_stored_is_stored_once(town: Town, proxy: Proxy, fate: Fate):
    engine = town.engine(proxy.url)
    (escalation,) = await town.standing(engine, "T-1")
    proxy.stop_at("COMMIT", fate, wait=False)
    stale = Transition(escalation, "note", town.transition(escalation, "note", text="a").fields, if_match=1)
    answer = await alone(engine, town.job("dan", stale, key="k"))
    assert answer.status == 412
    assert await town.db.fetchval("SELECT count(*) FROM answered") == 1


@pytest.mark.parametrize("fate", FATES)
async def test_a_report_cut_off_is_one_event(town: Town, proxy: Proxy, fate: Fate):
    engine = town.engine(proxy.url)
    proxy.stop_at("COMMIT", fate, wait=False)
    answer = await alone(engine, town.report("T-1"))
    assert (answer.status, answer.triggers) == (201, ("open", "engage"))
    assert await town.db.fetchval("SELECT count(*) FROM ticket_event") == 1
    assert await town.db.fetchval("SELECT revision FROM ticket") == 1


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("once", [False, True])
async def test_a_contact_cut_off_that_moves_nothing_is_heard_once(town: Town, proxy: Proxy, fate: Fate, once: bool):
    engine = town.engine(proxy.url)
    (escalation,) = await town.standing(engine, "T-1")
    proxy.stop_at("COMMIT", fate, wait=False)
    answer = await alone(engine, town.heard("T-1", once=once))
    assert (answer.status, answer.triggers) == (201, ())
    assert await town.versions(escalation) == ["open", "engage", "accept"]
    assert await town.db.fetchval("SELECT count(*) FROM contact") == 1
    assert await town.db.fetchval("SELECT revision FROM ticket") == 2


@pytest.mark.parametrize("fate", FATES)
async def test_a_contact_is_found_by_its_own_id_so_that_it_is_not_decided_again(town: Town, proxy: Proxy, fate: Fate):
    engine = town.engine(proxy.url)
    await town.standing(engine, "T-1")
    heard = town.heard("T-1")
    stop = proxy.stop_at("COMMIT", fate)
    (reply,) = put(engine, [heard])
    await stop.reached.wait()
    asked = len(proxy.said)
    stop.go.set()
    assert told(await reply).status == 201
    again = sum("contact_rows AS" in said for said in proxy.said[asked:])
    assert again == (1 if fate == "lose" else 0)


@pytest.mark.parametrize("fate", FATES)
async def test_a_timer_cut_off_fires_once(town: Town, proxy: Proxy, fate: Fate):
    engine = town.engine(proxy.url)
    (escalation,) = await town.standing(engine, "T-1", accepted=False)
    due = await town.db.fetchval("SELECT due_at FROM timer WHERE kind = 'respond'")
    await town.db.execute("INSERT INTO virtual_clock (now) VALUES ($1)", due)
    proxy.stop_at("COMMIT", fate, wait=False)
    answer = await alone(engine, town.job("clock", Fire("T-1", "respond", due)))
    assert answer.triggers == ("escalate",)
    assert await town.versions(escalation) == ["open", "engage", "escalate"]


async def test_a_commit_that_the_server_is_still_doing_is_waited_for(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url)
    (escalation,) = await town.standing(engine, "T-1")
    await slow_commit(town.db, "history")
    proxy.stop_at("COMMIT", "hang_up", wait=False)
    noting = asyncio.create_task(alone(engine, town.call("dan", escalation, "note", text="a")))
    await blocked(town.db, 2)
    await let_commit(town.db)
    assert (await noting).version == 4
    assert await town.versions(escalation) == ["open", "engage", "accept", "note"]


async def test_so_is_one_that_makes_its_ticket(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url)
    await slow_commit(town.db, "ticket_event")
    proxy.stop_at("COMMIT", "hang_up", wait=False)
    reporting = asyncio.create_task(alone(engine, town.report("T-1")))
    await blocked(town.db, 2)
    await let_commit(town.db)
    assert (await reporting).triggers == ("open", "engage")
    assert await town.db.fetchval("SELECT revision FROM ticket") == 1


async def test_a_commit_that_the_server_does_not_end_is_unknown(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, lock_timeout="50ms")
    (escalation,) = await town.standing(engine, "T-1")
    await slow_commit(town.db, "history")
    proxy.stop_at("COMMIT", "hang_up", wait=False)
    note = town.call("dan", escalation, "note", key="k", text="a")
    with pytest.raises(Unavailable) as caught:
        await engine.submit(note)
    assert caught.value.unknown
    await let_commit(town.db)
    again = await alone(town.engine(), town.call("dan", escalation, "note", key="k", text="a"))
    assert again.version == 4
    assert await town.versions(escalation) == ["open", "engage", "accept", "note"]


@pytest.mark.parametrize("fate", FATES)
async def test_when_nothing_can_be_told_the_outcome_is_unknown_and_a_repetition_is_once(
    town: Town, proxy: Proxy, fate: Fate
):
    engine = town.engine(proxy.url)
    one, two = await town.standing(engine, "T-1", "T-2")
    stop = proxy.stop_at("COMMIT", fate)
    replies = put(engine, [town.call("dan", each, "note", key=each, text="a") for each in (one, two)])
    await stop.reached.wait()
    proxy.refusing = True
    stop.go.set()
    for reply in replies:
        with pytest.raises(Unavailable) as caught:
            await reply
        assert caught.value.unknown
    proxy.refusing = False
    for each in (one, two):
        assert told(await engine.submit(town.call("dan", each, "note", key=each, text="a"))).version == 4
        assert await town.versions(each) == ["open", "engage", "accept", "note"]


async def test_what_waits_for_a_later_batch_is_not_unknown_with_this_one(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, in_flight=1)
    one, two = await town.standing(engine, "T-1", "T-2")
    other = await town.lock("T-2")
    stop = proxy.stop_at("COMMIT", "lose")
    sent, skipped = put(engine, [town.call("dan", each, "note", text="a") for each in (one, two)])
    await stop.reached.wait()
    proxy.refusing = True
    stop.go.set()
    with pytest.raises(Unavailable) as caught:
        await sent
    assert caught.value.unknown
    proxy.refusing = False
    await other.close()
    await asyncio.wait([skipped])
    error = skipped.exception()
    assert error is None or (isinstance(error, Unavailable) and not error.unknown)
    await engine.stop()
    assert (await town.versions(two))[3:] == ([] if error else ["note"])


@pytest.mark.parametrize("place", ["BEGIN", "FOR UPDATE", "json_build_object", "history_rows"])
@pytest.mark.parametrize("fate", ["lose", "hang_up"])
async def test_a_connection_lost_before_commit_is_not_the_callers_concern(
    town: Town, proxy: Proxy, place: str, fate: Fate
):
    engine = town.engine(proxy.url)
    (escalation,) = await town.standing(engine, "T-1")
    stop = proxy.stop_at(place, fate, wait=False)
    assert (await alone(engine, town.call("dan", escalation, "note", text="a"))).version == 4
    assert stop.reached.is_set()
    assert await town.versions(escalation) == ["open", "engage", "accept", "note"]


async def test_a_connection_lost_when_all_were_skipped_leaves_a_node_that_works(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url, in_flight=1)
    (escalation,) = await town.standing(engine, "T-1")
    other = await town.lock("T-1")
    proxy.stop_at("SKIP LOCKED", "pass", wait=False)
    after = proxy.stop_at("ROLLBACK|json_build_object", "lose")
    (skipped,) = put(engine, [town.call("dan", escalation, "note", text="a")])
    await after.reached.wait()
    await other.close()
    after.go.set()
    assert told(await skipped).version == 4
    assert (await alone(engine, town.call("dan", escalation, "note", text="b"))).version == 5


async def test_an_unreachable_database_is_unavailable_and_known_not_to_have_done_it(town: Town, proxy: Proxy):
    engine = town.engine(proxy.url)
    (escalation,) = await town.standing(town.engine(), "T-1")
    proxy.refusing = True
    with pytest.raises(Unavailable) as caught:
        await engine.submit(town.call("dan", escalation, "note", text="a"))
    assert not caught.value.unknown
    proxy.refusing = False
    assert (await alone(engine, town.call("dan", escalation, "note", text="a"))).version == 4
