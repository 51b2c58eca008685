"""Fail-over: the primary is killed under load, its synchronous standby takes its place, and nothing is lost.

    python -m tests.chaos.failover --rounds 30 --seed 1

Two service nodes know both servers by one URL (`…@one,other/escalation?target_session_attrs=read-write`). In each round
the primary dies with all its processes; up to a second later the standby is promoted, and the old primary becomes its
standby, rewound or from a new backup. The seed draws which, and whether the promoted one commits alone meanwhile (as
a cluster manager has it that prefers to serve) or lets every commit wait (as one that prefers two copies).
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from service import log
from tests.chaos.check import check
from tests.chaos.client import Client
from tests.chaos.counts import Counts
from tests.chaos.ledger import Ledger
from tests.chaos.pair import Pair, pair_of_servers
from tests.chaos.town import Service, settle

app = App(name="python -m tests.chaos.failover", help="Kill the primary under load, promote its standby; count losses.")
console = Console(stderr=True)
NODES = 2
NOTICED_WITHIN = 1.0
"""Seconds at most between the primary's death and the promotion."""
SERVES_WITHIN = 30.0
GIVES_UP = 120.0


@dataclass(frozen=True)
class Round:
    """One fail-over. Seconds since the kill: until the standby was promoted, until a change was acknowledged that was
    sent after the kill, and until commits waited for two servers again."""

    alone: bool
    by: str
    promoted: float
    serving: float
    two_again: float


@dataclass
class Report(Counts):
    """What all rounds came to."""

    seed: int = field(kw_only=True)
    rounds: list[Round] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing found, and served in time where the promoted one may commit alone; where it may not,
        as soon as there were two."""
        late = [each for each in self.rounds if each.serving > (SERVES_WITHIN if each.alone else GIVES_UP)]
        return super().sound and not late

    def table(self) -> Table:
        """The report for people."""
        title = f"fail-over, seed {self.seed}: {'sound' if self.sound else 'NOT SOUND'}"
        table = Table(title=title, show_header=False)
        for alone, how in ((True, "the promoted one commits alone"), (False, "commits wait for two")):
            some = [each for each in self.rounds if each.alone == alone]
            table.add_row(f"rounds in which {how}", str(len(some)), _spans([each.serving for each in some]))
        rewound = sum(each.by == "rewind" for each in self.rounds)
        table.add_row("rewound, copied anew", f"{rewound}, {len(self.rounds) - rewound}", "the old primary")
        for row in self.rows():
            table.add_row(*row)
        return table

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {"seed": self.seed, **self.counted(), "rounds": [asdict(each) for each in self.rounds]}


def _spans(seconds: list[float]) -> str:
    if not seconds:
        return ""
    return f"serving again after {statistics.median(seconds):.1f} s (median), {max(seconds):.1f} s (max)"


async def failover(
    rounds: int,
    seed: int,
    directory: Path,
    *,
    clients: int = 12,
    seconds: float = 2.0,
    told: Callable[[str], object] = lambda _: None,
) -> Report:
    """So many rounds; `seconds`: mean time under load before each."""
    report, ledger, rng = Report(seed=seed), Ledger(), random.Random(seed)
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        pair = await stack.enter_async_context(pair_of_servers())
        keys = await settle(pair.url)
        services = [Service(pair.url, directory / f"node-{n}.log") for n in range(NODES)]
        for service in services:
            await service.start()
            stack.push_async_callback(service.stop)
        some = [Client(n, seed, services[n % NODES].base, keys, ledger) for n in range(clients)]
        lives = [asyncio.create_task(client.run()) for client in some]
        try:
            for number in range(1, rounds + 1):
                await asyncio.sleep(seconds * rng.uniform(0.3, 1.7))
                report.rounds.append(await _round(pair, ledger, rng))
                report.count(ledger)
                report.checked(await check(pair.url, ledger.settled()))
                last = report.rounds[-1]
                told(f"{number} of {rounds}: {last}, {report.acknowledged} acknowledged, {report.lost} lost")
            for client in some:
                client.stopping = True
            await asyncio.gather(*lives)
            report.count(ledger)
            report.checked(await check(pair.url, ledger.settled()))
        finally:
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)
    report.seconds = time.monotonic() - began
    return report


async def _round(pair: Pair, ledger: Ledger, rng: random.Random) -> Round:
    alone, by = rng.random() < 0.5, rng.choice(("rewind", "rewind", "backup"))
    noticed = rng.uniform(0.0, NOTICED_WITHIN)
    async with asyncio.timeout(GIVES_UP):
        await asyncio.to_thread(pair.primary.kill)
        killed_at = time.monotonic()
        serving = asyncio.ensure_future(ledger.since(killed_at))
        await asyncio.sleep(noticed)
        await pair.promote(alone=alone)
        promoted = time.monotonic() - killed_at
        await pair.rebuild(by=by)
        two_again = time.monotonic() - killed_at
        return Round(alone, by, promoted, await serving - killed_at, two_again)


@app.default
def main(
    *,
    rounds: int = 10,
    seed: int = 1,
    clients: int = 12,
    seconds: float = 2.0,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Run, show a table, and write it as JSON if wished.

    Parameters
    ----------
    rounds
        How often the primary is killed and its standby promoted.
    seed
        Decides moments, what becomes of the old primary, and what the clients do.
    clients
        How many live escalations at once.
    seconds
        Mean time under load before each kill.
    json_file
        Where the report goes as JSON.
    """
    log.configure("console", "error")
    directory = Path(tempfile.mkdtemp(prefix="escalation-failover-"))
    how: dict[str, Any] = {"clients": clients, "seconds": seconds, "told": console.print}
    report = asyncio.run(failover(rounds, seed, directory, **how))
    console.print(report.table())
    for finding in (*report.findings, *report.wrong)[:20]:
        console.print(finding, style="red", highlight=False, markup=False)
    if report.sound:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        console.print(f"What the services logged: {directory}/*.log")
    if json_file is not None:
        json_file.write_text(json.dumps(report.document(), indent=1) + "\n")
    raise SystemExit(0 if report.sound else 1)


if __name__ == "__main__":
    app()
