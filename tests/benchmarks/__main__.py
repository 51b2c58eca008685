"""python -m tests.benchmarks [NAME …]: measure in turns, print a table, keep the figures as JSON.

Exits 1 if anything that was asked for could not be measured, and if a gate is missed (`gates.py`).
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from service import log

from . import burst, curve, history, statemachine, timers, words
from .bench import Bench, Contender, Figure, expected, measure
from .capacity import Loader
from .ceiling import Ceiling
from .database import server
from .decide import Decide
from .gates import Verdict, judged, missed, print_gates
from .ours import CURVE, OURS, OURS_ONE
from .process import ROOT, ProgramError
from .profile import Profile, print_profile, profile
from .report import document, print_figures
from .rivals import transact
from .rivals.django_fsm import DjangoFsm
from .rows import ROWS, ROWS_ONE, ROWS_PLAIN
from .setwise import SetWise
from .stage import Stage

CONTENDERS: Sequence[Contender] = (
    OURS,
    ROWS,
    ROWS_PLAIN,
    SetWise(),
    Ceiling(),
    transact.DBOS,
    transact.DBOS_TWO,
    transact.DBOS_DIRECT,
    DjangoFsm(),
    Decide(),
    statemachine.MADE,
    statemachine.KEPT,
    OURS_ONE,
    ROWS_ONE,
    Loader(),
    timers.AT_ONCE,
    timers.STEADILY,
    burst.BURST,
)
GROUPS = {
    "transitions": (
        *("ours", "rows-pgbench", "rows-plain", "setwise", "ceiling", "dbos", "django"),
        *("ours-one", "rows-one", "decide", "statemachine"),
    ),
    "decisions": ("decide", "statemachine", "statemachine-kept"),
    "timers": (timers.AT_ONCE.name, timers.STEADILY.name),
    "curve": tuple(each.name for each in CURVE),
}
"""What may be asked for together: all that the targets are about, decisions alone, and how it grows with callers."""

WORDS = "words"
"""Asked for by its name alone: not a speed, but how well the policy's words find what they are for."""

_REFRESH_EVERY = 0.2
# Columns of a table that goes to a file.
_WIDTH = 160
# Processes that ran or waited to run in the last minute, above which others are at work here.
_QUIET = 0.7


class _Bar:
    """A progress bar over all turns, moved by the clock, and set right at each turn's end."""

    def __init__(self, progress: Progress, total: float) -> None:
        self.progress = progress
        self.task = progress.add_task("starting", total=total)
        self.done = 0.0

    @asynccontextmanager
    async def turn(self, title: str, seconds: float) -> AsyncIterator[None]:
        """Show what is being measured; starting and stopping it takes time that is not counted."""
        self.progress.update(self.task, description=title)
        if self.progress.disable:
            self.progress.console.print(title)
        moving = asyncio.create_task(self._move(seconds))
        try:
            yield
        finally:
            moving.cancel()
            with suppress(asyncio.CancelledError):
                await moving
            self.done += seconds
            self.progress.update(self.task, completed=self.done)

    async def _move(self, seconds: float) -> None:
        began = time.monotonic()
        while True:
            gone = min(seconds, time.monotonic() - began)
            self.progress.update(self.task, completed=self.done + gone)
            await asyncio.sleep(_REFRESH_EVERY)


