"""The virtual clock: "now" is one stored instant, set forward a step at a time, each timer firing at its own.

It serves replays, demos and checks from outside. Every batch holds the clock's row before it locks a ticket, so no
command is decided while it moves; and what is due by it is decided before any request that waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Literal

import asyncpg
import structlog
from msgspec import Struct

import sql
from machines.asked import Fire
from service.batch import Job
from service.engine import Engine, Unavailable
from service.rotas.keep import expand
from service.timers import EDGE, by_clock, in_order, shifts

log = structlog.get_logger(__name__)

NOW, BEGIN, HOLD, NUMBER = (sql.query(f"clock.{name}") for name in ("now", "begin", "hold", "number"))
DUE, NEXT, SET = (sql.query(f"clock.{name}") for name in ("due", "next", "set"))
TRY_LOCK, UNLOCK = sql.query("clock.try_lock"), sql.query("clock.unlock")
_SETTING_LOCK = 0x65736362
_MOMENT = timedelta(microseconds=1)
SETS_WITHIN, _POLL_EVERY = 30.0, 0.05
"""Seconds that a call waits for another one that sets the clock."""


class ClockError(RuntimeError):
    """The database lives by another clock than the one that is set."""


class Backwards(Exception):  # noqa: N818  # what it says to callers
    """The clock is never set back; `now` is where it stands."""

    def __init__(self, now: datetime) -> None:
        super().__init__(f"the clock stands at {now.isoformat()}")
        self.now = now


class Forward(Struct, frozen=True):
    """The instant that is now, and how often the clock acted on the way: a timer fired, or the edge of somebody's shift
    passed an offer on, found somebody for one to nobody, or reminded an owner."""

    now: datetime
    fired: int


async def begin(pool: asyncpg.Pool, kind: Literal["system", "virtual"]) -> None:
    """Make the virtual clock where there is none yet; raises ClockError where the database lives by the other one."""
    if kind == "virtual":
        await pool.execute(BEGIN)
        if await pool.fetchval(NOW) is None:
            raise ClockError(
                "this database has a history by the system's clock, and ESCALATION_CLOCK=virtual would take it back to "
                "2000. Take a database of its own for virtual time, or start without ESCALATION_CLOCK."
            )
    elif (stands := await pool.fetchval(NOW)) is not None:
        raise ClockError(
            f"this database lives by a virtual clock, which stands at {stands.isoformat()}: no timer would "
            "ever be due. Start with ESCALATION_CLOCK=virtual, or take another database."
        )


async def first(conn: asyncpg.Connection, jobs: list[Job]) -> tuple[list[Job], int]:
    """Hold the clock for this batch; the jobs, what is due before all that was asked, and history's next number."""
    next_seq: int = await conn.fetchval(HOLD)
    if all(job.lane == "timer" for job in jobs):
        return jobs, next_seq
    waiting = {job.command.ask: job for job in jobs if isinstance(job.command.ask, Fire)}
    due = [Fire(row["ticket_id"], row["kind"], row["due_at"]) for row in await conn.fetch(DUE)]
    fires = [waiting.get(ask) or by_clock(ask) for ask in due]
    return [*fires, *(job for job in jobs if job not in fires)], next_seq


async def last(conn: asyncpg.Connection, next_seq: int) -> None:
    """History goes on from this number if the batch commits: of one that is undone no number is gone."""
    await conn.execute(NUMBER, next_seq)


class VirtualClock:
    """Sets the clock forward, for one caller at a time."""

    def __init__(self, pool: asyncpg.Pool, engine: Engine) -> None:
        self._pool, self._engine = pool, engine
        self._turn = asyncio.Lock()

    async def now(self) -> datetime:
        """The instant that is now."""
        return await self._pool.fetchval(NOW)  # type: ignore[no-any-return]  # asyncpg brings no types

    async def forward(self, until: datetime) -> Forward:
        """Set it to this instant, through every instant at which something is due, and do what is due there.

        Whoever is killed on the way has done some of the steps: the same call again does the rest. Raises Backwards,
        and Unavailable where another call takes too long.
        """
        async with self._turn, self._alone() as conn:
            now = await conn.fetchval(NOW)
            if until < now:
                raise Backwards(now)
            fired = await self._fire(conn)  # what a call before left, and what shifts ask for at this instant
            while (instant := await conn.fetchval(NEXT, until)) is not None:
                await conn.execute(SET, instant)
                fired += await self._fire(conn)
            await conn.execute(SET, until)
        return Forward(until, fired)

    async def _fire(self, conn: asyncpg.Connection) -> int:
        """Do all that is due now: shifts begin and end, timers fire, and those that this arms for now fire too."""
        fired, before = 0, list[Fire]()
        now = await conn.fetchval(NOW)
        fired += await expand(self._pool, self._engine)
        if await conn.fetchval(EDGE, now - _MOMENT, now):  # else there is nothing that a shift could ask for
            fired += await shifts(conn, self._engine)
        while due := [Fire(row["ticket_id"], row["kind"], row["due_at"]) for row in await conn.fetch(DUE)]:
            if due == before:
                raise RuntimeError(f"{len(due)} timers are due and do not fire: {due[0]}")
            fired += await in_order(self._engine, due)
            before = due
        return fired

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection that is the only one, on all nodes, to set the clock."""
        until = time.monotonic() + SETS_WITHIN
        async with self._pool.acquire() as conn:
            while not await conn.fetchval(TRY_LOCK, _SETTING_LOCK):
                if time.monotonic() > until:
                    raise Unavailable("another call has been setting the clock for long")
                await asyncio.sleep(_POLL_EVERY)
            try:
                yield conn
            finally:
                await conn.fetchval(UNLOCK, _SETTING_LOCK)
