"""Escalations as they stand, and as they stood."""

from __future__ import annotations

from typing import Annotated, Any

import asyncpg
import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.history import fold
from machines.values import State, Tier
from service import answers
from service.door import Id, Instant, Route, fit_query, nowhere, path_uuid, query, wrong
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
        begin[0] if begin else None,
        asked.limit + 1,
        asked.live,
    )
    if asked.as_of is None:
        rows = await conn.fetch(sql.query("escalation.page"), *args)
        found = [answers.stored(row["row"], row["texts"]) for row in rows]
    else:
        rows = await conn.fetch(sql.query("escalation.page_as_of"), *args, asked.as_of)
        found = [_folded(row) for row in rows]
    return page(found, asked.limit, lambda e: e, lambda e: (e.id,))


def _folded(row: Any) -> answers.EscalationAnswer:
    """An escalation as its rows tell."""
    records = _decode_rows(row["rows"])
    texts = msgspec.json.decode(row["texts"]) if row["texts"] else {}
    return answers.escalation(fold((record, record.hash) for record in records), texts)


_decode_rows = msgspec.json.Decoder(list[answers.Kept]).decode


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
        rows = await conn.fetch(sql.query("escalation.as_of"), which, asked.as_of)
    if not rows:
        raise nowhere("It was not opened yet at that instant.")
    texts: dict[str, Any] = {}
    for each in rows:
        texts |= msgspec.json.decode(each["texts"] or "{}")
    records = [answers.decode_history(each["row"]) for each in rows]
    return answered(answers.escalation(fold((record, record.hash) for record in records), texts))


ROUTES = (
    Route(
        "GET",
        "/v1/escalations",
        escalations,
        "Escalations, filtered",
        {200: Page[answers.EscalationAnswer]},
        query=Filters,
    ),
    Route(
        "GET",
        "/v1/escalations/{id}",
        escalation,
        "An escalation, now or as of an instant",
        {200: answers.EscalationAnswer},
        query=AsOf,
        etag=True,
    ),
)
