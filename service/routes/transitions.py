"""Transitions: calling a trigger, trying it, asking what may be called, and many at once."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import structlog
from aiohttp import web
from msgspec import Meta, Struct

from machines.asked import FieldProblem, Transition
from machines.decided import Failure, Refusal
from machines.escalation import RULES
from machines.situations import invalid
from service import answers
from service.batch import Job, Reply
from service.body import body
from service.consider import consider, may_call
from service.door import (
    COMMANDED,
    IF_MATCH,
    Route,
    checked,
    fit,
    fit_query,
    idempotency_key,
    if_match,
    path_uuid,
    token,
    wrong,
)
from service.engine import Unavailable
from service.problems import problem
from service.rates import within_rate
from service.reads import answered, reading
from service.routes.examples import BULK, TRANSITIONS
from service.submit import HOUSE, job_of, respond, submit, transitioned, unavailable

log = structlog.get_logger(__name__)

MOST_ITEMS = 250


class TryIt(Struct, frozen=True, forbid_unknown_fields=True):
    """`dry_run=true` decides and writes nothing."""

    dry_run: Annotated[bool, Meta(description="Decide and answer, but write nothing.")] = False


Item = Annotated[
    dict[str, Any],
    Meta(
        description="A transition, `{escalation_id, trigger, …fields}`. What is wrong with it is told in its place.",
        examples=BULK,
    ),
]
Items = Annotated[list[Item], Meta(max_length=MOST_ITEMS)]


class Bulk(Struct, frozen=True, forbid_unknown_fields=True):
    """The same as an object."""

    items: Items


NAMELESS = problem(invalid(FieldProblem("escalation_id", "must name an escalation")))


class BulkAnswer(Struct, frozen=True):
    """One answer per item, in order: `{status: 201, escalation, transition}` or a problem."""

    items: list[dict[str, Any]]


class PossibleAnswer(Struct, frozen=True):
    """Whether the caller may call a trigger now; `failed` are guards that fail whatever fields it is given."""

    trigger: str
    allowed: bool
    failed: list[Failure]
    fields: list[str]


def ask_of(escalation_id: str, value: Any, version: int | None = None) -> tuple[Transition, tuple[FieldProblem, ...]]:
    """A body as a transition; field problems are carried along, for 404 and 412 are told before them."""
    if not isinstance(value, dict):
        return Transition(escalation_id, "", {}, version), (FieldProblem("", "must be an object {trigger, …}"),)
    fields = dict(value)
    trigger = fields.pop("trigger", None)
    if not isinstance(trigger, str) or not 0 < len(trigger) <= 64 or not trigger.isprintable():
        return Transition(escalation_id, "", {}, version), (FieldProblem("trigger", "must name a trigger"),)
    rule = RULES.get(trigger)
    if rule is None or rule.fields is None:
        return Transition(escalation_id, trigger, {}, version), ()  # no such trigger: 409 in its turn
    fitted, problems = fit(fields, rule.fields)
    return Transition(escalation_id, trigger, fitted or {}, version), problems


async def call(request: web.Request) -> web.StreamResponse:
    """Moves the escalation, or refuses: 409 where the trigger does not exist from its state, 403 where somebody else
    could, 422 where something is missing. The fields come back in the transition's `detail`."""
    value = await body(request)
    presented = token(request)
    trying, unfit = fit_query(request, TryIt)
    version, unmatchable = if_match(request)
    ask, problems = ask_of(path_uuid(request), value, version)
    job = job_of(request, presented, ask, transitioned, value, problems=(*problems, *unfit, *unmatchable))
    if trying.dry_run:
        return respond(await consider(request.app[HOUSE], job))
    return await submit(request, job)


async def bulk(request: web.Request) -> web.StreamResponse:
    """Each item is its own success or problem, and has its own `Idempotency-Key`: the header's, `/`, and its place.
    Items of one escalation are decided in their order, those of others beside them."""
    value = await body(request)
    async with reading(request):
        idempotency_key(request)  # an unknown caller is 401 as a whole, a bad key 422, even where there are no items
    if isinstance(value, list) and len(value) > MOST_ITEMS:
        raise wrong(FieldProblem("items", f"at most {MOST_ITEMS} in one call, not {len(value)}"))
    items = checked({"items": value} if isinstance(value, list) else value, Bulk).items
    within_rate(request, max(0, len(items) - 1))
    told = [NAMELESS] * len(items)
    turns: dict[str, list[tuple[int, Job]]] = {}
    for index, item in enumerate(items):
        fields = dict(item)
        which = fields.pop("escalation_id", None)
        if isinstance(which, str):
            ask, problems = ask_of(which.lower(), fields)
            job = job_of(request, token(request), ask, transitioned, item, problems=problems, item=index)
            turns.setdefault(ask.escalation_id, []).append((index, job))

    async def in_turn(jobs: list[tuple[int, Job]]) -> None:
        for index, job in jobs:
            told[index] = await _settled(request, job)

    await asyncio.gather(*(in_turn(jobs) for jobs in turns.values()))
    return web.Response(body=b'{"items":[' + b",".join(told) + b"]}", content_type="application/json")


async def _settled(request: web.Request, job: Job) -> bytes:
    try:
        reply = await request.app[HOUSE].engine.submit(job)
    except Unavailable as error:
        reply = Reply(503, problem(unavailable(error), outcome="unknown" if error.unknown else None))
    except Exception:
        log.exception("command_failed", command=job.command.id, request_id=job.command.request_id)
        refusal = Refusal(500, "internal_error", "This is our mistake, not yours; the log has it.")
        reply = Reply(500, problem(refusal, request_id=job.command.request_id))
    return reply.body if reply.status >= 400 else b'{"status":%d,' % reply.status + reply.body[1:]


async def possible(request: web.Request) -> web.StreamResponse:
    """Every trigger that exists from where the escalation stands. Guards that judge fields are left to the attempt."""
    presented = token(request)
    ask = Transition(path_uuid(request), "escalate")
    job = job_of(request, presented, ask, transitioned, None)
    found = await may_call(request.app[HOUSE], job)
    if isinstance(found, Reply):
        return respond(found)
    if job.command.problems:
        raise wrong(*job.command.problems)  # else whoever can't be stood for would be told what the caller may
    return answered(found)


ROUTES = (
    Route(
        "POST",
        "/v1/escalations/{id}/transitions",
        call,
        "Call a trigger on an escalation",
        {201: answers.Done},
        body={trigger: rule.fields for trigger, rule in RULES.items() if rule.fields is not None},
        query=TryIt,
        headers=(*COMMANDED, IF_MATCH),
        refuses=(403, 409),
        example=TRANSITIONS,
    ),
    Route(
        "GET",
        "/v1/escalations/{id}/transitions",
        possible,
        "What the caller may do with it now, and why not",
        {200: list[PossibleAnswer]},
        headers=("X-On-Behalf-Of",),
    ),
    Route(
        "POST",
        "/v1/transitions",
        bulk,
        "Call up to 250 triggers, answered one by one",
        {200: BulkAnswer},
        body=Items | Bulk,
        headers=COMMANDED,
        example=BULK,
    ),
)
