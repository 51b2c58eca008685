"""A part of history, taken out of it: that its rows are leaves of a tree whose head was signed, all of them at once.

Whoever has the rows and knows which leaf each is needs, besides them, the nodes over everything that is not there: the
largest that hold none of these rows, from left to right. That is one hash for each gap, or some; rows that stand beside
each other need none.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from service.proof.tree import Node, head_over, largest_below, parent


class Part(Struct, frozen=True):
    """What is kept beside the rows of a part: how many, the tree that it is a part of (its signed `note`), and the
    nodes (hex) over what is not in it."""

    rows: int
    note: str
    nodes: tuple[str, ...]


class PartError(ValueError):
    """Rows and nodes are not a part of any tree of that size; the message says why."""


def beside(places: Sequence[int], size: int, node: Node) -> Iterator[bytes]:
    """The nodes that lead from the leaves at these places, which rise, to the head over `size` leaves."""

    def within(begin: int, end: int, low: int, high: int) -> Iterator[bytes]:
        if low == high:
            yield head_over(begin, end, node)
        elif end - begin > 1:
            middle = begin + largest_below(end - begin)
            cut = bisect_left(places, middle, low, high)
            yield from within(begin, middle, low, cut)
            yield from within(middle, end, cut, high)

    return within(0, size, 0, len(places))


def head_of(size: int, leaves: Iterable[tuple[int, bytes]], nodes: Iterable[bytes]) -> bytes:
    """The head over `size` leaves, from some with their places, which rise, and the nodes beside them; each is asked
    for when its turn comes. Raises PartError where they do not fit each other."""
    some, others = iter(leaves), iter(nodes)
    coming = next(some, None)

    def over(begin: int, end: int) -> bytes:
        nonlocal coming
        if coming is not None and coming[0] < begin:
            raise PartError(f"row {coming[0] + 1} of history stands behind a later one, or is there twice")
        if coming is None or coming[0] >= end:
            try:
                return next(others)
            except StopIteration:
                raise PartError("rows are missing, or nodes of the proof") from None
        if end - begin == 1:
            found, coming = coming[1], next(some, None)
            return found
        middle = begin + largest_below(end - begin)
        left = over(begin, middle)
        return parent(left, over(middle, end))

    head = over(0, size)
    if coming is not None or next(others, None) is not None:
        raise PartError("there are more rows, or nodes of the proof, than the tree has place for")
    return head
