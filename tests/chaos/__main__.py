"""The command line: kill, check, report. Exits 1 where anything was lost or found."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import structlog
from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from service import log
from tests.chaos.run import Plan, Report, chaos

app = App(name="python -m tests.chaos", help="Kill the service and its Postgres under load; count what was lost.")
console = Console(stderr=True)
SHOWN = 20
"""Findings that are shown; JSON has more."""


@app.default
def main(
    *,
    kills: int = 20,
    postgres_kills: int = 5,
    seed: int = 1,
    clients: int = 12,
    seconds: float = 1.0,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Run, show a table, and write it as JSON if wished.

    Parameters
    ----------
    kills
        How often the service is killed (kill -9).
    postgres_kills
        How often the postmaster is killed (kill -9).
    seed
        Decides moments, order and what the clients do.
    clients
        How many live escalations at once.
    seconds
        Mean time under load between being served again and the next kill.
    json_file
        Where the report goes as JSON.
    """
    log.configure("console", "error")
    structlog.contextvars.clear_contextvars()
    plan = Plan(kills, postgres_kills, seed, clients, seconds)
    directory = Path(tempfile.mkdtemp(prefix="escalation-chaos-"))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=plan.total)

        def told(report: Report, doing: str) -> None:
            counts = f"{report.acknowledged} acknowledged, {report.unknown} unknown, {report.lost} lost"
            progress.update(task, completed=len(report.kills), description=f"{doing:<28} {counts}")

        report = asyncio.run(chaos(plan, directory, told))
    console.print(report.table())
    found = (*report.findings, *report.wrong)
    for finding in found[:SHOWN]:
        console.print(finding, style="red", highlight=False, markup=False)
    if report.sound:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        console.print(f"{len(found)} findings; what the service logged: {directory / 'service.log'}")
    if json_file is not None:
        json_file.write_text(json.dumps(report.document(), indent=1) + "\n")
    raise SystemExit(0 if report.sound else 1)


if __name__ == "__main__":
    app()
