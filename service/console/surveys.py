"""The survey after an escalation: one answer, 1 to 5 and a comment, by whoever has the signed link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

import sql
from machines.asked import FieldProblem, Transition
from machines.fields import Rating
from service.body import form as read_form
from service.console import forms
from service.console.pages import for_anybody, page
from service.door import Route, fit
from service.reads import connection
from service.submit import HOUSE, REQUEST_ID, name
from service.survey import answered_for
from service.timers import FIRED, by_clock

SCORES = ((1, "not at all"), (2, ""), (3, ""), (4, ""), (5, "very"))


async def _asked(request: web.Request) -> tuple[str, Any] | None:
    """The escalation, and its ticket and whether it was answered; None for a link that is none of ours."""
    async with connection(request.app[HOUSE].reads) as conn:
        secrets = [row["secret"] for row in await conn.fetch(sql.query("survey.secrets"))]
        which = answered_for(request.match_info["token"], secrets)
        row = which and await conn.fetchrow(sql.query("survey.of_escalation"), which)
    return (which, row) if which and row else None


def _page(request: web.Request, status: int, **filled: Any) -> web.Response:
    told = {"ticket": None, "answered": False, "late": False, "problems": {}, "typed": {}, "scores": SCORES, **filled}
    answer = page(request, "survey.html", status, **told)
    answer.headers["Referrer-Policy"] = "no-referrer"  # whoever has the address may answer
    return answer


async def show(request: web.Request) -> web.StreamResponse:
    """The question, or thanks."""
    if (asked := await _asked(request)) is None:
        return _page(request, 404)
    return _page(request, 200, ticket=asked[1]["ticket_id"], answered=asked[1]["answered"])


async def answer(request: web.Request) -> web.StreamResponse:
    """The first answer counts: `score` from 1 to 5, and `text`. What is wrong is told beside it, and stays typed."""
    if (asked := await _asked(request)) is None:
        return _page(request, 404)
    which, row = asked
    typed = await read_form(request)
    told = {"ticket": row["ticket_id"], "typed": dict(typed)}
    if row["answered"]:
        return _page(request, 409, **told, answered=True, late=True)
    rating, problems = _rating(typed)
    if rating is None:
        return _page(request, 422, **told, problems={problem.field: problem.message for problem in problems})
    name(request, msgspec.to_builtins(rating))
    reply = await request.app[HOUSE].engine.submit(by_clock(Transition(which, "rate", rating), request[REQUEST_ID]))
    late = reply.status != FIRED  # another answer was quicker
    return _page(request, 409 if late else 200, **told, answered=True, late=late)


def _rating(typed: forms.Pairs) -> tuple[Rating | None, Sequence[FieldProblem]]:
    value = forms.value(Rating, typed)
    known = set(Rating.__struct_fields__)
    unknown = [FieldProblem(field[:200], "the survey has no such field") for field, _ in typed if field not in known]
    rating, problems = fit(value, Rating)
    if "score" not in value:
        problems = (FieldProblem("score", "choose one, from 1 to 5"),)
    problems = (*problems, *unknown)
    return (None if problems else rating), problems


ROUTES = (
    Route("GET", "/survey/{token}", for_anybody(show), "The survey's page", {200: str}, public=True),
    Route("POST", "/survey/{token}", for_anybody(answer), "The survey's answer", {200: str}, public=True),
)
