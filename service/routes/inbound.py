"""Ways in: mail as it came, and what of it a person has to look at."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.asked import FieldProblem, Report
from service.body import parse, raw_body
from service.door import IDEMPOTENCY_KEY, Id, Route, fit, idempotency_key, nowhere, path_id, query, token, wrong
from service.inbound.adapters import ADAPTERS
from service.inbound.adapters.told import Told
from service.inbound.post import POST, Kept
from service.inbound.signed import SIGNATURES
from service.problems import Refused
from service.reads import PEOPLE, Page, Paged, admit, answered, moment, page, reading, since_moment
from service.routes.examples import MAIL, ZENDESK
from service.routes.tickets import ContactReport, TicketFacts, TicketReport, heard, reported, ticket_of
from service.submit import HOUSE, REQUEST_ID, job_of, name, render, respond, submit

RawMail = Annotated[str, Meta(description="A message as it came (RFC 5322, MIME), byte for byte.")]


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


class Ignored(Struct, frozen=True):
    """A payload that changed nothing, and why."""

    ignored: str


_decode = msgspec.json.Decoder(KeptAnswer).decode


async def mail(request: web.Request) -> web.StreamResponse:
    """Takes a message in. It names its ticket by `[ID]` or `[#ID]` in its subject, else by answering a message of ours,
    and is a contact by `reply` there: 201. Without such a ticket, or from a stranger, it is kept and escalates nothing:
    202. Bounces and auto-replies are contacts of the system's, not the customer's. The same message again, by its
    Message-ID, is the same contact."""
    presented = token(request)
    raw = await raw_body(request, request.app[HOUSE].settings.max_mail)
    name(request, hashlib.sha256(raw).hexdigest())
    told = await request.app[POST].deliver(
        raw, presented, render(heard), request_id=request[REQUEST_ID], idempotency_key=idempotency_key(request)
    )
    return answered(told, 202) if isinstance(told, Kept) else respond(told)


async def adapted(request: web.Request) -> web.StreamResponse:
    """Takes a help desk's own payload (`zammad`, `zendesk`, `freshdesk`, `pagerduty`, `jira`, `opsgenie`) as the facts
    of a ticket. What it does not tell stays as it is known; its customer is one of ours by the id that the help desk
    has for it, or by the requester's address. What is about no ticket changes nothing: 202. Where the secret is set
    with which the help desk signs, what is not so signed is 401."""
    raw = await raw_body(request)
    value = parse(raw)
    presented = token(request)
    desk = path_id(request, "adapter")
    adapter = ADAPTERS.get(desk)
    if adapter is None:
        raise nowhere(f"There is no such adapter; there are {', '.join(ADAPTERS)}.")
    _signed(request, desk, raw)
    try:
        told = adapter(value)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, OSError, IndexError) as error:
        why = f"is not what this help desk sends: {type(error).__name__} {error}"[:200]
        raise wrong(FieldProblem("", why)) from None
    async with reading(request) as (conn, known):
        admit(known, ("service",), "Only services report for a help desk.")
        if told is None:
            return answered(Ignored("It is about no ticket."), 202)
        query_ = (told.id[:200], list(told.customers), (told.requester or "").strip().casefold())
        row = await conn.fetchrow(sql.query("adapter.known"), *query_)
    facts, problems = fit(_whole(told, row), TicketFacts)
    ticket = ticket_of(told.id, facts)
    return await submit(request, job_of(request, presented, Report(ticket), reported, value, problems=problems))


def _signed(request: web.Request, desk: str, raw: bytes) -> None:
    """Raises 401 where a secret is set for this help desk, and the request is not signed with it."""
    secret = getattr(request.app[HOUSE].settings, f"{desk}_signing_secret", None)
    if secret is not None and not SIGNATURES[desk].holds(secret, request.headers, raw):
        header = SIGNATURES[desk].header
        raise Refused(401, "bad_signature", f"{header} is not the signature of this body by the secret that is set.")


def _whole(told: Told, row: Any) -> dict[str, Any]:
    """All facts: what is known, and over it what was told just now."""
    known = msgspec.json.decode(row["ticket"]) if row["ticket"] else {}
    before = {name: known[name] for name in TicketFacts.__struct_fields__ if known.get(name) is not None}
    before.pop("updated_at", None)
    first = {"opened_at": told.facts.get("updated_at") or row["now"].isoformat(), "priority": "p3", "status": "new"}
    whose = row["customer_id"] or before.get("customer_id") or next(iter(told.customers), told.requester or "unknown")
    return {**first, "subject": told.id, **before, **told.facts, "customer_id": whose}


async def kept(request: web.Request) -> web.StreamResponse:
    """Newest first. For agents and above, and for auditors."""
    async with reading(request) as (conn, known):
        asked = query(request, Filters)
        begin = since_moment(asked.cursor)
        admit(known, (*PEOPLE, "auditor"), "Only agents, people of a level and auditors may read what customers wrote.")
        rows = await conn.fetch(
            sql.query("mail.page"),
            asked.why,
            asked.ticket_id,
            *begin,
            asked.limit + 1,
        )
    found = [_decode(row["row"]) for row in rows]
    return answered(page(found, asked.limit, lambda m: m, lambda m: moment(m.received_at, m.id)))


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
        accepts=("message/rfc822", "text/plain"),
    ),
    Route(
        "POST",
        "/v1/inbound/{adapter}",
        adapted,
        "Take a help desk's payload in",
        {200: TicketReport, 202: Ignored},
        body=dict[str, Any],
        headers=(IDEMPOTENCY_KEY,),
        refuses=(403, 409),
        example=ZENDESK,
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
