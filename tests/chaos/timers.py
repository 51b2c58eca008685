"""Nodes race for timers that are all due at one instant, and one of them is stopped in the middle: each fires once.

    python -m tests.chaos.timers --timers 10000 --nodes 5 --stop 10 --seed 1

Real service processes on a durable Postgres. One of them takes the tickets' reports; at the instant at which all of
them are due, every node hands them in. With `--stop` one node, drawn by the seed, gets SIGSTOP while they drain and
SIGCONT so many seconds later: the others must do its work meanwhile, and it must write nothing that is stale.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import asyncpg
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from service import log, verify
from tests.chaos.town import Service, postgres_in, settle

app = App(name="python -m tests.chaos.timers", help="Nodes race for due timers; each must fire once.")
console = Console(stderr=True)
AT_ONCE = 64
REPORTS_A_SECOND = 120
"""How fast tickets are reported at least: so long before the instant the reports begin."""
FREE_WITHIN = 10.0
"""Seconds within which whatever a stopped node held is free."""
DRAINED_WITHIN = 300.0
HELD = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start < $1"
    " AND state LIKE 'idle in transaction%'"
)
"""Transactions that were open when a node was stopped, and are not being worked at."""
CAUGHT = f"{HELD} AND state_change < $1"
"""Those of them for which nothing was asked since: after a moment, the stopped node's own."""
STILL = 0.3
"""Seconds after which that is seen."""
WRITTEN = "SELECT count(*) FROM history"
LEFT = "SELECT count(*) FROM timer WHERE kind = 'engage'"


@dataclass
class Race:
    """What a race came to. `stopped_for`: seconds; `left_when_stopped`: timers that had not fired then.
    `freed_after`: seconds until no transaction of then was open any more. `stale`: rows of history that were written
    after the node went on, when nothing was due any more."""

    timers: int
    nodes: int
    seed: int
    seconds: float = 0.0
    fired_once: int = 0
    fired_twice: int = 0
    never_fired: int = 0
    early: int = 0
    stopped_for: float = 0.0
    left_when_stopped: int = 0
    freed_after: float | None = None
    stale: int = 0
    in_vain: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Every timer once, not before its time, and a healthy database."""
        freed = self.freed_after is None or self.freed_after <= FREE_WITHIN
        return not (self.fired_twice or self.never_fired or self.early or self.stale or self.findings) and freed

    def table(self) -> Table:
        """The race for people."""
        table = Table(title=f"timers, seed {self.seed}: {'sound' if self.sound else 'NOT SOUND'}", show_header=False)
        rate = self.fired_once / self.seconds if self.seconds else 0.0
        table.add_row("due at once", str(self.timers), f"on {self.nodes} nodes")
        table.add_row("fired once", str(self.fired_once), f"in {self.seconds:.1f} s: {rate:.0f}/s")
        table.add_row("fired twice", str(self.fired_twice), f"{self.in_vain} were handed in by another node as well")
        table.add_row("never, or early", f"{self.never_fired}, {self.early}", "")
        if self.freed_after is not None:
            why = f"of {FREE_WITHIN:.0f}; one node stood still for {self.stopped_for:.0f} s"
            table.add_row("rows free after", f"{self.freed_after:.1f} s", f"{why}, {self.left_when_stopped} were left")
            table.add_row("stale rows", str(self.stale), "written by that node when it went on")
        table.add_row("findings", str(len(self.findings)), "V3 to V7")
        return table


async def race(timers: int, nodes: int, seed: int, stop: float, directory: Path) -> Race:
    """Run one, in this directory."""
    told, rng = Race(timers, nodes, seed), random.Random(seed)
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(postgres_in(directory / "postgres"))
        keys = await settle(postgres.url)
        db = await asyncpg.connect(postgres.url, server_settings={"timezone": "UTC"})
        stack.push_async_callback(db.close)
        await db.execute("INSERT INTO customer (id, name, tier) VALUES ('beta', 'Beta', 'professional')")
        services = [Service(postgres.url, directory / f"node-{n}.log") for n in range(nodes)]
        for service in services:
            await service.start()
            stack.push_async_callback(service.stop)
        due = datetime.now(UTC) + timedelta(seconds=3 + timers / REPORTS_A_SECOND)
        await report_all(services[0], keys["desk"], timers, due - timedelta(hours=1))
        if datetime.now(UTC) >= due:
            raise RuntimeError("the reports took too long: their timers were due before all of them were there")
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
        began = time.monotonic()
        if stop:
            await _stop_one(rng.choice(services), rng, db, stop, told)
        await _drained(db, began)
        told.seconds = told.seconds or time.monotonic() - began
        told.in_vain = sum([await _in_vain(service, keys["desk"]) for service in services])
        await _count(db, due, told)
        told.findings = [f"{f.claim} {f.where}: {f.what}" for f in await verify.run(postgres.url)]
    return told


async def report_all(service: Service, key: str, timers: int, opened: datetime, *, first: int = 0) -> None:
    """A professional's P0 each: it stands at L2 an hour after it was opened, which is the instant of the race."""
    numbers = iter(range(first, first + timers))
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(service.base, headers=headers) as session:

        async def some() -> None:
            for n in numbers:
                body: dict[str, Any] = {"customer_id": "beta", "priority": "p0", "status": "open", "subject": "Down"}
                body["opened_at"] = opened.isoformat()
                body["sla"] = {f"{clock}_by": "2199-01-01T00:00:00Z" for clock in ("first_response", "resolution")}
                async with session.put(f"/v1/tickets/T-{n:06}", json=body) as answer:
                    assert answer.status == 200, await answer.text()

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def _stop_one(service: Service, rng: random.Random, db: asyncpg.Connection, stop: float, told: Race) -> None:
    """SIGSTOP in mid-batch; the others go on, and later so does this one."""
    began = time.monotonic()
    try:
        instant, stopped = await _caught(service, rng, db, told)
        while await db.fetchval(HELD, instant):  # noqa: ASYNC110  # another process lets go
            await asyncio.sleep(0.05)
        told.freed_after = time.monotonic() - stopped
        await _drained(db, began)
        told.seconds = time.monotonic() - began
        await asyncio.sleep(max(0.0, stop - (time.monotonic() - stopped)))
        told.stopped_for = time.monotonic() - stopped
        written = await db.fetchval(WRITTEN)
    finally:
        service.signal(signal.SIGCONT)
    async with aiohttp.ClientSession(service.base) as session:
        while True:  # it has drawn its breath again: what it held in its hands is decided
            async with session.get("/readyz") as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0.1)
    await asyncio.sleep(1.0)
    told.stale = await db.fetchval(WRITTEN) - written


