"""Health: whether the process lives, whether it can serve, and what it counts."""

from __future__ import annotations

import asyncio
from typing import Literal

import asyncpg
import structlog
from aiohttp import web
from msgspec import Struct

import sql
from machines.escalation import moves
from service.door import Route
from service.engine import Unavailable
from service.metrics import CONTENT_TYPE, METRICS
from service.reads import answered, connection, reading
from service.room import ROOM
from service.submit import HOUSE

log = structlog.get_logger(__name__)

LATENESS = sql.query("timer.lateness")
UNREADY = (
    Unavailable,
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresError,
)
"""Whatever keeps us from asking the database."""


LEAVING = web.AppKey("leaving", asyncio.Event)
"""Set once this node was told to stop."""


class Alive(Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Check(Struct, frozen=True):
    """One thing that must hold; `detail` says what to do where it does not."""

    ok: bool
    detail: str


class Readiness(Struct, frozen=True):
    """`ready` where every check holds."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, Check]


async def healthz(request: web.Request) -> web.StreamResponse:
    """Asks nothing of the database: a process that can't reach it is not mended by starting another."""
    return answered(Alive())


async def readyz(request: web.Request) -> web.StreamResponse:
    """503 while the service should get no requests: no database, or one that lacks a migration or a move, or whose
    timers fire late; or this node was told to stop."""
    try:
        async with connection(request.app[HOUSE].reads) as conn:
            late_after = request.app[HOUSE].settings.timers_late_after
            checks = {"database": Check(True, "answers")} | await _checks(conn, late_after)
    except UNREADY as error:
        log.warning("readiness_failed", error=str(error))
        checks = {"database": Check(False, "does not answer, or refuses connections")}
    if (replica := request.app[HOUSE].replica) is not None:
        # Whatever it is, the primary answers.
        told = (
            "reads of what has happened" if replica.state == "serves" else "nothing: the primary answers in its place"
        )
        checks["replica"] = Check(True, f"{replica.state}: {told}")
    if request.app[LEAVING].is_set():
        checks["node"] = Check(False, "was told to stop: it answers what it is asked, and leaves")
    ready = all(check.ok for check in checks.values())
    answer = answered(Readiness("ready" if ready else "not_ready", checks), 200 if ready else 503)
    if not ready:
        answer.headers["Retry-After"] = "1"
    return answer


async def _checks(conn: asyncpg.Connection, late_after: float) -> dict[str, Check]:
    try:
        applied = {row["number"] for row in await conn.fetch(sql.query("migrate.list"))}
    except asyncpg.UndefinedTableError:
        return {"schema": Check(False, "`escalation-matrix migrate` makes it")}
    lacking = [f"{step.number:04}_{step.name}" for step in sql.migrations() if step.number not in applied]
    known = {(row["trigger"], row["source"], row["dest"]) for row in await conn.fetch(sql.query("health.moves"))}
    missing = [f"{trigger} from {source or 'nowhere'} to {dest}" for trigger, source, dest in set(moves()) - known]
    advice = "`escalation-matrix migrate` adds"
    late = 0.0 if lacking else await conn.fetchval(LATENESS)
    return {
        "schema": Check(not lacking, f"{advice} {', '.join(lacking)}" if lacking else "is the newest"),
        "moves": Check(not missing, f"{advice} {len(missing)}: {missing[0]}, …" if missing else "are all there"),
        "timers": Check(late <= late_after, f"the oldest due one is {late:.1f} s late, of {late_after:.0f} s allowed"),
    }


async def metrics(request: web.Request) -> web.StreamResponse:
    """Prometheus' text format, for this process."""
    house, told = request.app[HOUSE], request.app[METRICS]
    async with reading(request) as (conn, _):
        told.late(await conn.fetchval(LATENESS))
    assert request.protocol._manager is not None
    told.full("connections", len(request.protocol._manager.connections), request.app[ROOM])
    told.full("commands", house.engine.waiting, house.settings.queue_limit)
    told.full("reads", house.reads.get_size() - house.reads.get_idle_size(), house.reads.get_max_size())
    return web.Response(body=told.text(), headers={"Content-Type": CONTENT_TYPE})


ROUTES = (
    Route("GET", "/healthz", healthz, "Whether the process lives", {200: Alive}, public=True),
    Route("GET", "/readyz", readyz, "Whether it can serve", {200: Readiness, 503: Readiness}, public=True),
    Route("GET", "/metrics", metrics, "What this process counts", {200: str}, content=("text/plain",)),
)
