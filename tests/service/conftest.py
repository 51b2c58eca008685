"""The running service for tests of its doors: a cast of people with keys, three customers, and a tiny client.

    async def test_a_lead_…(service: Service) -> None:
        e = await service.opened("T-1")                                  # acme's, standing at level 2, offered
        answer = await service.act("mia", e, "accept")                   # POST …/transitions
        answer = await service.call("aud", "GET", "/v1/history")
        assert answer.status == 200 and answer.body["items"]
        (await service.call("lee", "PUT", "/v1/people/zoe", {…})).problem(403, "not_permitted")

`service` is a service of the test's own; `shared_service` one for the whole module, for tests that change nothing
that another of them looks at (mark the module `pytest.mark.asyncio(loop_scope="module")`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest
import pytest_asyncio
import structlog
from aiohttp import web
from yarl import URL

from machines.values import ROLE_LEVEL
from service import auth, verify
from service.app import build
from service.config import Settings
from service.problems import CODES
from service.server import Runner
from tests.conftest import database_from

CAST = {
    "root": "admin",
    "desk": "service",
    "ann": "agent",
    "lee": "lead",
    "mia": "manager",
    "mo": "manager",
    "dan": "director",
    "vic": "executive",
    "aud": "auditor",
}
"""Who is there, and their role. Whoever has a level is on the roster with it, and on duty."""
CUSTOMERS = {"acme": "enterprise", "beta": "professional", "solo": "starter"}
BRIEF = {
    "issue": "Payments fail",
    "reason": "The pool is exhausted",
    "current_status": "Restarted twice, logs attached",
    "needed": "Two engineers",
}
FACTS = {
    "customer_id": "acme",
    "priority": "p2",
    "status": "open",
    "subject": "Payments fail at checkout",
    "opened_at": "2026-01-05T08:00:00Z",
    "sla": {"first_response_by": "2199-01-01T00:00:00Z", "resolution_by": "2199-01-01T00:00:00Z"},
}
"""A ticket whose SLA clocks are due in another century: tests of those say `sla=None`."""
NOTHING: Any = object()


@dataclass(frozen=True)
class Answer:
    """What the service answered; `body` is its JSON, None where it is none."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    body: Any = field(init=False)

    def __post_init__(self) -> None:
        kind = self.headers.get("Content-Type", "").partition(";")[0]
        is_json = kind in ("application/json", "application/problem+json") and self.raw
        object.__setattr__(self, "body", json.loads(self.raw) if is_json else None)

    def problem(self, status: int, code: str) -> Any:
        """Its body, held to be this problem in every part that the contract names."""
        assert self.status == status, self.raw.decode(errors="replace")[:600]
        assert self.headers["Content-Type"].startswith("application/problem+json")
        assert self.headers["X-Request-Id"]
        told = self.body
        assert (told["status"], told["code"]) == (status, code), told
        assert told["title"]
        assert told["detail"]
        assert told["type"] == f"/docs#problem-{code.replace('_', '-')}"
        assert code in CODES
        assert all(problem["message"] for problem in told.get("problems", ()))
        assert all(failed["guard"] and failed["message"] for failed in told.get("failed", ()))
        if status == 403:
            assert any(failed["who_could"] for failed in told["failed"])  # those of 422 are listed with them
        if status in (429, 503):
            assert self.headers["Retry-After"]
        return told

    def fields(self) -> set[str]:
        """The fields that a 422 names."""
        return {problem["field"] for problem in self.problem(422, "invalid_fields")["problems"]}

    def ok(self, status: int = 200) -> Any:
        """Its body, held to be this success."""
        assert self.status == status, self.raw.decode(errors="replace")[:2000]
        return self.body