async def _run(
    options: argparse.Namespace, contenders: Sequence[Contender]
) -> tuple[list[Figure], list[Verdict], Profile | None]:
    # A service under measure is in a session of its own: left alone, it would outlive this program.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    async with server(options.database_url, options.cache) as postgres, Stage(postgres) as stage:
        bench = Bench(
            server=postgres,
            stage=stage,
            seconds=options.seconds,
            warmup=options.warmup,
            rounds=options.rounds,
            connections=options.connections,
            timers=options.timers,
            live=options.live,
            arriving=options.arriving,
            seed=options.seed,
            verify=options.verify,
            cache=options.cache,
        )
        console = Console(stderr=True)
        with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
            extra = 2 * bench.seconds if options.profile else 0
            bar = _Bar(progress, expected(contenders, bench) + extra)
            figures = await measure(contenders, bench, bar)
            seen = await profile(bench, bar) if options.profile else None
    verdicts = judged(figures)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    found = msgspec.json.encode(document(figures, verdicts, seen, bench))
    options.json.write_bytes(msgspec.json.format(found, indent=2) + b"\n")
    return figures, verdicts, seen


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    names = [*GROUPS, WORDS, history.NAME, *(contender.name for contender in CONTENDERS)]
    points = [each.name for each in CURVE]
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Speeds, measured in turns on this machine. Without a name: all of them.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--seconds", type=float, default=6, help="of each turn (6)")
    parser.add_argument("--warmup", type=float, default=2, help="seconds before each turn (2)")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each takes (3)")
    parser.add_argument("--connections", type=int, default=64, help="clients at once (64)")
    parser.add_argument("--profile", action="store_true", help="where the product's time goes; alone, nothing else")
    parser.add_argument("--verify", action="store_true", help="let the verifier look at what the product wrote")
    parser.add_argument("--timers", type=int, default=100_000, help="that are due at once (100000)")
    parser.add_argument("--live", type=int, default=5_000, help="tickets with SLA clocks before a burst (5000)")
    parser.add_argument("--arriving", type=int, default=500, help="tickets of a burst (500)")
    parser.add_argument("--rows", type=int, default=200_000, help="of history, for `history` (200000)")
    parser.add_argument("--samples", type=int, default=5, help="times that each of its questions is asked (5)")
    parser.add_argument("--keep", action="store_true", help="leave its database to the next run")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (1)")
    parser.add_argument("--database-url", help="else ESCALATION_DATABASE_URL, else the embedded one")
    parser.add_argument("--json", type=Path, help="where the figures go (under the cache folder)")
    parser.add_argument("--cache", type=Path, default=ROOT / ".bench", help="folder of rivals' environments")
    options = parser.parse_args(argv)
    if unknown := sorted(set(options.names) - {*names, *points}):
        parser.error(f"no such thing to measure: {', '.join(unknown)}; there are {', '.join(names)}")
    options.cache = options.cache.absolute()
    # Not for git to see, wherever it lies.
    options.cache.mkdir(parents=True, exist_ok=True)
    (options.cache / ".gitignore").write_text("*\n")
    alone = options.names[0] if options.names in ([WORDS], [history.NAME]) else "figures"
    options.json = options.json or options.cache / f"{alone}.json"
    return options


def _history(options: argparse.Namespace, console: Console) -> int:
    log.configure("console", "warning")
    try:
        found, figures = asyncio.run(history.run(options))
    except ProgramError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    lines = history.judged(found, figures)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    told = msgspec.json.encode(history.document(found, figures, lines))
    options.json.write_bytes(msgspec.json.format(told, indent=2) + b"\n")
    history.print_lines(console, found.rows, lines)
    console.print(f"{options.json}: all that was seen, and the plan of each slowest page", style="dim", highlight=False)
    failed = any(figure.failure for figure in figures)
    return int(failed or any(line.gate and not line.holds for line in lines))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what is named. Returns the exit code."""
    options = _options(argv)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    if WORDS in options.names:
        if options.names != [WORDS]:
            console.print(f"{WORDS} is asked for alone: it measures no speed", style="red")
            return 2
        return words.run(console, options.json)
    if history.NAME in options.names:
        if options.names != [history.NAME]:
            console.print(f"{history.NAME} is asked for alone: it makes a database of its own", style="red")
            return 2
        return _history(options, console)
    named = {each for name in options.names for each in GROUPS.get(name, (name,))}
    everything = not options.names and not options.profile
    wanted = [each for each in CONTENDERS if everything or each.name in named]
    wanted += [each for each in CURVE if each.name in named]
    if (cores := os.cpu_count() or 1) != 2:
        console.print(f"These targets are stated for two cores; this machine has {cores}.")
    if (busy := os.getloadavg()[0]) > _QUIET:
        console.print(f"This machine is busy (load {busy:.1f}): wait for quiet, or trust ratios only.")
    # What migrations tell is no figure.
    log.configure("console", "warning")
    try:
        figures, verdicts, seen = asyncio.run(_run(options, wanted))
    except ProgramError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    print_figures(console, figures)
    burst.print_burst(console, figures)
    print_gates(console, verdicts)
    if curve.measured(figures):
        picture = options.json.with_name("curve.svg")
        picture.write_text(curve.drawn(figures, f"{os.cpu_count()} cores, Postgres beside"))
        console.print(f"{picture}", style="dim", highlight=False)
    if seen:
        print_profile(console, seen)
    console.print(f"{options.json}", style="dim", highlight=False)
    return int(missed(verdicts) or any(figure.failure for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
