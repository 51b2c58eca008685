"""The tree over all rows of history, as RFC 9162 has it (section 2.1): its head, and proofs that lead there.

Leaves are the rows' own hashes in the order of `seq`. Nodes of full subtrees never change, so they are kept by height
and place in tiles of 256, the way transparency logs do: a proof reads a handful of them, whatever the size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

TILE_HEIGHT = 8
TILE = 1 << TILE_HEIGHT
"""Nodes in a tile: those of one height, 256 beside each other."""
EMPTY = hashlib.sha256(b"").digest()
"""The head of a tree without leaves."""
Node = Callable[[int, int], bytes]
"""The node of a full subtree: its height (0: a leaf), and which of that height it is, from the left."""


def leaf(row_hash: bytes) -> bytes:
    """The leaf that stands for a row."""
    return hashlib.sha256(b"\x00" + row_hash).digest()


def parent(left: bytes, right: bytes) -> bytes:
    """The node above two."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Edge:
    """The right edge of a growing tree: its size, and the nodes of its full subtrees, the largest first.

    Enough to go on, and for the head; a tree of any size takes some twenty nodes.
    """

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.nodes = list(nodes)
        assert len(self.nodes) == size.bit_count(), "one node for each bit of the size"

    def add(self, new: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf; answers every node that is full with it, as height, place and hash, the leaf first."""
        made = [(0, self.size, new)]
        size, height = self.size, 0
        while size & 1:
            new = parent(self.nodes.pop(), new)
            size, height = size >> 1, height + 1
            made.append((height, size, new))
        self.nodes.append(new)
        self.size += 1
        return made

    @property
    def head(self) -> bytes:
        """The hash over all leaves."""
        if not self.nodes:
            return EMPTY
        told = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            told = parent(node, told)
        return told


def edge_of(size: int, node: Node) -> Edge:
    """The right edge of a tree of this size whose full nodes are known."""
    nodes, begin = [], 0
    for height in reversed(range(size.bit_length())):
        if size >> height & 1:
            nodes.append(node(height, begin >> height))
            begin += 1 << height
    return Edge(size, nodes)


# Proofs -----------------------------------------------------------------------------------------------------------


def inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """The nodes that lead from a leaf to the head of a tree of this size: RFC 9162, 2.1.3.1."""
    assert 0 <= index < size
    begin, end, path = 0, size, list[bytes]()
    while end - begin > 1:
        middle = begin + largest_below(end - begin)
        if index < middle:
            path.append(head_over(middle, end, node))
            end = middle
        else:
            path.append(head_over(begin, middle, node))
            begin = middle
    return path[::-1]


def consistency(old: int, size: int, node: Node) -> list[bytes]:
    """The nodes that show a tree of size `old` to be the beginning of one of this size: RFC 9162, 2.1.4.1."""
    assert 0 < old <= size
    begin, end, path, whole = 0, size, list[bytes](), True
    while old < end:
        middle = begin + largest_below(end - begin)
        if old <= middle:
            path.append(head_over(middle, end, node))
            end = middle
        else:
            path.append(head_over(begin, middle, node))
            begin, whole = middle, False
    if not whole:
        path.append(head_over(begin, end, node))
    return path[::-1]


def head_over(begin: int, end: int, node: Node) -> bytes:
    """The hash over these leaves; `begin` is where a subtree of that size may begin."""
    told: bytes | None = None
    for height in range((end - begin).bit_length()):  # from the right: the smallest full subtree is last
        if (end - begin) >> height & 1:
            end -= 1 << height
            left = node(height, end >> height)
            told = left if told is None else parent(left, told)
            if begin == end:
                break
    assert told is not None
    return told


def largest_below(count: int) -> int:
    """The largest power of two below it."""
    return 1 << (count - 1).bit_length() - 1


def included(found: bytes, index: int, size: int, path: Sequence[bytes], head: bytes) -> bool:
    """Whether this leaf is at this place of the tree with this head: RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        return False
    place, last = index, size - 1
    for node in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = parent(node, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = parent(found, node)
        place, last = place >> 1, last >> 1
    return last == 0 and found == head


def consistent(old: int, old_head: bytes, size: int, head: bytes, path: Sequence[bytes]) -> bool:
    """Whether the tree with the old head is the beginning of the other: RFC 9162, 2.1.4.2."""
    if not 0 < old <= size:
        return False
    if old == size:
        return not path and old_head == head
    nodes = list(path)
    if old & (old - 1) == 0:
        nodes.insert(0, old_head)
    if not nodes:
        return False
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = parent(node, first), parent(node, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = parent(second, node)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_head and second == head
