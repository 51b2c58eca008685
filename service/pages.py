"""Pages of history: rows by any filters, in either order of their numbers, from as few months as may have them.

History has a partition for each month in which escalations were opened, and a statement that might find rows in any of
them is planned for each of them: that costs more than reading does. So a page is looked for in *stretches* of numbers,
one after the other until it is full, and of each it is known beforehand, from `history_span`, of which escalations its
rows are. Rows of one escalation or ticket lie in the months of their ids. Where every month may have rows, as by a
customer or an actor, one statement asks them all; it holds only the filters that are given, so that its one plan is
right whatever their values are, and each connection keeps that.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple
from uuid import UUID

import asyncpg

import sql

Order = Literal["asc", "desc"]
PAGES = {"asc": sql.query("history.page"), "desc": sql.query("history.newest")}
OF_MOVES = {"asc": sql.query("history.of_moves"), "desc": sql.query("history.newest_of_moves")}
ROWS, TOLD = sql.query("history.rows"), sql.query("history.told")
ONE_PLAN = "SET LOCAL plan_cache_mode = force_generic_plan"
CLAUSE = re.compile(r"\(\$(\d+)::([\w\[\]]+) IS NULL OR ((?:[^()]|\([^()]*\))*)\)")
LAST = 2**63 - 1
FEW = 100 * 86_400_000
"""Milliseconds of openings that are planned anew each time."""
NEAR = 100_000
"""Numbers among which rows of moves are looked for first: what is frequent is found there, in a month or two."""


class Wanted(NamedTuple):
    """The filters of history, each None where it is not given; the first seven arguments of its queries."""

    escalations: list[str] | list[UUID] | None = None
    ticket_id: str | None = None
    customer_id: str | None = None
    actor: str | None = None
    moves: list[int] | None = None
    since: datetime | None = None
    until: datetime | None = None


class Stretch(NamedTuple):
    """Numbers above `after`, up to `last`; rows wanted there have ids from `lowest` to `highest`. None: no bound."""

    after: int | None = None
    last: int | None = None
    lowest: UUID | None = None
    highest: UUID | None = None


async def page(
    conn: asyncpg.Connection, wanted: Wanted, order: Order, begin: int | None, count: int
) -> list[asyncpg.Record]:
    """So many rows (`answers.decode_history` reads their `row`), after the one with number `begin` in that order."""
    found: list[asyncpg.Record] = []
    if wanted.moves == [] or wanted.escalations == []:
        return found
    whole = Stretch(after=begin) if order == "asc" else Stretch(last=None if begin is None else begin - 1)
    async for stretch, by_move in _stretches(conn, wanted, whole, order):
        left = count - len(found)
        if by_move:
            found += await _of_moves(conn, wanted, stretch, order, left)
        else:
            found += await within(conn, PAGES[order], wanted, stretch, left)
        if len(found) == count:
            break
    return found


async def _stretches(
    conn: asyncpg.Connection, wanted: Wanted, whole: Stretch, order: Order
) -> AsyncIterator[tuple[Stretch, bool]]:
    """Where to look, in that order, and whether move by move; whoever has enough asks for no more."""
    if wanted.escalations is not None or (wanted.since or wanted.until or wanted.moves) is None:
        yield whole, False
        return
    below, above = await told(conn, wanted.since, wanted.until, whole)
    if above is not None and order == "desc":
        yield above, False
    if below is not None and wanted.moves is None:
        yield below, False
    elif below is not None:
        async for stretch in _near_first(conn, wanted, below, order):
            yield stretch, True
    if above is not None and order == "asc":
        yield above, False


async def _near_first(conn: asyncpg.Connection, wanted: Wanted, below: Stretch, order: Order) -> AsyncIterator[Stretch]:
    after, last = below.after or 0, below.last or 0
    if last - after <= NEAR:
        yield below
        return
    edge = after + NEAR if order == "asc" else last - NEAR
    sides = [below._replace(last=edge), below._replace(after=edge)]
    near, far = sides if order == "asc" else sides[::-1]
    near_below, _ = await told(conn, wanted.since, wanted.until, near)
    if near_below is not None:
        yield near_below
    yield far


async def told(
    conn: asyncpg.Connection, since: datetime | None, until: datetime | None, whole: Stretch
) -> tuple[Stretch | None, Stretch | None]:
    """A stretch, and a window of time, as far as spans tell of it, and what is above: of that nothing is known but that
    what happened in the window was opened before its end. None where there is nothing."""
    row = await conn.fetchrow(TOLD, since, until, whole.after, whole.last)
    below = above = None
    if row["last"] is not None:
        after, last = max(whole.after or 0, row["after"]), row["last"]
        last = last if whole.last is None else min(whole.last, last)
        below = Stretch(after, last, row["lowest"], row["highest"])
    if whole.last is None or whole.last > row["told"]:
        above = Stretch(max(whole.after or 0, row["told"]), whole.last, None, row["opened_before"])
    return below, above


async def within(
    conn: asyncpg.Connection, query: str, filters: tuple[Any, ...], stretch: Stretch, count: int
) -> list[asyncpg.Record]:
    """So many rows of a stretch. A few months are planned anew, with the values at hand; all of them once."""
    if _of_few_months(stretch) or (isinstance(filters, Wanted) and filters.escalations is not None):
        return list(await conn.fetch(query, *filters, *stretch, count))
    every = stretch._replace(after=stretch.after or 0, last=LAST if stretch.last is None else stretch.last)
    arguments = (*filters, *every, count)
    async with conn.transaction():
        await conn.execute(ONE_PLAN)
        return list(await conn.fetch(_with(query, tuple(each is not None for each in arguments)), *arguments))


def _of_few_months(stretch: Stretch) -> bool:
    if stretch.lowest is None or stretch.highest is None:
        return False
    return (stretch.highest.int >> 80) - (stretch.lowest.int >> 80) < FEW  # UUIDv7: milliseconds


@cache
def _with(query: str, given: tuple[bool, ...]) -> str:
    """The query without "or it is NULL" for what is given, and with nothing else for what is not."""

    def only(clause: re.Match[str]) -> str:
        return clause[3] if given[int(clause[1]) - 1] else f"${clause[1]}::{clause[2]} IS NULL"

    return CLAUSE.sub(only, query)


async def _of_moves(
    conn: asyncpg.Connection, wanted: Wanted, stretch: Stretch, order: Order, count: int
) -> list[asyncpg.Record]:
    """First which rows, then these: so none is read whole that the page has no room for."""
    who: tuple[Any, ...] = (wanted.customer_id, wanted.actor, wanted.moves, wanted.since, wanted.until)
    keys = await within(conn, OF_MOVES[order], who, stretch, count)
    if not keys:
        return []
    ids = [key["escalation_id"] for key in keys]
    rows: list[asyncpg.Record] = await conn.fetch(ROWS, ids, [key["version"] for key in keys], min(ids), max(ids))
    return rows if order == "asc" else rows[::-1]
