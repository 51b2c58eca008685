"""Moving running escalations to a version of the policy: what would change for each, and a button for what was seen."""

from __future__ import annotations

import re

import msgspec
from aiohttp import web

import sql
from service.body import form as read_form
from service.console import sessions
from service.console.matrix import number, versions_of
from service.console.pages import for_visitors, page, see_other
from service.console.sessions import Visitor
from service.door import UUID, Route
from service.problems import Problem
from service.reads import admit, connection
from service.routes.moves import MOST, MOVERS, jobs_of, moved, previews
from service.submit import HOUSE

AT_ONCE = 50
"""Escalations that one page shows, and one button moves."""
SEEN = re.compile(rf"({UUID.pattern}) ([0-9]{{1,9}})")


async def show(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """Running escalations under another version, oldest first, with each deadline that the move would change."""
    return await _page(request, visitor, [], request.query.get("moved", ""))


async def move(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """Moves the ones that were chosen, each only if it stands where it was seen; the others are told, and stay."""
    typed = await read_form(request)
    given = dict(typed)
    sessions.from_our_page(request, visitor, given.get("csrf", ""))
    chosen = [match for name, text in typed if name == "seen" and (match := SEEN.fullmatch(text))][:MOST]
    seen = {match[1]: int(match[2]) for match in chosen}
    async with connection(request.app[HOUSE].reads) as conn:
        versions = await versions_of(conn, given.get("to", "x"))
        rows = await conn.fetch(sql.query("policy.running"), list(seen))
    which = [(row["id"], row["ticket_id"], seen[row["id"]]) for row in rows]
    replies = await moved(request, jobs_of(request, visitor.token, versions.policy.version, which))
    refused = [
        (ticket, msgspec.json.decode(reply.body, type=Problem))
        for (_, ticket, _), reply in zip(which, replies, strict=True)
        if reply.status >= 400
    ]
    if not refused:
        return see_other(f"/matrix/moves?version={versions.policy.version}&moved={len(which)}")
    return await _page(request, visitor, refused, str(len(which) - len(refused)), given["to"])


async def _page(
    request: web.Request, visitor: Visitor, refused: list[tuple[str, Problem]], done: str, to: str | None = None
) -> web.StreamResponse:
    admit(visitor.known, ("admin",), MOVERS)
    async with connection(request.app[HOUSE].reads) as conn:
        versions = await versions_of(conn, to or request.query.get("version"))
        now = await conn.fetchval(sql.query("board.now"))
        version = versions.policy.version
        rows = await conn.fetch(sql.query("policy.to_move"), version, None, AT_ONCE + 1)
    which = [(row["id"], row["ticket_id"], None) for row in rows[:AT_ONCE]]
    return page(
        request,
        "matrix_moves.html",
        409 if refused else 200,
        visitor=visitor,
        now=now,
        versions=versions,
        policy=versions.policy,
        found=await previews(request, jobs_of(request, visitor.token, version, which)),
        more=len(rows) > AT_ONCE,
        refused=refused,
        done=number(done) if done else -1,
    )


ROUTES = (
    Route("GET", "/matrix/moves", for_visitors(show), "Move running escalations", {200: str}, public=True),
    Route("POST", "/matrix/moves", for_visitors(move), "Move running escalations", {303: None}, public=True),
)
