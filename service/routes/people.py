"""People: the roster, who is on duty when, and who has left."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.asked import Duty, FieldProblem
from service.body import body
from service.door import Email, Id, Instant, Line, Route, checked, nowhere, path_id, query, wrong
from service.reads import Name, Page, Paged, admit, after, answered, page, reading
from service.routes.escalations import Level
from service.routes.examples import PERSON
from service.submit import HOUSE, REQUEST_ID, encode, name
from service.timers import in_order


class Window(Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """A span of duty: `from` ≤ now < `until`."""

    since: Instant
    until: Instant


Windows = Annotated[list[Window], Meta(max_length=1000)]


class PersonFields(Struct, frozen=True, forbid_unknown_fields=True):
    """`on_duty`: yes or no until said otherwise, or the spans of duty. `active: false` retires them and their keys."""

    name: Annotated[Line, Meta(min_length=1)]
    level: Level
    on_duty: bool | Windows
    email: Email | None = None
    slack: Id | None = None
    active: bool = True


class PersonAnswer(Struct, frozen=True):
    """Somebody on the roster; `on_duty` as it was put."""

    id: str
    name: str
    level: int
    on_duty: bool | list[Window]
    email: str | None
    slack: str | None
    active: bool


class Kept(Struct, frozen=True):
    """A person as the database has them."""

    id: str
    name: str
    level: int
    email: str | None
    slack: str | None
    on_duty: bool
    windows: list[Window]
    active: bool


class Filters(Paged, frozen=True, forbid_unknown_fields=True):
    """Every filter that is given must hold."""

    level: Level | None = None
    active: bool | None = None


_decode = msgspec.json.Decoder(Kept).decode


def _told(p: Kept) -> PersonAnswer:
    return PersonAnswer(p.id, p.name, p.level, p.windows or p.on_duty, p.email, p.slack, p.active)


async def put(request: web.Request) -> web.StreamResponse:
    """Makes or replaces somebody on the roster. An offer to whoever goes off duty passes on, one to nobody goes to
    whoever comes; an owner who goes is reminded to reassign. Whoever is retired (`active: false`) loses their keys for
    good."""
    value = await body(request)
    async with reading(request) as (conn, known):
        which = path_id(request)
        fields = checked(value, PersonFields)
        windows = fields.on_duty if isinstance(fields.on_duty, list) else []
        _in_order(windows)
        admit(known, ("admin",), "Only admins may change the roster.")
        row = await conn.fetchrow(
            sql.query("person.put"),
            which,
            fields.name,
            fields.level,
            fields.email and fields.email.strip(),
            fields.slack,
            fields.on_duty is True,
            encode(windows).decode(),
            fields.active,
        )
        args = (which, fields.level, row["is_on_duty"], bool(row["left"]), row["left_at"])
        concerned = await conn.fetch(sql.query("person.concerned"), *args)
    name(request, value)
    asks = [Duty(each["ticket_id"], which) for each in concerned]
    await in_order(request.app[HOUSE].engine, asks, request[REQUEST_ID])
    return answered(_told(_decode(row["row"])))


def _in_order(windows: list[Window]) -> None:
    """A span that ends before it begins is a slip of the pen."""
    problems = [
        FieldProblem(f"on_duty[{n}].until", "must be after `from`")
        for n, window in enumerate(windows)
        if window.until <= window.since
    ]
    if problems:
        raise wrong(*problems[:50])


async def show(request: web.Request) -> web.StreamResponse:
    """Somebody on the roster, retired or not."""
    async with reading(request) as (conn, _):
        row = await conn.fetchval(sql.query("person.by_id"), path_id(request))
    if row is None:
        raise nowhere("There is nobody of that id on the roster.")
    return answered(_told(_decode(row)))


async def people(request: web.Request) -> web.StreamResponse:
    """By id."""
    async with reading(request) as (conn, _):
        asked = query(request, Filters)
        begin = after(asked.cursor, tuple[Name])
        rows = await conn.fetch(
            sql.query("person.page"), asked.level, asked.active, begin and begin[0], asked.limit + 1
        )
    found = [_decode(row["row"]) for row in rows]
    return answered(page(found, asked.limit, _told, lambda p: (p.id,)))


ROUTES = (
    Route(
        "PUT",
        "/v1/people/{id}",
        put,
        "Make or replace somebody on the roster",
        {200: PersonAnswer},
        body=PersonFields,
        refuses=(403,),
        example=PERSON,
    ),
    Route("GET", "/v1/people/{id}", show, "Somebody on the roster", {200: PersonAnswer}),
    Route("GET", "/v1/people", people, "The roster", {200: Page[PersonAnswer]}, query=Filters),
)
