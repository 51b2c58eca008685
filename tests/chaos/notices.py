"""Notices under fire: receivers that fail, hang or never end, and a service that is killed; who heard, and how late.

`python -m tests.chaos.notices` lives escalations over HTTP against the real service in a process of its own, with
webhook receivers beside. `flaky`: every receiver fails now and then, and the service is killed; at the end every
planned message must have arrived, under as many ids as there are rows. Else one of two receivers is as the name says,
and what counts is how late the other one hears, beside a run in which both are well.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from aiohttp import web
from cyclopts import App
from rich.console import Console
from rich.table import Table

from service import log
from tests.chaos.client import Client
from tests.chaos.ledger import Ledger
from tests.chaos.town import Service, postgres_in, settle

SECRET = "whsec_" + "A" * 43 + "="
WELL = ("person", "escalations")
"""Audiences of the receiver that is always well."""
DRAINED_WITHIN = 120.0
"""Seconds that what is planned may take to arrive after the load, or as long as that took: who failed several times is
tried again later and later."""
POISONS = ("hang", "endless", "error")


@dataclass
class Receivers:
    """Two receivers, and what they heard: when (seconds after it was planned), under which ids."""

    how: str
    rng: random.Random
    late: list[float] = field(default_factory=list)
    heard: Counter[str] = field(default_factory=Counter)

    async def ops(self, request: web.Request) -> web.StreamResponse:
        """Well; in `flaky` it fails three times in ten, before or after it has heard."""
        event = msgspec.json.decode(await request.read())
        fails = self.how == "flaky" and self.rng.random() < 0.3
        if not fails or self.rng.random() < 0.5:
            planned = datetime.fromisoformat(event["time"])
            self.late.append((datetime.now(UTC) - planned).total_seconds())
            self.heard[event["id"]] += 1
        return web.Response(status=500 if fails else 200)

    async def desk(self, request: web.Request) -> web.StreamResponse:
        """As the run says."""
        if self.how in ("well", "flaky"):
            return await self.ops(request)
        if self.how == "hang":
            await asyncio.sleep(60)
        if self.how == "endless":
            told = web.StreamResponse()
            await told.prepare(request)
            with suppress(OSError):  # whoever had enough has hung up
                while True:
                    await told.write(b"x" * 65536)
        return web.Response(status=500)


@asynccontextmanager
async def receiving(receivers: Receivers) -> AsyncIterator[dict[str, str]]:
    """The receivers on loopback; the settings that name them."""
    app = web.Application()
    app.router.add_post("/ops", receivers.ops)
    app.router.add_post("/desk", receivers.desk)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    others = ("customer", "account_manager", "help_desk")
    hooks = [
        {"name": name, "url": f"{base}/{name}", "secrets": [SECRET], "audiences": audiences}
        for name, audiences in (("ops", WELL), ("desk", others))
    ]
    try:
        yield {"ESCALATION_WEBHOOKS": json.dumps(hooks), "ESCALATION_PRIVATE_HOSTS": '["127.0.0.1"]'}
    finally:
        await runner.cleanup()


@dataclass
class Seen:
    """What a run came to. `planned` counts rows for receivers that can take them."""

    how: str
    rate: float = 0.0
    planned: int = 0
    left: int = 0
    heard: int = 0
    doubled: int = 0
    missing: int = 0
    late: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def at(self, share: float) -> float:
        """The lateness of this share of the messages, in seconds."""
        ordered = sorted(self.late)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    @property
    def sound(self) -> bool:
        """Everything arrived that could, and nothing that was not planned."""
        return not (self.left or self.missing or self.wrong) and self.heard > 0


async def notices(
    how: str,
    directory: Path,
    *,
    seconds: float,
    clients: int,
    kills: int,
    seed: int,
    pause: float = 0.0,
    told: Callable[[str], object] = lambda _: None,
) -> Seen:
    """One run: load, kills, and waiting until all that can be sent is."""
    receivers, ledger, seen = Receivers(how, random.Random(seed)), Ledger(), Seen(how)
    async with postgres_in(directory / f"postgres-{how}") as postgres, receiving(receivers) as settings:
        keys = await settle(postgres.url)
        service = Service(postgres.url, directory / "service.log", **settings)
        await service.start()
        living = [Client(n, seed, service.base, keys, ledger, pause=pause) for n in range(clients)]
        lives = [asyncio.create_task(client.run()) for client in living]
        try:
            began = time.monotonic()
            for n in range(kills):
                await asyncio.sleep(seconds / (kills + 1))
                await service.kill()
                await service.start()
                told(f"{how}: {n + 1} of {kills} kills, {len(receivers.heard)} messages heard")
            await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
            for client in living:
                client.stopping = True
            await asyncio.gather(*lives)
            spent = time.monotonic() - began
            db = await asyncpg.connect(postgres.url)
            seen.rate = await db.fetchval("SELECT count(*) FROM history") / spent
            targets = ["webhook:ops"] if how in POISONS else ["webhook:ops", "webhook:desk"]
            seen.left = await _drained(db, targets, max(DRAINED_WITHIN, seconds))
            await db.close()
        finally:
            for task in lives:
                task.cancel()
            with suppress(ProcessLookupError):
                await service.stop()
        rows = await _planned(postgres.url, targets)  # while it ran, clocks planned more
    wanted = {key for key, status in rows.items() if status == "delivered"}
    seen.planned, seen.heard, seen.late = len(wanted), len(receivers.heard), receivers.late
    seen.missing = len(wanted - receivers.heard.keys())
    seen.doubled = sum(times > 1 for times in receivers.heard.values())
    seen.wrong = [f"{key} was heard, and not planned" for key in receivers.heard.keys() - rows.keys()]
    return seen


async def _planned(url: str, targets: list[str]) -> dict[str, str]:
    """Every message for these, by its id, and what became of it."""
    db = await asyncpg.connect(url)
    rows = await db.fetch(
        "SELECT escalation_id || '.' || version || '.' || ordinal AS key, status FROM outbox WHERE target = ANY ($1)",
        targets,
    )
    await db.close()
    return {row["key"]: row["status"] for row in rows}


async def _drained(db: asyncpg.Connection, targets: list[str], within: float) -> int:
    """Wait until nothing is left for these; how much is."""
    until = time.monotonic() + within
    left = "SELECT count(*) FROM outbox WHERE status <> 'delivered' AND (target IS NULL OR target = ANY ($1))"
    while (waiting := await db.fetchval(left, targets)) and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    return int(waiting)


def table(runs: list[Seen]) -> Table:
    """What was seen, for people."""
    shown = Table(title="notices")
    for name in ("receivers", "transitions/s", "planned", "heard", "missing", "twice", "p50 s", "p99 s", "max s"):
        shown.add_column(name)
    for run in runs:
        counts = (run.planned, run.heard, run.missing, run.doubled)
        late = (run.at(0.5), run.at(0.99), run.at(1.0))
        shown.add_row(run.how, f"{run.rate:.0f}", *map(str, counts), *(f"{each:.3f}" for each in late))
    return shown


app = App(name="python -m tests.chaos.notices")


@app.default
def main(*how: str, seconds: float = 20.0, clients: int = 8, kills: int = 0, seed: int = 1, pause: float = 0.0) -> None:
    """Run each of `well`, `hang`, `endless`, `error`, `flaky` that is named (all but the last); exit 1 where a message
    was lost. `--pause`: seconds, about, that each client rests between two escalations."""
    log.configure("console", "error")
    directory = Path(tempfile.mkdtemp(prefix="escalation-notices-"))
    arguments: dict[str, Any] = {"seconds": seconds, "clients": clients, "kills": kills, "seed": seed, "pause": pause}
    console = Console()
    with console.status("load …") as status:
        told = status.update if console.is_terminal else console.print
        runs = [asyncio.run(notices(each, directory, told=told, **arguments)) for each in how or ("well", *POISONS)]
    console.print(table(runs))
    for run in runs:
        for wrong in run.wrong[:20]:
            print(wrong, file=sys.stderr)
    if all(run.sound for run in runs):
        shutil.rmtree(directory, ignore_errors=True)
    raise SystemExit(0 if all(run.sound for run in runs) else 1)


if __name__ == "__main__":
    app()
