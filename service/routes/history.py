"""History: every transition of every escalation, by any filter."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.values import State
from service import answers
from service.auth import Known
from service.door import ANY_CASE, Id, Route, query
from service.reads import Cursor, Limit, Number, Page, after, answered, anywhere, page
from service.routes.escalations import Since, Until

EscalationId = Annotated[str, Meta(pattern=f"^{ANY_CASE}$", description="An escalation's id.")]
Trigger = Annotated[str, Meta(min_length=1, max_length=64)]
Order = Annotated[Literal["asc", "desc"], Meta(description="Oldest or newest first.")]
QUERIES = {"asc": sql.query("history.page"), "desc": sql.query("history.newest")}
OF_MOVES = {"asc": sql.query("history.page_of_moves"), "desc": sql.query("history.newest_of_moves")}
MOVES, BETWEEN = sql.query("history.moves"), sql.query("history.between")


class Which(Struct, frozen=True, forbid_unknown_fields=True):
    """Every filter that is given must hold. `since` and `until` are about `at`; `from` and `to` are states."""

    escalation_id: EscalationId | None = None
    ticket_id: Id | None = None
    customer_id: Id | None = None
    actor: Id | None = None
    trigger: Trigger | None = None
    source: State | None = msgspec.field(name="from", default=None)
    dest: State | None = msgspec.field(name="to", default=None)
    since: Since | None = None
    until: Until | None = None

    async def arguments(self, conn: asyncpg.Connection) -> tuple[Any, ...]:
        """The first seven arguments of every query of history."""
        moves = None
        if self.trigger or self.source or self.dest:
            moves = await conn.fetchval(MOVES, self.trigger, self.source, self.dest)
        which = self.escalation_id and self.escalation_id.lower()
        return (which, self.ticket_id, self.customer_id, self.actor, moves, self.since, self.until)


async def statement(
    conn: asyncpg.Connection, which: Which, order: Literal["asc", "desc"], begin: int | None, count: int
) -> tuple[str, tuple[Any, ...]]:
    """What to ask the database for a page that goes on after the row with number `begin`, and with which arguments."""
    filters = await which.arguments(conn)
    escalation_id, ticket_id, customer_id, actor, moves, since, until = filters
    after, last = await between(conn, since, until)
    if begin is not None and order == "asc":
        after = max(begin, after or 0)
    elif begin is not None:
        last = min(begin - 1, last if last is not None else begin)
    if moves is None or escalation_id is not None or ticket_id is not None:
        return QUERIES[order], (*filters, after, last, count)
    return OF_MOVES[order], (customer_id, actor, moves, since, until, after, last, count)


async def between(
    conn: asyncpg.Connection, since: datetime | None, until: datetime | None
) -> tuple[int | None, int | None]:
    """Between which numbers all rows of a window of time lie: above the first, up to the second; None: no bound."""
    if since is None and until is None:
        return None, None
    row = await conn.fetchrow(BETWEEN, since, until)
    return row["after"], row["last"]


class Filters(Which, frozen=True, forbid_unknown_fields=True):
    """Which rows, in what order, a page at a time."""

    limit: Limit = 50
    cursor: Cursor | None = None
    order: Order = "asc"


async def history(request: web.Request) -> web.StreamResponse:
    """What people wrote is joined in; after an erasure those fields are absent, and every `hash` still verifies."""

    async def ask(conn: asyncpg.Connection, _: Known) -> Page[answers.TransitionAnswer]:
        return await listed(conn, query(request, Filters))

    return answered(await anywhere(request, ask))


async def listed(conn: asyncpg.Connection, asked: Filters) -> Page[answers.TransitionAnswer]:
    """A page of it; raises 422 for a cursor that no such list gave."""
    begin = after(asked.cursor, tuple[Number])
    text, arguments = await statement(conn, asked, asked.order, begin[0] if begin else None, asked.limit + 1)
    found = [answers.decode_history(row["row"]) for row in await conn.fetch(text, *arguments)]
    return page(found, asked.limit, lambda k: answers.transition(k, k.hash, k.text), lambda k: (k.seq,))


ROUTES = (
    Route(
        "GET",
        "/v1/history",
        history,
        "Transitions, filtered",
        {200: Page[answers.TransitionAnswer]},
        query=Filters,
    ),
)
