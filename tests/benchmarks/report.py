"""What is shown of the figures: a table for each unit, and one JSON document."""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from .bench import Bench, Figure
from .gates import Verdict
from .profile import Profile

# What the others are put beside: the first of these that was measured.
_BASELINES = ("ours", "decide", "ceiling", "statemachine")


def print_figures(console: Console, figures: Sequence[Figure]) -> None:
    """A table for each unit, with how many times a row's rate the baseline's is."""
    for unit in dict.fromkeys(figure.unit for figure in figures):
        _print_unit(console, unit, [figure for figure in figures if figure.unit == unit])


def _print_unit(console: Console, unit: str, figures: Sequence[Figure]) -> None:
    measured = {figure.name: figure for figure in figures if figure.samples}
    baseline = next((measured[name] for name in _BASELINES if name in measured), None)
    columns: dict[str, Callable[[Figure], str]] = {
        "setting": lambda figure: figure.setting,
        "median": lambda figure: _count(figure.rate),
        "lowest–highest": _range,
        "p50 ms": lambda figure: _milliseconds([sample.p50 for sample in figure.samples]),
        "p99 ms": lambda figure: _milliseconds([sample.p99 for sample in figure.samples]),
        "client": _client,
        "cores": _cores,
        "CPU µs": _processor,
    }
    if baseline:
        columns[f"{baseline.name} is"] = lambda figure: _times(baseline, figure)
    cells = {
        heading: [cell(figure) if figure.samples else "" for figure in figures] for heading, cell in columns.items()
    }
    table = Table(title=unit, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    shown = [heading for heading, column in cells.items() if any(column)]
    for heading in shown:
        table.add_column(heading, justify="left" if heading == "setting" else "right", no_wrap=True)
    for number, figure in enumerate(figures):
        title = figure.title if figure.samples else f"[red]{figure.title}: not measured[/red]"
        table.add_row(title, *(cells[heading][number] for heading in shown))
    console.print(table)
    for figure in figures:
        if figure.failure:
            console.print(f"{figure.name}: {figure.failure}", style="red", markup=False)
        if figure.trials:
            tried = ", ".join(f"{name} {_count(rate)}" for name, rate in figure.trials.items())
            console.print(f"{figure.name}, tried: {tried}", style="dim", highlight=False)
        for sample in figure.samples:
            if sample.notes.get("refused") or sample.notes.get("broken"):
                console.print(f"{figure.name}: not all was accepted: {dict(sample.notes)}")
    console.print()


def document(
    figures: Sequence[Figure], verdicts: Sequence[Verdict], seen: Profile | None, bench: Bench
) -> dict[str, Any]:
    """Everything that was seen, and what one must know to compare it."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_at_the_end": os.getloadavg(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "postgres": {"version": bench.server.version, **bench.server.settings},
        "options": {
            "seconds": bench.seconds,
            "warmup": bench.warmup,
            "rounds": bench.rounds,
            "connections": bench.connections,
            "seed": bench.seed,
        },
        "targets": [verdict.document() for verdict in verdicts],
        "profile": seen,
        "figures": [{"rate": figure.rate, **_fields(figure)} for figure in figures],
    }


def _fields(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "title": figure.title,
        "unit": figure.unit,
        "setting": figure.setting,
        "trials": dict(figure.trials),
        "samples": figure.samples,
        "failure": figure.failure,
    }


def _count(rate: float | None) -> str:
    return f"{rate:,.0f}" if rate is not None else ""


def _range(figure: Figure) -> str:
    rates = [sample.rate for sample in figure.samples]
    return f"{_count(min(rates))}–{_count(max(rates))}" if len(rates) > 1 else ""


def _milliseconds(values: Sequence[float | None]) -> str:
    seen = [value for value in values if value is not None]
    return f"{statistics.median(seen):.1f}" if seen else ""


def _client(figure: Figure) -> str:
    seen = [sample.notes.get("client_cpu") for sample in figure.samples]
    shares = [share for share in seen if isinstance(share, float)]
    return f"{statistics.median(shares):.0%}" if shares else ""


def _cores(figure: Figure) -> str:
    """How many Postgres kept busy, and how many all else."""
    seen = [(each.postgres, each.others) for each in figure.samples]
    pairs = [(postgres, others) for postgres, others in seen if postgres is not None and others is not None]
    return " + ".join(f"{statistics.median(side):.2f}" for side in zip(*pairs, strict=True))


def _processor(figure: Figure) -> str:
    """Processor time for each, of everybody together: what hardly changes when others are at work as well."""
    each = [(s.postgres + s.others) / s.rate * 1e6 for s in figure.samples if s.postgres and s.others and s.rate]
    return f"{statistics.median(each):,.0f}" if each else ""


def _times(baseline: Figure, figure: Figure) -> str:
    if figure is baseline or not baseline.rate or not figure.rate:
        return ""
    return f"{baseline.rate / figure.rate:.2f} ×"
