"""Escalations as they stand, and as they stood."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import asyncpg
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.values import State, Tier
from service import answers, past
from service.door import Id, Instant, Route, fit_query, nowhere, path_uuid, query, wrong
from service.past import Opened, Stood
from service.reads import Page, Paged, Uuid, after, answered, anywhere, page, reading

Level = Annotated[int, Meta(ge=0, le=4, description="0 while open, then 1 to 4.")]
Since = Annotated[Instant, Meta(description="Only from this instant on, it included.")]
Until = Annotated[Instant, Meta(description="Only before this instant.")]


class Filters(Paged, frozen=True, forbid_unknown_fields=True):
    """Every filter that is given must hold. `since` and `until` are about `opened_at`."""

    state: State | None = None
    level: Level | None = None
    tier: Tier | None = None
    owner: Id | None = None
    customer_id: Id | None = None
    ticket_id: Id | None = None
    overdue: Annotated[bool, Meta(description="One of its three `_by` has passed, or none has.")] | None = None
    live: Annotated[bool, Meta(description="Not closed, or closed.")] | None = None
    since: Since | None = None
    until: Until | None = None
    as_of: Annotated[Instant, Meta(description="As the list was then, that instant included.")] | None = None


class AsOf(Struct, frozen=True, forbid_unknown_fields=True):
    """`as_of`: as it stood at that instant, the instant included."""

    as_of: Annotated[Instant, Meta(description="As it stood then, that instant included.")] | None = None


async def escalations(request: web.Request) -> web.StreamResponse:
    """Newest first, as they stand now; with `as_of`, as their history up to then tells."""
    return answered(await anywhere(request, lambda conn, _: listed(conn, query(request, Filters))))


async def listed(conn: asyncpg.Connection, asked: Filters) -> Page[answers.EscalationAnswer]:
    """A page of them; raises 422 for a cursor that no such list gave."""
    begin = after(asked.cursor, tuple[Uuid])
    before = begin[0] if begin else None
    if asked.as_of is None:
        found = await _standing(conn, asked, before, asked.limit + 1)
    else:
        which = Stood(asked.as_of, asked.state, asked.level, asked.owner, asked.overdue, asked.live)
        opened = Opened(asked.tier, asked.customer_id, asked.ticket_id, asked.since, asked.until, before)
        found = await past.told(conn, await past.found(conn, which, opened, asked.limit + 1), asked.as_of)
    return page(found, asked.limit, lambda e: e, lambda e: (e.id,))


async def _standing(
    conn: asyncpg.Connection, asked: Filters, before: str | None, count: int
) -> list[answers.EscalationAnswer]:
    args = (
        asked.state,
        asked.level,
        asked.tier,
        asked.owner,
        asked.customer_id,
        asked.ticket_id,
        asked.overdue,
        asked.since,
        asked.until,
        before,
        count,
        asked.live,
    )
    return [answers.stored(row["row"], row["texts"]) for row in await conn.fetch(sql.query("escalation.page"), *args)]


async def escalation(request: web.Request) -> web.StreamResponse:
    """As it stands now, its version in `ETag`; with `as_of`, as its history up to then tells."""
    asked, problems = fit_query(request, AsOf)
    async with reading(request) as (conn, _):
        which = path_uuid(request)
        row = await conn.fetchrow(sql.query("escalation.by_id"), which)
        if row is None:
            raise nowhere("There is no such escalation.")
        if problems:
            raise wrong(*problems)
        if asked.as_of is None:
            told = answers.stored(row["row"], row["texts"])
            return answered(told, etag=told.version)
        stood = await past.told(conn, [UUID(which)], asked.as_of)
    if not stood:
        raise nowhere("It was not opened yet at that instant.")
    return answered(stood[0])


ROUTES = (
    Route(
        "GET",
        "/v1/escalations",
        escalations,
        "Escalations, filtered",
        {200: Page[answers.EscalationAnswer]},
        query=Filters,
        refuses=(410,),
    ),
    Route(
        "GET",
        "/v1/escalations/{id}",
        escalation,
        "An escalation, now or as of an instant",
        {200: answers.EscalationAnswer},
        query=AsOf,
        etag=True,
        refuses=(410,),
    ),
)
