"""Stories: everything that is known of one escalation, as JSON, or as a record for people to read."""

from __future__ import annotations

import asyncpg
import msgspec
from aiohttp import web

import sql
from machines import retold
from machines.document import CLOCKS
from machines.matrix import load
from machines.values import Ticket
from service import answers, archived, pages
from service.door import Route, nowhere, path_uuid
from service.reads import PEOPLE, answered, reading
from service.routes import story_parts as parts
from service.routes.clocks import ClockAnswer, explained
from service.routes.deliveries import DeliveryAnswer
from service.routes.denials import DenialAnswer
from service.routes.story_text import written

MOST = 1000
"""Rows of each part at most. An escalation has some dozens; one that is paged for a month has 700."""
TEXT = "text/plain"
READS_DENIALS = (*PEOPLE, "auditor")
READS_MESSAGES = (*PEOPLE, "auditor", "admin")

_texts = msgspec.json.Decoder(dict[str, str]).decode
_ticket = msgspec.json.Decoder(Ticket).decode
_denial = msgspec.json.Decoder(DenialAnswer).decode
_message = msgspec.json.Decoder(DeliveryAnswer).decode


async def story(request: web.Request) -> web.StreamResponse:
    """Transitions with the authority behind each and what came of it, refused attempts, handoffs, decisions, messages
    and what became of them, and the ticket's SLA clocks with their pauses; all as of one moment. With
    `Accept: text/plain` a record to be read. Who may read history may read it; what a role may not read elsewhere it
    does not read here: `withheld` names it."""
    async with reading(request) as (conn, known):
        which = path_uuid(request)
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            told = await _story(conn, which, known.role)
    if TEXT in request.headers.get("Accept", ""):
        response = web.Response(text=written(told), content_type=TEXT, charset="utf-8")
    else:
        response = answered(told)
    response.headers["Vary"] = "Accept"
    return response


async def _story(conn: asyncpg.Connection, which: str, role: str) -> parts.StoryAnswer:
    row = await conn.fetchrow(sql.query("escalation.by_id"), which)
    if row is None:
        raise nowhere("There is no such escalation.")
    e = answers.stored(row["row"], row["texts"])
    around = await conn.fetchrow(sql.query("story.around"), which)
    await archived.all_here(conn, [which])
    rows = await pages.page(conn, pages.Wanted([which]), "asc", None, MOST + 1)
    records = [answers.decode_history(each["row"]) for each in rows[:MOST]]
    refused = await _denials(conn, which) if role in READS_DENIALS else None
    sent = await _messages(conn, which) if role in READS_MESSAGES else None
    versions = list({record.policy_version for record in records})
    known = await conn.fetch(sql.query("policy.of_versions"), versions)
    policies = {each["version"]: load(each["document"], each["version"]) for each in known}
    moves = list(retold.unfold(records))
    texts: answers.Texts = {r.said: r.text for r in records if r.said is not None and r.text is not None}
    counts: dict[parts.Part, int | None] = {
        "transitions": len(rows),
        "denials": None if refused is None else len(refused),
        "messages": None if sent is None else len(sent),
    }
    return parts.StoryAnswer(
        escalation=e,
        subject=around["subject"],
        customer=around["customer"],
        told_at=around["now"],
        people=_texts(around["people"]),
        transitions=[parts.transition(moved, kept) for moved, kept in zip(moves, records, strict=True)],
        handoffs=parts.handoffs(retold.offers(moves), texts),
        acts=parts.acts(records, policies),
        messages=None if sent is None else sent[:MOST],
        denials=None if refused is None else refused[:MOST][::-1],
        clocks=await _clocks(conn, e.ticket_id),
        withheld=tuple(name for name in counts if counts[name] is None),
        left_off=tuple(name for name, count in counts.items() if count is not None and count > MOST),
    )


async def _denials(conn: asyncpg.Connection, which: str) -> list[DenialAnswer]:
    """The newest, newest first."""
    rows = await conn.fetch(sql.query("denial.page"), which, *(None,) * 6, MOST + 1)
    return [_denial(row["row"]) for row in rows]


async def _messages(conn: asyncpg.Connection, which: str) -> list[DeliveryAnswer]:
    rows = await conn.fetch(sql.query("outbox.page"), which, *(None,) * 6, MOST + 1)
    return [_message(row["row"]) for row in rows]


async def _clocks(conn: asyncpg.Connection, ticket_id: str) -> list[ClockAnswer]:
    """As `GET /v1/tickets/{id}/clocks` explains them."""
    row = await conn.fetchrow(sql.query("ticket.clocks"), ticket_id)
    if row is None:
        return []
    ticket, policy, now = _ticket(row["ticket"]), load(row["document"], row["version"]), row["now"]
    return [explained(clock, ticket, policy, now) for clock in CLOCKS if ticket.phases]


ROUTES = (
    Route(
        "GET",
        "/v1/escalations/{id}/story",
        story,
        "The whole story of an escalation",
        {200: parts.StoryAnswer},
        content=("application/json", TEXT),
        refuses=(410,),
    ),
)
