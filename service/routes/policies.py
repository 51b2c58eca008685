"""Policies: the matrix as data, version by version; publishing one, what differs between two, and trying one."""

from __future__ import annotations

import asyncio
import tomllib
from datetime import datetime
from typing import Annotated, Any

import asyncpg
import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines import trial
from machines.asked import FieldProblem
from machines.decided import Failure
from machines.difference import Difference, differences
from machines.document import CLOCKS
from machines.matrix import Document, Policy, PolicyError, default_text, load, of, parse
from service import publishing
from service.body import body, raw_body
from service.body import parse as parse_json
from service.database import PASSES
from service.door import Route, checked, nowhere, query, wrong
from service.engine import Unavailable
from service.hearing.words import find
from service.reads import Page, Paged, admit, after, answered, page, reading
from service.rearming import rearm_some
from service.routes import clocks
from service.routes.examples import TRIAL
from service.submit import HOUSE, House

log = structlog.get_logger(__name__)

Version = Annotated[int, Meta(ge=0, le=2**31 - 1)]
TOML = "application/toml"
REARMS_WITHIN = 5.0
"""Seconds that publishing waits for what is armed by it; the rest goes on by itself."""
PUBLISHERS = "Only admins may publish a policy."


class PolicyAnswer(Struct, frozen=True):
    """A published version. `defaults` lists the cells that the escalation document leaves open and we filled."""

    version: int
    published_at: datetime
    published_by: str
    defaults: list[str]
    document: Document


class Between(Struct, frozen=True, forbid_unknown_fields=True):
    """`from` and `to` are versions; not given: the newest, and the one before `to`."""

    source: Annotated[Version, Meta(description="The version before.")] | None = msgspec.field(
        name="from", default=None
    )
    dest: Annotated[Version, Meta(description="The version after.")] | None = msgspec.field(name="to", default=None)


class DifferenceAnswer(Struct, frozen=True):
    """Every cell that differs between two versions."""

    source: int = msgspec.field(name="from")
    dest: int = msgspec.field(name="to")
    differences: list[Difference]


class TrialAnswer(Struct, frozen=True):
    """What would happen, step by step, if nobody answered, until `until`; and the SLA clocks as of `told_at`, when the
    ticket was last told of. `refused`: why the situation could not begin. `more`: it goes on further than listed."""

    policy_version: int
    steps: list[trial.Step]
    refused: list[Failure]
    more: bool
    told_at: datetime
    until: datetime
    clocks: list[clocks.ClockAnswer]


async def policies(request: web.Request) -> web.StreamResponse:
    """Newest first. A version is immutable: an escalation keeps the one under which it was opened."""
    async with reading(request) as (conn, _):
        asked = query(request, Paged)
        begin = after(asked.cursor, tuple[Version])
        rows = await conn.fetch(sql.query("policy.page"), begin and begin[0], asked.limit + 1)
    return answered(page([_answer(row) for row in rows], asked.limit, lambda p: p, lambda p: (p.version,)))


def _answer(row: Any) -> PolicyAnswer:
    policy = load(row["document"], row["version"])
    told = (row["published_at"], row["published_by"], policy.defaults())
    return PolicyAnswer(row["version"], *told, policy.document)


async def one(request: web.Request) -> web.StreamResponse:
    """As it was published, for good."""
    async with reading(request) as (conn, _):
        row = await conn.fetchrow(sql.query("policy.one"), version_in_path(request))
    if row is None:
        raise nowhere("There is no such version of the policy.")
    return answered(_answer(row))


def version_in_path(request: web.Request) -> int:
    """A version of the path; raises 404 where it can't be one."""
    text = request.match_info["version"]
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise nowhere("There is no such version of the policy.")
    return int(text)


async def version_of(conn: asyncpg.Connection, version: int) -> Policy:
    """A published version; raises 404."""
    row = await conn.fetchrow(sql.query("policy.one"), version)
    if row is None:
        raise nowhere("There is no such version of the policy.")
    return load(row["document"], row["version"])


# Publishing -------------------------------------------------------------------------------------------------------


