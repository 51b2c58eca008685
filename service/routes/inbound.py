"""Ways in: mail as it came, and what of it a person has to look at."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from service.body import raw_body, unreadable
from service.door import IDEMPOTENCY_KEY, Id, Route, idempotency_key, query, token
from service.inbound.post import POST, Kept
from service.reads import PEOPLE, Page, Paged, Uuid, admit, after, answered, page, reading
from service.routes.denials import EPOCH, MICROSECOND, Micros
from service.routes.examples import MAIL
from service.routes.tickets import ContactReport, heard
from service.submit import HOUSE, REQUEST_ID, name, render, respond

RawMail = Annotated[str, Meta(min_length=1, description="A message as it came (RFC 5322, MIME), byte for byte.")]


class Filters(Paged, frozen=True, forbid_unknown_fields=True):
    """Every filter that is given must hold."""

    why: Literal["no_ticket", "stranger", "look_alike"] | None = None
    ticket_id: Id | None = None


class KeptAnswer(Struct, frozen=True):
    """Something that escalated nothing and that a person should see: `no_ticket` names none of ours, `stranger` is from
    nobody whom the ticket's customer has named, `look_alike` is a contact whose word only passes for ESCALATE."""

    id: str
    received_at: datetime
    why: Literal["no_ticket", "stranger", "look_alike"]
    ticket_id: str | None
    contact_id: str | None
    message_id: str | None
    sender: str | None
    subject: str
    body: str
    automatic: Literal["bounce", "auto_reply"] | None
    by: str


_decode = msgspec.json.Decoder(KeptAnswer).decode


async def mail(request: web.Request) -> web.StreamResponse:
    """Takes a message in. It names its ticket by `[ID]` or `[#ID]` in its subject, else by answering a message of ours,
    and is a contact by `reply` there: 201. Without such a ticket, or from a stranger, it is kept and escalates nothing:
    202. Bounces and auto-replies are contacts of the system's, not the customer's. The same message again, by its
    Message-ID, is the same contact."""
    presented = token(request)
    raw = await raw_body(request, request.app[HOUSE].settings.max_mail)
    if not raw.strip():
        unreadable("The body is empty: send the message as it came.")
    name(request, hashlib.sha256(raw).hexdigest())
    told = await request.app[POST].deliver(
        raw, presented, render(heard), request_id=request[REQUEST_ID], idempotency_key=idempotency_key(request)
    )
    return answered(told, 202) if isinstance(told, Kept) else respond(told)


async def kept(request: web.Request) -> web.StreamResponse:
    """Newest first. For agents and above, and for auditors."""
    async with reading(request) as (conn, known):
        asked = query(request, Filters)
        begin = after(asked.cursor, tuple[Micros, Uuid])
        admit(known, (*PEOPLE, "auditor"), "Only agents, people of a level and auditors may read what customers wrote.")
        rows = await conn.fetch(
            sql.query("mail.page"),
            asked.why,
            asked.ticket_id,
            EPOCH + begin[0] * MICROSECOND if begin else None,
            begin[1] if begin else None,
            asked.limit + 1,
        )
    found = [_decode(row["row"]) for row in rows]
    return answered(page(found, asked.limit, lambda m: m, lambda m: ((m.received_at - EPOCH) // MICROSECOND, m.id)))


ROUTES = (
    Route(
        "POST",
        "/v1/inbound/email",
        mail,
        "Take a mail in",
        {201: ContactReport, 202: Kept},
        body=RawMail,
        headers=(IDEMPOTENCY_KEY,),
        refuses=(403,),
        example=MAIL,
        accepts="message/rfc822",
    ),
    Route(
        "GET",
        "/v1/inbound/email",
        kept,
        "What came in and waits for a person",
        {200: Page[KeptAnswer]},
        query=Filters,
        refuses=(403,),
    ),
)
