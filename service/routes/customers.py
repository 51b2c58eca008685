"""Customers: their tier, and who speaks for them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.asked import Rearm
from machines.values import Tier
from service.body import body
from service.door import Email, Id, Line, Route, checked, nowhere, path_id, query
from service.reads import PEOPLE, Name, Page, Paged, admit, after, answered, page, reading
from service.routes.examples import CUSTOMER
from service.submit import HOUSE, REQUEST_ID, name
from service.timers import in_order


class CustomerFields(Struct, frozen=True, forbid_unknown_fields=True):
    """`contacts` are the verified addresses: only what they write is the customer's word. `language` (like `de`) is the
    one in which they are written to, where the policy has it."""

    name: Annotated[Line, Meta(min_length=1)]
    tier: Tier
    account_manager: Id | None = None
    contacts: Annotated[tuple[Email, ...], Meta(max_length=500)] | None = None
    language: Annotated[str, Meta(pattern="^[a-z]{2,3}$")] | None = None


class CustomerAnswer(Struct, frozen=True):
    """A customer; `contacts` are casefolded, each once."""

    id: str
    name: str
    tier: Tier
    account_manager: str | None
    contacts: tuple[str, ...]
    language: str | None


class Filters(Paged, frozen=True, forbid_unknown_fields=True):
    """Every filter that is given must hold."""

    tier: Tier | None = None


_decode = msgspec.json.Decoder(CustomerAnswer).decode


async def put(request: web.Request) -> web.StreamResponse:
    """Makes or replaces a customer. Escalations keep the tier under which they were opened; what begins later goes by
    the tier of then, a P1 that waits and SLA clocks too."""
    value = await body(request)
    async with reading(request) as (conn, known):
        which = path_id(request)
        fields = checked(value, CustomerFields)
        admit(known, ("service", "admin", *PEOPLE), "Only services, admins, agents and people of a level may do this.")
        contacts = list(dict.fromkeys(contact.strip().casefold() for contact in fields.contacts or ()))
        told = (which, fields.name, fields.tier, fields.account_manager, contacts, fields.language)
        row = await conn.fetchval(sql.query("customer.put"), *told)
        waiting = await conn.fetch(sql.query("customer.rearmed"), which)
    name(request, value)
    asks = [Rearm(each["id"]) for each in waiting]
    await in_order(request.app[HOUSE].engine, asks, request[REQUEST_ID])
    return answered(_decode(row))


async def show(request: web.Request) -> web.StreamResponse:
    """A customer as they were put last."""
    async with reading(request) as (conn, _):
        row = await conn.fetchval(sql.query("customer.by_id"), path_id(request))
    if row is None:
        raise nowhere("There is no such customer: PUT makes one.")
    return answered(_decode(row))


async def customers(request: web.Request) -> web.StreamResponse:
    """By id."""
    async with reading(request) as (conn, _):
        asked = query(request, Filters)
        begin = after(asked.cursor, tuple[Name])
        rows = await conn.fetch(sql.query("customer.page"), asked.tier, begin and begin[0], asked.limit + 1)
    found = [_decode(row["row"]) for row in rows]
    return answered(page(found, asked.limit, lambda c: c, lambda c: (c.id,)))


ROUTES = (
    Route(
        "PUT",
        "/v1/customers/{id}",
        put,
        "Make or replace a customer",
        {200: CustomerAnswer},
        body=CustomerFields,
        refuses=(403,),
        example=CUSTOMER,
    ),
    Route("GET", "/v1/customers/{id}", show, "A customer", {200: CustomerAnswer}),
    Route("GET", "/v1/customers", customers, "Customers", {200: Page[CustomerAnswer]}, query=Filters),
)
