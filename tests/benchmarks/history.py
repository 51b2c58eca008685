"""`bench history`: fills a database with years of history, lets an auditor ask, and says which gates hold.

    ./run bench history --rows 10000000

Years that were made are kept under `--keep`, in a database named for their number, and found again by the next run.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from service import auth, database

from .audits import AS_OF_AT_MOST, AT_MOST, EXPORT_AIM, MORE, TWICE, Found, Seen, audit
from .bench import Bench, Figure, Measure, measure, over_http
from .database import Server, scratch, server
from .lived import Life, played
from .ours import SCRIPT
from .stage import Stage, furnished, service
from .years import Years, fill

NAME = "history"
GROWN = "transitions/s"
GROWN_GATE = 0.9
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
"""When the years end: the same each time, so that the same seed is the same history."""


class Line(msgspec.Struct, frozen=True):
    """One gate, or an aim (`gate` false): what was seen, beside what, and whether it holds."""

    what: str
    seen: str
    bound: str
    holds: bool
    gate: bool = True
    beside: str = ""
    which: str = ""


async def run(options: argparse.Namespace) -> tuple[Found, list[Figure]]:
    """Fill, ask, and count transitions with and without. Raises ProgramError."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    shown = Console(stderr=True)
    async with server(options.database_url, options.cache) as postgres, AsyncExitStack() as stack:
        with Progress(*columns, console=shown, disable=not shown.is_terminal) as progress:
            url = await _filled(postgres, options, stack, progress)
            key = await _key(url)
            task = progress.add_task("asking", total=None)

            def done(what: str, n: int, of: int) -> None:
                progress.update(task, description=what, completed=n, total=of)

            async with service(url, timers=False) as (port, _):
                found = await audit(url, port, key, options.seed, options.samples, done)
            stage = await stack.enter_async_context(Stage(postgres))
            bench = Bench(
                server=postgres,
                stage=stage,
                seconds=options.seconds,
                warmup=options.warmup,
                rounds=options.rounds,
                connections=options.connections,
                seed=options.seed,
                cache=options.cache,
            )
            keys = await furnished(url)
            figures = await measure([Grown("none"), Grown("years", url, keys)], bench, _Watch(progress, task))
    return found, figures


@dataclass(frozen=True)
class Grown:
    """Whole lives over HTTP (`lives.py`), on a copy of the stage or on the years."""

    name: str
    url: str | None = None
    keys: Any = None
    title: str = "transitions with years of history, or none"
    unit: str = GROWN
    settings: tuple[str, ...] = ("one process",)

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """The service on it."""
        if self.url is None:
            async with bench.stage.copy("none") as made, service(made.url, timers=False) as (port, _):
                yield over_http(bench, port, SCRIPT, {"keys": dict(made.keys)})
            return
        async with service(self.url, timers=False) as (port, _):
            # Another seed each time: what an earlier turn did is still there.
            seed = int(datetime.now(UTC).timestamp())
            yield over_http(replace(bench, seed=seed), port, SCRIPT, {"keys": dict(self.keys)})


class _Watch:
    """Says which turn it is."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def turn(self, title: str, seconds: float) -> AbstractAsyncContextManager[None]:
        """Show it."""

        @asynccontextmanager
        async def shown() -> AsyncIterator[None]:
            self._progress.update(self._task, description=title, total=None)
            yield

        return shown()


async def _filled(postgres: Server, options: argparse.Namespace, stack: AsyncExitStack, progress: Progress) -> str:
    """The URL of a database with these years in it; kept from an earlier run, or made now."""
    name = f"escalation_years_{options.rows}_{options.seed}"
    parts = urlsplit(postgres.url)
    url = f"postgresql://{parts.netloc}/{name}" + (f"?{parts.query}" if parts.query else "")
    owner = await asyncpg.connect(postgres.url)
    try:
        if await owner.fetchval(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", name
        ):
            return url
        await owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        lives = await _lives(postgres, options, progress)
        await owner.execute(f"CREATE DATABASE {name}")
        if not options.keep:
            stack.push_async_callback(_drop, postgres.url, name)
        await database.prepare(url)
        task = progress.add_task("rows of history", total=options.rows)
        await fill(url, Years(lives, options.rows, UNTIL, options.seed), lambda n: progress.advance(task, n))
        await owner.execute(f"COMMENT ON DATABASE {name} IS 'whole'")
    finally:
        await owner.close()
    return url


async def _drop(url: str, name: str) -> None:
    owner = await asyncpg.connect(url)
    try:
        await owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await owner.close()


async def _lives(postgres: Server, options: argparse.Namespace, progress: Progress) -> list[Life]:
    """The demo's day, played once and kept beside the figures."""
    kept = options.cache / "lives.msgpack"
    if kept.exists():
        return msgspec.msgpack.decode(kept.read_bytes(), type=list[Life])
    progress.add_task("the demo's day is played", total=None)
    async with scratch(postgres, "lived") as url:
        await database.prepare(url)
        lives = await played(url)
    kept.write_bytes(msgspec.msgpack.encode(lives))
    return lives


