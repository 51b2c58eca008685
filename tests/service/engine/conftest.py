"""Engines on a real database. Whatever a test did to it, the verifier must find nothing afterwards."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
import structlog

from service import verify
from tests.service.engine.proxy import Proxy, proxied
from tests.service.engine.town import Town


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Faults are made here on purpose, and telling of each in colour takes longer than the test."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture(autouse=True)
def within_a_minute() -> Iterator[None]:
    """Who waits here waits for an event: one that never comes must not hang the run."""

    def give_up(*_: object) -> None:
        raise TimeoutError("what this test waited for did not come within a minute")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Town]:
    """A town on a database of its own; its engines are stopped, and the verifier run, at the end."""
    db = await asyncpg.connect(database_url)
    town = Town(database_url, db)
    await town.settle_down()
    yield town
    for engine in town.engines:
        await engine.stop()
    await db.close()
    assert await verify.run(database_url) == []


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    """A proxy before the database."""
    async with proxied(database_url) as proxy:
        yield proxy
