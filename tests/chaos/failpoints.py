"""`python -m tests.chaos.failpoints`: the service is killed at each point of each batch, and history is as in peace.

Each call of some lives in which every trigger happens is made to a service that dies at one point of the batch that the
call makes; it is started again, and the call is made again under the same Idempotency-Key. What must come of it: every
call is answered, each transition is there once, the verifier finds nothing, and on the virtual clock the history is, to
the last hash, the one of a run in which nothing died.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from cyclopts import App
from rich.console import Console
from rich.table import Table

from machines.values import LEVEL_ROLE
from service import auth, database, log, verify
from tests.chaos import failing
from tests.chaos.failing import POINTS, Point
from tests.chaos.life import CUSTOMERS, PEOPLE, live
from tests.chaos.town import postgres_in

app = App(name="python -m tests.chaos.failpoints", help="Kill the service at each point of each batch.")
console = Console(stderr=True)
forked = get_context("forkserver")
forked.set_forkserver_preload(["tests.chaos.failing"])
ANSWERED_WITHIN = 120.0
"""Seconds in which a call must be done, however often the service dies."""


@dataclass
class Report:
    """What one run came to: killed, by point and trigger; the history; what is not as it must be."""

    killed: Counter[tuple[Point, str]] = field(default_factory=Counter)
    kills: int = 0
    calls: int = 0
    history: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


class Victim:
    """The service, started again whenever it is dead."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._process: BaseProcess | None = None
        self.base = ""

    async def start(self, point: Point | None = None, after: int = 0) -> None:
        """Start it, armed; what ran before is killed."""
        self.kill()
        here, there = forked.Pipe(duplex=False)
        self._process = forked.Process(target=failing.run, args=(point, after, self._url, there), daemon=True)
        await asyncio.to_thread(self._process.start)
        there.close()
        self.base = f"http://127.0.0.1:{await asyncio.to_thread(here.recv)}"

    @property
    def dead(self) -> bool:
        """Whether it has died since it was started."""
        return self._process is not None and not self._process.is_alive()

    def kill(self) -> None:
        """kill -9, if it lives."""
        if self._process is not None:
            self._process.kill()
            self._process.join()


class Caller:
    """Makes each call until it is done; `arm` says at which point, and after how many batches, the service dies."""

    def __init__(
        self,
        victim: Victim,
        session: aiohttp.ClientSession,
        keys: dict[str, str],
        db: asyncpg.Connection,
        arm: Callable[[int], tuple[Point, int] | None],
        report: Report,
    ) -> None:
        self._victim, self._session, self._keys, self._db = victim, session, keys, db
        self._arm, self._report = arm, report

    async def __call__(self, who: str, method: str, path: str, body: Any = None) -> Any:
        if method == "GET":
            return await self._done(who, method, path, body, "read")
        self._report.calls += 1
        n = self._report.calls
        armed = self._arm(n)
        if armed:
            await self._victim.start(*armed)
        before = await self._db.fetchval("SELECT coalesce(max(seq), 0) FROM history")
        told = await self._done(who, method, path, body, f"step-{n}")
        if armed and self._victim_died:
            self._report.kills += 1
            made = "SELECT m.trigger FROM history h JOIN allowed_move m ON m.id = h.move WHERE h.seq > $1"
            for row in await self._db.fetch(made, before):
                self._report.killed[armed[0], row["trigger"]] += 1
        return told

    async def _done(self, who: str, method: str, path: str, body: Any, name: str) -> Any:
        self._victim_died = False
        headers = {"Authorization": f"Bearer {self._keys[who]}", "X-Request-Id": name, "Idempotency-Key": name}
        async with asyncio.timeout(ANSWERED_WITHIN):
            while True:
                try:
                    url = self._victim.base + path
                    async with self._session.request(method, url, json=body, headers=headers) as answer:
                        told = await answer.json(content_type=None)
                        if answer.status != 503:
                            break
                except aiohttp.ClientError:
                    if self._victim.dead:
                        self._victim_died = True
                        await self._victim.start()
        assert answer.status in (200, 201), f"{name}: {who} {method} {path} {body}: {answer.status} {told}"
        return told


