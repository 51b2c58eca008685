"""Take something from the table, one thing at a time: each guard, each relation of who may, each state that a trigger
leaves. The golden table finds every one.

`python -m tests.machines.mutants`: a table of what killed each mutant, and each change of the code that no table holds
(`code_mutants`); exit 1 if one survives. `--code machines.waiting` is those changes alone.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, track
from rich.table import Table

from machines.authority import who_may
from machines.case import Guard
from machines.escalation import RULES, Rule
from tests.machines import code_mutants, golden

WORKERS = 2


class Mutant(Struct, frozen=True):
    """What a trigger lacks: a guard, one relation of a guard, or the moves from a source."""

    trigger: str
    guard: str | None = None
    relation: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        if self.source:
            return f"from {self.source}"
        return f"who may: {self.relation}" if self.relation else str(self.guard)


class Verdict(Struct, frozen=True):
    """The first case that tells a mutant from the real table; None: it survives."""

    mutant: Mutant
    killed_by: str | None


def mutants() -> Iterator[Mutant]:
    """Every guard of every trigger, every relation of a guard that has more than one, every source."""
    for rule in RULES.values():
        yield from (Mutant(rule.trigger, source=str(source)) for source in rule.moves)
        for guard in rule.guards:
            yield Mutant(rule.trigger, guard.name)
            if len(guard.relations) > 1:
                yield from (Mutant(rule.trigger, guard.name, relation.name) for relation in guard.relations)


def without(mutant: Mutant) -> dict[str, Rule]:
    """The table without what this mutant lacks."""
    rule = RULES[mutant.trigger]
    guards = tuple(kept for guard in rule.guards if (kept := _kept(guard, mutant)) is not None)
    moves = {source: dests for source, dests in rule.moves.items() if source != mutant.source}
    return {**RULES, rule.trigger: replace(rule, guards=guards, moves=moves)}


def _kept(guard: Guard, mutant: Mutant) -> Guard | None:
    if guard.name != mutant.guard:
        return guard
    if mutant.relation is None:
        return None
    # The name stays, so that only what it decides can give it away.
    left = who_may(*(r for r in guard.relations if r.name != mutant.relation))
    return replace(left, name=guard.name, sentence=guard.sentence)


@cache
def _cases() -> list[golden.Case]:
    return golden.cases()


def judge(mutant: Mutant) -> Verdict:
    """Run the golden table against it, its own trigger first, until a case disagrees."""
    first = sorted(_cases(), key=lambda case: case.trigger != mutant.trigger)
    return Verdict(mutant, next(golden.wrong(without(mutant), first), None))


def verdicts(workers: int = WORKERS) -> Iterator[Verdict]:
    """Every mutant's verdict, in the table's order."""
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(judge, mutants(), chunksize=8)


def main() -> int:
    """Print what killed each mutant; 1 if one survives."""
    asked = ArgumentParser(prog="mutants", description="Take something from the rules: does a test notice?")
    asked.add_argument("--code", metavar="PLACE", help="only changes of the code whose module and function begin so")
    place, console = asked.parse_args().code, Console()
    return changed_code(console, place) if place else taken_away(console) | changed_code(console)


def taken_away(console: Console) -> int:
    """Each guard, relation and source: 1 if the golden table misses one."""
    if broken := golden.failures(dict(RULES)):
        console.print(f"The production table itself fails: {broken[0]}", markup=False)
        return 1
    found = list(track(verdicts(), "taking away", total=len(list(mutants())), console=console))
    rows = [(verdict.mutant.trigger, str(verdict.mutant), verdict.killed_by) for verdict in found]
    survivors = _tell(console, "Mutants of the table", ("trigger", "without"), rows)
    console.print(f"{len(found) - survivors} of {len(found)} killed by {len(_cases())} golden cases")
    return int(survivors > 0)


def changed_code(console: Console, place: str = "") -> int:
    """Each change of the code: 1 if no test of this folder fails."""
    some = [m for m in code_mutants.code_mutants() if f"{m.module}.{m.function}".startswith(place)]
    changed: list[tuple[str, str, str | None]] = []
    with Progress(console=console) as progress:
        task = progress.add_task("changing the code", total=len(some))

        def told(mutant: code_mutants.CodeMutant, killer: str | None) -> None:
            changed.append((mutant.place, mutant.what, killer))
            alive = sum(each is None for *_, each in changed)
            progress.update(task, advance=1, description=f"changing the code, {alive} unnoticed")

        code_mutants.judge(some, told)
    alive = _tell(console, "Mutants of the code", ("function", "changed"), changed)
    console.print(f"{len(changed) - alive} of {len(changed)} killed by tests of this folder")
    return int(alive > 0 or len(changed) != len(some) or not some)


def _tell(console: Console, title: str, names: tuple[str, str], rows: list[tuple[str, str, str | None]]) -> int:
    """Print a table of mutants; how many survive."""
    told = Table(title=title, expand=True)
    told.add_column(names[0], no_wrap=True)
    told.add_column(names[1], max_width=36, no_wrap=True, overflow="ellipsis")
    told.add_column("killed by", no_wrap=True, overflow="ellipsis", ratio=1)
    for place, what, killer in rows:
        told.add_row(place, escape(what), escape(killer) if killer else "[bold red]survives[/]")
    console.print(told)
    for place, what, killer in rows:
        if killer is None:  # whole, however narrow the screen is
            console.print(f"survives: {place}: {what}", markup=False, soft_wrap=True)
    return sum(killer is None for *_, killer in rows)


if __name__ == "__main__":
    sys.exit(main())
