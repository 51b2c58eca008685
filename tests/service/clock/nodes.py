"""Nodes that fire timers on one database: an engine each, a loop each, and a count of what fired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg

from service import database
from service.engine import Engine
from service.metrics import Metrics
from service.timers import Timers
from tests.service.engine.town import Town, together


class Count(Metrics):
    """Counts what fired; `reached` is set when it is as much as awaited."""

    def __init__(self, awaited: int) -> None:
        super().__init__()
        self._awaited = awaited
        self.lateness: list[float] = []
        self.in_vain = 0
        self.reached = asyncio.Event()

    def fired(self, kind: str, late: float) -> None:
        """One more."""
        super().fired(kind, late)
        self.lateness.append(late)
        if len(self.lateness) >= self._awaited:
            self.reached.set()

    def fired_in_vain(self, kind: str) -> None:
        """One for nothing."""
        super().fired_in_vain(kind)
        self.in_vain += 1


@asynccontextmanager
async def firing(town: Town, engines: Iterable[Engine], count: Count) -> AsyncIterator[None]:
    """Each of these engines is a node that fires timers, as long as the context lasts."""
    pools = [await database.connect(town.url, max_size=2) for _ in engines]
    loops = [
        asyncio.create_task(Timers(engine, pool, count).run()) for engine, pool in zip(engines, pools, strict=True)
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        for pool in pools:
            await pool.close()


async def now_is(town: Town, now: datetime) -> None:
    """Stop the clock at this instant."""
    await town.db.execute(
        "INSERT INTO virtual_clock (now) VALUES ($1) ON CONFLICT (only_row) DO UPDATE SET now = excluded.now", now
    )


async def offered(town: Town, engine: Engine, count: int, now: datetime) -> tuple[list[str], datetime]:
    """So many escalations at L3, offered to dan and not answered; and when their response time is over."""
    await now_is(town, now)
    tickets = [f"T-{n:05}" for n in range(count)]
    told = await together(engine, [town.report(ticket, opened_at=now) for ticket in tickets])
    assert {answer.status for answer in told} == {201}
    return [answer.id or "" for answer in told], now + timedelta(hours=4)


async def left_due(db: asyncpg.Connection) -> int:
    """How many timers are due and have not fired."""
    return int(await db.fetchval("SELECT count(*) FROM timer WHERE due_at <= service_now()"))
