"""Tampers with history ten thousand times, and counts what `verify-history` found, and whether it said where.

    python -m tests.chaos.tamper --tamperings 10000 --seed 1

A service makes the history and its checkpoints, which are kept elsewhere; then everything is done to an export of it
that whoever owns the database could have done before: bits flipped, rows deleted, put in, moved, swapped, the end cut,
rows rewritten with fresh hashes, whole escalations left out so, an older backup restored. Each must be found, and a
finding must name the row, the span of sealed rows in which it lies, or the end.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from service import database, log
from service.proof.notes import Signer, Verifier
from service.proof.offline import Report, checkpoints, verify
from service.proof.sealer import Sealer
from tests.chaos.town import postgres_in
from tests.service.conftest import running
from tests.service.proof.tamperings import TAMPERINGS, Rows, copied, named, written

app = App(name="python -m tests.chaos.tamper", help="Tamper with history; each time it must be found, and named.")
console = Console(stderr=True)


@dataclass
class Tampered:
    """What came of it, by kind. `missed` are the numbers of those that were not found or not named."""

    seed: int
    rows: int = 0
    escalations: int = 0
    tried: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    missed: list[int] = field(default_factory=list)
    honest: bool = False

    @property
    def sound(self) -> bool:
        """All were found and named, and nothing was found where nothing was done."""
        return self.honest and not self.missed and self.tried == self.found == self.named

    def table(self) -> Table:
        """For people."""
        verdict = "each found and named" if self.sound else "NOT EACH FOUND AND NAMED"
        title = f"tampering with {self.rows} rows of {self.escalations} escalations, seed {self.seed}: {verdict}"
        table = Table("kind", "tried", "found", "named", title=title)
        for kind, count in self.tried.items():
            table.add_row(kind.replace("_", " "), str(count), str(self.found[kind]), str(self.named[kind]))
        totals = (each.total() for each in (self.tried, self.found, self.named))
        table.add_row("all", *map(str, totals), style="bold")
        return table


async def a_history(directory: Path, escalations: int) -> tuple[Rows, str, Verifier]:
    """An export, and the checkpoints made on the way: one for each escalation, and two rows after the last."""
    _, signer = Signer.made("escalations.example")
    notes = directory / "checkpoints"
    async with postgres_in(directory / "postgres") as postgres:
        await database.prepare(postgres.url)
        async with running(postgres.url) as service:
            pool = await database.connect(postgres.url)
            sealer = Sealer(pool, signer, notes)
            for n in range(escalations):
                e, to = await service.held(f"T-{n}")
                (await service.act(to, e, "note", text=f"Seen {n}")).ok(201)
                await sealer.seal(patience=10.0)
            for n in range(2):
                (await service.act("ann", e, "note", text=f"Later {n}")).ok(201)
            raw = (await service.call("aud", "GET", "/v1/history/export")).raw
            await pool.close()
    return [json.loads(line) for line in raw.splitlines()], notes.read_text(), Verifier(signer.public)


def tamper(
    rows: Rows, notes: str, verifier: Verifier, told: Tampered, count: int, step: Callable[[int], None]
) -> Tampered:
    """So many, each kind in turn."""
    heads = checkpoints(notes, verifier, Report())
    told.rows, told.escalations = len(rows), len({row["escalation_id"] for row in rows})
    told.honest = not verify(written(rows), heads, Report()).findings
    for n in range(count):
        kind = TAMPERINGS[n % len(TAMPERINGS)]
        changed = copied(rows)
        touched = kind(changed, Random(f"{told.seed}/{n}"))
        findings = verify(written(changed), heads, Report()).findings
        is_named = named(findings, rows, changed, touched)
        told.tried[kind.__name__] += 1
        told.found[kind.__name__] += bool(findings)
        told.named[kind.__name__] += is_named
        if not is_named:
            told.missed.append(n)
        step(n + 1)
    return told


@app.default
def main(
    *,
    tamperings: int = 10_000,
    escalations: int = 20,
    seed: int = 1,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Run, show a table, and write it as JSON if wished.

    Parameters
    ----------
    tamperings
        How many, each kind in turn.
    escalations
        Of the history that is tampered with.
    seed
        Decides what is done where.
    json_file
        Where the report goes as JSON.
    """
    log.configure("console", "error")
    directory = Path(tempfile.mkdtemp(prefix="escalation-chaos-tamper-"))
    told = Tampered(seed)
    with console.status("making a history") as status:
        rows, notes, verifier = asyncio.run(a_history(directory, escalations))

        def step(n: int) -> None:
            status.update(f"{n} of {tamperings}, {len(told.missed)} missed")

        tamper(rows, notes, verifier, told, tamperings, step)
    console.print(told.table())
    if told.missed:
        console.print(f"missed: {told.missed[:50]}", style="red")
    shutil.rmtree(directory, ignore_errors=True)
    if json_file is not None:
        json_file.write_text(json.dumps({"sound": told.sound, **asdict(told)}, indent=1) + "\n")
    raise SystemExit(0 if told.sound else 1)


if __name__ == "__main__":
    app()