async def publish(request: web.Request) -> web.StreamResponse:
    """Takes a whole document, as JSON or as TOML (`Content-Type: application/toml`), checks it as `policy check` does,
    and publishes it as the next version: what opens from now on goes by it, and so do a P1 and SLA clocks that wait on
    tickets without an escalation. Running escalations keep theirs. The same as the newest once more publishes nothing:
    200. For admins."""
    raw = await _document(request)
    async with reading(request) as (conn, known):
        policy = _checked(raw)
        admit(known, ("admin",), PUBLISHERS)
        row, made = await publishing.publish(conn, policy, known.id)
    if made:
        log.info("policy_published", version=row["version"], actor=known.id)
        await _rearm(request.app[HOUSE])
    return answered(_answer(row), 201 if made else 200)


async def _document(request: web.Request) -> Any:
    """The document's tables; raises 400 for what is no JSON, and 422 for what is no TOML."""
    if request.content_type != TOML:
        return await body(request)
    raw = await raw_body(request)
    try:
        told = tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise wrong(FieldProblem("", f"is not TOML: {error}"[:300])) from None
    # What JSON can't hold, no policy holds; a date is text there, as it is in what is answered.
    return parse_json(msgspec.json.encode(told))


def _checked(raw: Any) -> Policy:
    """Raises 422 with every cell that is wrong or missing."""
    try:
        return of(raw)
    except PolicyError as error:
        raise wrong(*(_problem(finding) for finding in error.findings)) from None


def _problem(finding: str) -> FieldProblem:
    path, _, message = finding.partition(" ")
    return FieldProblem(path.rstrip(":"), message or finding)


async def _rearm(house: House) -> None:
    """Arm what waits, as far as there is time: what is left goes on by itself."""
    try:
        async with asyncio.timeout(REARMS_WITHIN):
            while await rearm_some(house.reads, house.engine):
                pass
    except (*PASSES, Unavailable) as error:
        log.info("rearming_goes_on", error=type(error).__name__)


# Comparing, trying ------------------------------------------------------------------------------------------------


async def compare(request: web.Request) -> web.StreamResponse:
    """Each cell that is not the same, by its path, with what stood there and what stands there."""
    async with reading(request) as (conn, _):
        asked = query(request, Between)
        newest = (await conn.fetchrow(sql.query("policy.newest")))["version"]
        dest = asked.dest if asked.dest is not None else newest
        source = asked.source if asked.source is not None else max(dest - 1, 1)
        found = [await version_of(conn, version) for version in (source, dest)]
    told = differences(found[0].document, found[1].document)
    return answered(DifferenceAnswer(source, dest, list(told)))


async def simulate(request: web.Request) -> web.StreamResponse:
    """Decides a ticket's life by this version, with the very rules that would decide it, and writes nothing: what would
    be called when, each deadline with the cell of the policy that sets it, and the SLA clocks explained. One person of
    each level is on duty, and nobody does anything."""
    value = await body(request)
    async with reading(request) as (conn, _):
        policy = await version_of(conn, version_in_path(request))
        asked = checked(value, trial.Trial)
        if problems := [FieldProblem(*each) for each in asked.wrong()]:
            raise wrong(*problems)
    return answered(await asyncio.to_thread(tried, asked, policy))


def tried(asked: trial.Trial, policy: Policy) -> TrialAnswer:
    """What comes of a trial that has nothing `wrong`."""
    told = trial.play(asked, policy, lambda report: find(policy, report))
    explained = [clocks.explained(clock, told.ticket, policy, told.told_at) for clock in CLOCKS]
    return TrialAnswer(
        policy.version, list(told.steps), list(told.refused), told.more, told.told_at, told.until, explained
    )


EXAMPLE = msgspec.to_builtins(parse(default_text()).document)

ROUTES = (
    Route("GET", "/v1/policies", policies, "The matrix, version by version", {200: Page[PolicyAnswer]}, query=Paged),
    Route(
        "POST",
        "/v1/policies",
        publish,
        "Publish a version",
        {200: PolicyAnswer, 201: PolicyAnswer},
        body=Document,
        refuses=(403,),
        example=EXAMPLE,
        accepts=("application/json", TOML),
    ),
    Route(
        "GET",
        "/v1/policies/diff",
        compare,
        "What differs between two versions",
        {200: DifferenceAnswer},
        query=Between,
        refuses=(404,),
    ),
    Route("GET", "/v1/policies/{version}", one, "One version", {200: PolicyAnswer}),
    Route(
        "POST",
        "/v1/policies/{version}/simulate",
        simulate,
        "Try a version with a ticket",
        {200: TrialAnswer},
        body=trial.Trial,
        example=TRIAL,
    ),
)
