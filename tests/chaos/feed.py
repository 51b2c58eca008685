"""Sixteen writers hold their commits open at random; a reader of the feed, killed on the way, hears each row once.

    python -m tests.chaos.feed --rounds 100 --writers 16 --kills 1 --seed 1

The writers are engines, each with its own connections to a durable Postgres, whose commits wait inside the server for
as long as the seed says: numbers are drawn early and committed late, out of their order. The reader is a process that
listens to a real service over HTTP and writes down what it heard; with `--kills` it gets so many kill -9 in each round,
and goes on with `Last-Event-ID`. After each round what it wrote down must be history: each number once, in order.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import asyncpg
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from service import log, verify
from service.engine import Engine, Unavailable
from tests.chaos import listener
from tests.chaos.town import Service, postgres_in, settle
from tests.service.engine.town import Town, alone

app = App(name="python -m tests.chaos.feed", help="Commits held open at random; the feed must tell each row once.")
console = Console(stderr=True)
MOST_NOTES = 4
"""Rows that a writer makes in a round at most."""
LOOKS_EVERY = 0.05
HEARD_WITHIN = 120.0
"""Seconds within which the reader must have heard what is committed."""
HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_sleep({longest} * (hashtextextended(new.ticket_id || '/' || new.version, {seed}) & 1023) / 1024.0);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON history DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION hold()
"""
"""Deferred: it waits in COMMIT, with everything written and nothing to be seen."""


