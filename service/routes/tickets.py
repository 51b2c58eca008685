"""Tickets and contacts: the facts that help desks report, and what is known of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.asked import Heard, Report
from machines.decided import Decision, Failure
from machines.values import Author, Channel, Contact, Priority, Situation, Status, Ticket, Word
from service import answers
from service.batch import Settled
from service.body import body
from service.door import COMMANDED, Id, Instant, Line, Route, fit, fit_query, nowhere, path_id, token, wrong
from service.reads import PEOPLE, Number, Page, Paged, admit, after, answered, page, reading
from service.routes.examples import CONTACT, TICKET
from service.submit import fresh_id, job_of, render, submit

READERS = (*PEOPLE, "auditor")
"""Who may read what customers wrote."""
Body = Annotated[str, Meta(max_length=100_000)]
Tags = Annotated[tuple[Id, ...], Meta(max_length=100)]
Details = Annotated[dict[str, Any], Meta(description="What the facts or the caller said of it.")]


class Sla(Struct, frozen=True, forbid_unknown_fields=True):
    """The ticket's own targets, where its contract has others than the policy."""

    first_response_by: Instant | None = None
    resolution_by: Instant | None = None


class TicketFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """All facts of a ticket as of `updated_at` (default now). An absent optional one is null.

    `merged_into` names the ticket in which it lives on. Being closed by that solves nothing: its clocks run on, and its
    escalation stays its own until people end it; the owner is told.
    """

    customer_id: Id
    priority: Priority
    status: Status
    subject: Line
    opened_at: Instant
    description: Body | None = None
    first_responded_at: Instant | None = None
    resolved_at: Instant | None = None
    updated_at: Instant | None = None
    assignee: Id | None = None
    issue_key: Id | None = None
    product: Id | None = None
    outage: bool | None = None
    merged_into: Id | None = None
    tags: Tags | None = None
    sla: Sla | None = None


class ContactFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """Something said on a ticket. `request: false`: a call that asks for no escalation."""

    channel: Channel
    sender: Id
    author_role: Author
    at: Instant | None = None
    subject: Line | None = None
    body: Body | None = None
    request: bool | None = None


class TicketAnswer(Struct, frozen=True):
    """A ticket's facts as its help desk reported them last."""

    id: str
    customer_id: str | None
    priority: Priority
    status: Status
    subject: str
    opened_at: datetime | None
    description: str | None
    first_responded_at: datetime | None
    resolved_at: datetime | None
    updated_at: datetime | None
    assignee: str | None
    issue_key: str | None
    product: str | None
    outage: bool | None
    merged_into: str | None
    tags: tuple[str, ...]
    sla: dict[str, datetime] | None


class Begun(Struct, frozen=True):
    """A situation and when its fact began."""

    situation: str
    at: datetime
    detail: Details


class TicketReport(Struct, frozen=True):
    """The ticket as known now, situations, and its escalation that is not closed: after a report those that it began,
    when read all that stand in its escalations."""

    ticket: TicketAnswer
    situations: list[Begun]
    escalation: answers.EscalationAnswer | None


class ContactId(Struct, frozen=True):
    """By which evidence names a contact."""

    id: str


class ContactReport(Struct, frozen=True):
    """What a contact did; `refused` are channels that the customer's tier has not: the report counts all the same."""

    ticket: TicketAnswer
    situations: list[Begun]
    escalation: answers.EscalationAnswer | None
    contact: ContactId
    refused: list[Failure]


class ContactAnswer(Struct, frozen=True):
    """Something that was said. `word` is what in its subject asks for an escalation, or only looks as if it did;
    `subject` and `body` are absent where nothing was said, or it was erased."""

    id: str
    ticket_id: str
    customer_id: str
    at: datetime
    received_at: datetime
    channel: Channel
    sender: str
    author_role: Author
    verified: bool
    request: bool
    by: str
    word: Word | None
    subject: str | msgspec.UnsetType = msgspec.UNSET
    body: str | msgspec.UnsetType = msgspec.UNSET


class Kept(Contact, frozen=True):
    """A contact as the database has it, and what was said."""

    by: str = ""
    text: dict[str, str] | None = None


def _ticket(ticket: Ticket) -> TicketAnswer:
    return TicketAnswer(*(getattr(ticket, name) for name in TicketAnswer.__struct_fields__))


def _begun(situations: tuple[Situation, ...] | list[Situation]) -> list[Begun]:
    return [Begun(s.situation, s.at, s.detail) for s in situations]


def _told(settled: Settled) -> TicketReport:
    decision, e = settled.result, settled.escalation
    assert isinstance(decision, Decision)
    assert decision.ticket is not None
    told = answers.escalation(e, settled.texts) if e else None
    return TicketReport(_ticket(decision.ticket), _begun(decision.situations), told)