@dataclass
class Service:
    """A running service, its database (`db`: as the owner), and the keys of its cast."""

    base: str
    database_url: str
    db: asyncpg.Connection
    session: aiohttp.ClientSession
    app: web.Application
    keys: dict[str, str] = field(default_factory=dict)

    async def call(
        self,
        who: str | None,
        method: str,
        path: str,
        body: Any = NOTHING,
        *,
        raw: bytes | None = None,
        **headers: str,
    ) -> Answer:
        """A request as one of the cast (None: without a key); `If_Match="7"` sends the header If-Match."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who is not None:
            sent["Authorization"] = f"Bearer {self.keys[who]}"
        if raw is None and body is not NOTHING:
            raw = msgspec.json.encode(body)
        url = URL(self.base + path, encoded=True)  # as it is written: tests say what is escaped
        async with self.session.request(method, url, data=raw, headers=sent, allow_redirects=False) as told:
            return Answer(told.status, told.headers.copy(), await told.read())

    async def act(self, who: str, escalation: str, trigger: str, /, *, dry_run: bool = False, **fields: Any) -> Answer:
        """A trigger called on an escalation; names that begin with a capital are headers."""
        headers = {name: fields.pop(name) for name in list(fields) if name[0].isupper()}
        path = f"/v1/escalations/{escalation}/transitions{'?dry_run=true' if dry_run else ''}"
        return await self.call(who, "POST", path, {"trigger": trigger, **fields}, **headers)

    async def ticket(self, ticket_id: str, **facts: Any) -> Any:
        """A ticket reported by the help desk; its answer."""
        return (await self.call("desk", "PUT", f"/v1/tickets/{ticket_id}", FACTS | facts)).ok()

    async def opened(self, ticket_id: str, who: str = "ann", situation: str = "blocking_business_process") -> str:
        """The id of a new escalation of acme's for a manual reason: its level was called at once, briefed by `who`."""
        await self.ticket(ticket_id)
        return await self.opened_on(ticket_id, who, situation)

    async def opened_on(self, ticket_id: str, who: str = "ann", situation: str = "blocking_business_process") -> str:
        """The same on a ticket that is there."""
        body = {"ticket_id": ticket_id, "situation": situation, "reason": "It can't wait", "brief": BRIEF}
        return str((await self.call(who, "POST", "/v1/escalations", body)).ok(201)["escalation"]["id"])

    async def held(self, ticket_id: str) -> tuple[str, str]:
        """A new escalation that was accepted at level 2, and by whom."""
        e = await self.opened(ticket_id)
        to = str((await self.call("ann", "GET", f"/v1/escalations/{e}")).ok()["handoff"]["to"])
        (await self.act(to, e, "accept")).ok(201)
        return e, to

    async def person(self, who: str, role: str, level: int | None = None, may: tuple[str, ...] = ()) -> str:
        """Another key, by the name of its principal, who is made if need be."""
        self.keys[who] = await auth.create_key(self.db, who, role, level, may)
        return self.keys[who]

    async def now_is(self, instant: str) -> None:
        """Set the one instant that is now; time stands still until it is set again."""
        await self.db.execute(
            "INSERT INTO virtual_clock (now) VALUES ($1::text::timestamptz) ON CONFLICT (only_row) DO UPDATE"
            " SET now = excluded.now",
            instant,
        )


@asynccontextmanager
async def serving(database_url: str, **settings: Any) -> AsyncIterator[Service]:
    """A service on this migrated database, without keys. With the system's clock, which `now_is` stops, it fires no
    timers unless told to, and it sends and audits nothing."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    app = build(Settings(**{"timers": False, "sends": False, "audits": False, **settings}), database_url)
    runner = Runner(app, access_log=None, shutdown_timeout=1.0)
    db = await asyncpg.connect(database_url, server_settings={"timezone": "UTC"})
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            yield Service(base, database_url, db, session, app)
    finally:
        await runner.cleanup()
        await db.close()


@asynccontextmanager
async def running(database_url: str, **settings: Any) -> AsyncIterator[Service]:
    """The same with its cast, who come to it now."""
    async with serving(database_url, **settings) as service:
        await _settle(service)
        yield service


async def _settle(service: Service) -> None:
    for who, role in CAST.items():
        await service.person(who, role)
    levels = [(who, ROLE_LEVEL[role]) for who, role in CAST.items() if role in ROLE_LEVEL]
    await service.db.executemany("INSERT INTO person (id, name, level, on_duty) VALUES ($1, $1, $2, true)", levels)
    rows = [(name, tier, [f"boss@{name}.example"]) for name, tier in CUSTOMERS.items()]
    await service.db.executemany("INSERT INTO customer (id, name, tier, contacts) VALUES ($1, $1, $2, $3)", rows)


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Service]:
    """A service of this test's own. Whatever was done to it, the verifier must find nothing in its database."""
    async with running(database_url) as service:
        yield service
        assert await verify.run(database_url) == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_service(postgres_url: str, template: str) -> AsyncIterator[Service]:
    """A service for all tests of a module."""
    async with database_from(postgres_url, template) as url, running(url) as service:
        yield service
        assert await verify.run(url) == []
