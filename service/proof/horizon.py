"""How far history is complete: rows up to a number are there for good, and none will come below it.

Numbers are drawn while transactions run, so their order is not that of commits: a reader that goes on from the largest
number it has seen would skip what commits later with a smaller one. But every row's number is drawn after its
transaction has its id (tickets are locked first). So: read the newest number, *then* which transactions are known; once
those have ended, every row up to that number is there or will never be, and whoever begins later draws a larger one.
It costs the writers nothing, and holds on a standby as well.
"""

from __future__ import annotations

import asyncio
from collections import deque

import asyncpg

import sql

NEWEST, RUNNING = sql.query("proof.newest"), sql.query("proof.running")
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
        """Look again, in two statements of their own; the number up to which every row is there."""
        newest = await conn.fetchval(NEWEST)
        ended, next_ = await conn.fetchrow(RUNNING)
        if newest > (self._looks[-1][1] if self._looks else self.seq):
            if len(self._looks) == MOST:
                self._looks.pop()
            self._looks.append((next_, newest))
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
