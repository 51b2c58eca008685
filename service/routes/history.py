"""History: every transition of every escalation, by any filter."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.values import State
from service import answers
from service.door import UUID, Id, Route, query
from service.reads import Cursor, Limit, Number, Page, after, answered, page, reading
from service.routes.escalations import Since, Until

ANY_CASE = UUID.pattern.replace("a-f", "a-fA-F")
EscalationId = Annotated[str, Meta(pattern=f"^{ANY_CASE}$", description="An escalation's id.")]
Trigger = Annotated[str, Meta(min_length=1, max_length=64)]
Order = Annotated[Literal["asc", "desc"], Meta(description="Oldest or newest first.")]
QUERIES = {"asc": sql.query("history.page"), "desc": sql.query("history.newest")}


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
            moves = await conn.fetchval(sql.query("history.moves"), self.trigger, self.source, self.dest)
        which = self.escalation_id and self.escalation_id.lower()
        return (which, self.ticket_id, self.customer_id, self.actor, moves, self.since, self.until)


class Filters(Which, frozen=True, forbid_unknown_fields=True):
    """Which rows, in what order, a page at a time."""

    limit: Limit = 50
    cursor: Cursor | None = None
    order: Order = "asc"


async def history(request: web.Request) -> web.StreamResponse:
    """What people wrote is joined in; after an erasure those fields are absent, and every `hash` still verifies."""
    async with reading(request) as (conn, _):
        asked = query(request, Filters)
        begin = after(asked.cursor, tuple[Number])
        paged = (begin[0] if begin else None, None, asked.limit + 1)
        rows = await conn.fetch(QUERIES[asked.order], *await asked.arguments(conn), *paged)
    found = [answers.decode_history(row["row"]) for row in rows]
    return answered(page(found, asked.limit, lambda k: answers.transition(k, k.hash, k.text), lambda k: (k.seq,)))


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
