"""Exports: history as a file, streamed, in formats that others open."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aiohttp import web
from msgspec import Meta

from service.door import Route, query
from service.export import FORMATS, Source
from service.proof.horizon import Horizon
from service.reads import reading
from service.routes.history import Which
from service.submit import HOUSE

Format = Annotated[
    Literal["ndjson", "csv", "xes", "ocel"],
    Meta(description="`ndjson` has everything that the hashes are over; `xes` and `ocel` are for process mining."),
]


class Filters(Which, frozen=True, forbid_unknown_fields=True):
    """The filters of `GET /v1/history`; every one that is given must hold."""

    format: Format = "ndjson"


async def export(request: web.Request) -> web.StreamResponse:
    """Everything that is committed when it is asked for, oldest first (`xes`: escalation by escalation), however long
    it is. It is whole only if the answer ends as HTTP says: a connection that breaks leaves a part of it."""
    house, horizon = request.app[HOUSE], Horizon()
    async with reading(request) as (conn, _):
        asked = query(request, Filters)
        filters = await asked.arguments(conn)
        last = await horizon.complete(conn)
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
