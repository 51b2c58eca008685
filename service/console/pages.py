"""Pages: templates filled in, always escaped, with headers that allow nothing but our own style and script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from machines.decided import Refusal
from service.body import form
from service.console import assets, sessions, words
from service.console.sessions import Visitor
from service.engine import Unavailable
from service.problems import TITLES, Refused
from service.reads import connection
from service.server import UNREACHABLE
from service.submit import HOUSE, REQUEST_ID, unavailable

log = structlog.get_logger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NOT_TYPED = ("csrf", "once", "version", "key")
"""Fields that nobody wrote, and a key, which is never shown."""
_OVER = (
    "You are signed out, or your twelve hours are over, and nothing was done. What you wrote is below: copy it, "
    "sign in, and send it again."
)
templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters |= {
    "spoken": words.spoken,
    "worded": words.worded,
    "instant": words.instant,
    "iso": words.iso,
    "for_field": words.for_field,
    "span": words.span,
    "iso_span": words.iso_span,
    "until": words.until,
    "policy_value": words.policy_value,
}
templates.globals["asset"] = assets.address

Page = Callable[[web.Request, Visitor], Awaitable[web.StreamResponse]]


def page(request: web.Request, template: str, status: int = 200, **filled: Any) -> web.Response:
    """A page. `visitor` is among what it is filled with where somebody is signed in."""
    request_id = request[REQUEST_ID]
    clock = request.app[HOUSE].settings.clock
    filled = {"visitor": None, "path": request.path, "clock": clock, "request_id": request_id, **filled}
    text = templates.get_template(template).render(filled)
    return web.Response(status=status, text=text, content_type="text/html", headers=HEADERS)


def see_other(where: str) -> web.Response:
    """Look there: after a form was taken, so that loading the page again sends nothing twice."""
    return web.Response(status=303, headers={**HEADERS, "Location": where})


def for_visitors(answer: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A page for whoever is signed in; others sign in first, and are led back. Refusals are pages too."""

    async def told(request: web.Request) -> web.StreamResponse:
        async def mine(request: web.Request) -> web.StreamResponse:
            async with connection(request.app[HOUSE].reads) as conn:
                visitor = await sessions.visitor(request, conn)
            if visitor is not None:
                return await answer(request, visitor)
            if await typed(request):
                raise Refused(401, "no_key", _OVER)
            back = quote(request.rel_url.raw_path_qs if request.method == "GET" else request.rel_url.raw_path, safe="")
            return see_other(f"/sign-in?to={back}" if request.path != "/" or request.query_string else "/sign-in")

        return await for_anybody(mine)(request)

    return told


def for_anybody(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A page whose refusals are pages too."""

    async def told(request: web.Request) -> web.StreamResponse:
        try:
            return await answer(request)
        except Refused as error:
            refusal = error.refusal
        except Unavailable as error:
            refusal = unavailable(error)
        except UNREACHABLE as error:
            log.warning("database_unreachable", error=type(error).__name__, request_id=request[REQUEST_ID])
            refusal = unavailable(Unavailable("the database can't be reached"))
        except Exception:
            log.exception("request_failed", request_id=request[REQUEST_ID], path=request.path)
            refusal = Refusal(500, "internal_error", "This is our mistake, not yours.")
        return _sorry(request, refusal, await typed(request))

    return told


async def typed(request: web.Request) -> list[tuple[str, str]]:
    """What somebody wrote into a form, so that it can be copied where the form itself can't be shown again."""
    if request.method != "POST":
        return []
    try:
        pairs = await form(request)
    except Refused:
        return []
    return [(name, text) for name, text in pairs if name not in NOT_TYPED and text.strip()]


def _sorry(request: web.Request, refusal: Refusal, left: list[tuple[str, str]]) -> web.Response:
    title = TITLES.get(refusal.status, "Refused")
    told = page(request, "sorry.html", refusal.status, title=title, refusal=refusal, left=left)
    if refusal.status in (429, 503):
        told.headers["Retry-After"] = "1"
    if refusal.status == 401:
        told.headers["WWW-Authenticate"] = "Bearer"
    return told
