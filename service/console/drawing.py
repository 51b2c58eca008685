"""The machine drawn: its states in a row, and an arc for each move that the table allows.

Everything is taken from `machines.escalation`: forward moves are arcs above the row, backward ones below. What was gone
is drawn over it, and what can come next from where it stands. Drawn twice, lying and standing, for wide and narrow
screens; the style shows one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from msgspec import Struct

from machines.escalation import moves
from machines.values import State
from service.answers import TransitionAnswer

STATES = tuple(map(str, State))
"""In the order of a life, which is how the machine lists them."""


class Node(Struct, frozen=True):
    """A state; `x` and `y` are its middle. `visited`: it stood there once; `here`: it stands there."""

    state: str
    x: float
    y: float
    visited: bool
    here: bool


class Arc(Struct, frozen=True):
    """All moves from one state to another. `kind`: gone, next or allowed; `steps` are the numbers of those gone."""

    source: str
    dest: str
    triggers: tuple[str, ...]
    path: str
    kind: str
    steps: str
    x: float
    y: float
    head: str


class Drawing(Struct, frozen=True):
    """One picture, in its own units."""

    name: str
    width: float
    height: float
    box: tuple[float, float]
    nodes: tuple[Node, ...]
    arcs: tuple[Arc, ...]


class Leg(Struct, frozen=True):
    """A step of the way it came; `source` is None where it was opened."""

    number: int
    source: str | None
    dest: str
    told: TransitionAnswer


class _Lay(Struct, frozen=True):
    """How a picture lies: the states `apart` along it, the arcs so high across it."""

    name: str
    apart: float
    box: tuple[float, float]
    rise: float
    lifts: float
    above: float
    below: float
    standing: bool


_LAYS = (
    _Lay("lying", 140, (112, 36), 22, 17, 110, 78, False),
    _Lay("standing", 62, (112, 34), 26, 16, 110, 100, True),
)


@cache
def edges() -> dict[tuple[str, str], tuple[str, ...]]:
    """Every pair of states between which the table has moves, with their triggers; those that stay are left out."""
    found: dict[tuple[str, str], list[str]] = {}
    for trigger, source, dest in moves():
        if source is not None and source != dest:
            found.setdefault((source, dest), []).append(trigger)
    return {pair: tuple(triggers) for pair, triggers in found.items()}


def way(history: Iterable[TransitionAnswer]) -> list[Leg]:
    """The steps that changed the state, oldest first."""
    moved = [told for told in history if told.source != told.dest]
    return [Leg(n, told.source, told.dest, told) for n, told in enumerate(moved)]


def draw(state: str, legs: Sequence[Leg]) -> tuple[Drawing, ...]:
    """The machine as it stands in this state, having come this way."""
    return tuple(_drawing(lay, state, legs) for lay in _LAYS)


def _drawing(lay: _Lay, state: str, legs: Sequence[Leg]) -> Drawing:
    along = lay.box[1] if lay.standing else lay.box[0]
    length = lay.apart * (len(STATES) - 1) + along + 8
    visited = {leg.dest for leg in legs}
    places = {name: along / 2 + 4 + n * lay.apart for n, name in enumerate(STATES)}
    nodes = tuple(Node(name, *_at(lay, places[name], 0), name in visited, name == state) for name in STATES)
    arcs = sorted(
        (_arc(lay, places, pair, triggers, state, legs) for pair, triggers in edges().items()),
        key=lambda arc: ("allowed", "next", "gone").index(arc.kind),
    )
    across = lay.above + lay.below + (lay.box[0] if lay.standing else lay.box[1])
    size = (across, length) if lay.standing else (length, across)
    return Drawing(lay.name, *size, lay.box, nodes, tuple(arcs))


def _at(lay: _Lay, along: float, across: float) -> tuple[float, float]:
    """A point so far along the row, and so far from it (up, or to the right)."""
    half = (lay.box[0] if lay.standing else lay.box[1]) / 2
    if lay.standing:
        return round(lay.below + half + across, 1), round(along, 1)
    return round(along, 1), round(lay.above + half - across, 1)


def _arc(
    lay: _Lay,
    places: dict[str, float],
    pair: tuple[str, str],
    triggers: tuple[str, ...],
    state: str,
    legs: Sequence[Leg],
) -> Arc:
    source, dest = pair
    far = STATES.index(dest) - STATES.index(source)
    side = 1 if far > 0 else -1
    half = (lay.box[0] if lay.standing else lay.box[1]) / 2
    # Arcs leave a state at one end of its side and arrive at the other, so that they are told apart.
    spread = (lay.box[1] if lay.standing else lay.box[0]) * 0.28
    begin, end = places[source] + side * spread, places[dest] - side * spread
    high = (lay.rise + lay.lifts * (abs(far) - 1)) * 4 / 3
    points = [_at(lay, begin, side * half), _at(lay, begin, side * (half + high))]
    points += [_at(lay, end, side * (half + high)), _at(lay, end, side * half)]
    steps = [str(leg.number) for leg in legs if (leg.source, leg.dest) == pair]
    middle = _at(lay, (begin + end) / 2, side * (half + high * 3 / 4))
    tip = points[3]
    wide, long = 4.2, 7.0
    base = [_at(lay, end + way, side * (half + long)) for way in (-wide, wide)]
    return Arc(
        source,
        dest,
        triggers,
        "M{} {} C{} {} {} {} {} {}".format(*(number for point in points for number in point)),
        "gone" if steps else "next" if source == state else "allowed",
        ", ".join(steps),
        *middle,
        "{},{} {},{} {},{}".format(*tip, *base[0], *base[1]),
    )