def heard(settled: Settled) -> ContactReport:
    """What a contact did."""
    decision, told = settled.result, _told(settled)
    assert isinstance(decision, Decision)
    assert decision.contact is not None
    contact = ContactId(decision.contact.id)
    return ContactReport(told.ticket, told.situations, told.escalation, contact, list(decision.refused))


reported = render(_told, 200)


async def report(request: web.Request) -> web.StreamResponse:
    """Replaces all facts. Facts that are older than the newest known are kept, and change nothing. The answer lists
    the situations that these facts began; what the matrix does about them has happened when it is answered."""
    value = await body(request)
    presented = token(request)
    which = path_id(request)
    facts, problems = fit(value, TicketFacts)
    ask = Report(ticket_of(which, facts))
    return await submit(request, job_of(request, presented, ask, reported, value, problems=problems))


def ticket_of(which: str, facts: TicketFacts | None) -> Ticket:
    """The ticket of that id with these facts; without, where they are wrong and so will be refused."""
    if facts is None:
        return Ticket(which)
    told = msgspec.structs.asdict(facts)
    sla = {k: v for k, v in msgspec.structs.asdict(facts.sla).items() if v} if facts.sla else None
    return Ticket(which, **{**told, "sla": sla, "tags": facts.tags or ()})


async def contact(request: web.Request) -> web.StreamResponse:
    """A customer's contact by call, account manager or emergency is a request to escalate, and so is a reply by one of
    their verified contacts with ESCALATE in its subject, unless it says `request: false`. Where the tier lacks that
    channel, `refused` says so, and the report counts all the same."""
    value = await body(request)
    presented = token(request)
    ticket_id = path_id(request)
    facts, problems = fit(value, ContactFacts)
    told = msgspec.structs.asdict(facts) if facts else _NOTHING
    ask = Heard(fresh_id(), ticket_id, **told)
    return await submit(request, job_of(request, presented, ask, render(heard), value, problems=problems))


_NOTHING: dict[str, Any] = {"at": None, "channel": "portal", "sender": "", "author_role": "system"}
_decode_ticket = msgspec.json.Decoder(Ticket).decode
_decode_situations = msgspec.json.Decoder(list[Situation]).decode
_decode_contact = msgspec.json.Decoder(Kept).decode


async def show(request: web.Request) -> web.StreamResponse:
    """The same shape as a report's answer; `situations` are all that stand in the ticket's escalations."""
    async with reading(request) as (conn, _):
        row = await conn.fetchrow(sql.query("ticket.by_id"), path_id(request))
    if row is None:
        raise nowhere("There is no such ticket: nobody has reported it yet.")
    told = answers.stored(row["escalation"], row["texts"]) if row["escalation"] else None
    return answered(
        TicketReport(_ticket(_decode_ticket(row["ticket"])), _begun(_decode_situations(row["situations"])), told)
    )


async def contacts(request: web.Request) -> web.StreamResponse:
    """In the order in which they were reported. Texts are for agents and above, and for auditors."""
    asked, problems = fit_query(request, Paged)
    async with reading(request) as (conn, known):
        ticket_id = path_id(request)
        if not await conn.fetchval(sql.query("ticket.is_known"), ticket_id):
            raise nowhere("There is no such ticket: nobody has reported it yet.")
        if problems:
            raise wrong(*problems)
        begin = after(asked.cursor, tuple[Number]) or (0,)
        admit(known, READERS, "Only agents, people of a level and auditors may read what customers wrote.")
        rows = await conn.fetch(sql.query("ticket.contacts"), ticket_id, min(begin[0], 2**31 - 1), asked.limit + 1)
    found = [_decode_contact(row["row"]) for row in rows]
    return answered(page(found, asked.limit, _contact, lambda c: (c.revision,)))


def _contact(c: Kept) -> ContactAnswer:
    names = ContactAnswer.__struct_fields__[:-2]
    said = c.text or {}
    texts = (said.get(name, msgspec.UNSET) for name in ("subject", "body"))
    return ContactAnswer(*(getattr(c, name) for name in names), *texts)


ROUTES = (
    Route(
        "PUT",
        "/v1/tickets/{id}",
        report,
        "Report all facts of a ticket",
        {200: TicketReport},
        body=TicketFacts,
        refuses=(403,),
        example=TICKET,
    ),
    Route("GET", "/v1/tickets/{id}", show, "A ticket, its situations and its escalation", {200: TicketReport}),
    Route(
        "POST",
        "/v1/tickets/{id}/contacts",
        contact,
        "Report something that was said on a ticket",
        {201: ContactReport},
        body=ContactFacts,
        headers=COMMANDED,
        refuses=(403, 409),
        example=CONTACT,
    ),
    Route(
        "GET",
        "/v1/tickets/{id}/contacts",
        contacts,
        "What was said on a ticket",
        {200: Page[ContactAnswer]},
        query=Paged,
        refuses=(403,),
    ),
)
