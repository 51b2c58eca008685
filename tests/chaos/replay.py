"""A replay whose service and Postgres are killed on the way ends as one that nobody disturbed, to the last hash.

    python -m tests.chaos.replay --kills 5 --postgres-kills 5 --seed 1                  # the demo's day
    python -m tests.chaos.replay --kills 5 --postgres-kills 5 --seed 1 march.ndjson     # or any ticket-event file

The file is replayed twice, with the cast, each time on a new database of a durable Postgres and through a service of
its own: once in peace, then with kill -9. History's next number tells how far a replay is, so the seed decides where on
the way each kill falls. The product's own client asks again until it is answered; the harness only starts what it
killed.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import asyncpg
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from machines.values import Priority
from service import database, log, replay, verify
from service.demo import UNTIL
from service.demo.incidents import events, load
from service.replay import lines
from service.replay.cast.members import CAST
from tests.chaos.run import Victim
from tests.chaos.town import Postgres, Service, postgres_in

app = App(name="python -m tests.chaos.replay", help="Kill the service and its Postgres in mid-replay; compare.")
console = Console(stderr=True)
LOOKS_EVERY = 0.01
KILLS_WITHIN = 0.03
"""Seconds after the number was reached within which the kill falls: into a decision, a commit, an answer."""
UNREACHABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@dataclass(frozen=True)
class Plan:
    """What is to be done. `seed` is the cast's luck as well."""

    kills: int
    postgres_kills: int
    seed: int

    @property
    def victims(self) -> list[Victim]:
        """Who is killed, in their order."""
        victims: list[Victim] = ["service"] * self.kills
        victims += ["postgres"] * self.postgres_kills
        random.Random(f"order/{self.seed}").shuffle(victims)
        return victims


@dataclass
class Played:
    """What one replay came to. `numbers` is how far history's numbers went."""

    history: str
    outcome: str
    transitions: int
    refusals: int
    numbers: int
    seconds: float
    findings: list[str]


