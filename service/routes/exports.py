"""Exports: history as a file, streamed, in formats that others open."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

import sql
from machines.values import State
from service.door import Id, Route, query
from service.export import FORMATS, Source
from service.proof.horizon import Horizon
from service.reads import reading
from service.routes.escalations import Since, Until
from service.routes.history import EscalationId, Trigger
from service.submit import HOUSE

Format = Annotated[
    Literal["ndjson", "csv", "xes", "ocel"],
    Meta(description="`ndjson` has everything that the hashes are over; `xes` and `ocel` are for process mining."),
]


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The filters of `GET /v1/history`; every one that is given must hold."""

    format: Format = "ndjson"
    escalation_id: EscalationId | None = None
    ticket_id: Id | None = None
    customer_id: Id | None = None
    actor: Id | None = None
    trigger: Trigger | None = None
    source: State | None = msgspec.field(name="from", default=None)
    dest: State | None = msgspec.field(name="to", default=None)
    since: Since | None = None
    until: Until | None = None


async def export(request: web.Request) -> web.StreamResponse:
    """Everything that is committed when it is asked for, oldest first (`xes`: escalation by escalation), however long
    it is. It is whole only if the answer ends as HTTP says: a connection that breaks leaves a part of it."""
    house, horizon = request.app[HOUSE], Horizon()
    async with reading(request) as (conn, _):
        asked = query(request, Filters)
        moves = None
        if asked.trigger or asked.source or asked.dest:
            moves = await conn.fetchval(sql.query("history.moves"), asked.trigger, asked.source, asked.dest)
        last = await horizon.complete(conn)
    which = asked.escalation_id and asked.escalation_id.lower()
    filters = (which, asked.ticket_id, asked.customer_id, asked.actor, moves, asked.since, asked.until)
    kind, write = FORMATS[asked.format]
    told = web.StreamResponse(headers={"Content-Type": kind, "Cache-Control": "no-store"})
    told.headers["Content-Disposition"] = f'attachment; filename="history.{asked.format}"'
    await told.prepare(request)
    async for part in write(Source(house.reads, filters, last)):
        await told.write(part)
    await told.write_eof()
    return told


ROUTES = (
    Route(
        "GET",
        "/v1/history/export",
        export,
        "History as a file",
        {200: str | dict[str, Any]},
        query=Filters,
        content=tuple(kind.partition(";")[0] for kind, _ in FORMATS.values()),
    ),
)
