"""Exports: history as a file, streamed, in formats that others open."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from typing import Annotated, Any, Literal, NamedTuple

import asyncpg
from aiohttp import web
from msgspec import Meta

from machines.asked import FieldProblem
from service import archived
from service.archived import ArchiveAnswer
from service.door import Route, query, wrong
from service.export import FORMATS, NEEDS, Source
from service.proof.horizon import Horizon
from service.reads import reading
from service.replica import FLUSHED, NotThereError
from service.routes.history import Which
from service.server import signed
from service.submit import HOUSE, REQUEST_ID, House

ARCHIVES = "Escalation-Archives"
Format = Annotated[
    Literal["ndjson", "csv", "xes", "ocel", "parquet"],
    Meta(
        description="`ndjson` has everything that the hashes are over; `xes` and `ocel` are for process mining;"
        " `parquet`, for data frames, needs the extra `parquet`."
    ),
]


class Filters(Which, frozen=True, forbid_unknown_fields=True):
    """The filters of `GET /v1/history`; every one that is given must hold."""

    format: Format = "ndjson"


async def export(request: web.Request) -> web.StreamResponse:
    """Everything that is committed when it is asked for, oldest first (`xes`: escalation by escalation), however long
    it is. It is whole only if the answer ends as HTTP says: a connection that breaks leaves a part of it. The header
    `Escalation-Archives` names months of which more such rows may lie in archives."""
    async with reading(request) as (conn, _):
        asked = query(request, Filters)
        export = await export_of(request.app[HOUSE], conn, asked)
    return await streamed(request, asked, export)


class Export(NamedTuple):
    """The rows of one, and the archives in which more of them may lie."""

    source: Source
    archives: tuple[ArchiveAnswer, ...]


def installed(name: str) -> bool:
    """Whether this service can write the format."""
    return name not in NEEDS or find_spec(NEEDS[name]) is not None


async def export_of(house: House, conn: asyncpg.Connection, asked: Filters) -> Export:
    """What is exported, up to where history is complete now; raises 422 for a format that is not installed."""
    if not installed(asked.format):
        extra = f"pip install 'escalation-matrix[{asked.format}]'"
        raise wrong(FieldProblem("format", f"{asked.format} is not installed in this service: {extra} there"))
    wanted = await asked.wanted(conn)
    last = await Horizon().complete(conn)
    archives = await archived.about(conn, wanted)
    pools = await _pools(house, await conn.fetchval(FLUSHED))
    return Export(Source(pools[0], wanted, last, spare=pools[-1]), tuple(archives))


async def streamed(request: web.Request, asked: Filters, export: Export) -> web.StreamResponse:
    """The file, part by part."""
    kind, write = FORMATS[asked.format]
    told = signed(web.StreamResponse(headers={"Content-Type": kind}), request[REQUEST_ID])
    told.headers["Content-Disposition"] = f'attachment; filename="history.{asked.format}"'
    if export.archives:
        told.headers[ARCHIVES] = ", ".join(each.month for each in export.archives)
    await told.prepare(request)
    async for part in write(export.source):
        await told.write(part)
    await told.write_eof()
    return told


async def _pools(house: House, wanted: str) -> tuple[asyncpg.Pool, ...]:
    """Where the rows are read: on the replica, if it has them all, and then on the primary where it goes away."""

    async def there(conn: asyncpg.Connection) -> bool:
        return not conn.is_closed()

    with suppress(NotThereError):
        if house.replica is not None and await house.replica.ask(wanted, there):
            return house.replica.pool, house.reads
    return (house.reads,)


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
