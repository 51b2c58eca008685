"""The figures of a week beside those of the four weeks before: what people look at first.

A figure that rests on fewer than `FEW` cases, now or then, is shown as such: its change may well be chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Literal, TypeVar

from msgspec import Struct

from machines.document import TIERS
from service.durations import iso, span
from service.reviews.measures import Measures
from service.reviews.weeks import BASELINE

T = TypeVar("T", bound=Struct)
FEW = 10
"""Cases below which a figure is called small."""
LEVELS = (1, 2, 3, 4)
Unit = Literal["share", "span", "score", "count"]


class Figure(Struct, frozen=True):
    """One figure. `of` is the tier or level that it is of (null: all). Shares and scores are of all cases of the four
    weeks before, counts are a week's mean of them. `change` is now − was: a share's in points of 1, a span's signed
    (`-PT2H`); null where one of them is. `cases` and `cases_before` say on how many each rests, `few` that one of these
    is below ten (of the four weeks together)."""

    measure: str
    of: str | None
    unit: Unit
    now: float | str | None
    was: float | str | None
    change: float | str | None
    cases: int
    cases_before: int
    few: bool


def only(rows: Sequence[T], **of: Any) -> T | None:
    """The one row of these."""
    return next((row for row in rows if all(getattr(row, name) == value for name, value in of.items())), None)


def figures(now: Measures, was: Measures) -> list[Figure]:
    """All of them, in the order in which they are read."""
    return list(_figures(now, was))


def _figures(now: Measures, was: Measures) -> Iterator[Figure]:
    def two(measure: str, of: str | None, unit: Unit, tell: Callable[[Measures], tuple[Any, int]]) -> Figure:
        return _figure(measure, of, unit, tell(now), tell(was))

    for tier in (None, *TIERS):
        yield two("escalation_rate", tier, "share", _of("rate", "rate", "tickets", tier=tier))
    yield two("escalations", None, "count", _counted("rate", "escalations", tier=None))
    yield two("tickets", None, "count", _counted("rate", "tickets", tier=None))
    for name in ("median", "p90"):
        for tier in (None, *TIERS):
            yield two(f"resolution_{name}", tier, "span", _of("resolution", name, "closed", tier=tier, level=None))
        for level in LEVELS:
            told = _of("resolution", name, "closed", tier=None, level=level)
            yield two(f"resolution_{name}", f"l{level}", "span", told)
    yield two("withdrawn", None, "count", _counted("withdrawn", "withdrawn", tier=None))
    for tier in (None, *TIERS):
        yield two("satisfaction", tier, "score", _of("satisfaction", "mean", "answered", tier=tier))
    yield two("response_rate", None, "share", _of("satisfaction", "response_rate", "closed", tier=None))
    yield two("response_attainment", None, "share", _attained(None))
    for level in LEVELS:
        yield two("response_attainment", f"l{level}", "share", _attained(level))
    yield two("engaged_late", None, "share", _of("lateness", "share", "promised", tier=None))
    yield two("denials", None, "count", _counted("denials", "count", trigger=None, guard=None))
    yield two("coverage_gaps", None, "count", _counted("coverage", "skipped", level=None))
    yield two("offered_to_nobody", None, "count", _counted("coverage", "nobody", level=None))
    yield two("re_escalated", None, "share", _of("returns", "share", "opened"))
    yield two("resumed", None, "count", _counted("returns", "resumed"))
    yield two("dismissed", None, "count", _dismissed)
    yield two("declined", None, "count", _counted("handoffs", "declined", level=None))
    yield two("unbriefed", None, "count", _counted("handoffs", "unbriefed", level=None))


def _of(rows: str, value: str, cases: str, **of: Any) -> Callable[[Measures], tuple[Any, int]]:
    """A value, and on how many cases it rests."""

    def tell(measures: Measures) -> tuple[Any, int]:
        row = only(getattr(measures, rows), **of)
        return (getattr(row, value), getattr(row, cases)) if row is not None else (None, 0)

    return tell


def _counted(rows: str, value: str, **of: Any) -> Callable[[Measures], tuple[Any, int]]:
    """A count is its own number of cases."""

    def tell(measures: Measures) -> tuple[Any, int]:
        row = only(getattr(measures, rows), **of)
        count = getattr(row, value) if row is not None else 0
        return count, count

    return tell


def _attained(level: int | None) -> Callable[[Measures], tuple[Any, int]]:
    """Of the calls that say something of it."""

    def tell(measures: Measures) -> tuple[Any, int]:
        row = only(measures.attainment, level=level)
        return (row.attainment, row.in_time + row.late + row.missed) if row is not None else (None, 0)

    return tell


def _dismissed(measures: Measures) -> tuple[Any, int]:
    count = sum(row.dismissed for row in measures.dismissed)
    return count, count


def _figure(measure: str, of: str | None, unit: Unit, now: tuple[Any, int], was: tuple[Any, int]) -> Figure:
    (value, cases), (before, cases_before) = now, was
    if unit == "count":
        value, before = float(value), before / BASELINE
    few = min(cases, cases_before) < FEW
    return Figure(measure, of, unit, value, before, _change(unit, value, before), cases, cases_before, few)


def _change(unit: Unit, now: Any, was: Any) -> float | str | None:
    if now is None or was is None:
        return None
    if unit != "span":
        return float(round(now - was, 4))
    change = span(now) - span(was)
    return f"-{iso(-change)}" if change < timedelta() else iso(change)
