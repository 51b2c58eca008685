"""How many requests a second one key may make: 429 and Retry-After beyond it, and nobody else notices."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from service.config import Settings
from service.rates import MOST, RATES, Rates
from tests.service.conftest import BRIEF, Service, running


class Now:
    """An instant that tests move."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
async def strict(database_url: str) -> AsyncIterator[tuple[Service, Now]]:
    """A service that lets each key ask three times at once, and one more in every ten seconds."""
    async with running(database_url, rate_limit=0.1, rate_burst=3) as service:
        rates, now = service.app[RATES], Now()
        assert rates is not None
        rates._now = now
        yield service, now


# What is counted ---------------------------------------------------------------------------------------------------


def test_a_burst_is_taken_and_then_one_for_each_that_is_due():
    now = Now()
    rates = Rates(2.0, 3, now)
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.take("b") == 0, "others have their own"
    now.at += 0.5
    assert [rates.take("a"), rates.take("a")] == [0, 0.5]
    now.at += 3600
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 0.5], "what was not used for an hour is one burst"


def test_more_at_once_than_any_burst_is_paid_for_afterwards():
    now = Now()
    rates = Rates(10.0, 5, now)
    assert rates.take("a", 250) == 0
    assert rates.take("a") == pytest.approx(24.6)
    now.at += 24.6
    assert rates.take("a") == 0


def test_what_is_refused_costs_nothing():
    now = Now()
    rates = Rates(1.0, 1, now)
    rates.take("a")
    assert [rates.take("a") for _ in range(100)] == [1.0] * 100
    now.at += 1
    assert rates.take("a") == 0


def test_ten_thousand_made_up_keys_take_no_more_room_and_clear_nobody():
    now = Now()
    rates = Rates(1.0, 2, now)
    for _ in range(2):
        rates.take("asks too much")
    for n in range(5 * MOST):
        rates.take(n)
        assert len(rates._paid_by) <= MOST
    assert rates.take("asks too much") > 0


# At the door -------------------------------------------------------------------------------------------------------


async def test_a_key_that_asks_too_much_is_told_when_to_come_back(strict: tuple[Service, Now]):
    service, now = strict
    for _ in range(3):
        (await service.call("ann", "GET", "/v1/history")).ok()
    answer = await service.call("ann", "GET", "/v1/history")
    answer.problem(429, "too_many_requests")
    assert answer.headers["Retry-After"] == "10"
    (await service.call("lee", "GET", "/v1/history")).ok()
    now.at += 10
    (await service.call("ann", "GET", "/v1/history")).ok()


async def test_health_is_asked_without_a_key_and_never_refused(strict: tuple[Service, Now]):
    service, _ = strict
    for _ in range(10):
        (await service.call(None, "GET", "/healthz")).ok()


async def test_a_wrong_secret_spends_nobodys_rate(strict: tuple[Service, Now]):
    service, _ = strict
    service.keys["mallory"] = service.keys["ann"].rpartition("_")[0] + "_" + "x" * 43
    for _ in range(3):
        (await service.call("mallory", "GET", "/v1/history")).problem(401, "unknown_key")
    (await service.call("mallory", "GET", "/v1/history")).problem(429, "too_many_requests")
    (await service.call("ann", "GET", "/v1/history")).ok()


async def test_however_a_key_is_written_it_is_one(strict: tuple[Service, Now]):
    service, _ = strict
    key = service.keys["ann"]
    told = [
        (await service.call(None, "GET", "/v1/history", Authorization=f"{scheme}{key}")).status
        for scheme in ("Bearer ", "bearer ", "BEARER  ", "bEARER   ")
    ]
    assert told == [200, 200, 200, 429]


async def test_each_item_of_a_bulk_counts(strict: tuple[Service, Now]):
    service, now = strict
    e = await service.opened("T-1")
    now.at += 3600
    items = [{"escalation_id": e, "trigger": "note", "text": str(n)} for n in range(20)]
    told = (await service.call("ann", "POST", "/v1/transitions", items)).ok()
    assert {item["status"] for item in told["items"]} == {201}
    answer = await service.call("ann", "GET", "/v1/history")
    answer.problem(429, "too_many_requests")
    assert answer.headers["Retry-After"] == "180"


async def test_a_session_of_the_console_is_a_caller_of_its_own(strict: tuple[Service, Now]):
    service, _ = strict
    for _ in range(3):
        await service.call(None, "GET", "/", Cookie="session=one")
    assert (await service.call(None, "GET", "/", Cookie="other=x; session=one")).status == 429
    assert (await service.call(None, "GET", "/", Cookie="session=two")).status != 429


async def test_nothing_that_was_refused_happened(strict: tuple[Service, Now]):
    service, now = strict
    await service.ticket("T-1")
    body = {"ticket_id": "T-1", "situation": "blocking_business_process", "reason": "It can't wait", "brief": BRIEF}
    for _ in range(3):
        await service.call("ann", "GET", "/v1/history")
    refused = await service.call("ann", "POST", "/v1/escalations", body, Idempotency_Key="k")
    refused.problem(429, "too_many_requests")
    now.at += 10
    done = await service.call("ann", "POST", "/v1/escalations", body, Idempotency_Key="k")
    done.ok(201)
    assert "Idempotency-Replayed" not in done.headers


async def test_unless_it_is_set_nobody_is_counted(service: Service):
    assert Settings().rate_limit is None
    assert service.app[RATES] is None


def test_counting_costs_no_request_anything_to_speak_of():
    """A look-up and a sum: a generous bound, a hundredth of what a request takes."""
    rates = Rates(1e9, 1000)
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(1000):
            rates.take("a")
        best = min(best, time.perf_counter() - began)
    assert best / 1000 < 20e-6
