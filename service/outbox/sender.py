"""The senders of one node: a router, which chooses a target for each planned row, and a lane for each target.

Any number of nodes may do it: rows are taken by lease, a few at a time, each target's in their order for each
escalation and recipient. Nothing wakes a sender: it looks a few times a second, which costs a look at an index.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

import asyncpg
import structlog

import sql
from service.channels import choose
from service.channels.letter import JOINED, PAGES, Address, Channel, Together
from service.database import PASSES
from service.metrics import Metrics
from service.outbox.lane import LOOKS_EVERY, Lane
from service.outbox.together import GATHERS, WITHIN
from service.outbox.tries import PASSES_AFTER
from service.outbox.words import Words

log = structlog.get_logger(__name__)

AT_ONCE = 500
"""Rows that are routed together."""
SWEEPS_EVERY, HURRIES_EVERY = 60.0, 10.0
"""Seconds between two looks for rows whose target is gone, and for pages that wait for too long."""
UNROUTED, ROUTE, ALL_TO_INBOX = (sql.query(f"outbox.{name}") for name in ("unrouted", "route", "all_to_inbox"))
ROUTE_ANEW, WAITING = sql.query("outbox.route_anew"), sql.query("outbox.waiting")
WAITING_PAGES, PASS_ON = sql.query("outbox.waiting_pages"), sql.query("outbox.pass_on")


class Sender:
    """Routes and sends, over these channels; none: all goes to the inbox."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        channels: Sequence[Channel],
        metrics: Metrics,
        *,
        public_url: str | None = None,
        gathers: timedelta = GATHERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool, self._channels, self._metrics = pool, tuple(channels), metrics
        names = [channel.name for channel in self._channels]
        assert len(names) == len(set(names)), f"two channels of one name: {names}"
        words = Words(public_url)
        self.lanes = [Lane(channel, pool, metrics, self._channels, words, clock=clock) for channel in self._channels]
        self._gathers = gathers
        self._together = {channel.name: channel.together for channel in self._channels}
        self._clock, self._swept, self._hurried = clock, float("-inf"), float("-inf")

    async def run(self) -> None:
        """Until cancelled. Without a database there is nothing to do but to look again."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._routes(), name="router")
                for lane in self.lanes:
                    tasks.create_task(lane.run(PASSES), name=f"lane {lane.channel.name}")
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
                if self._clock() - self._hurried > HURRIES_EVERY:
                    await self.hurry()
                routed = await self.route()
            except PASSES as error:
                log.warning("outbox_not_routed", error=type(error).__name__)
                await asyncio.sleep(1.0)
            except Exception:  # a router that ends would end every lane
                log.exception("router_failed")
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
            issues = [self._issue(row, target) for row, target in zip(rows, targets, strict=True)]
            collected = [
                issue is not None and self._makes(target) == "collected"
                for issue, target in zip(issues, targets, strict=True)
            ]
            await conn.execute(ROUTE, [row["id"] for row in rows], targets, issues, collected, self._gathers, WITHIN)
        self._wake(targets)
        for row, target in zip(rows, targets, strict=True):
            if target is None:
                log.error("page_parked", row=row["id"], template=row["template"], passed=row["passed"])
        return len(rows)

    def _issue(self, row: asyncpg.Record, target: str | None) -> str | None:
        """The issue for which a page may be told together with others, where its channel does that."""
        told = row["audience"] == "person" and row["template"] in JOINED and not row["passed"]
        return row["issue_key"] if told and self._makes(target) != "never" else None

    def _makes(self, target: str | None) -> Together:
        """What a target makes of such pages."""
        return self._together.get(target or "", "never")

    def _wake(self, targets: Iterable[str | None]) -> None:
        chosen = set(targets)
        for lane in self.lanes:
            if lane.channel.name in chosen:
                lane.wake.set()

    async def hurry(self) -> int:
        """Pages for level 3 or above that wait for their target for too long, not tried even, go over another channel;
        how many."""
        self._hurried = self._clock()
        if len(self._channels) < 2:
            return 0
        async with self._pool.acquire() as conn, conn.transaction():
            rows = await conn.fetch(WAITING_PAGES, list(PAGES), PASSES_AFTER, AT_ONCE)
            others = {row["id"]: choose(self._channels, _address(row), (*row["passed"], row["target"])) for row in rows}
            passed = {which: target for which, target in others.items() if target is not None}
            if passed:
                await conn.execute(PASS_ON, list(passed), list(passed.values()))
        if passed:
            log.warning("pages_passed_on", pages=len(passed))
            self._wake(passed.values())
        return len(passed)

    async def sweep(self) -> None:
        """Rows for targets that there are no more are routed anew, and what waits is counted."""
        self._swept = self._clock()
        await self._pool.execute(ROUTE_ANEW, [channel.name for channel in self._channels])
        rows = await self._pool.fetch(WAITING)
        self._metrics.waiting({row["target"]: (row["planned"], row["oldest"]) for row in rows})


def _address(row: asyncpg.Record) -> Address:
    return Address(row["audience"], row["recipient"], row["email"], row["slack"], tuple(row["contacts"] or ()))
