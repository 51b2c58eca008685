"""A node dies with due timers and messages in its hands; another takes them over.

    python -m tests.chaos.takeover --timers 500 --seed 1

One node has begun to send, to a receiver that lets it wait, when a second one joins; and timers come due as the first
is killed. Nobody tells the second: it finds what is due, and messages are free when the dead node's lease has passed.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from aiohttp import web
from cyclopts import App
from rich.console import Console

from service import log, verify
from tests.chaos.notices import SECRET
from tests.chaos.timers import LEFT, report_all
from tests.chaos.town import Service, postgres_in, settle

app = App(name="python -m tests.chaos.takeover", help="Kill a node with work in its hands; another takes it over.")
console = Console(stderr=True)
WITHIN = 5.0
GIVES_UP = 120.0
HELD = "SELECT id FROM outbox WHERE status = 'planned' AND leased_until > clock_timestamp()"
LEFT_TO_SEND = "SELECT count(*) FROM outbox WHERE id = ANY ($1) AND status <> 'delivered'"
LAST_SENT = "SELECT max(delivered_at) FROM outbox WHERE id = ANY ($1)"
LAST_FIRED = (
    "SELECT max(h.at) FROM history h JOIN allowed_move m ON m.id = h.move WHERE m.trigger = 'engage' AND h.at > $1"
)


@dataclass
class Takeover:
    """`timers` had not fired, and `messages` were leased, when the node died; seconds until all were done."""

    timers: int = 0
    messages: int = 0
    fired_after: float = 0.0
    sent_after: float = 0.0
    heard_twice: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Somebody had something in hand, and all of it was done."""
        return self.timers > 0 and self.messages > 0 and not self.findings

    @property
    def sound(self) -> bool:
        """And in time."""
        return self.done and max(self.fired_after, self.sent_after) <= WITHIN


class Receiver:
    """It answers nobody until `opened`."""

    def __init__(self) -> None:
        self.asked, self.opened = asyncio.Event(), asyncio.Event()
        self.heard: Counter[str] = Counter()

    async def take(self, request: web.Request) -> web.StreamResponse:
        event = json.loads(await request.read())
        self.asked.set()
        await self.opened.wait()
        self.heard[event["id"]] += 1
        return web.Response()


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[dict[str, str]]:
    """The receiver on loopback, and the settings that name it."""
    there = web.Application()
    there.router.add_post("/ops", receiver.take)
    runner = web.AppRunner(there, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/ops"
    hook = {"name": "ops", "url": url, "secrets": [SECRET]}
    try:
        yield {"ESCALATION_WEBHOOKS": json.dumps([hook]), "ESCALATION_PRIVATE_HOSTS": '["127.0.0.1"]'}
    finally:
        receiver.opened.set()
        await runner.cleanup()


async def takeover(timers: int, seed: int, directory: Path, *, ahead: float = 20.0) -> Takeover:
    """One; `ahead`: seconds that reporting may take before the timers are due."""
    told, receiver = Takeover(), Receiver()
    async with AsyncExitStack() as stack:
        settings = await stack.enter_async_context(receiving(receiver))
        postgres = await stack.enter_async_context(postgres_in(directory / "postgres"))
        keys = await settle(postgres.url)
        db = await asyncpg.connect(postgres.url, server_settings={"timezone": "UTC"})
        stack.push_async_callback(db.close)
        await db.execute("INSERT INTO customer (id, name, tier) VALUES ('beta', 'Beta', 'professional')")
        mortal, other = (Service(postgres.url, directory / f"{name}.log", **settings) for name in ("mortal", "other"))
        await mortal.start()
        stack.push_async_callback(mortal.stop)
        due = datetime.now(UTC) + timedelta(seconds=ahead + timers / 100)
        await report_all(mortal, keys["desk"], timers, due - timedelta(hours=1))
        await report_all(mortal, keys["desk"], 3, due - timedelta(hours=2), first=timers)  # called, and told, at once
        await asyncio.wait_for(receiver.asked.wait(), GIVES_UP)
        await other.start()
        stack.push_async_callback(other.stop)
        pause = (due - datetime.now(UTC)).total_seconds() + random.Random(seed).uniform(-0.02, 0.02)
        if pause < 0:
            raise RuntimeError("the nodes took too long: the timers were due before both were there")
        await asyncio.sleep(pause)
        await mortal.kill()
        killed_at = await db.fetchval("SELECT clock_timestamp()")
        receiver.opened.set()
        told.timers = await db.fetchval(LEFT)
        held = [row["id"] for row in await db.fetch(HELD)]
        told.messages = len(held)
        async with asyncio.timeout(GIVES_UP):
            while await db.fetchval(LEFT) or await db.fetchval(LEFT_TO_SEND, held):  # noqa: ASYNC110  # others do it
                await asyncio.sleep(0.05)
        fired, sent = await db.fetchval(LAST_FIRED, killed_at), await db.fetchval(LAST_SENT, held)
        told.fired_after = (fired - killed_at).total_seconds() if fired else 0.0
        told.sent_after = (sent - killed_at).total_seconds() if sent else 0.0
        told.heard_twice = sum(times > 1 for times in receiver.heard.values())
        told.findings = [f"{found.claim} {found.where}: {found.what}" for found in await verify.run(postgres.url)]
    return told


@app.default
def main(*, timers: int = 500, seed: int = 1) -> None:
    """Run one, say what came of it, exit 1 where it took more than 5 s or anything was found.

    Parameters
    ----------
    timers
        How many are due as the node dies.
    seed
        Decides the moment.
    """
    log.configure("console", "error")
    directory = Path(tempfile.mkdtemp(prefix="escalation-takeover-"))
    told = asyncio.run(takeover(timers, seed, directory))
    console.print(told)
    if told.sound:
        shutil.rmtree(directory, ignore_errors=True)
    raise SystemExit(0 if told.sound else 1)


if __name__ == "__main__":
    app()
