"""What the pages' module listens to: the feed of transitions, for whoever is signed in."""

from __future__ import annotations

import asyncpg
from aiohttp import web

from service.console import sessions
from service.door import Route
from service.problems import Refused
from service.reads import connection
from service.routes.events import last_event_id, stream
from service.submit import HOUSE


async def live(request: web.Request) -> web.StreamResponse:
    """The events of `/v1/events`, from now on; a page looks once when it begins to listen. Who may not hears so at
    once, and at the next beat."""
    async with connection(request.app[HOUSE].reads) as conn:
        await _still(request, conn)
    return await stream(request, last_event_id(request), lambda conn: _still(request, conn))


async def _still(request: web.Request, conn: asyncpg.Connection) -> None:
    if await sessions.visitor(request, conn) is None:
        raise Refused(401, "no_key", "Nobody is signed in here any more.")


ROUTES = (Route("GET", "/live", live, "What happens now", {200: bytes}, public=True),)
