"""Deliveries: the messages that transitions planned, whom they are for, and what became of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Struct

import sql
from service import kept
from service.door import IDEMPOTENCY_KEY, Id, Route, idempotency_key, nowhere, query
from service.reads import PEOPLE, Number, Page, Paged, admit, after, answered, page, reading
from service.routes.history import EscalationId
from service.rows import fingerprint
from service.submit import encode

log = structlog.get_logger(__name__)

Audience = Literal["person", "escalations", "customer", "account_manager", "help_desk"]
Template = Annotated[str, Meta(min_length=1, max_length=64)]
DeliveryStatus = Literal["planned", "delivered", "parked"]
READERS = (*PEOPLE, "auditor", "admin")


class Filters(Paged, frozen=True, forbid_unknown_fields=True):
    """Every filter that is given must hold. `recipient` is a person, a customer, a channel's name or a ticket."""

    escalation_id: EscalationId | None = None
    ticket_id: Id | None = None
    audience: Audience | None = None
    recipient: Id | None = None
    template: Template | None = None
    status: DeliveryStatus | None = None


class DeliveryAnswer(Struct, frozen=True):
    """One message. `escalation_id`, `version` and `ordinal` say which transition planned it, as which of its messages;
    `payload` holds what the template fills in, and refers to texts by the id under which they lie. `target` is the
    channel that it goes over (null: not chosen yet), `passed` those that refused it, `error` why the last try failed,
    `next_try_at` when the next one may be (null: now, or never again)."""

    id: int
    escalation_id: str
    version: int
    ordinal: int
    ticket_id: str
    customer_id: str
    audience: Audience
    recipient: str
    template: str
    payload: dict[str, Any]
    planned_at: datetime
    status: DeliveryStatus
    attempts: int
    target: str | None
    passed: tuple[str, ...]
    next_try_at: datetime | None
    delivered_at: datetime | None
    error: str | None


_decode = msgspec.json.Decoder(DeliveryAnswer).decode


async def deliveries(request: web.Request) -> web.StreamResponse:
    """In the order in which they were planned. For agents and above, auditors and admins."""
    async with reading(request) as (conn, known):
        asked = query(request, Filters)
        begin = after(asked.cursor, tuple[Number])
        why = "Only agents, people of a level, auditors and admins may read what is sent to whom."
        admit(known, READERS, why)
        rows = await conn.fetch(
            sql.query("outbox.page"),
            asked.escalation_id and asked.escalation_id.lower(),
            asked.ticket_id,
            asked.audience,
            asked.recipient,
            asked.template,
            asked.status,
            begin[0] if begin else None,
            asked.limit + 1,
        )
    found = [_decode(row["row"]) for row in rows]
    return answered(page(found, asked.limit, lambda d: d, lambda d: (d.id,)))


async def send_again(request: web.Request) -> web.StreamResponse:
    """As if it had just been planned: over any channel, under the same delivery id. For admins."""
    async with reading(request) as (conn, known):
        number = request.match_info["id"]
        if not (number.isascii() and number.isdecimal() and int(number[:20]) < 2**63):
            raise nowhere("There is no such delivery.")
        key = idempotency_key(request)
        admit(known, ("admin",), "Only admins may have a message sent again.")
        told = fingerprint(request.method, request.path)
        async with conn.transaction():
            customer = await conn.fetchval(sql.query("outbox.hold"), int(number))
            if customer is None:
                raise nowhere("There is no such delivery.")
            if key and (before := await kept.before(conn, known, key, told)):
                return before
            row = await conn.fetchval(sql.query("outbox.send_again"), int(number))
            body = encode(_decode(row))
            if key:
                await kept.keep(conn, known, key, told, body, customer)
    log.info("message_sent_again", row=int(number), actor=known.id)
    return web.Response(body=body, content_type="application/json")


ROUTES = (
    Route(
        "POST",
        "/v1/deliveries/{id}/send",
        send_again,
        "Have a message sent again",
        {200: DeliveryAnswer},
        headers=(IDEMPOTENCY_KEY,),
        refuses=(403,),
    ),
    Route(
        "GET",
        "/v1/deliveries",
        deliveries,
        "Planned messages, and what became of them",
        {200: Page[DeliveryAnswer]},
        query=Filters,
        refuses=(403,),
    ),
)