@dataclass
class Round:
    """What came of the rounds. `put_off`: commands that the machine was too slow for; `overtaken`: rows that could be
    seen only after one with a larger number; `again`: heard twice, `back`: going back, `missing`: never heard."""

    rounds: int
    writers: int
    kills: int
    seed: int
    longest: float
    done: int = 0
    rows: int = 0
    put_off: int = 0
    overtaken: int = 0
    killed: int = 0
    again: int = 0
    back: int = 0
    missing: int = 0
    strange: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Each row once, in order, in every round."""
        wrong = self.again or self.back or self.missing or self.strange or self.findings
        return not wrong and self.done == self.rounds

    def table(self) -> Table:
        """For people."""
        verdict = "sound" if self.sound else "NOT SOUND"
        table = Table(title=f"the feed, seed {self.seed}: {verdict}", show_header=False)
        table.add_row("rounds", f"{self.done} of {self.rounds}", f"{self.writers} writers, {self.seconds:.0f} s")
        table.add_row("rows", str(self.rows), f"commits held for up to {self.longest:g} s")
        table.add_row(
            "seen after a larger number", str(self.overtaken), "a reader that goes by the largest skips these"
        )
        table.add_row("reader killed", str(self.killed), "kill -9, and on with Last-Event-ID")
        table.add_row("heard twice, going back", f"{self.again}, {self.back}", "")
        table.add_row("never heard, not history", f"{self.missing}, {self.strange}", "")
        table.add_row("findings", str(len(self.findings)), "of the verifier")
        return table


class Reader:
    """The process that listens."""

    def __init__(self, base: str, key: str, path: Path) -> None:
        self._args = (sys.executable, listener.__file__, base, key, str(path))
        self._path = path
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Begin, or go on."""
        self._process = await asyncio.create_subprocess_exec(*self._args)

    async def kill(self) -> None:
        """kill -9."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def heard(self) -> list[int]:
        """Every number that it wrote down, in that order."""
        text = self._path.read_bytes() if self._path.exists() else b""
        return [int(line) for line in text[: text.rfind(b"\n") + 1].split()]


class Watch:
    """Looks on from outside: which rows become visible after a larger number was."""

    def __init__(self, db: asyncpg.Connection) -> None:
        self._db, self._largest = db, 0
        self._seen = set[int]()
        self.overtaken = 0

    async def look(self) -> None:
        """Every row that is new."""
        found = {row["seq"] for row in await self._db.fetch("SELECT seq FROM history")} - self._seen
        self.overtaken += sum(seq < self._largest for seq in found)
        self._seen |= found
        self._largest = max((self._largest, *found))


async def feed(told: Round, directory: Path, progress: Callable[[Round], None] = lambda told: None) -> Round:
    """Run the rounds in this directory."""
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(postgres_in(directory / "postgres"))
        keys = await settle(postgres.url)
        db = await asyncpg.connect(postgres.url, server_settings={"timezone": "UTC"})
        stack.push_async_callback(db.close)
        service = Service(postgres.url, directory / "service.log", ESCALATION_TIMERS="false")
        await service.start()
        stack.push_async_callback(service.stop)
        town = Town(postgres.url, db)
        town.keys = keys
        writers = [town.engine() for _ in range(told.writers)]
        for engine in writers:
            stack.push_async_callback(engine.stop)
        ids = [(await alone(engine, town.report(f"T-{n}"))).id or "" for n, engine in enumerate(writers)]
        await db.execute(HOLD.format(longest=told.longest, seed=told.seed))
        reader = Reader(service.base, keys["desk"], directory / "heard")
        await reader.start()
        stack.push_async_callback(reader.kill)
        watch, rng = Watch(db), random.Random(told.seed)
        for _ in range(told.rounds):
            await _round(told, town, list(zip(writers, ids, strict=True)), reader, watch, rng)
            progress(told)
            if told.again or told.back or told.missing or told.strange:
                break
        told.overtaken = watch.overtaken
        told.findings = [f"{f.claim} {f.where}: {f.what}" for f in await verify.run(postgres.url)]
    told.seconds = time.monotonic() - began
    return told


async def _round(
    told: Round,
    town: Town,
    writers: list[tuple[Engine, str]],
    reader: Reader,
    watch: Watch,
    rng: random.Random,
) -> None:
    async def write(engine: Engine, which: str, notes: int) -> None:
        for n in range(notes):
            try:
                await alone(engine, town.call("ann", which, "note", text=f"note {n}"))
            except Unavailable:  # too slow a machine: what is committed all the same is in history
                told.put_off += 1

    async def kill() -> None:
        for _ in range(told.kills):
            await asyncio.sleep(rng.uniform(0.0, told.longest * 2))
            await reader.kill()
            told.killed += 1
            await reader.start()

    work = [write(engine, which, rng.randint(1, MOST_NOTES)) for engine, which in writers]
    writing = asyncio.gather(*work, kill())
    while not writing.done():
        await watch.look()
        await asyncio.sleep(LOOKS_EVERY)
    await writing
    await watch.look()
    wanted = [row["seq"] for row in await town.db.fetch("SELECT seq FROM history ORDER BY seq")]
    until = time.monotonic() + HEARD_WITHIN
    while len(reader.heard()) < len(wanted) and time.monotonic() < until:  # noqa: ASYNC110  # another process hears
        await asyncio.sleep(0.02)
    heard = reader.heard()
    told.rows, told.done = len(wanted), told.done + 1
    told.again = len(heard) - len(set(heard))
    told.back = sum(one >= other for one, other in pairwise(heard))
    told.missing, told.strange = len(set(wanted) - set(heard)), len(set(heard) - set(wanted))


@app.default
def main(
    *,
    rounds: int = 100,
    writers: int = 16,
    kills: int = 1,
    seed: int = 1,
    hold: float = 0.3,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Run, show a table, and write it as JSON if wished.

    Parameters
    ----------
    rounds
        After each of which what was heard is held against history.
    writers
        Engines at once, each with connections of its own.
    kills
        How often the reader is killed in each round (0: never).
    seed
        Decides how long each commit is held, how much is written, and when the reader is killed.
    hold
        Seconds for which a row's commit is held at most.
    json_file
        Where the report goes as JSON.
    """
    log.configure("console", "error")
    directory = Path(tempfile.mkdtemp(prefix="escalation-chaos-feed-"))
    told = Round(rounds, writers, kills, seed, hold)
    with console.status("starting") as status:

        def progress(told: Round) -> None:
            status.update(f"round {told.done} of {rounds}: {told.rows} rows, {told.killed} kills")

        asyncio.run(feed(told, directory, progress))
    console.print(told.table())
    for finding in told.findings[:20]:
        console.print(finding, style="red", highlight=False, markup=False)
    if told.sound:
        shutil.rmtree(directory, ignore_errors=True)
    if json_file is not None:
        json_file.write_text(json.dumps({"sound": told.sound, **asdict(told)}, indent=1) + "\n")
    raise SystemExit(0 if told.sound else 1)


if __name__ == "__main__":
    app()
