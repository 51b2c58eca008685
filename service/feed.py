"""The feed: every transition once, in an order that never goes back, for whoever listens or polls.

One reader a node looks for what is new, while anybody listens, and keeps the newest events in mind for all. A listener
who is further behind reads pages of their own, as fast as they take them, so a slow one costs the others nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import asyncpg
import structlog
from aiohttp import web

import sql
from service import answers
from service.engine import Unavailable
from service.pages import PAGES, Stretch, Wanted, within
from service.proof.horizon import Horizon
from service.reads import connection
from service.submit import encode

log = structlog.get_logger(__name__)

ERASED = sql.query("erasure.done")
EVERY = 0.1
"""Seconds between two looks for what is new."""
KEPT = 5000
"""Events that are kept in mind."""
PAGE = 500
MOST = 2000
"""Listeners of one node."""

Event = tuple[int, bytes]
"""The number of a row, and its transition as JSON."""


class Feed:
    """One node's. It is read between `run` and `close`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool, self._horizon = pool, Horizon()
        self._kept: deque[Event] = deque()
        self._from = self._top = -1  # the kept ones are all above the one, up to the other; -1: nothing is known yet
        self._changed, self._wanted = asyncio.Condition(), asyncio.Event()
        self._closed = False
        self._erased = 0
        self.listeners = 0

    async def run(self) -> None:
        """Look for what is new while anybody listens, until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                await self._look()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, Unavailable) as error:
                log.warning("feed_failed", error=f"{type(error).__name__}: {error}")
            if not self.listeners:
                self._wanted.clear()
            await asyncio.sleep(EVERY)

    async def _look(self) -> None:
        async with connection(self._pool) as conn:
            last = await self._horizon.look(conn)
            erased = await conn.fetchval(ERASED)
            if self._from < 0:
                self._from = self._top = last
            elif erased != self._erased:  # what is kept in mind may tell what is gone
                self._kept.clear()
                self._from = self._top
            self._erased = erased
            while self._top < last:
                new = await _page(conn, self._top, last)
                self._kept.extend(new)
                self._top = last if len(new) < PAGE else new[-1][0]
        while len(self._kept) > KEPT:
            self._from = self._kept.popleft()[0]
        async with self._changed:
            self._changed.notify_all()

    async def page(self, after: int, limit: int) -> list[Event]:
        """What comes after this number, as far as history is complete; at most so many."""
        async with connection(self._pool) as conn:
            return (await _page(conn, after, await Horizon().complete(conn), limit))[:limit]

    async def newest(self) -> int:
        """The number after which everything that commits from now on comes."""
        async with connection(self._pool) as conn:
            return await Horizon().complete(conn)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Somebody listens for as long as this; raises Unavailable where too many do already."""
        if self.listeners >= MOST:
            raise Unavailable("too many listen to the feed of this node")
        self.listeners += 1
        self._wanted.set()
        try:
            yield
        finally:
            self.listeners -= 1

    async def events(self, after: int, beat: float) -> AsyncGenerator[list[Event], None]:
        """What comes after this number, until the feed is closed; an empty list whenever nothing came for `beat`
        seconds."""
        while not self._closed:
            if self._from < 0 or after >= self._top:
                if not await self._waits(after, beat):
                    yield []
                continue
            if self._from <= after:
                new = [event for event in self._kept if event[0] > after]
            else:
                async with connection(self._pool) as conn:
                    new = await _page(conn, after, self._top)
            if new:
                yield new
            after = new[-1][0] if new else self._top

    async def _waits(self, after: int, beat: float) -> bool:
        """Wait for something new after this number; False where nothing came in that time."""
        try:
            async with asyncio.timeout(beat), self._changed:
                await self._changed.wait_for(lambda: self._closed or (self._from >= 0 and self._top > after))
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Whoever listens hears the end, and comes back with the number they heard last."""
        self._closed = True
        async with self._changed:
            self._changed.notify_all()


async def _page(conn: asyncpg.Connection, after: int, last: int, limit: int = PAGE) -> list[Event]:
    found = []
    for row in await within(conn, PAGES["asc"], Wanted(), Stretch(after, last), limit):
        kept = answers.decode_history(row["row"])
        found.append((kept.seq, encode(answers.transition(kept, kept.hash, kept.text))))
    return found


FEED: web.AppKey[Feed] = web.AppKey("feed", Feed)
