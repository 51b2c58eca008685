"""Signing in by the company's identity provider: there by one address, back by another (code flow, PKCE).

An attempt is one random secret, in a cookie of this browser alone. State, nonce and verifier follow from it, so that
nothing of an attempt is kept here, and none of them is of use to another browser. The session that an attempt begins
says so, and the same attempt begins no second one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from service import auth
from service.body import sound
from service.console import sessions
from service.console.pages import for_anybody, page, see_other
from service.console.sign_in import safe
from service.door import Route, nowhere
from service.engine import Unavailable
from service.issuer import Issuer, ProviderError, TokenError, token_of
from service.problems import Refused
from service.reads import connection
from service.submit import HOUSE

log = structlog.get_logger(__name__)
LASTS = 600
"""Seconds from leaving to coming back."""
COOKIE = re.compile(r"([\w-]{43})\.([\w-]{0,1000})", re.ASCII)
BEGIN, BACK = "/sign-in/oidc", "/sign-in/oidc/back"
_ANEW = "Begin again from the page where one signs in."


def _from(secret: str, what: str) -> str:
    """Something that only this attempt has: 256 bits, as 43 characters."""
    digest = hmac.digest(secret.encode(), what.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _back(request: web.Request) -> str:
    """The redirect URI. The provider leads to those alone that it was told of before."""
    scheme = "https" if sessions.secure(request) else "http"
    own = request.app[HOUSE].settings.public_url or f"{scheme}://{request.host}"
    return own.rstrip("/") + BACK


def _issuer(request: web.Request) -> Issuer:
    issuer = request.app[HOUSE].issuer
    if issuer is None:
        raise nowhere("People sign in here with their API keys.")
    return issuer


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _told(answer: Answer) -> Answer:
    async def asked(request: web.Request) -> web.StreamResponse:
        try:
            return await answer(request)
        except ProviderError as error:
            log.warning("provider_unreachable", error=str(error))
            raise Unavailable("the identity provider can't be reached") from error

    return for_anybody(asked)


async def begin(request: web.Request) -> web.StreamResponse:
    """Leads to the provider; `to` is where to go on afterwards."""
    issuer, secret = _issuer(request), secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(_from(secret, "verifier").encode()).digest()).rstrip(b"=")
    where = await issuer.begin(_back(request), _from(secret, "state"), _from(secret, "nonce"), challenge.decode())
    told = see_other(where)
    to = base64.urlsafe_b64encode(safe(request.query.get("to")).encode()[:700]).rstrip(b"=").decode()
    # Lax, for the provider leads back from its own site.
    told.set_cookie(
        sessions.cookie_name(request, "attempt"),
        f"{secret}.{to}",
        max_age=LASTS,
        path="/",
        httponly=True,
        secure=sessions.secure(request),
        samesite="Lax",
    )
    return told


async def back(request: web.Request) -> web.StreamResponse:
    """Whom the provider names is signed in; whatever is wrong is a page that says what to do."""
    issuer, query = _issuer(request), request.query
    if not all(sound(text) for text in query.values()):
        return _over(request, 400, "The address that led here can't be read.")
    match = COOKIE.fullmatch(request.cookies.get(sessions.cookie_name(request, "attempt"), ""))
    secret, to = (match[1], match[2]) if match else ("", "")
    state = query.get("state", "")
    if not match or not hmac.compare_digest(_from(secret, "state").encode(), state.encode()):
        return _over(request, 403, "This browser has not begun to sign in, or began anew, or ten minutes ago.")
    if query.get("iss", issuer.settings.issuer) != issuer.settings.issuer:
        return _over(request, 403, "Another identity provider led here.")
    if "code" not in query:
        said = query.get("error_description") or query.get("error") or "nothing"
        return _over(request, 403, f"You were not signed in there. The identity provider says: {said[:300]}")
    named = ""
    try:
        token = await issuer.redeem(query["code"], _back(request), _from(secret, "verifier"))
        named = await issuer.signed_in(token, _from(secret, "nonce"))
        async with connection(request.app[HOUSE].reads) as conn:
            person = await token_of(conn, issuer.settings, named)
            known = await auth.known(conn, person)
            cookie = await sessions.begin_as(conn, known.id, state)
    except TokenError as error:
        log.warning("sign_in_refused", why=str(error))
        if named:
            return _unknown(request, named)
        return _over(request, 403, f"What the identity provider sent is not taken: {error}.")
    except Refused:
        return _unknown(request, named)
    if cookie is None:
        return _over(request, 403, "This attempt has been used.")
    padded = to + "=" * (-len(to) % 4)
    told = see_other(safe(base64.urlsafe_b64decode(padded).decode(errors="replace")))
    sessions.give(request, told, cookie)
    _forget(request, told)
    return told


def _unknown(request: web.Request, named: str) -> web.Response:
    settings = _issuer(request).settings
    where = "the address of one person on the roster" if settings.names == "email" else "the id of anybody"
    return _over(
        request,
        403,
        f"You are signed in there as {named}, which is not {where} here, or of somebody who is retired. "
        "An admin can put you on the roster.",
    )


def _over(request: web.Request, status: int, why: str) -> web.Response:
    told = page(request, "not_signed_in.html", status, why=f"{why} {_ANEW}")
    _forget(request, told)
    return told


def _forget(request: web.Request, told: web.Response) -> None:
    name = sessions.cookie_name(request, "attempt")
    told.del_cookie(name, path="/", secure=sessions.secure(request), httponly=True, samesite="Lax")


ROUTES = (
    Route("GET", BEGIN, _told(begin), "Sign in by the identity provider", {303: None}, public=True),
    Route("GET", BACK, _told(back), "Back from it", {303: None}, public=True),
)