async def _caught(service: Service, rng: random.Random, db: asyncpg.Connection, told: Race) -> tuple[datetime, float]:
    """Stop it until it is caught with a transaction open; the instant, by the database's clock and by ours."""
    while await db.fetchval(LEFT) == told.timers:  # noqa: ASYNC110  # other processes begin
        await asyncio.sleep(0.01)
    while await db.fetchval(LEFT):
        await asyncio.sleep(rng.uniform(0.0, 0.2))
        service.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        instant = await db.fetchval("SELECT clock_timestamp()")
        told.left_when_stopped = await db.fetchval(LEFT)
        await asyncio.sleep(STILL)
        if await db.fetchval(CAUGHT, instant):
            return instant, stopped
        service.signal(signal.SIGCONT)
    raise RuntimeError("they drained before the node was caught in mid-batch: take more timers")


async def _drained(db: asyncpg.Connection, began: float) -> None:
    while await db.fetchval(LEFT):
        if time.monotonic() - began > DRAINED_WITHIN:
            raise RuntimeError(f"{await db.fetchval(LEFT)} timers are left after {DRAINED_WITHIN:.0f} s")
        await asyncio.sleep(0.05)


async def _in_vain(service: Service, key: str) -> int:
    async with (
        aiohttp.ClientSession(service.base, headers={"Authorization": f"Bearer {key}"}) as session,
        session.get("/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    return int(
        sum(float(line.split()[1]) for line in lines if line.startswith("escalation_timers_fired_in_vain_total"))
    )


async def _count(db: asyncpg.Connection, due: datetime, told: Race) -> None:
    rows = await db.fetch(
        "SELECT e.id, count(h.move) AS times, min(h.at) AS first FROM escalation e LEFT JOIN history h"
        " ON h.escalation_id = e.id AND h.move IN (SELECT id FROM allowed_move WHERE trigger = 'engage')"
        " GROUP BY e.id"
    )
    told.fired_once = sum(row["times"] == 1 for row in rows)
    told.fired_twice = sum(row["times"] > 1 for row in rows)
    told.never_fired = told.timers - told.fired_once - told.fired_twice
    told.early = sum(row["first"] is not None and row["first"] < due for row in rows)


@app.default
def main(
    *,
    timers: int = 10_000,
    nodes: int = 5,
    seed: int = 1,
    stop: float = 0.0,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Run, show a table, and write it as JSON if wished.

    Parameters
    ----------
    timers
        How many are due at one instant.
    nodes
        Service processes on one database.
    seed
        Decides which node is stopped, and when.
    stop
        Seconds for which one node is stopped while they drain (0: none is).
    json_file
        Where the report goes as JSON.
    """
    log.configure("console", "error")
    directory = Path(tempfile.mkdtemp(prefix="escalation-chaos-timers-"))
    told = asyncio.run(race(timers, nodes, seed, stop, directory))
    console.print(told.table())
    for finding in told.findings[:20]:
        console.print(finding, style="red", highlight=False, markup=False)
    if told.sound:
        shutil.rmtree(directory, ignore_errors=True)
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(told), indent=1) + "\n")
    raise SystemExit(0 if told.sound else 1)


if __name__ == "__main__":
    app()
