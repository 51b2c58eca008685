"""Deliveries: the messages that transitions planned, whom they are for, and what became of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from service.door import Id, Route, query
from service.reads import PEOPLE, Number, Page, Paged, admit, after, answered, page, reading
from service.routes.history import EscalationId

Audience = Literal["person", "escalations", "customer", "account_manager", "help_desk"]
Template = Annotated[str, Meta(min_length=1, max_length=64)]
DeliveryStatus = Literal["planned", "delivered", "parked"]


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
    `payload` holds what the template fills in, and refers to texts by the id under which they lie."""

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


_decode = msgspec.json.Decoder(DeliveryAnswer).decode


async def deliveries(request: web.Request) -> web.StreamResponse:
    """In the order in which they were planned. For agents and above, auditors and admins."""
    async with reading(request) as (conn, known):
        asked = query(request, Filters)
        begin = after(asked.cursor, tuple[Number])
        why = "Only agents, people of a level, auditors and admins may read what is sent to whom."
        admit(known, (*PEOPLE, "auditor", "admin"), why)
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


ROUTES = (
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
