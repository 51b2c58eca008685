"""schemathesis over the whole document for as long as one likes: no 5xx, and no answer that the document lacks.

    python -m tests.chaos.api --seed 1 --cases 2000

A service on a Postgres of its own. Two thirds of the calls are single ones, right and wrong, spread evenly over the
operations; the others come in chains of ten, in which what one call answers goes into the next. The verifier is last.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from schemathesis.core.failures import FailureGroup

from service import log
from tests.service.http.conforming import CASES, Conforming
from tests.service.threaded import alone

app = App(name="python -m tests.chaos.api", help="Call everything, right and wrong; each answer must be documented.")
console = Console(stderr=True)
STEPS = 10
"""Calls of a chain, at most."""


@dataclass
class Called:
    """What a run came to: answers by their status, and what was found."""

    seed: int
    answers: Counter[int] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Every answer is documented, and none is an error of ours."""
        return not self.findings and not any(status >= 500 for status in self.answers)

    def table(self) -> Table:
        """The run for people."""
        table = Table(title=f"api, seed {self.seed}: {'sound' if self.sound else 'NOT SOUND'}", show_header=False)
        table.add_row("calls", str(self.answers.total()))
        for status, times in sorted(self.answers.items()):
            table.add_row(str(status), str(times))
        table.add_row("findings", str(len(self.findings)))
        return table


def call_everything(seed: int, cases: int, directory: Path) -> Called:
    """Run one, on a Postgres in this directory."""
    told = Called(seed)
    each = max(1, cases * 2 // 3 // len(CASES))
    with alone(directory) as town, Progress(console=console) as progress:
        conforming = Conforming(town, seed, told.answers, told.findings)
        task = progress.add_task("calling", total=len(CASES) + 1)
        for label, mode in CASES:
            try:
                conforming.one_by_one(label, mode, each)
            except (FailureGroup, Exception) as error:  # whatever is wrong with one is told beside the others
                told.findings.append(f"{label} {mode.value}: {type(error).__name__}: {error}")
            progress.advance(task)
        try:
            conforming.chained(max(1, cases // 3 // STEPS), STEPS)
        except Exception as error:
            told.findings.append(f"chained: {type(error).__name__}: {error}")
        progress.advance(task)
    return told


@app.default
def main(
    *, seed: int = 1, cases: int = 2_000, json_file: Annotated[Path | None, Parameter(name="--json")] = None
) -> None:
    """Run, show a table, and write it as JSON if wished.

    Parameters
    ----------
    seed
        Decides what is called, with what.
    cases
        How many calls, about.
    json_file
        Where the report goes as JSON.
    """
    log.configure("console", "error")
    with tempfile.TemporaryDirectory(prefix="escalation-api-", ignore_cleanup_errors=True) as directory:
        told = call_everything(seed, cases, Path(directory))
    console.print(told.table())
    for finding in told.findings[:20]:
        console.print(finding, style="red", highlight=False, markup=False)
    if json_file is not None:
        document = {"seed": told.seed, "answers": dict(told.answers), "findings": told.findings}
        json_file.write_text(json.dumps(document, indent=1) + "\n")
    raise SystemExit(0 if told.sound else 1)


if __name__ == "__main__":
    app()
