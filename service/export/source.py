"""What an export reads: the rows of history up to a number, page by page, each page with a connection for its moment.

Nothing is held between two pages, neither a connection nor a transaction, so a slow reader keeps nobody waiting. Rows
above the number came later, and are left for the next export. A page is looked for among some thousand numbers, of
which spans say in which months their escalations are (`pages.told`), among more the fewer are found.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import asyncpg

import sql
from service import answers
from service.engine import Unavailable
from service.pages import PAGES, Stretch, Wanted, told, within
from service.reads import connection
from service.replica import FAILED

T = TypeVar("T")
LINES, CHAINS = sql.query("export.lines"), sql.query("export.chains")
PAGE = 1000
WIDEST = 1_000_000
"""Numbers among which one page is looked for at most."""


class Source:
    """The rows wanted, up to the number `last`. Where `pool`, a replica's, fails, `spare` is asked from that page on:
    both have the same rows up to there."""

    def __init__(
        self, pool: asyncpg.Pool, wanted: Wanted, last: int, limit: int = PAGE, *, spare: asyncpg.Pool | None = None
    ) -> None:
        self._pool, self._wanted, self._last, self._limit = pool, wanted, last, limit
        self._spare = spare or pool

    async def lines(self) -> AsyncIterator[tuple[str, int]]:
        """Lines of JSON as the database writes them, a page in one text, and how many they are."""

        async def read(conn: asyncpg.Connection, stretch: Stretch) -> tuple[tuple[str, int], int, int]:
            row = await conn.fetchrow(LINES, *self._wanted, *stretch, self._limit)
            return (row["lines"], row["count"]), row["count"], row["seq"] or 0

        async for page in self._pages(read):
            yield page

    async def rows(self) -> AsyncIterator[list[answers.Kept]]:
        """In the order of seq."""

        async def read(conn: asyncpg.Connection, stretch: Stretch) -> tuple[list[answers.Kept], int, int]:
            page = _kept(await within(conn, PAGES["asc"], self._wanted, stretch, self._limit))
            return page, len(page), page[-1].seq if page else 0

        async for page in self._pages(read):
            yield page

    async def chains(self) -> AsyncIterator[list[answers.Kept]]:
        """Escalation by escalation, each oldest first."""
        which, version = None, 0

        async def read(conn: asyncpg.Connection) -> list[answers.Kept]:
            place = (which, self._last, None, None, self._limit, version)
            return _kept(await conn.fetch(CHAINS, *self._wanted, *place))

        while page := await self._asked(read):
            yield page
            which, version = page[-1].escalation_id, page[-1].version

    async def _pages(
        self, read: Callable[[asyncpg.Connection, Stretch], Awaitable[tuple[T, int, int]]]
    ) -> AsyncIterator[T]:
        """All that is found; `read` answers a page, how many rows it has, and the number of the last."""
        after, wide = 0, self._limit if self._wanted.escalations is None else self._last

        async def look(conn: asyncpg.Connection) -> tuple[T | None, int, int]:
            stretch = await self._stretch(conn, after, min(after + wide, self._last))
            if stretch is None:
                return None, 0, 0
            return await read(conn, stretch)

        while after < self._last and self._wanted.moves != []:
            page, count, newest = await self._asked(look)
            if page is not None and count:
                yield page
            after = newest if count == self._limit else min(after + wide, self._last)
            wide = min(2 * wide, WIDEST) if count < self._limit // 2 else wide

    async def _stretch(self, conn: asyncpg.Connection, after: int, last: int) -> Stretch | None:
        """Where to look among these numbers; None where spans say that nothing is there."""
        within = Stretch(after, last)
        if self._wanted.escalations is not None:
            return within
        below, above = await told(conn, self._wanted.since, self._wanted.until, within)
        return within if above is not None else below

    async def _asked(self, read: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        try:
            async with connection(self._pool) as conn:
                return await read(conn)
        except (Unavailable, *FAILED):
            if self._pool is self._spare:
                raise
            self._pool = self._spare
            return await self._asked(read)


def _kept(rows: list[asyncpg.Record]) -> list[answers.Kept]:
    return [answers.decode_history(row["row"]) for row in rows]
