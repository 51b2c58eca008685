"""What must be reached: ratios of figures that were measured side by side.

A ratio is the median over the rounds of the ratio within each round, in which the contenders took turns. What is
promised of every single one is against nothing: there the worst round counts. A *gate* that is missed makes the run
exit 1; an *aim* is told, and missed honestly.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from . import burst
from .bench import Figure, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One line of the table of targets. At least `gate` and `aim`, or at most, where less is better.

    `against` None: a bound in itself, in `unit`.
    """

    what: str
    figure: str
    against: str | None
    gate: float | None = None
    aim: float | None = None
    of: Callable[[Sample], float | None] = lambda sample: sample.rate
    less: bool = False
    unit: str = "×"


def _noted(name: str) -> Callable[[Sample], float | None]:
    """A figure that a turn notes beside its rate."""

    def of(sample: Sample) -> float | None:
        value = sample.notes.get(name)
        return value if isinstance(value, float) else None

    return of


TARGETS = (
    Target(
        what="transitions/s, 64 connections",
        figure="ours",
        against="rows-pgbench",
        gate=1.0,
        aim=1.5,
    ),
    Target(what="the same", figure="ours", against="rows-plain"),
    Target(what="the same", figure="ours", against="ceiling", gate=0.45, aim=1.0),
    Target(what="the same", figure="ours", against="setwise"),
    Target(what="the same", figure="ours", against="dbos", gate=25.0),
    Target(what="the same", figure="ours", against="django", aim=10.0),
    Target(
        what="p50, one connection",
        figure="ours-one",
        against="rows-one",
        aim=3.0,
        of=lambda sample: sample.p50,
        less=True,
    ),
    Target(what="decisions/s", figure="decide", against="statemachine", aim=10.0),
    Target(
        what="latest of a burst",
        figure="burst",
        against=None,
        gate=burst.LATE_AT_MOST,
        of=_noted("worst_ms"),
        less=True,
        unit="ms",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a target. `holds`: the gate; `reached`: the aim; None where there is none."""

    target: Target
    ratio: float
    ratios: tuple[float, ...]
    holds: bool | None
    reached: bool | None

    def document(self) -> dict[str, Any]:
        """For the JSON."""
        target = {name: value for name, value in asdict(self.target).items() if name != "of"}
        return {**target, "ratio": self.ratio, "ratios": self.ratios, "holds": self.holds, "reached": self.reached}


def judged(figures: Sequence[Figure]) -> list[Verdict]:
    """The verdict on every target whose two sides were measured."""
    by_name = {figure.name: figure for figure in figures if figure.samples}
    return [
        _verdict(target, by_name[target.figure], by_name[target.against] if target.against else None)
        for target in TARGETS
        if target.figure in by_name and (target.against is None or target.against in by_name)
    ]


def _verdict(target: Target, figure: Figure, against: Figure | None) -> Verdict:
    values = [target.of(sample) for sample in figure.samples]
    if against is None:
        ratios = tuple(value for value in values if value is not None)
        ratio = max(ratios) if target.less else min(ratios)
    else:
        pairs = zip(values, (target.of(sample) for sample in against.samples), strict=False)
        ratios = tuple(one / other for one, other in pairs if one and other)
        ratio = statistics.median(ratios)

    def met(bound: float | None) -> bool | None:
        if bound is None:
            return None
        return ratio <= bound if target.less else ratio >= bound

    return Verdict(target=target, ratio=ratio, ratios=ratios, holds=met(target.gate), reached=met(target.aim))


def missed(verdicts: Sequence[Verdict]) -> bool:
    """Whether a gate is missed."""
    return any(verdict.holds is False for verdict in verdicts)


def print_gates(console: Console, verdicts: Sequence[Verdict]) -> None:
    """The table of targets."""
    if not verdicts:
        return
    table = Table(title="targets", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("", "of", "against"):
        table.add_column(heading, no_wrap=True)
    for heading in ("ratio", "lowest–highest", "gate", "", "aim", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for verdict in verdicts:
        target = verdict.target
        table.add_row(
            target.what,
            target.figure,
            target.against or "",
            f"{verdict.ratio:.2f} {target.unit}",
            f"{min(verdict.ratios):.2f}–{max(verdict.ratios):.2f}",
            _bound(target.gate, target),
            _said(verdict.holds, "holds", "[bold red]missed[/bold red]"),
            _bound(target.aim, target),
            _said(verdict.reached, "reached", "[yellow]not reached[/yellow]"),
        )
    console.print(table)


def _bound(bound: float | None, target: Target) -> str:
    return "" if bound is None else f"{'≤' if target.less else '≥'} {bound:g} {target.unit}"


def _said(met: bool | None, yes: str, no: str) -> str:
    return "" if met is None else yes if met else no
