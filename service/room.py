"""Room: how many connections this process takes at once. Whoever comes beyond them is told to come back, and let go.

Without that a process that has no file descriptor left takes nobody, tells nobody, and can't reach its database either.
"""

from __future__ import annotations

import resource

from aiohttp import web

from machines.decided import Refusal
from service.config import Settings
from service.problems import response

KEPT = 48
"""File descriptors that connections leave to the rest: the log, the loop, libraries, whoever is turned away."""
LEAST = 8
TURNED_AWAY_WITHIN = 1.0
"""Seconds for somebody beyond them to say what they want, which is not looked at."""
LANE_MOST = 16
"""Connections that one way out may have."""


def room(settings: Settings, descriptors: int | None = None) -> int:
    """How many connections are taken: `connections` of the settings, or what file descriptors there are for.

    `descriptors`: how many this process may have (default: the system is asked).
    """
    if descriptors is None:
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if descriptors == resource.RLIM_INFINITY:
            return settings.connections
    ways_out = len(settings.webhooks) + len(settings.apprise) + 3  # Slack, e-mail, the help desk
    ours = KEPT + 2 + settings.read_connections * (2 if settings.replica_url else 1) + LANE_MOST * ways_out
    return min(settings.connections, max(LEAST, descriptors - ours))


ROOM = web.AppKey("room", int)


async def turn_away(request: web.BaseRequest) -> web.StreamResponse:
    """503, whatever was asked; the connection ends."""
    refusal = Refusal(503, "unavailable", "There are too many connections already. Try again.")
    told = response(refusal, headers={"Connection": "close"})
    told.headers["X-Content-Type-Options"] = "nosniff"
    return told
