"""What an export reads: the rows of history up to a number, page by page, each page with a connection for its moment.

Nothing is held between two pages, neither a connection nor a transaction, so a slow reader keeps nobody waiting. Rows
above the number came later, and are left for the next export.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg

import sql
from service import answers
from service.engine import Unavailable
from service.reads import connection
from service.replica import FAILED

LINES, ROWS, CHAINS = sql.query("export.lines"), sql.query("history.page"), sql.query("export.chains")
PAGE = 1000


class Source:
    """Rows by these filters (the first seven arguments of every query), up to the number `last`. Where `pool`, a
    replica's, fails, `spare` is asked from that page on: both have the same rows up to there."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        filters: tuple[Any, ...],
        last: int,
        limit: int = PAGE,
        *,
        spare: asyncpg.Pool | None = None,
    ) -> None:
        self._pool, self._filters, self._last, self._limit = pool, filters, last, limit
        self._spare = spare or pool

    async def lines(self) -> AsyncIterator[tuple[str, int]]:
        """Lines of JSON as the database writes them, a page in one text, and how many they are."""
        after = 0
        while True:
            page = (await self._asked(LINES, after, self._last, self._limit))[0]
            if page["count"]:
                yield page["lines"], page["count"]
            if page["count"] < self._limit:
                return
            after = page["seq"]

    async def rows(self) -> AsyncIterator[list[answers.Kept]]:
        """In the order of seq."""
        after = 0
        while page := await self._page(ROWS, after, self._last, self._limit):
            yield page
            after = page[-1].seq

    async def chains(self) -> AsyncIterator[list[answers.Kept]]:
        """Escalation by escalation, each oldest first."""
        which, version = None, 0
        while page := await self._page(CHAINS, which, self._last, self._limit, version):
            yield page
            which, version = page[-1].escalation_id, page[-1].version

    async def _page(self, query: str, *place: Any) -> list[answers.Kept]:
        return [answers.decode_history(row["row"]) for row in await self._asked(query, *place)]

    async def _asked(self, query: str, *place: Any) -> list[asyncpg.Record]:
        try:
            async with connection(self._pool) as conn:
                return list(await conn.fetch(query, *self._filters, *place))
        except (Unavailable, *FAILED):
            if self._pool is self._spare:
                raise
            self._pool = self._spare
            return await self._asked(query, *place)
