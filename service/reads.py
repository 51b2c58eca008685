"""Reads: who asks is asked anew each time, lists come in pages, and what a role may not see is 403."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar

import asyncpg
import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from machines.asked import FieldProblem
from machines.decided import Failure
from machines.values import ROLE_LEVEL
from service import auth
from service.body import sound
from service.door import UUID, token, wrong
from service.engine import Unavailable
from service.problems import Refused
from service.replica import FLUSHED, NotThereError
from service.submit import HOUSE, encode

T = TypeVar("T")
R = TypeVar("R")
KNOWN: web.RequestKey[auth.Known] = web.RequestKey("known", auth.Known)
ACQUIRED_WITHIN = 3.0
"""Seconds that a read waits for a connection before it is 503."""
PEOPLE = tuple(ROLE_LEVEL)
"""Agent and above."""


Limit = Annotated[int, Meta(ge=1, le=500, description="How many at most.")]
Cursor = Annotated[str, Meta(max_length=500, description="`next_cursor` of the page before.")]


class Paged(Struct, frozen=True, forbid_unknown_fields=True):
    """What every list takes."""

    limit: Limit = 50
    cursor: Cursor | None = None


class Page(Struct, Generic[T], frozen=True):
    """One page of a list; `next_cursor` is null at the end."""

    items: list[T]
    next_cursor: str | None


@asynccontextmanager
async def connection(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection to read with; raises Unavailable, whatever it is that keeps us from one."""
    try:
        conn = await pool.acquire(timeout=ACQUIRED_WITHIN)
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        raise Unavailable(f"the database can't be reached: {type(error).__name__}") from error
    try:
        yield conn
    finally:
        await pool.release(conn)


@asynccontextmanager
async def reading(request: web.Request) -> AsyncIterator[tuple[asyncpg.Connection, auth.Known]]:
    """A connection to read with, and the caller as they stand now; raises 401, and Unavailable."""
    presented = token(request)
    async with connection(request.app[HOUSE].reads) as conn:
        known = request[KNOWN] = await auth.known(conn, presented)
        yield conn, known


async def anywhere(request: web.Request, ask: Callable[[asyncpg.Connection, auth.Known], Awaitable[T]]) -> T:
    """What is answered by the replica, where there is one as new as this request, else by the primary, which also says
    who asks. For what has happened; guards are never asked so. `ask` may be called twice. Raises 401, Unavailable."""
    replica = request.app[HOUSE].replica
    async with reading(request) as (conn, known):
        if replica is None:
            return await ask(conn, known)
        wanted = await conn.fetchval(FLUSHED)
    try:
        return await replica.ask(wanted, lambda conn: ask(conn, known))
    except NotThereError:
        async with connection(request.app[HOUSE].reads) as conn:
            return await ask(conn, known)


async def identified_first(request: web.Request, refused: Refused) -> None:
    """Nobody who is not known learns what else is wrong: raises 401 in place of a door's later refusals."""
    if refused.refusal.status in (403, 404, 422) and KNOWN not in request:
        async with reading(request):
            pass


def admit(known: auth.Known, roles: Sequence[str], why: str) -> None:
    """Raises 403 unless the caller has one of these roles; `why` is the sentence that says who may."""
    if known.role not in roles:
        raise Refused(403, "not_permitted", why, failed=(Failure("role", why, tuple(roles)),))


def answered(value: Any, status: int = 200, *, etag: int | None = None) -> web.Response:
    """A value as JSON."""
    headers = {} if etag is None else {"ETag": f'"{etag}"'}
    return web.Response(status=status, body=encode(value), content_type="application/json", headers=headers)


# Pages ------------------------------------------------------------------------------------------------------------


def page(rows: Sequence[R], limit: int, tell: Callable[[R], T], key: Callable[[R], tuple[Any, ...]]) -> Page[T]:
    """A page of what was read, which is one more than the limit where there are more; the next begins after `key`."""
    shown = rows[:limit]
    return Page([tell(row) for row in shown], _pack(key(shown[-1])) if len(rows) > limit else None)


def after(cursor: str | None, kind: type[T]) -> T | None:
    """What a cursor holds, as this kind of tuple; raises 422 for what no list of this kind gave."""
    if cursor is None:
        return None
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        held = msgspec.json.decode(packed, type=kind)
        if not all(sound(part) for part in held if isinstance(part, str)):  # type: ignore[attr-defined]  # a tuple
            raise ValueError("holds what no text has")
        return held
    except (ValueError, msgspec.MsgspecError):
        raise wrong(FieldProblem("cursor", "is none that this list gave: leave it out to begin anew")) from None


Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A number in a cursor."""
Uuid = Annotated[str, Meta(pattern=f"^{UUID.pattern}$")]
"""An escalation's id, in a cursor."""
Name = Annotated[str, Meta(min_length=1, max_length=200)]
"""An id that somebody chose, in a cursor."""
Micros = Annotated[int, Meta(ge=0, le=8_000_000_000_000_000)]
"""Microseconds since 1970, in a cursor."""
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def moment(at: datetime, id_: str) -> tuple[int, str]:
    """The key, for a cursor, of what is listed by its instant and, where that is the same, by its id."""
    return (at - _EPOCH) // _MICROSECOND, id_


def since_moment(cursor: str | None) -> tuple[datetime | None, str | None]:
    """The instant and id that such a cursor holds, nothing where there is none; raises as `after`."""
    held = after(cursor, tuple[Micros, Uuid])
    return (_EPOCH + held[0] * _MICROSECOND, held[1]) if held else (None, None)


def _pack(key: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(encode(key)).rstrip(b"=").decode()
