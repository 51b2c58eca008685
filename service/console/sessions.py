"""Who sits before the browser: a session that was begun with an API key or by an identity provider, or a bearer key.

The cookie holds 256 random bits, the database their SHA-256 and by what the session was begun. Each request looks both
up, and then asks who that is like any other door: a session can do nothing that its key or its person can't, and ends
with it. What a form sends must hold a token that only a page of this session has (CSRF).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from urllib.parse import urlsplit

import asyncpg
from aiohttp import web
from msgspec import Struct

import sql
from service import auth
from service.door import presented_by
from service.problems import Refused
from service.reads import KNOWN, connection
from service.submit import HOUSE

LASTS = timedelta(hours=12)
"""From signing in; a working day."""
_COOKIE = re.compile(r"[\w-]{43}", re.ASCII)
_ELSEWHERE = "This form was not sent by a page of this console, or by one of another session. Load the page again."


class Visitor(Struct, frozen=True):
    """Whoever asks for a page, as they stand now. `csrf` is what their forms must bring; a bearer key needs none."""

    known: auth.Known
    token: auth.Token
    csrf: str = ""


def secure(request: web.Request) -> bool:
    """Whether the browser came over TLS, as far as this service can know: by itself, or behind what it is told of."""
    return request.secure or (request.app[HOUSE].settings.public_url or "").startswith("https:")


def cookie_name(request: web.Request, name: str = "session") -> str:
    """Over TLS a name that no other host, path or plain connection can set."""
    return f"__Host-{name}" if secure(request) else name


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _cookie(request: web.Request) -> str | None:
    given = request.cookies.get(cookie_name(request), "")
    return given if _COOKIE.fullmatch(given) else None


async def begin(conn: asyncpg.Connection, token: auth.Token) -> str:
    """A new session by this key, which must be a good one; its cookie."""
    cookie = secrets.token_urlsafe(32)
    await conn.execute(sql.query("session.begin"), _digest(cookie), token.key, LASTS)
    return cookie


async def begin_as(conn: asyncpg.Connection, who: str, state: str) -> str | None:
    """A new session as whom the identity provider named; its cookie, or None where this attempt has begun one."""
    cookie = secrets.token_urlsafe(32)
    done = await conn.execute(sql.query("session.begin_as"), _digest(cookie), who, _digest(state), LASTS)
    return cookie if done.endswith(" 1") else None


def give(request: web.Request, told: web.Response, cookie: str) -> None:
    """The cookie goes with this answer. Lax, so that links in messages lead in; forms are held by their token."""
    told.set_cookie(
        cookie_name(request),
        cookie,
        max_age=int(LASTS.total_seconds()),
        path="/",
        httponly=True,
        secure=secure(request),
        samesite="Lax",
    )


async def end(request: web.Request, told: web.Response) -> None:
    """Sign out: the session is over, whoever else has its cookie."""
    if cookie := _cookie(request):
        async with connection(request.app[HOUSE].reads) as conn:
            await conn.execute(sql.query("session.end"), _digest(cookie))
    told.del_cookie(cookie_name(request), path="/", secure=secure(request), httponly=True, samesite="Lax")


async def visitor(request: web.Request, conn: asyncpg.Connection) -> Visitor | None:
    """Who asks; None where nobody is signed in. A bearer key that is presented must be good: raises 401."""
    if "Authorization" in request.headers:
        token = presented_by(request)
        found = Visitor(await auth.known(conn, token), token)
    else:
        cookie = _cookie(request)
        row = cookie and await conn.fetchrow(sql.query("session.of_digest"), _digest(cookie))
        if not cookie or not row:
            return None
        token = auth.Token(row["key"], row["digest"])
        try:
            found = Visitor(await auth.known(conn, token), token, _csrf(cookie))
        except Refused:
            return None  # the key was revoked, or whoever it belongs to is retired
    request[KNOWN] = found.known
    return found


def _csrf(cookie: str) -> str:
    return hmac.digest(cookie.encode(), b"form", "sha256").hex()


def from_our_page(request: web.Request, visitor: Visitor, given: str) -> None:
    """Raises 403 unless this form comes from a page that was made for this visitor."""
    same_origin(request)
    if visitor.csrf and not hmac.compare_digest(visitor.csrf.encode(), given.encode()):
        raise Refused(403, "not_permitted", _ELSEWHERE)


def same_origin(request: web.Request) -> None:
    """Raises 403 for a form that a browser sends from another site's page; browsers say from where they send it."""
    origin = request.headers.get("Origin")
    ours = {request.host, urlsplit(request.app[HOUSE].settings.public_url or "").netloc}
    if origin is not None and urlsplit(origin).netloc not in ours - {""}:
        raise Refused(403, "not_permitted", _ELSEWHERE)
