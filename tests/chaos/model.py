"""Whatever callers like, for as long as one likes, held against a small model that was written from the document alone.

    python -m tests.chaos.model --seed 1 --sequences 10000

A service on a Postgres of its own; a sequence is up to thirty calls on one ticket. The first answer that differs from
the model's is made as small as it gets, and told with the calls that lead to it. The verifier is last.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from service import log
from tests.service.attacks.model import FROM
from tests.service.attacks.playing import Player, play
from tests.service.threaded import alone

app = App(name="python -m tests.chaos.model", help="Play random sequences of calls against a small model.")
console = Console(stderr=True)


@app.default
def main(
    *,
    seed: int = 1,
    sequences: int = 10_000,
    steps: int = 30,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Play, show a table, and write it as JSON if wished; exits 1 at the first difference.

    Parameters
    ----------
    seed
        Decides what is called.
    sequences
        How many tickets.
    steps
        Calls of a sequence, at most.
    json_file
        Where the report goes as JSON.
    """
    log.configure("console", "error")
    with (
        tempfile.TemporaryDirectory(prefix="escalation-model-", ignore_cleanup_errors=True) as directory,
        alone(Path(directory)) as town,
        Progress(console=console) as progress,
    ):
        task = progress.add_task("playing", total=sequences)
        play(town, sequences, steps, seed, lambda played: progress.update(task, completed=played))
    never = sorted(set(FROM) - {trigger for trigger, _, _ in Player.moves})
    table = Table(title=f"model, seed {seed}: no difference", show_header=False)
    table.add_row("sequences", str(Player.sequences))
    table.add_row("calls", str(Player.answers.total()))
    for status, times in sorted(Player.answers.items()):
        table.add_row(str(status), str(times))
    table.add_row("moves seen", str(len(Player.moves)))
    table.add_row("triggers never carried out", ", ".join(never) or "none")
    console.print(table)
    if json_file is not None:
        document = {"seed": seed, "sequences": Player.sequences, "answers": dict(Player.answers)}
        json_file.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    app()
