"""The senders of one node: a router, which chooses a target for each planned row, and a lane for each target.

Any number of nodes may do it: rows are taken by lease, a few at a time, each target's in their order for each
escalation and recipient. Nothing wakes a sender: it looks a few times a second, which costs a look at an index.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import asyncpg
import structlog

import sql
from service.channels import choose
from service.channels.letter import Address, Channel
from service.metrics import Metrics
from service.outbox.lane import LOOKS_EVERY, Lane
from service.outbox.words import Words

log = structlog.get_logger(__name__)

AT_ONCE = 500
"""Rows that are routed together."""
SWEEPS_EVERY = 60.0
"""Seconds between two looks for rows whose target is gone."""
UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
UNROUTED, ROUTE, ALL_TO_INBOX = (sql.query(f"outbox.{name}") for name in ("unrouted", "route", "all_to_inbox"))
ROUTE_ANEW, WAITING = sql.query("outbox.route_anew"), sql.query("outbox.waiting")


class Sender:
    """Routes and sends, over these channels; none: all goes to the inbox."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        channels: Sequence[Channel],
        metrics: Metrics,
        *,
        public_url: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool, self._channels, self._metrics = pool, tuple(channels), metrics
        names = [channel.name for channel in self._channels]
        assert len(names) == len(set(names)), f"two channels of one name: {names}"
        words = Words(public_url)
        self.lanes = [Lane(channel, pool, metrics, self._channels, words, clock=clock) for channel in self._channels]
        self._clock, self._swept = clock, float("-inf")

    async def run(self) -> None:
        """Until cancelled. Without a database there is nothing to do but to look again."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._routes(), name="router")
                for lane in self.lanes:
                    tasks.create_task(lane.run(UNREACHABLE), name=f"lane {lane.channel.name}")
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of every channel."""
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def settle(self) -> None:
        """Route and send until nothing is due: for tests, and for whoever waits for it."""
        tried = 1
        while tried:
            while await self.route() == AT_ONCE:
                pass
            tried = sum(await asyncio.gather(*(lane.drain() for lane in self.lanes)))

    async def _routes(self) -> None:
        while True:
            routed = 0
            try:
                if self._clock() - self._swept > SWEEPS_EVERY:
                    await self.sweep()
                routed = await self.route()
            except UNREACHABLE as error:
                log.warning("outbox_not_routed", error=type(error).__name__)
                await asyncio.sleep(1.0)
            if routed < AT_ONCE:
                await asyncio.sleep(LOOKS_EVERY)

    async def route(self) -> int:
        """Choose a target for the oldest rows without one; how many there were."""
        if not self._channels:
            return int((await self._pool.execute(ALL_TO_INBOX, AT_ONCE)).split()[-1])
        async with self._pool.acquire() as conn, conn.transaction():
            rows = await conn.fetch(UNROUTED, AT_ONCE)
            if not rows:
                return 0
            targets = [choose(self._channels, _address(row), row["passed"]) for row in rows]
            await conn.execute(ROUTE, [row["id"] for row in rows], targets)
        chosen = set(targets)
        for lane in self.lanes:
            if lane.channel.name in chosen:
                lane.wake.set()
        for row, target in zip(rows, targets, strict=True):
            if target is None:
                log.error("page_parked", row=row["id"], template=row["template"], passed=row["passed"])
        return len(rows)

    async def sweep(self) -> None:
        """Rows for targets that there are no more are routed anew, and what waits is counted."""
        self._swept = self._clock()
        await self._pool.execute(ROUTE_ANEW, [channel.name for channel in self._channels])
        rows = await self._pool.fetch(WAITING)
        self._metrics.waiting({row["target"]: (row["planned"], row["oldest"]) for row in rows})


def _address(row: asyncpg.Record) -> Address:
    return Address(row["audience"], row["recipient"], row["email"], row["slack"], tuple(row["contacts"] or ()))
