"""Bars to stand beside numbers in a table: whoever looks sees which is long, whoever reads has the number.

Each is an SVG without a style or script of its own, stretched to its cell; the style sheet colours its parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

WIDTH = 100.0


class Part(Struct, frozen=True):
    """A piece of a bar, in hundredths of the whole width."""

    kind: str
    x: float
    width: float


class Bar(Struct, frozen=True):
    """A bar. `mark` is where it ended before, None where there is nothing to compare with."""

    parts: tuple[Part, ...]
    mark: float | None = None


def single(value: float | None, most: float, was: float | None = None) -> Bar:
    """One value of a scale that ends at `most`, and where it stood before."""
    return Bar((Part("now", 0, _share(value, most)),) if value else (), None if was is None else _share(was, most))


def nested(values: Sequence[tuple[str, float | None]], most: float, was: float | None = None) -> Bar:
    """Several values from the same beginning, the longest first: a shorter one lies on it."""
    told = sorted(((kind, value) for kind, value in values if value), key=lambda each: -each[1])
    parts = tuple(Part(kind, 0, _share(value, most)) for kind, value in told)
    return Bar(parts, None if was is None else _share(was, most))


def stacked(values: Iterable[tuple[str, float]], was: float | None = None) -> Bar:
    """Shares of a whole, one after the other; `was` is where the first ended before, as a share."""
    told = [(kind, value) for kind, value in values if value]
    whole, x, parts = sum(value for _, value in told), 0.0, list[Part]()
    for kind, value in told:
        width = value / whole * WIDTH
        parts.append(Part(kind, round(x, 2), round(width, 2)))
        x += width
    return Bar(tuple(parts), None if was is None else _share(was, 1.0))


def longest(values: Iterable[float | None]) -> float:
    """Where the scale of these ends; 1 where there is nothing to draw."""
    return max((value for value in values if value), default=1.0)


def _share(value: float | None, most: float) -> float:
    return round(min((value or 0.0) / most, 1.0) * WIDTH, 2)