@dataclass
class Report:
    """Both, and what was killed at which number."""

    plan: Plan
    peaceful: Played
    killed: Played
    kills: list[tuple[Victim, int]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """All kills were done, and nothing tells that there were any."""
        one, two = self.peaceful, self.killed
        same = (one.history, one.outcome, one.refusals, one.numbers) == (
            two.history,
            two.outcome,
            two.refusals,
            two.numbers,
        )
        return same and not (one.findings or two.findings) and len(self.kills) == len(self.plan.victims)

    def table(self) -> Table:
        """The report for people."""
        verdict = "sound" if self.sound else "NOT SOUND"
        table = Table("", "in peace", "with kill -9", title=f"replay, seed {self.plan.seed}: {verdict}")
        counts = [sum(victim == who for victim, _ in self.kills) for who in ("service", "postgres")]
        table.add_row("kills", "0", f"{counts[0]} of the service, {counts[1]} of Postgres")
        one, two = self.peaceful, self.killed
        for name in ("transitions", "refusals", "history", "outcome"):
            table.add_row(name, str(getattr(one, name))[:16], str(getattr(two, name))[:16])
        table.add_row("seconds", f"{one.seconds:.0f}", f"{two.seconds:.0f}")
        table.add_row("findings", str(len(one.findings)), str(len(two.findings)))
        return table


async def compare(plan: Plan, file: Path, directory: Path, told: Callable[[str], None]) -> Report:
    """Run the plan with this file, in this directory. `told` hears of every step."""
    async with postgres_in(directory / "postgres") as postgres:
        told("replaying in peace")
        peaceful = await _play(plan, file, await _a_database(postgres, "peaceful"), directory / "peaceful.log")
        kills: list[tuple[Victim, int]] = []

        async def disturb(service: Service, url: str) -> None:
            rng = random.Random(plan.seed)
            numbers = sorted(rng.sample(range(1, peaceful.numbers), len(plan.victims)))
            for number, victim in zip(numbers, plan.victims, strict=True):
                told(f"replaying until {number:,} of {peaceful.numbers:,}, then kill -9 of the {victim}")
                await _reached(url, number)
                await asyncio.sleep(rng.uniform(0.0, KILLS_WITHIN))
                kills.append((victim, number))
                if victim == "service":
                    await service.kill()
                    await service.start()
                else:
                    postgres.kill()
                    await postgres.accepts()
            told("replaying the rest")

        killed = await _play(plan, file, await _a_database(postgres, "killed"), directory / "killed.log", disturb)
    return Report(plan, peaceful, killed, kills)


async def _a_database(postgres: Postgres, name: str) -> str:
    """A new one on this server, migrated."""
    conn = await asyncpg.connect(postgres.url)
    await conn.execute(f"CREATE DATABASE {name}")
    await conn.close()
    url = f"{postgres.url.rpartition('/')[0]}/{name}"
    await database.prepare(url)
    return url


async def _play(
    plan: Plan,
    file: Path,
    url: str,
    words: Path,
    disturb: Callable[[Service, str], Coroutine[Any, Any, None]] | None = None,
) -> Played:
    service = Service(url, words, ESCALATION_CLOCK="virtual")
    await service.start()
    began = time.monotonic()
    try:
        keys = await replay.keys_for(url, CAST)
        ask = replay.Ask(file, service.base, seed=plan.seed)
        async with asyncio.TaskGroup() as both:
            playing = both.create_task(replay.run(ask, keys, Console(file=io.StringIO())))
            if disturb is not None:
                both.create_task(disturb(service, url))
        tally = playing.result()
    finally:
        await service.stop()
    seconds = time.monotonic() - began
    findings = [f"{finding.claim} {finding.where}: {finding.what}" for finding in await verify.run(url)]
    numbers = await _numbers(url)
    return Played(tally.digest, tally.outcome, len(tally.history), len(tally.denials), numbers, seconds, findings)


async def _numbers(url: str) -> int:
    conn = await asyncpg.connect(url)
    try:
        return int(await conn.fetchval("SELECT next_seq FROM virtual_clock"))
    finally:
        await conn.close()


async def _reached(url: str, number: int) -> None:
    """Return when history has come to this number, whoever is killed meanwhile."""
    while True:
        with suppress(*UNREACHABLE):
            conn = await asyncpg.connect(url, timeout=5)
            try:
                while await conn.fetchval("SELECT next_seq FROM virtual_clock") < number:  # noqa: ASYNC110
                    await asyncio.sleep(LOOKS_EVERY)
            finally:
                await conn.close()
            return
        await asyncio.sleep(LOOKS_EVERY)


def day(path: Path, highest: Priority = "p3", most: int | None = None) -> Path:
    """The demo's day as a file, of its incidents those that were so urgent once, or some of these."""
    some = [incident for incident in load() if incident.highest <= highest][:most]
    path.write_bytes(b"".join(lines.write(event.at, event.kind, event.id, event.body) for event in events(some, UNTIL)))
    return path


@app.default
def main(
    file: Path | None = None,
    *,
    kills: int = 5,
    postgres_kills: int = 5,
    seed: int = 1,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Run, show a table, and write it as JSON if wished.

    Parameters
    ----------
    file
        A file of ticket events; without one it is the demo's day.
    kills
        How often the service is killed (kill -9).
    postgres_kills
        How often the postmaster is killed (kill -9).
    seed
        Decides where on the way each kill falls, their order, and the cast's luck.
    json_file
        Where the report goes as JSON.
    """
    log.configure("console", "error")
    directory = Path(tempfile.mkdtemp(prefix="escalation-chaos-replay-"))
    file = file or day(directory / "day.ndjson")
    report = asyncio.run(compare(Plan(kills, postgres_kills, seed), file, directory, console.print))
    console.print(report.table())
    for finding in (*report.peaceful.findings, *report.killed.findings)[:20]:
        console.print(finding, style="red", highlight=False, markup=False)
    if report.sound:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        console.print(f"What the services logged: {directory}/*.log")
    if json_file is not None:
        json_file.write_text(json.dumps({"sound": report.sound, **asdict(report)}, indent=1) + "\n")
    raise SystemExit(0 if report.sound else 1)


if __name__ == "__main__":
    app()
