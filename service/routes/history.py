"""History: every transition of every escalation, by any filter."""

from __future__ import annotations

from typing import Annotated

import asyncpg
import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.values import State
from service import answers, archived, pages
from service.archived import ArchiveAnswer
from service.auth import Known
from service.door import ANY_CASE, Id, Route, query
from service.pages import Order as PageOrder
from service.pages import Wanted
from service.reads import Cursor, Limit, Number, after, answered, anywhere, page
from service.routes.escalations import Since, Until

EscalationId = Annotated[str, Meta(pattern=f"^{ANY_CASE}$", description="An escalation's id.")]
Trigger = Annotated[str, Meta(min_length=1, max_length=64)]
Order = Annotated[PageOrder, Meta(description="Oldest or newest first.")]
MOVES, ESCALATIONS = sql.query("history.moves"), sql.query("history.escalations_of")


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

    async def wanted(self, conn: asyncpg.Connection) -> Wanted:
        """As queries take them: trigger, from and to are a set of moves, and a ticket is its escalations."""
        moves = escalations = None
        if self.trigger or self.source or self.dest:
            moves = await conn.fetchval(MOVES, self.trigger, self.source, self.dest)
        if self.escalation_id is not None:
            escalations = [self.escalation_id.lower()]
        elif self.ticket_id is not None:
            escalations = await conn.fetchval(ESCALATIONS, self.ticket_id)
        return Wanted(escalations, self.ticket_id, self.customer_id, self.actor, moves, self.since, self.until)


class HistoryPage(Struct, frozen=True, omit_defaults=True):
    """One page; `next_cursor` is null at the end. `archives` is there where more such rows may lie in them."""

    items: list[answers.TransitionAnswer]
    next_cursor: str | None
    archives: tuple[ArchiveAnswer, ...] = ()


class Filters(Which, frozen=True, forbid_unknown_fields=True):
    """Which rows, in what order, a page at a time."""

    limit: Limit = 50
    cursor: Cursor | None = None
    order: Order = "asc"


async def history(request: web.Request) -> web.StreamResponse:
    """What people wrote is joined in; after an erasure those fields are absent, and every `hash` still verifies."""

    async def ask(conn: asyncpg.Connection, _: Known) -> HistoryPage:
        return await listed(conn, query(request, Filters))

    return answered(await anywhere(request, ask))


async def listed(conn: asyncpg.Connection, asked: Filters) -> HistoryPage:
    """A page of it; raises 422 for a cursor that no such list gave."""
    begin = after(asked.cursor, tuple[Number])
    wanted = await asked.wanted(conn)
    rows = await pages.page(conn, wanted, asked.order, begin[0] if begin else None, asked.limit + 1)
    found = [answers.decode_history(row["row"]) for row in rows]
    told = page(found, asked.limit, lambda k: answers.transition(k, k.hash, k.text), lambda k: (k.seq,))
    return HistoryPage(told.items, told.next_cursor, await archived.about(conn, wanted))


ROUTES = (
    Route(
        "GET",
        "/v1/history",
        history,
        "Transitions, filtered",
        {200: HistoryPage},
        query=Filters,
    ),
)
