"""Denials: attempts that a guard or the table refused."""

from __future__ import annotations

from datetime import datetime

import asyncpg
import msgspec
from aiohttp import web
from msgspec import Struct

import sql
from machines.decided import Failure
from machines.values import State
from service.auth import Known
from service.door import Id, Route, query
from service.reads import PEOPLE, Page, Paged, admit, answered, anywhere, moment, page, since_moment
from service.routes.escalations import Since, Until
from service.routes.history import EscalationId, Trigger


class Filters(Paged, frozen=True, forbid_unknown_fields=True):
    """Every filter that is given must hold. `since` and `until` are about `at`."""

    escalation_id: EscalationId | None = None
    actor: Id | None = None
    trigger: Trigger | None = None
    since: Since | None = None
    until: Until | None = None


class DenialAnswer(Struct, frozen=True):
    """A refused attempt: who, what, and every guard that failed. `status` is what it was answered with."""

    id: str
    at: datetime
    status: int
    trigger: str
    escalation_id: str | None
    ticket_id: str | None
    customer_id: str | None
    state: State | None
    actor: str
    on_behalf_of: str | None
    failed: tuple[Failure, ...]
    request_id: str


_decode = msgspec.json.Decoder(DenialAnswer).decode


async def denials(request: web.Request) -> web.StreamResponse:
    """Newest first. For agents and above, and for auditors. Dry runs and questions deny nothing."""

    async def ask(conn: asyncpg.Connection, known: Known) -> Page[DenialAnswer]:
        asked = query(request, Filters)
        begin = since_moment(asked.cursor)
        admit(known, (*PEOPLE, "auditor"), "Only agents, people of a level and auditors may read denials.")
        rows = await conn.fetch(
            sql.query("denial.page"),
            asked.escalation_id and asked.escalation_id.lower(),
            asked.actor,
            asked.trigger,
            asked.since,
            asked.until,
            *begin,
            asked.limit + 1,
        )
        found = [_decode(row["row"]) for row in rows]
        return page(found, asked.limit, lambda d: d, lambda d: moment(d.at, d.id))

    return answered(await anywhere(request, ask))


ROUTES = (
    Route(
        "GET",
        "/v1/denials",
        denials,
        "Refused attempts",
        {200: Page[DenialAnswer]},
        query=Filters,
        refuses=(403,),
    ),
)