async def _key(url: str) -> str:
    conn = await asyncpg.connect(url)
    try:
        return await auth.create_key(conn, "bench-auditor", "auditor")
    finally:
        await conn.close()


# What is shown ----------------------------------------------------------------------------------------------------


def judged(found: Found, figures: Sequence[Figure]) -> list[Line]:
    """A line for each filter and each two, for `as_of`, the export, and transitions."""
    by = defaultdict[tuple[str, ...], list[Seen]](list)
    for seen in found.pages:
        by[seen.case.filters].append(seen)
    lines = [_page(filters, some) for filters, some in by.items()]
    for name, took in found.as_of.items():
        worst = max(took)
        seen_ = f"{statistics.median(took):.1f} ms, slowest {worst:.1f}"
        lines.append(Line(f"as of an instant: {name}", seen_, f"≤ {AS_OF_AT_MOST:.0f} ms", worst <= AS_OF_AT_MOST))
    if found.export is not None:
        share = found.export.export / found.export.copy
        told = f"{found.export.export:,.0f} rows/s"
        beside = f"COPY {found.export.copy:,.0f}"
        lines.append(
            Line("export as lines", told, f"≥ {EXPORT_AIM} ×", share >= EXPORT_AIM, False, beside, f"{share:.2f} ×")
        )
    rates = {figure.name: figure.rate for figure in figures if figure.rate}
    if len(rates) == 2:
        share = rates["years"] / rates["none"]
        told, beside = f"{rates['years']:,.0f}/s", f"{rates['none']:,.0f}/s with none"
        lines.append(Line(GROWN, told, f"≥ {GROWN_GATE} ×", share >= GROWN_GATE, True, beside, f"{share:.2f} ×"))
    return lines


def _page(filters: tuple[str, ...], some: list[Seen]) -> Line:
    def above(seen: Seen) -> float:
        return statistics.median(seen.page) - TWICE * statistics.median(seen.plain)

    most, slowest = max(some, key=above), max(some, key=lambda seen: max(seen.page))
    told = f"{statistics.median(most.page):.1f} ms, slowest {max(slowest.page):.1f}"
    holds = all(seen.within for seen in some) and max(slowest.page) <= AT_MOST
    beside = f"plain {statistics.median(most.plain):.1f} ms"
    bound = f"≤ {TWICE:g} × + {MORE:g} ms, {AT_MOST:g} ms"
    return Line(f"page by {' and '.join(filters)}", told, bound, holds, True, beside, slowest.case.name)


def print_lines(console: Console, rows: int, lines: Sequence[Line]) -> None:
    """One table."""
    table = Table(title=f"{rows:,} rows of history", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("", "seen", "beside", "slowest", "gate or aim", ""):
        table.add_column(heading, no_wrap=True)
    for line in lines:
        missed = "[bold red]missed[/bold red]" if line.gate else "[yellow]not reached[/yellow]"
        told = ("holds" if line.gate else "reached") if line.holds else missed
        table.add_row(line.what, line.seen, line.beside, line.which, line.bound, told)
    console.print(table)


def document(found: Found, figures: Sequence[Figure], lines: Sequence[Line]) -> dict[str, Any]:
    """All that was seen; the plans are the evidence."""
    rates = {figure.name: [sample.rate for sample in figure.samples] for figure in figures}
    seen = {"as_of": found.as_of, "export": found.export, "pages": found.pages}
    return {"rows": found.rows, "lines": lines, "transitions": rates, **seen}
