"""From a door to the engine and back: a request becomes a job, its reply a response."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from machines.asked import Ask, Command, FieldProblem
from machines.decided import Refusal
from service import answers, auth
from service.batch import Job, Lane, Policies, Reply, Settled
from service.config import Settings
from service.door import token
from service.engine import Engine, Unavailable
from service.issuer import Issuer
from service.problems import problem
from service.replica import Replica
from service.rows import fingerprint
from service.told import Told
from service.turns import Turns

encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class House:
    """What routes may use: the engine for what changes, a pool for what is read; a replica and an identity provider
    where there are any."""

    engine: Engine
    reads: asyncpg.Pool
    policies: Policies
    settings: Settings
    replica: Replica | None = None
    issuer: Issuer | None = None


def fresh_id() -> str:
    """A random UUID (version 4), as text; a fraction of what `str(uuid4())` costs, for every request takes two."""
    raw = os.urandom(16).hex()
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:]}"


HOUSE = web.AppKey("house", House)
TURNS = web.AppKey("turns", Turns)
REQUEST_ID = web.RequestKey("request_id", str)
NAMED = web.RequestKey("named", bool)
"""Whether the caller gave the request its id."""


def name(request: web.Request, body: Any) -> None:
    """With the virtual clock a request that its caller left nameless is named by what it says: a replay of the same
    requests has the same history, request ids and hashes included."""
    if not request[NAMED] and request.app[HOUSE].settings.clock == "virtual":
        told = fingerprint(request.method, request.path, request.headers.get("X-On-Behalf-Of"), body)
        request[REQUEST_ID] = f"{told[:8]}-{told[8:12]}-8{told[13:16]}-a{told[17:20]}-{told[20:32]}"
        request[NAMED] = True


def done(settled: Settled) -> Any:
    """201's body: the escalation, and the last transition that the call made."""
    record, hash_ = settled.sealed[-1]
    e = settled.escalation
    said = settled.texts.get(record.said or "")
    return answers.Done(answers.escalation(e, settled.texts) if e else None, answers.transition(record, hash_, said))


def render(tell: Callable[[Settled], Any], status: int = 201) -> Callable[[Settled], Reply]:
    """How a job's outcome becomes bytes; refusals are problems, and a stale version carries the escalation."""

    def make(settled: Settled) -> Reply:
        result, e = settled.result, settled.escalation
        if isinstance(result, Refusal):
            stale = answers.escalation(e, settled.texts) if e and result.status == 412 else None
            return Reply(result.status, problem(result, stale))
        return Reply(status, encode(tell(settled)), e.version if e else None)

    return make


transitioned = render(done)


def job_of(
    request: web.Request,
    presented: auth.Token,
    ask: Ask,
    how: Callable[[Settled], Reply],
    body: Any,
    *,
    problems: tuple[FieldProblem, ...] = (),
    item: int | None = None,
) -> Job:
    """A job for the engine; `item` numbers the items of a bulk, whose keys are `KEY/i`."""
    key, on_behalf_of = request.headers.get("Idempotency-Key"), request.headers.get("X-On-Behalf-Of")
    # Told in their turn: what is not there (404) comes before what is wrong (422).
    if key is not None and not (0 < len(key) <= 200 and key.isprintable()):
        problems = (*problems, FieldProblem("Idempotency-Key", "must be 1 to 200 printable characters"))
        key = None
    if on_behalf_of is not None and not (0 < len(on_behalf_of) <= 200 and on_behalf_of.isprintable()):
        problems = (*problems, FieldProblem("X-On-Behalf-Of", "must be the id of a person"))
        on_behalf_of = None
    if key is not None and item is not None:
        key = f"{key}/{item}"
    lane: Lane = "request" if item is None else "bulk"
    name(request, body)
    return Job(
        Command(fresh_id(), ask, request[REQUEST_ID], problems),
        how,
        presented.key,
        presented.digest,
        on_behalf_of,
        key,
        fingerprint(request.method, request.path, on_behalf_of, body) if key else "",
        lane,
    )


async def submit(request: web.Request, job: Job) -> web.Response:
    """Have it decided, and answer."""
    return respond(await request.app[HOUSE].engine.submit(job))


def respond(reply: Reply) -> web.Response:
    """A reply as a response."""
    headers = {}
    if reply.etag is not None:
        headers["ETag"] = f'"{reply.etag}"'
    if reply.replayed:
        headers["Idempotency-Replayed"] = "true"
    kind = "application/json" if reply.status < 400 else "application/problem+json"
    return Told(status=reply.status, body=reply.body, content_type=kind, headers=headers)


def unavailable(error: Unavailable) -> Refusal:
    """503, and whether the outcome is unknown."""
    advice = (
        "It may or may not have happened: look, or repeat it with the same Idempotency-Key."
        if error.unknown
        else "Try again."
    )
    return Refusal(503, "unknown_outcome" if error.unknown else "unavailable", f"{str(error).capitalize()}. {advice}")


async def identify(request: web.Request) -> auth.Known:
    """The caller of a read, as they stand now; raises 401."""
    return await auth.known(request.app[HOUSE].reads, token(request))
