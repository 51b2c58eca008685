"""Signing in with an API key, once, and out. The identity provider's way is `single_sign_on`."""

from __future__ import annotations

import re

from aiohttp import web

from service import auth
from service.body import form
from service.console import sessions
from service.console.pages import for_anybody, for_visitors, page, see_other
from service.console.sessions import Visitor
from service.door import Route
from service.problems import Refused
from service.reads import connection
from service.submit import HOUSE


def safe(text: str | None) -> str:
    """Where to go on after signing in: a path of ours, never another host's."""
    ours = re.fullmatch(r"/(?![/\\])[!-\[\]-~]*", text or "")
    return "/" if not text or not ours or text.startswith("/sign-in") else text


async def show(request: web.Request) -> web.StreamResponse:
    """The form; whoever is signed in goes on."""
    to = safe(request.query.get("to"))
    async with connection(request.app[HOUSE].reads) as conn:
        if await sessions.visitor(request, conn):
            return see_other(to)
    return _page(request, to, out="out" in request.query)


async def sign_in(request: web.Request) -> web.StreamResponse:
    """A good key begins a session; what is wrong with another is said beside it."""
    sessions.same_origin(request)
    given = dict(await form(request))
    key, to = given.get("key", "").strip(), safe(given.get("to"))
    try:
        token = auth.present(f"Bearer {key}")
        async with connection(request.app[HOUSE].reads) as conn:
            await auth.known(conn, token)
            cookie = await sessions.begin(conn, token)
    except Refused as refused:
        return _page(request, to, _taught(key, refused.refusal.code))
    told = see_other(to)
    sessions.give(request, told, cookie)
    return told


def _page(request: web.Request, to: str, problem: str | None = None, *, out: bool = False) -> web.StreamResponse:
    oidc = request.app[HOUSE].settings.oidc
    filled = {"to": to, "problem": problem, "out": out, "provider": oidc.name if oidc else None}
    return page(request, "sign_in.html", 401 if problem else 200, **filled)


def _taught(key: str, code: str) -> str:
    if not key:
        return "Enter your API key."
    if code == "no_key":
        return "That is not a key. A key begins with esk_ and is one long word: copy all of it."
    return "This key is unknown or revoked, or whoever it belongs to is retired. Ask an admin for another."


async def sign_out(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """The session is over."""
    sessions.from_our_page(request, visitor, dict(await form(request)).get("csrf", ""))
    told = see_other("/sign-in?out")
    await sessions.end(request, told)
    return told


ROUTES = (
    Route("GET", "/sign-in", for_anybody(show), "Sign in", {200: str}, public=True),
    Route("POST", "/sign-in", for_anybody(sign_in), "Sign in", {303: None}, public=True),
    Route("POST", "/sign-out", for_visitors(sign_out), "Sign out", {303: None}, public=True),
)
