"""Erasures: a customer's texts are deleted, and history stays whole, for it holds salted hashes of them."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import asyncpg
import msgspec
import structlog
from aiohttp import web
from msgspec import Struct

import sql
from service.auth import Known
from service.door import Id, Route, nowhere, path_id, query
from service.engine import Unavailable
from service.problems import Refused
from service.reads import Page, Paged, admit, answered, moment, page, reading, since_moment
from service.submit import REQUEST_ID

log = structlog.get_logger(__name__)

AT_ONCE = 100
"""Tickets that are erased, and so locked, together."""
PATIENCE = 600.0
"""Seconds that one statement may look through everything for what is theirs."""
NAMED = 20
"""Live escalations that a refusal names."""


class ErasureAnswer(Struct, frozen=True):
    """What was erased, by whom and when; `at` is null where it was broken off, and asking again goes on.

    How many rows lost what they held: `texts` of history and contacts, `contacts` their senders, `tickets` and their
    `reports` subject, description, tags, product and issue key, `messages` what fills them in; deleted were `mails`
    that were kept, `repeats` (prints of what was reported) and `answers` stored under an Idempotency-Key.
    """

    id: str
    customer_id: str
    by: str
    request_id: str
    begun_at: datetime
    at: datetime | None
    texts: int
    contacts: int
    tickets: int
    reports: int
    messages: int
    mails: int
    repeats: int
    answers: int


class Filters(Paged, frozen=True, forbid_unknown_fields=True):
    """Every filter that is given must hold."""

    customer_id: Id | None = None


_decode = msgspec.json.Decoder(ErasureAnswer).decode


async def erase(request: web.Request) -> web.StreamResponse:
    """Erases what a customer wrote and who they are, wherever it lies here; for admins. Refused while an escalation of
    theirs is not closed. Their id, their tier and all of history stay, and every hash and proof still verifies. Asking
    again erases what has come since, and is answered as before where nothing has. Backups, exports and the help desk's
    own copy are not ours to erase."""
    async with reading(request) as (conn, known):
        which = path_id(request)
        if await conn.fetchval(sql.query("customer.by_id"), which) is None:
            raise nowhere("There is no such customer.")
        if live := await conn.fetch(sql.query("erasure.live"), which, NAMED):
            raise _still_live([row["id"] for row in live])
        admit(known, ("admin",), "Only admins may erase a customer.")
        told = await _erased(conn, which, known, request[REQUEST_ID])
    log.info("customer_erased", erasure=told.id, customer_id=which, actor=known.id)
    return answered(told)


def _still_live(which: list[str]) -> Refused:
    named = ", ".join(which)
    return Refused(409, "still_live", f"What was said is needed until these are closed: {named}. Then erase.")


async def _erased(conn: asyncpg.Connection, customer: str, known: Known, request_id: str) -> ErasureAnswer:
    """A few tickets a transaction, so that nobody waits for long; what was done is recorded with it, so that a node
    that dies on the way leaves a part that says so."""
    erasure = str(uuid4())
    try:
        async with conn.transaction(readonly=True):
            await conn.execute(sql.query("erasure.patience"), str(int(PATIENCE * 1000)))
            rows = await conn.fetch(sql.query("erasure.concerned"), customer, timeout=PATIENCE)
        tickets = [row["id"] for row in rows]
        for begin in range(0, len(tickets), AT_ONCE):
            some = tickets[begin : begin + AT_ONCE]
            await conn.execute(sql.query("erasure.tickets"), erasure, customer, some, known.id, request_id)
        async with conn.transaction():
            await conn.execute(sql.query("erasure.patience"), str(int(PATIENCE * 1000)))
            done = await conn.fetchval(
                sql.query("erasure.rest"), erasure, customer, known.id, request_id, timeout=PATIENCE
            )
    except asyncpg.RestrictViolationError as error:
        # One was opened since we looked. What is erased by now stays so; asking again goes on.
        raise _still_live([error.detail]) from None
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.QueryCanceledError) as error:
        raise Unavailable(f"a part is erased, then others were at work: {type(error).__name__}") from error
    return _decode(await conn.fetchval(sql.query("erasure.by_id"), done))


async def erasures(request: web.Request) -> web.StreamResponse:
    """Newest first; for admins and auditors."""
    async with reading(request) as (conn, known):
        asked = query(request, Filters)
        begin = since_moment(asked.cursor)
        admit(known, ("admin", "auditor"), "Only admins and auditors may read who was erased.")
        rows = await conn.fetch(sql.query("erasure.page"), asked.customer_id, *begin, asked.limit + 1)
    found = [_decode(row["row"]) for row in rows]
    return answered(page(found, asked.limit, lambda x: x, lambda x: moment(x.begun_at, x.id)))


ROUTES = (
    Route(
        "DELETE",
        "/v1/customers/{id}",
        erase,
        "Erase a customer",
        {200: ErasureAnswer},
        refuses=(403, 409),
    ),
    Route(
        "GET",
        "/v1/erasures",
        erasures,
        "What was erased",
        {200: Page[ErasureAnswer]},
        query=Filters,
        refuses=(403,),
    ),
)