async def run(url: str, arm: Callable[[int], tuple[Point, int] | None]) -> Report:
    """All lives on this empty database, killed as `arm` says."""
    await database.prepare(url)
    report, victim = Report(), Victim(url)
    async with AsyncExitStack() as stack:
        db = await asyncpg.connect(url)
        stack.push_async_callback(db.close)
        stack.callback(victim.kill)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        )
        keys = await _settle(db)
        await victim.start()
        await live(Caller(victim, session, keys, db, arm, report))
        report.history = [row["hash"] for row in await db.fetch("SELECT hash FROM history ORDER BY seq")]
    report.findings = [f"{each.claim} {each.where}: {each.what}" for each in await verify.run(url)]
    return report


async def _settle(db: asyncpg.Connection) -> dict[str, str]:
    keys = {who: await auth.create_key(db, who, LEVEL_ROLE[level]) for who, level in PEOPLE.items()}
    keys |= {who: await auth.create_key(db, who, role) for who, role in (("root", "admin"), ("desk", "service"))}
    people = "INSERT INTO person (id, name, level, on_duty) VALUES ($1, $1, $2, true)"
    await db.executemany(people, list(PEOPLE.items()))
    contacts = "INSERT INTO customer (id, name, tier, contacts) VALUES ($1, $1, $2, ARRAY['boss@' || $1 || '.example'])"
    await db.executemany(contacts, list(CUSTOMERS.items()))
    return keys


def at_each(point: Point, share: float, seed: int) -> Callable[[int], tuple[Point, int] | None]:
    """Die at this point in each call, or in a share of them; in its first batch, or, as the clock makes many, later."""
    rng = random.Random(seed)
    return lambda n: (point, rng.choice((0, 0, 0, 1))) if rng.random() < share else None


@app.default
def main(*, seed: int = 1, share: float = 1.0) -> None:
    """Run each point; a table of kills by trigger, exit 1 where anything differs.

    Parameters
    ----------
    seed
        Decides in which batch of a call it dies, and in which calls where not in all.
    share
        The share of calls in which it dies.
    """
    log.configure("console", "error")
    with tempfile.TemporaryDirectory(prefix="escalation-failpoints-") as folder:
        raise SystemExit(asyncio.run(_main(Path(folder), seed, share)))


async def _main(folder: Path, seed: int, share: float) -> int:
    async with postgres_in(folder) as server:
        peaceful = await run(await _database(server.url, "peace"), lambda n: None)
        console.print(f"in peace: {peaceful.calls} calls, {len(peaceful.history)} transitions")
        reports = {}
        for point in POINTS:
            reports[point] = await run(await _database(server.url, point), at_each(point, share, seed))
            console.print(f"{point}: {reports[point].kills} kills")
    wrong = [f"{point}: {each}" for point, report in reports.items() for each in report.findings]
    wrong += [f"{point}: another history" for point, report in reports.items() if report.history != peaceful.history]
    console.print(_table(list(reports.values())))
    for each in [*peaceful.findings, *wrong]:
        console.print(each, style="red", markup=False)
    return 1 if wrong or peaceful.findings else 0


def _table(reports: list[Report]) -> Table:
    killed = sum((report.killed for report in reports), Counter[tuple[Point, str]]())
    table = Table("trigger", *POINTS, title="Batches that died there, and made it afterwards")
    for trigger in sorted({trigger for _, trigger in killed}):
        table.add_row(trigger, *(str(killed[point, trigger]) for point in POINTS))
    return table


async def _database(server: str, name: str) -> str:
    conn = await asyncpg.connect(server)
    await conn.execute(f"CREATE DATABASE {name}")
    await conn.close()
    return f"{server.rpartition('/')[0]}/{name}"


if __name__ == "__main__":
    app()
