"""Moving running escalations to another version of the policy: what would change, and the command."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.asked import MovePolicy
from machines.decide import not_found
from machines.moving import Moved
from service import auth
from service.batch import Job, Reply, Settled
from service.body import body
from service.consider import consider_all
from service.door import (
    COMMANDED,
    Route,
    checked,
    idempotency_key,
    query,
    token,
)
from service.engine import Unavailable
from service.problems import problem
from service.reads import Page, Paged, Uuid, admit, after, answered, page, reading
from service.routes.examples import MOVES
from service.routes.history import EscalationId
from service.routes.policies import version_in_path, version_of
from service.routes.transitions import TryIt
from service.submit import HOUSE, job_of, render, unavailable

MOST = 250
"""How many are moved in one call."""
MOVERS = "Only admins may move running escalations to another version of the policy."


class Which(Struct, frozen=True, forbid_unknown_fields=True):
    """An escalation; with `version`, only if it still stands where it stood when that was looked at."""

    id: EscalationId
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None


class Moves(Struct, frozen=True, forbid_unknown_fields=True):
    """Which running escalations to move, each once."""

    escalations: Annotated[tuple[Which, ...], Meta(min_length=1, max_length=MOST)]


class MoveAnswer(Struct, frozen=True):
    """What a move changes, or changed: each deadline as it was and as it is then (null: none). `before` is the version
    at which the escalation stood, `version` the one at which it stands then, `policy_version` by which it goes then. A
    deadline that has come is acted on at once."""

    escalation_id: str
    ticket_id: str
    before: int
    version: int
    state: str
    level: int
    owner: str | None
    policy_version: int
    moved: list[Moved]


class MovesAnswer(Struct, frozen=True):
    """One answer per escalation, in order: `{status: 200, …}` as of a move, or a problem."""

    items: list[dict[str, Any]]


def told(settled: Settled) -> MoveAnswer:
    """What became of one move."""
    e, rows = settled.escalation, settled.sealed
    assert e is not None
    moved = rows[0][0].detail["moved"] if rows else []
    stands = (
        rows[0][0].version - 1 if rows else e.version,
        e.version,
        str(e.state),
        e.level,
        e.owner,
        e.policy_version,
    )
    return MoveAnswer(e.id, e.ticket_id, *stands, msgspec.convert(moved, list[Moved]))


def jobs_of(
    request: web.Request, presented: auth.Token, version: int, which: Sequence[tuple[str, str, int | None]]
) -> list[Job]:
    """A job for each: its id, its ticket, and the version at which it must stand."""
    found = []
    for n, (escalation_id, ticket_id, seen) in enumerate(which):
        ask = MovePolicy(ticket_id, escalation_id, version, seen)
        asked = {"escalation_id": escalation_id, "policy_version": version}
        found.append(job_of(request, presented, ask, render(told, 200), asked, item=n))
    return found


async def preview(request: web.Request) -> web.StreamResponse:
    """Every running escalation under another version, oldest first, with each deadline that the move would change.
    Nothing is written. For admins."""
    async with reading(request) as (conn, known):
        asked, version = query(request, Paged), version_in_path(request)
        admit(known, ("admin",), MOVERS)
        await version_of(conn, version)
        begin = after(asked.cursor, tuple[Uuid])
        rows = await conn.fetch(sql.query("policy.to_move"), version, begin and begin[0], asked.limit + 1)
    running = page(rows, asked.limit, lambda row: (row["id"], row["ticket_id"], None), lambda row: (row["id"],))
    found = await previews(request, jobs_of(request, token(request), version, running.items))
    return answered(Page(found, running.next_cursor))


async def previews(request: web.Request, jobs: list[Job]) -> list[MoveAnswer]:
    """What these moves would change; what has ended since is left out."""
    replies = await consider_all(request.app[HOUSE], jobs) if jobs else []
    return [msgspec.json.decode(reply.body, type=MoveAnswer) for reply in replies if reply.status == 200]


async def move(request: web.Request) -> web.StreamResponse:
    """Moves each by a transition of its own, `move_policy`, whose `detail` lists every deadline that it changed; where
    it stands under that version already, nothing changes. With `dry_run=true` nothing is written. For admins."""
    value = await body(request)
    async with reading(request) as (conn, known):
        trying, version = query(request, TryIt), version_in_path(request)
        idempotency_key(request)
        await version_of(conn, version)
        asked = checked(value, Moves).escalations
        if trying.dry_run:
            admit(known, ("admin",), MOVERS)
        rows = await conn.fetch(sql.query("policy.running"), [each.id.lower() for each in asked])
    tickets = {row["id"]: row["ticket_id"] for row in rows}
    which = {each.id.lower(): each.version for each in asked}
    jobs = jobs_of(request, token(request), version, [(e, t, which[e]) for e, t in tickets.items()])
    replies = await _considered(request, jobs) if trying.dry_run else await moved(request, jobs)
    by_id = dict(zip(tickets, replies, strict=True))
    items = [_item(by_id.get(each.id.lower()), each.id) for each in asked]
    return web.Response(body=b'{"items":[' + b",".join(items) + b"]}", content_type="application/json")


async def _considered(request: web.Request, jobs: list[Job]) -> list[Reply]:
    return await consider_all(request.app[HOUSE], jobs) if jobs else []


async def moved(request: web.Request, jobs: list[Job]) -> list[Reply]:
    """Have them moved, and what was answered for each."""

    async def one(job: Job) -> Reply:
        try:
            return await request.app[HOUSE].engine.submit(job)
        except Unavailable as error:
            return Reply(503, problem(unavailable(error), outcome="unknown" if error.unknown else None))

    return list(await asyncio.gather(*(one(job) for job in jobs)))


def _item(reply: Reply | None, which: str) -> bytes:
    if reply is None:
        return problem(not_found("running escalation", which))
    return reply.body if reply.status >= 400 else b'{"status":%d,' % reply.status + reply.body[1:]


ROUTES = (
    Route(
        "GET",
        "/v1/policies/{version}/moves",
        preview,
        "What moving to a version would change",
        {200: Page[MoveAnswer]},
        query=Paged,
        refuses=(403,),
    ),
    Route(
        "POST",
        "/v1/policies/{version}/moves",
        move,
        "Move running escalations to a version",
        {200: MovesAnswer},
        body=Moves,
        query=TryIt,
        headers=COMMANDED,
        refuses=(403,),
        example=MOVES,
    ),
)
