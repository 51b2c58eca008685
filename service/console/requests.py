"""Asking for an escalation: the manual reasons, and a customer's request."""

from __future__ import annotations

import secrets

import msgspec
from aiohttp import web

from machines.asked import Request
from machines.document import CUSTOMER, MANUAL
from service.answers import Done
from service.body import form as read_form
from service.console import forms, sessions
from service.console.calls import decided
from service.console.pages import for_visitors, page, see_other
from service.console.sessions import Visitor
from service.console.words import spoken
from service.door import Route, fit
from service.problems import Problem
from service.routes.requests import RequestFields

CHOICES = {
    "situation": [(name, spoken(name)) for name in (CUSTOMER, *MANUAL)],
    "level": [(str(n), f"L{n}") for n in range(1, 5)],
}


async def show(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """The form; `ticket` in the address fills in the ticket."""
    typed = [("ticket_id", request.query.get("ticket", "")[:200])]
    return _page(request, visitor, forms.form(RequestFields, CHOICES, typed))


async def ask(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """Leads to the escalation that was opened, or to which the situation was added."""
    typed = await read_form(request)
    given = dict(typed)
    sessions.from_our_page(request, visitor, given.get("csrf", ""))
    body = forms.value(RequestFields, typed)
    fields, problems = fit(body, RequestFields)
    asked = Request("", "", "")
    if fields is not None:
        asked = Request(fields.ticket_id, fields.situation, fields.reason, fields.brief, fields.level)
    reply = await decided(request, visitor, asked, body, problems, given.get("once"))
    if reply.status == 201:
        done = msgspec.json.decode(reply.body, type=Done)
        return see_other(f"/escalations/{done.escalation.id}" if done.escalation else "/")
    problem = msgspec.json.decode(reply.body, type=Problem)
    shown = forms.form(RequestFields, CHOICES, typed, problem.problems, problem.failed)
    return _page(request, visitor, shown, problem)


def _page(
    request: web.Request, visitor: Visitor, form: forms.Form, problem: Problem | None = None
) -> web.StreamResponse:
    once = secrets.token_urlsafe(16)
    status = problem.status if problem else 200
    return page(request, "request.html", status, visitor=visitor, form=form, problem=problem, once=once)


ROUTES = (
    Route("GET", "/escalations/new", for_visitors(show), "Ask for an escalation", {200: str}, public=True),
    Route("POST", "/escalations/new", for_visitors(ask), "Ask for an escalation", {303: None}, public=True),
)
