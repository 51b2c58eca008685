"""A batch: the commands that are decided together, on facts read once, and what will be written for them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import replace

import sql
from machines.asked import THE_CLOCK, Actor, Command, Fire, Heard, MovePolicy, Report, Transition
from machines.case import Mint
from machines.decided import Decision, Refusal
from machines.matrix import Policy, load
from machines.values import Escalation, Reported
from machines.world import Snapshot, World, ticket_of
from service.asks import Wants
from service.hearing.repeats import gist
from service.hearing.words import find
from service.rows import Answered, Rows, Sealed

FACTS = sql.query("engine.facts")
LOCK_CUSTOMERS, REPORTS = sql.query("engine.lock_customers"), sql.query("engine.reports")
MOST_ROWS = 3
"""Rows of history that one timer makes at most."""
Lane = Literal["request", "bulk", "timer"]
PATIENT = 2
"""How often a command is skipped before it waits for its lock."""


class Reply(Struct, frozen=True):
    """What a caller gets. `store`: the engine decided it, so an idempotency key keeps it."""

    status: int
    body: bytes
    etag: int | None = None
    replayed: bool = False


class Settled(Struct, frozen=True):
    """What became of a command: its decision or refusal, its sealed history, and the texts that its rows refer to."""

    result: Decision | Refusal
    escalation: Escalation | None
    sealed: list[Sealed]
    texts: dict[str, dict[str, object]]


class Render(Protocol):
    """How a door tells what became of its command."""

    def __call__(self, settled: Settled, /) -> Reply:
        """The reply for this outcome."""
        ...


@dataclass(slots=True, eq=False)
class Job:
    """A command that waits, whose key brought it, and how to tell the caller."""

    command: Command
    render: Render
    key: str
    digest: str
    on_behalf_of: str | None = None
    idempotency_key: str | None = None
    fingerprint: str = ""
    lane: Lane = "request"
    tries: int = 0
    subject: str = field(init=False)
    reply: asyncio.Future[Reply] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def __post_init__(self) -> None:
        """Commands that name the same escalation or ticket are never in two batches at once."""
        ask = self.command.ask
        self.subject = ask.escalation_id if isinstance(ask, Transition) else ticket_of(self.command) or ""

    @property
    def waits(self) -> bool:
        """Its ticket was locked elsewhere often enough: it waits for the lock now."""
        return self.tries >= PATIENT


def tell(answered: tuple[Job, Reply]) -> None:
    """Give the caller the answer, if somebody still waits."""
    job, reply = answered
    if not job.reply.done():
        job.reply.set_result(reply)


def fail(jobs: list[Job], error: Exception) -> None:
    """Give each caller this error."""
    for job in jobs:
        if not job.reply.done():
            job.reply.set_exception(error)


class Read(Snapshot):
    """The facts of a batch, and the answers stored under its keys."""

    answered: list[Answered] = []  # noqa: RUF012  # msgspec copies defaults


_read = msgspec.json.Decoder(Read)
_reports = msgspec.json.Decoder(list[Reported]).decode


def _json(rows: list[dict[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()


class Policies:
    """The published policies by version. They are immutable, so what was read once stays true."""

    def __init__(self) -> None:
        self.known: dict[int, Policy] = {}

    async def ensure(self, conn: asyncpg.Connection, read: Snapshot, jobs: list[Job]) -> None:
        """Read the versions that this snapshot and these jobs need and that are not known yet."""
        moved_to = (job.command.ask.version for job in jobs if isinstance(job.command.ask, MovePolicy))
        wanted = {read.policy_version, *(e.policy_version for e in read.escalations), *moved_to} - self.known.keys()
        if wanted:
            for row in await conn.fetch(sql.query("policy.of_versions"), list(wanted)):
                self.known[row["version"]] = load(row["document"], row["version"])


class Batch:
    """The commands of a batch as they are decided; `rows` is what will be written."""

    def __init__(self, read: Read, world: World, jobs: list[Job], mint: Mint, want: Wants, first: int | None) -> None:
        self.world = world
        self.rows = Rows(read.now, read.seq, first)
        self.replies: list[tuple[Job, Reply]] = []
        self.later: list[Job] = []
        self._sees_roster = want.roster
        self._answered = {(a.principal_id, a.key): a for a in read.answered}
        for job in jobs:
            world.mint = mint.for_command(self.rows.next, job.command.request_id)
            job.command = world.mint.named(job.command)
            self._decide(job)

    def _decide(self, job: Job) -> None:
        command, world = job.command, self.world
        actor = world.actor(job.key, job.digest, job.on_behalf_of)
        if actor is None:
            refusal = Refusal(401, "unknown_key", "The API key is unknown, revoked, or its principal is retired.")
            self.replies.append((job, job.render(Settled(refusal, None, [], world.texts))))
            return
        if world.must_wait(command):
            self.later.append(job)
            return
        name = (actor.through or actor.id, job.idempotency_key or "")
        stored = self._answered.get(name) if job.idempotency_key else None
        if stored is not None and stored.fingerprint == job.fingerprint:
            reply = Reply(stored.status, stored.body.encode(), stored.etag, replayed=True)
            self.replies.append((job, reply))
            return
        if isinstance(command.ask, Report | Heard):
            # Here, not where the request was read: the lists are those of the policy by which it is decided.
            command = replace(command, ask=replace(command.ask, found=find(world.newest, command.ask)))
        if isinstance(command.ask, MovePolicy):
            command = replace(command, ask=replace(command.ask, policy=world.policy(command.ask.version)))
        result = world.decide(command, actor)
        if stored is not None and not (isinstance(result, Refusal) and result.status == 404):
            result = Refusal(422, "key_reused", "This Idempotency-Key was used for another request: take a new one.")
        reply = job.render(self._settle(job, actor, result))
        self.replies.append((job, reply))
        if job.idempotency_key and stored is None and not (isinstance(result, Refusal) and result.status == 404):
            self._store(name, job, reply)

    def _settle(self, job: Job, actor: Actor, result: Decision | Refusal) -> Settled:
        world, command = self.world, job.command
        before = world.escalation_of(command)
        if isinstance(result, Refusal):
            if result.denied:
                ticket_id = before.ticket_id if before else ticket_of(command)
                self.rows.denied(command, actor, result, ticket_id, _trigger_of(command))
            return Settled(result, before, [], world.texts)
        result, sealed = self.rows.decided(command, actor, result)
        world.absorb(result)
        after = self._at_once(command, result)
        if result.refused:
            message = " ".join(failure.message for failure in result.refused)
            refusal = Refusal(403, "not_permitted", message, result.refused, escalation=result.escalation)
            self.rows.denied(command, actor, refusal, ticket_of(command), "open")
        return Settled(result, after, sealed, world.texts)

    def _at_once(self, command: Command, decision: Decision) -> Escalation | None:
        """What a decision arms for an instant that has come fires before anything else is decided, in its name.

        Answers the escalation as it stands then. Where the facts are not at hand, the timers' loop does it.
        """
        world, e = self.world, decision.escalation
        due = sorted((at, kind) for kind, at in decision.timers.items() if at is not None and at <= world.now)
        ticket_id = decision.ticket.id if decision.ticket else e.ticket_id if e else ""
        for at, kind in due:
            fire = replace(command, ask=Fire(ticket_id, kind, at), problems=())
            if not self._sees_roster or self.rows.spare < MOST_ROWS or world.must_wait(fire):
                break
            fired = world.decide(fire, THE_CLOCK)
            assert isinstance(fired, Decision)
            fired, _ = self.rows.decided(fire, THE_CLOCK, fired)
            world.absorb(fired)
            if fired.entries:
                e = self._at_once(fire, fired)
        return e

    def _store(self, name: tuple[str, str], job: Job, reply: Reply) -> None:
        stored = Answered(
            *name,
            job.fingerprint,
            reply.status,
            reply.body.decode(),
            reply.etag,
            self.world.customer_of(job.command),
            self.world.now,
        )
        self._answered[name] = stored
        self.rows.answer(stored)


def _trigger_of(command: Command) -> str:
    """The trigger that a denial names."""
    if isinstance(command.ask, MovePolicy):
        return "move_policy"
    return command.ask.trigger if isinstance(command.ask, Transition) else "open"


def _asked(job: Job) -> dict[str, Any] | None:
    """What may be repeated by this command, if it reports something that a customer wrote; its gist is told to it."""
    ask = job.command.ask
    if not isinstance(ask, Report | Heard) or (isinstance(ask, Heard) and ask.author_role != "customer"):
        return None
    written = gist(ask)
    job.command = replace(job.command, ask=replace(ask, gist=written))
    told, at = (ask.ticket, ask.ticket.opened_at) if isinstance(ask, Report) else (None, ask.at)
    return {
        "ticket_id": ticket_of(job.command),
        "customer_id": told.customer_id if told else None,
        "issue_key": told.issue_key if told else None,
        "at": at,
        **msgspec.structs.asdict(written),
    }


async def read_batch(
    conn: asyncpg.Connection,
    jobs: list[Job],
    want: Wants,
    located: dict[str, str],
    policies: Policies,
    mint: Mint,
    counted_from: int | None = None,
    *,
    inbox_only: bool = True,
) -> Batch:
    """Read the facts and decide, writing nothing. `located` maps the commands' escalations to their tickets;
    `counted_from` is the number of the first row where rows are counted. Only reports lock their customer and read what
    was reported before: nothing else pays for it."""
    asked = [each for job in jobs if (each := _asked(job))]
    if asked:
        await conn.execute(LOCK_CUSTOMERS, _json(asked))
    read = _read.decode(await conn.fetchval(FACTS, *want.arguments(located)))
    await policies.ensure(conn, read, jobs)
    if asked:
        longest = policies.known[read.policy_version].document.repeats.within
        told = [{**each, "since": (each["at"] or read.now) - longest} for each in asked]
        read.reports = _reports(await conn.fetchval(REPORTS, _json(told)))
    world = World(read, policies.known, mint, inbox_only=inbox_only)
    return Batch(read, world, jobs, mint, want, counted_from)
