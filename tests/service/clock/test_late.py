"""How late timers are is told: to whoever balances requests, and to whoever looks at the measures."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.service.clock.conftest import START
from tests.service.conftest import Service, running

ARMED = "INSERT INTO timer SELECT id, 'update', service_now() - $1::interval FROM ticket"
DISARMED = "DELETE FROM timer WHERE kind = 'update'"
"""It stands for no row's deadline, which the verifier would find at the end."""


async def late(service: Service, by: timedelta) -> None:
    """A timer of the only ticket is due for so long, and nobody fires."""
    await service.now_is(START.isoformat())
    await service.ticket("T-1")
    await service.db.execute(ARMED, by)


async def test_it_is_ready_while_the_oldest_due_timer_is_late_by_no_more_than_the_limit(service: Service):
    await late(service, timedelta(seconds=30))
    told = (await service.call(None, "GET", "/readyz")).ok()
    assert told["checks"]["timers"] == {"ok": True, "detail": "the oldest due one is 30.0 s late, of 30 s allowed"}
    await service.db.execute(DISARMED)


async def test_it_is_not_ready_when_it_is_later_and_says_by_how_much(service: Service):
    await late(service, timedelta(seconds=31))
    answer = await service.call(None, "GET", "/readyz")
    assert (answer.status, answer.body["status"]) == (503, "not_ready")
    assert answer.body["checks"]["timers"]["detail"] == "the oldest due one is 31.0 s late, of 30 s allowed"
    await service.db.execute(DISARMED)


async def test_the_limit_is_a_setting(database_url: str):
    async with running(database_url, timers_late_after=60.0) as service:
        await late(service, timedelta(seconds=31))
        assert (await service.call(None, "GET", "/readyz")).status == 200


async def test_the_measures_tell_how_late_the_oldest_is_now(service: Service):
    await late(service, timedelta(minutes=2))
    text = (await service.call("aud", "GET", "/metrics")).raw.decode()
    assert "escalation_timers_late_seconds 120.0" in text
    await service.db.execute(DISARMED)


async def test_a_node_looks_for_due_timers_as_long_as_it_lives(database_url: str):
    """On the system's clock, as long as the service lives."""
    async with running(database_url, timers=True) as service:
        loop = next(task for task in asyncio.all_tasks() if task.get_name() == "timers")
        assert not loop.done()
        text = (await service.call("aud", "GET", "/metrics")).raw.decode()
        assert "escalation_timers_late_seconds 0.0" in text
        assert "# TYPE escalation_timer_lateness_seconds histogram" in text
    assert loop.cancelled()
