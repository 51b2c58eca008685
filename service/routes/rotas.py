"""Rotas: who is on duty by the week in a time zone, or by a calendar that is kept elsewhere."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.asked import FieldProblem
from machines.calendar import zone_known
from service.body import body
from service.door import NO_CONTROL, Id, Line, Route, checked, nowhere, path_id, query, wrong
from service.reads import Name, Page, Paged, admit, after, answered, page, reading
from service.rotas.keep import expand
from service.rotas.weekly import Day, WallTime
from service.routes.examples import ROTA
from service.submit import HOUSE, REQUEST_ID, encode, name

Words = Annotated[str, Meta(min_length=1, max_length=200)]
WHY = "Only admins may see and change rotas: the address of a calendar is often its key."


class ShiftFields(Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """A person's duty on some days of each week; one that ends when it begins, or before, ends on the next day."""

    person: Id
    days: Annotated[list[Day], Meta(min_length=1, max_length=7)]
    since: WallTime
    until: WallTime


class FeedFields(Struct, frozen=True, forbid_unknown_fields=True):
    """A calendar (iCalendar). An event is the duty of whom `people` names by words of its title or an address, else of
    whoever on the roster is invited by e-mail."""

    url: Annotated[str, Meta(min_length=1, max_length=2000, pattern=NO_CONTROL)]
    people: Annotated[dict[Words, Id], Meta(max_length=500)] = {}


class RotaFields(Struct, frozen=True, forbid_unknown_fields=True):
    """`shifts`, or a `feed`, or both; with neither nobody is on duty by it."""

    name: Annotated[Line, Meta(min_length=1)]
    time_zone: Annotated[Id, Meta(description="Of the tz database, as Europe/Berlin.")]
    shifts: Annotated[list[ShiftFields], Meta(max_length=100)] = []
    feed: FeedFields | None = None


class RotaAnswer(Struct, frozen=True):
    """A rota. `fetched_at` is when its calendar was last read whole, `error` why it could not be since; `unknown` are
    titles of events that are nobody's."""

    id: str
    name: str
    time_zone: str
    shifts: list[ShiftFields]
    feed: FeedFields | None
    fetched_at: datetime | None
    error: str | None
    unknown: list[str]


_decode = msgspec.json.Decoder(RotaAnswer).decode


async def put(request: web.Request) -> web.StreamResponse:
    """Makes or replaces a rota. It is on top of what `/v1/people` says: whoever is on duty by either is. Offers and
    owners are told of it as if the roster had changed."""
    value = await body(request)
    async with reading(request) as (conn, known):
        which = path_id(request)
        fields = checked(value, RotaFields)
        _sound(fields)
        admit(known, ("admin",), WHY)
        feed = encode(fields.feed).decode() if fields.feed else None
        row = await conn.fetchval(
            sql.query("rota.put"), which, fields.name, fields.time_zone, encode(fields.shifts).decode(), feed
        )
    name(request, value)
    house = request.app[HOUSE]
    await expand(house.reads, house.engine, request[REQUEST_ID])
    return answered(_decode(row))


def _sound(fields: RotaFields) -> None:
    problems = [] if zone_known(fields.time_zone) else [FieldProblem("time_zone", "is no time zone that is known here")]
    if fields.feed is not None and not fields.feed.url.startswith(("https://", "http://")):
        problems.append(FieldProblem("feed.url", "must begin with https:// or http://"))
    if problems:
        raise wrong(*problems)


async def show(request: web.Request) -> web.StreamResponse:
    """A rota, and how its calendar is."""
    async with reading(request) as (conn, known):
        row = await conn.fetchval(sql.query("rota.by_id"), path_id(request))
    if row is None:
        raise nowhere("There is no rota of that id.")
    admit(known, ("admin",), WHY)
    return answered(_decode(row))


async def rotas(request: web.Request) -> web.StreamResponse:
    """By id."""
    async with reading(request) as (conn, known):
        asked = query(request, Paged)
        begin = after(asked.cursor, tuple[Name])
        admit(known, ("admin",), WHY)
        rows = await conn.fetch(sql.query("rota.page"), begin and begin[0], asked.limit + 1)
    return answered(page([_decode(row["row"]) for row in rows], asked.limit, lambda r: r, lambda r: (r.id,)))


ROUTES = (
    Route(
        "PUT",
        "/v1/rotas/{id}",
        put,
        "Make or replace a rota",
        {200: RotaAnswer},
        body=RotaFields,
        refuses=(403,),
        example=ROTA,
    ),
    Route("GET", "/v1/rotas/{id}", show, "A rota", {200: RotaAnswer}, refuses=(403,)),
    Route("GET", "/v1/rotas", rotas, "The rotas", {200: Page[RotaAnswer]}, query=Paged, refuses=(403,)),
)
