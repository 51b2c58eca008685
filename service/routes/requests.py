"""Requests: a manual reason, or a customer's, opens an escalation or is added to the one that is open."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from machines.asked import BriefText, Request
from machines.fields import Level
from machines.values import Text
from service import answers
from service.body import body
from service.door import COMMANDED, Id, Route, fit, token
from service.routes.examples import REQUEST
from service.submit import job_of, submit, transitioned


class RequestFields(Struct, frozen=True, forbid_unknown_fields=True):
    """A manual reason of the policy, or `customer_request`. `level`: where to, if not where the matrix says."""

    ticket_id: Id
    situation: Id
    reason: Text
    brief: BriefText | None = None
    level: Level | None = None


async def call(request: web.Request) -> web.StreamResponse:
    """Opens an escalation on the ticket, or adds the situation to the one that is not closed. A manual reason calls
    its level at once, with the brief given here or the clock's."""
    value = await body(request)
    presented = token(request)
    fields, problems = fit(value, RequestFields)
    ask = Request("", "", "")
    if fields is not None:
        ask = Request(fields.ticket_id, fields.situation, fields.reason, fields.brief, fields.level)
    return await submit(request, job_of(request, presented, ask, transitioned, value, problems=problems))


ROUTES = (
    Route(
        "POST",
        "/v1/escalations",
        call,
        "Ask for an escalation",
        {201: answers.Done},
        body=RequestFields,
        headers=COMMANDED,
        refuses=(403, 409),
        example=REQUEST,
    ),
)
