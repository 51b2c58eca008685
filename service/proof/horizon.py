"""How far history is complete: rows up to a number are there for good, and none will come below it.

Numbers are drawn while transactions run, so their order is not that of commits: a reader that goes on from the largest
number it has seen would skip what commits later with a smaller one. But every row's number is drawn after its
transaction has its id (tickets are locked first). So: read the newest number, *then* begin a transaction; once all with
a smaller id have ended, every row up to that number is there or will never be, and whoever has a larger id drew a
larger number. (A snapshot's own upper bound will not do: transactions above it may be running.) It costs the writers
nothing, and an id only where something is new.
"""

from __future__ import annotations

import asyncio
from collections import deque

import asyncpg

import sql

NEWEST, MARK, ENDED = (sql.query(f"proof.{name}") for name in ("newest", "mark", "ended"))
LOOKS_EVERY = 0.02
"""Seconds between two looks for what is about to end."""
MOST = 1000
"""Looks that are kept while one long transaction runs; of more, the oldest go on counting."""


class Horizon:
    """What one reader knows of it; it only ever rises."""

    def __init__(self) -> None:
        self._looks: deque[tuple[int, int]] = deque()
        self.seq = 0

    async def look(self, conn: asyncpg.Connection | asyncpg.Pool) -> int:
        """Look again, each statement in a transaction of its own; the number up to which every row is there."""
        newest = await conn.fetchval(NEWEST)
        if newest > (self._looks[-1][1] if self._looks else self.seq):
            if len(self._looks) == MOST:
                self._looks.pop()
            self._looks.append((await conn.fetchval(MARK), newest))
        if self._looks:
            ended = await conn.fetchval(ENDED)
            while self._looks and self._looks[0][0] <= ended:
                self.seq = self._looks.popleft()[1]
        return self.seq

    async def complete(self, conn: asyncpg.Connection | asyncpg.Pool, within: float = 5.0) -> int:
        """The number up to which every row is there that was committed before this was asked. Where a transaction
        stays open for longer than this many seconds, what is known by then."""
        wanted = await conn.fetchval(NEWEST)
        for _ in range(int(within / LOOKS_EVERY)):
            if await self.look(conn) >= wanted:
                break
            await asyncio.sleep(LOOKS_EVERY)
        return self.seq
