"""The same promises as a caller over HTTP has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from service import verify
from tests.service.conftest import Service, running
from tests.service.engine.proxy import Fate, Proxy


@pytest.fixture
async def cut(proxy: Proxy) -> AsyncIterator[Service]:
    """A service whose every connection to the database goes through the proxy."""
    async with running(proxy.url) as service:
        yield service


async def standing(service: Service, ticket: str = "T-1") -> str:
    """A P0 of acme: L3, accepted by dan."""
    told = await service.ticket(ticket, priority="p0")
    escalation = str(told["escalation"]["id"])
    (await service.act("dan", escalation, "accept")).ok(201)
    return escalation


async def versions(service: Service, escalation: str) -> list[int]:
    """The versions in history, which are 1, 2, 3 …"""
    found = await service.db.fetch("SELECT version FROM history WHERE escalation_id = $1 ORDER BY 1", escalation)
    return [row["version"] for row in found]


async def test_64_callers_with_one_key_get_the_same_bytes_64_times(service: Service, database_url: str):
    told = await service.ticket("T-1", priority="p0")
    escalation = told["escalation"]["id"]
    answers = await asyncio.gather(
        *(service.act("dan", escalation, "accept", Idempotency_Key="once") for _ in range(64))
    )
    assert {(answer.status, answer.raw, answer.headers["ETag"]) for answer in answers} == {
        (201, answers[0].raw, '"3"'),
    }
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 63
    assert await versions(service, escalation) == [1, 2, 3]
    assert await verify.run(database_url) == []


async def test_64_callers_with_keys_of_their_own_make_one_serial_history(service: Service, database_url: str):
    escalation = await standing(service)
    answers = await asyncio.gather(
        *(service.act("dan", escalation, "note", text=str(n), Idempotency_Key=f"k{n}") for n in range(64))
    )
    assert sorted(answer.ok(201)["transition"]["version"] for answer in answers) == list(range(4, 68))
    assert await versions(service, escalation) == list(range(1, 68))
    assert await verify.run(database_url) == []


async def test_if_match_lets_one_of_many_through(service: Service):
    escalation = await standing(service)
    answers = await asyncio.gather(
        *(service.act("dan", escalation, "note", text=str(n), If_Match='"3"') for n in range(16))
    )
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [201] + [412] * 15
    stale = next(answer for answer in answers if answer.status == 412)
    assert stale.body["escalation"]["version"] == 4


@pytest.mark.parametrize("fate", ["lose", "lose_answer"])
async def test_an_outcome_that_cannot_be_told_is_503_and_its_repetition_is_once(cut: Service, proxy: Proxy, fate: Fate):
    escalation = await standing(cut)
    stop = proxy.stop_at("COMMIT", fate)
    asked = asyncio.create_task(cut.act("dan", escalation, "note", text="a", Idempotency_Key="once"))
    await stop.reached.wait()
    proxy.refusing = True
    stop.go.set()
    problem = (await asked).problem(503, "unknown_outcome")
    assert problem["outcome"] == "unknown"
    proxy.refusing = False
    again = await cut.act("dan", escalation, "note", text="a", Idempotency_Key="once")
    assert again.ok(201)["transition"]["version"] == 4
    assert ("Idempotency-Replayed" in again.headers) == (fate == "lose_answer")
    assert await versions(cut, escalation) == [1, 2, 3, 4]


async def test_a_cut_that_can_be_told_is_not_the_callers_concern(cut: Service, proxy: Proxy):
    escalation = await standing(cut)
    proxy.stop_at("COMMIT", "hang_up", wait=False)
    answer = await cut.act("dan", escalation, "note", text="a")
    assert answer.ok(201)["transition"]["version"] == 4
    assert await versions(cut, escalation) == [1, 2, 3, 4]


async def test_a_database_that_is_away_is_503_with_retry_after_and_nothing_unknown(cut: Service, proxy: Proxy):
    escalation = await standing(cut)
    await cut.db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    proxy.refusing = True
    problem = (await cut.act("dan", escalation, "note", text="a")).problem(503, "unavailable")
    assert "outcome" not in problem
    proxy.refusing = False
    assert (await cut.act("dan", escalation, "note", text="a")).ok(201)["transition"]["version"] == 4


async def test_a_full_queue_is_503_with_retry_after(proxy: Proxy):
    async with running(proxy.url, queue_limit=1) as service:
        escalations = [await standing(service, f"T-{n}") for n in range(3)]
        stops = [proxy.stop_at("COMMIT"), proxy.stop_at("COMMIT")]
        asked = []
        for stop, escalation in zip(stops, escalations, strict=False):
            asked.append(asyncio.create_task(service.act("dan", escalation, "note", text="a")))
            await stop.reached.wait()
        crowd = await asyncio.gather(*(_late(service, escalations[2], stops) for _ in range(2)))
        refused = next(answer for answer in crowd if answer.status == 503)
        refused.problem(503, "unavailable")
        assert sorted(answer.status for answer in crowd) == [201, 503]
        assert [(await each).status for each in asked] == [201, 201]


async def _late(service: Service, escalation: str, stops):
    """A request while both batches are held; whoever is refused lets them go."""
    answer = await service.act("dan", escalation, "note", text="b")
    if answer.status == 503:
        for stop in stops:
            stop.go.set()
    return answer


async def test_a_caller_who_hangs_up_does_not_undo_the_commit(cut: Service, proxy: Proxy):
    escalation = await standing(cut)
    stop = proxy.stop_at("COMMIT")
    asked = asyncio.create_task(cut.act("dan", escalation, "note", text="a"))
    await stop.reached.wait()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    stop.go.set()
    assert (await cut.act("dan", escalation, "note", text="b")).ok(201)["transition"]["version"] == 5
    assert await versions(cut, escalation) == [1, 2, 3, 4, 5]


async def test_a_bulk_is_answered_one_by_one_and_one_refusal_fails_no_neighbour(service: Service, database_url: str):
    escalations = [await standing(service, f"T-{n}") for n in range(2)]
    items = [
        {"escalation_id": escalations[n % 2], "trigger": "note", "text": str(n)}
        if n % 10
        else {"escalation_id": escalations[0], "trigger": "act", "authority": "modify_contract", "detail": "no"}
        for n in range(250)
    ]
    told = (await service.call("dan", "POST", "/v1/transitions", {"items": items}, Idempotency_Key="bulk")).ok()
    assert [item["status"] for item in told["items"]] == [201 if n % 10 else 403 for n in range(250)]
    again = await service.call("dan", "POST", "/v1/transitions", {"items": items}, Idempotency_Key="bulk")
    assert again.body == told
    assert sum([len(await versions(service, each)) for each in escalations]) == 3 + 3 + 225
    assert await service.db.fetchval("SELECT count(*) FROM denial") == 25
    assert await verify.run(database_url) == []
