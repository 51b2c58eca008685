"""A small town to test in: people with keys, a customer, and commands made short. Nothing here decides anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
from msgspec import Struct

from machines.asked import Ask, BriefText, Command, Duty, Fire, Heard, Report, Request, Transition
from machines.case import Mint, SeededMint
from machines.decided import Refusal
from machines.escalation import RULES
from machines.values import Ticket
from service import auth, clock, database
from service.batch import Job, Lane, Policies, Reply, Settled
from service.engine import Engine
from service.rows import fingerprint

ROLES = {
    "root": "admin",
    "desk": "service",
    "ann": "agent",
    "lee": "lead",
    "mia": "manager",
    "dan": "director",
    "vic": "executive",
    "aud": "auditor",
}
LEVELS = {"ann": 0, "lee": 1, "mia": 2, "dan": 3, "vic": 4}
BRIEF = BriefText("Nobody can log in", "It spreads", "Restarted twice", "A decision on the rollback")
OPENED = datetime(2026, 1, 5, 9, tzinfo=UTC)
FAR = datetime(2199, 1, 1, tzinfo=UTC)
"""When SLA clocks of tickets are due that tests of something else report."""


class Told(Struct, frozen=True):
    """What a caller of the engine was told, made short."""

    status: int
    code: str | None = None
    failed: tuple[str, ...] = ()
    id: str | None = None
    state: str | None = None
    version: int = 0
    owner: str | None = None
    triggers: tuple[str, ...] = ()
    hash: str | None = None


def tell(settled: Settled) -> Reply:
    """How these tests render what became of a command."""
    result, e = settled.result, settled.escalation
    refused = isinstance(result, Refusal)
    told = Told(
        status=result.status if isinstance(result, Refusal) else 201,
        code=result.code if isinstance(result, Refusal) else None,
        failed=tuple(f.guard for f in result.failed) if isinstance(result, Refusal) else (),
        id=e.id if e else None,
        state=e.state if e else None,
        version=e.version if e else 0,
        owner=e.owner if e else None,
        triggers=tuple(record.trigger for record, _ in settled.sealed),
        hash=e.head if e and not refused else None,
    )
    return Reply(told.status, msgspec.json.encode(told), told.version or None)


def told(reply: Reply) -> Told:
    """What `tell` wrote, read back."""
    return msgspec.json.decode(reply.body, type=Told)


class Town:
    """One database with its cast. `db` is a connection of its owner, `url` where the service connects."""

    def __init__(self, url: str, db: asyncpg.Connection) -> None:
        self.url, self.db = url, db
        self.keys: dict[str, str] = {}
        self.engines: list[Engine] = []

    async def settle_down(self) -> None:
        """Make the cast and their customer."""
        for name, role in ROLES.items():
            self.keys[name] = await auth.create_key(self.db, name, role)
        await self.db.executemany(
            "INSERT INTO person (id, name, level, on_duty) VALUES ($1, $1, $2, true)", list(LEVELS.items())
        )
        await self.db.execute(
            "INSERT INTO customer (id, name, tier, account_manager, contacts)"
            " VALUES ('acme', 'Acme', 'enterprise', 'amy', '{c@acme.example}')"
        )

    async def stand_still(self) -> None:
        """Live by a virtual clock from now on."""
        await self.db.execute("INSERT INTO virtual_clock (now) VALUES ($1)", OPENED)

    def engine(
        self,
        url: str | None = None,
        *,
        in_flight: int = 2,
        queue_limit: int = 1024,
        virtual: bool = False,
        **settings: str,
    ) -> Engine:
        """A node: an engine on this database, or through a proxy's url. `settings` are of its connections; a `virtual`
        one serves by the virtual clock."""

        async def connect() -> asyncpg.Connection:
            conn = await database.open_connection(url or self.url)
            for name, value in settings.items():
                await conn.execute("SELECT set_config($1, $2, false)", name, value)
            return conn

        engine = Engine(
            connect,
            Policies(),
            SeededMint(b"seed") if virtual else Mint(),
            queue_limit=queue_limit,
            in_flight=1 if virtual else in_flight,
            first=clock.first if virtual else None,
            last=clock.last if virtual else None,
        )
        self.engines.append(engine)
        return engine

    def job(
        self,
        who: str,
        ask: Ask,
        *,
        key: str | None = None,
        lane: Lane = "request",
        behalf: str | None = None,
    ) -> Job:
        """A command as a door would hand it in."""
        clock = isinstance(ask, Fire | Duty)
        token = auth.Token("clock", "") if clock else auth.present(f"Bearer {self.keys[who]}")
        print_ = fingerprint(msgspec.to_builtins(ask)) if key else ""
        command = Command(str(uuid4()), ask, "test")
        return Job(command, tell, token.key, token.digest, behalf, key, print_, "timer" if clock else lane)

    def report(self, ticket: str, who: str = "desk", *, customer: str = "acme", **facts: Any) -> Job:
        """A ticket's facts; unless told otherwise an open P0 of acme, so L3 at once, offered to dan."""
        facts = {"priority": "p0", "status": "open", "subject": "Down", "opened_at": OPENED, **facts}
        facts.setdefault("sla", {"first_response_by": FAR, "resolution_by": FAR})
        return self.job(who, Report(Ticket(ticket, customer_id=customer, **facts)))

    def heard(self, ticket: str, who: str = "desk", *, once: bool = False) -> Job:
        """A customer's word that asks for nothing, and so moves nothing."""
        sender, body = "c@acme.example", "Any news?"
        return self.job(who, Heard(str(uuid4()), ticket, None, "portal", sender, "customer", None, body, once=once))

    def request(self, ticket: str, who: str = "ann", situation: str = "executive_visibility") -> Job:
        """A manual reason."""
        return self.job(who, Request(ticket, situation, "The board asks", BRIEF))

    def call(self, who: str, escalation: str, trigger: str, *, key: str | None = None, **fields: Any) -> Job:
        """A trigger with its fields."""
        return self.job(who, self.transition(escalation, trigger, **fields), key=key)

    @staticmethod
    def transition(escalation: str, trigger: str, **fields: Any) -> Transition:
        """A trigger with its fields, as the door would have checked them."""
        kind = RULES[trigger].fields if trigger in RULES else None
        return Transition(escalation, trigger, msgspec.convert(fields, kind) if kind else {})

    async def standing(self, engine: Engine, *tickets: str, accepted: bool = True) -> list[str]:
        """Open an escalation on each ticket, at L3; dan has accepted it and owns it."""
        opened = await together(engine, [self.report(ticket) for ticket in tickets])
        ids = [answer.id or "" for answer in opened]
        if accepted:
            answers = await together(engine, [self.call("dan", each, "accept") for each in ids])
            assert {answer.status for answer in answers} == {201}
        return ids

    async def versions(self, escalation: str) -> list[str]:
        """The triggers of an escalation's history, oldest first; that versions are 1, 2, 3 … is asserted."""
        rows = await self.db.fetch(
            "SELECT version, trigger FROM history JOIN allowed_move m ON m.id = move"
            " WHERE escalation_id = $1 ORDER BY version",
            escalation,
        )
        assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
        return [row["trigger"] for row in rows]

    async def lock(self, *tickets: str) -> asyncpg.Connection:
        """Somebody else's transaction that holds these tickets; commit it to let go."""
        conn = await asyncpg.connect(self.url)
        await conn.execute("BEGIN")
        await conn.execute("SELECT FROM ticket WHERE id = ANY ($1) ORDER BY id FOR UPDATE", list(tickets))
        return conn


def put(engine: Engine, jobs: Iterable[Job]) -> list[asyncio.Future[Reply]]:
    """Hand all in before the engine can take the first: what fits is one batch."""
    replies = []
    for job in jobs:
        engine.put(job)
        replies.append(job.reply)
    return replies


async def answers(replies: Sequence[asyncio.Future[Reply]]) -> list[Told]:
    """What each was told."""
    return [told(reply) for reply in await asyncio.gather(*replies)]


async def together(engine: Engine, jobs: Iterable[Job]) -> list[Told]:
    """Have these decided together, and say what each was told."""
    return await answers(put(engine, jobs))


async def alone(engine: Engine, job: Job) -> Told:
    """Have one decided."""
    return told(await engine.submit(job))
