"""Measures: what a window of time came to, as the weekly review counts it."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
from aiohttp import web
from msgspec import Struct

import sql
from machines.asked import FieldProblem
from service.auth import Known
from service.door import Route, query, wrong
from service.reads import answered, anywhere
from service.reviews.measures import Measures, measured
from service.routes.escalations import Since, Until

DEFAULT, LONGEST = timedelta(days=7), timedelta(days=366)


class Window(Struct, frozen=True, forbid_unknown_fields=True):
    """From `since` (default: seven days before `until`) until `until` (default: now), 366 days at most."""

    since: Since | None = None
    until: Until | None = None


async def measures(request: web.Request) -> web.StreamResponse:
    """Escalation rate, time to resolution, reasons, satisfaction, response attainment, engage lateness, denials,
    coverage gaps, re-escalations, dismissed flags and handoffs of a window, seven days unless told otherwise. What each
    of them counts is defined above its SELECT in `sql/reports/`."""

    async def ask(conn: asyncpg.Connection, _: Known) -> Measures:
        asked = query(request, Window)
        until = asked.until or await conn.fetchval(sql.query("board.now"))
        since = asked.since or until - DEFAULT
        if not timedelta() < until - since <= LONGEST:
            raise wrong(FieldProblem("since", f"must lie before until, by {LONGEST.days} days at most"))
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            return await measured(conn, since, until)

    return answered(await anywhere(request, ask))


ROUTES = (
    Route(
        "GET",
        "/v1/metrics/escalations",
        measures,
        "The measures of a window of time",
        {200: Measures},
        query=Window,
    ),
)
