"""The survey after an escalation: one answer, 1 to 5 and a comment, by whoever has the signed link."""

from __future__ import annotations

from html import escape

import msgspec
from aiohttp import web

import sql
from machines.asked import Transition
from machines.fields import Rating
from service.body import form
from service.door import Route, fit, nowhere, wrong
from service.reads import connection
from service.submit import HOUSE, REQUEST_ID, name
from service.survey import answered_for
from service.timers import by_clock

POLICY = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{title}</title>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
FORM = """<form method="post">
<fieldset>
<legend>How satisfied were you, from 1 (not at all) to 5 (very)?</legend>
{scores}
</fieldset>
<p><label for="text">Anything that you want to tell us</label></p>
<p><textarea id="text" name="text" rows="6" cols="60" maxlength="10000"></textarea></p>
<p><button type="submit">Send</button></p>
</form>"""
SCORE = '<label><input type="radio" name="score" value="{n}" required> {n}</label>'
THANKS = "<p>Your answer was counted. Thank you.</p>"


def _page(title: str, body: str) -> web.Response:
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
    text = PAGE.format(title=escape(title), body=body)
    return web.Response(text=text, content_type="text/html", headers=headers)


async def _survey(request: web.Request) -> tuple[str, str, bool]:
    """The escalation, its ticket, and whether it was answered; raises 404 for a link that is none of ours."""
    async with connection(request.app[HOUSE].reads) as conn:
        secrets = [row["secret"] for row in await conn.fetch(sql.query("survey.secrets"))]
        which = answered_for(request.match_info["token"], secrets)
        row = which and await conn.fetchrow(sql.query("survey.of_escalation"), which)
    if not which or not row:
        raise nowhere("There is no such survey.")
    return which, row["ticket_id"], row["answered"]


async def show(request: web.Request) -> web.StreamResponse:
    """A page with the question, or with thanks."""
    _, ticket, answered = await _survey(request)
    scores = "\n".join(SCORE.format(n=n) for n in range(1, 6))
    return _page(f"How did we do with {ticket}?", THANKS if answered else FORM.format(scores=scores))


async def answer(request: web.Request) -> web.StreamResponse:
    """The first answer counts, sent as a form: `score` from 1 to 5, and `text`."""
    which, ticket, answered = await _survey(request)
    if not answered:
        rating = await _rating(request)
        name(request, msgspec.to_builtins(rating))
        # Where another answer was quicker, this one changes nothing.
        await request.app[HOUSE].engine.submit(by_clock(Transition(which, "rate", rating), request[REQUEST_ID]))
    return _page(f"How did we do with {ticket}?", THANKS)


async def _rating(request: web.Request) -> Rating:
    given = {field: value for field, value in await form(request) if value != ""}
    told: dict[str, object] = dict(given)
    if given.get("score", "").isdecimal() and len(given["score"]) < 3:
        told["score"] = int(given["score"])
    rating, problems = fit(told, Rating)
    if rating is None:
        raise wrong(*problems)
    return rating


ROUTES = (
    Route("GET", "/survey/{token}", show, "The survey's page", {200: str}, public=True, content=("text/html",)),
    Route(
        "POST",
        "/survey/{token}",
        answer,
        "The survey's answer",
        {200: str},
        public=True,
        content=("text/html",),
        refuses=(408, 413, 415, 422, 503),
    ),
)
