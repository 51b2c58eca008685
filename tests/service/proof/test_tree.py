"""The tree of RFC 9162, beside the RFC's own recursive definition."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.proof.tree import EMPTY, Edge, consistency, consistent, edge_of, included, inclusion, leaf, parent

ROWS = [hashlib.sha256(bytes([n])).digest() for n in range(200)]
LEAVES = [leaf(row) for row in ROWS]
SIZES = st.integers(1, len(LEAVES))


def head_of(leaves: list[bytes]) -> bytes:
    """MTH of the RFC's section 2.1.1, to the letter."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + head_of(leaves[:k]) + head_of(leaves[k:])).digest()


def node(height: int, place: int) -> bytes:
    """A full node, by definition."""
    assert (place + 1) << height <= len(LEAVES), "asked for a subtree that is not full"
    return head_of(LEAVES[place << height : (place + 1) << height])


def test_a_tree_without_leaves_has_the_hash_of_nothing():
    assert Edge().head == EMPTY == head_of([])


def test_the_head_is_the_rfcs_at_every_size_and_every_full_node_is_told_once():
    edge, told = Edge(), dict[tuple[int, int], bytes]()
    for size, new in enumerate(LEAVES, 1):
        for height, place, made in edge.add(new):
            assert told.setdefault((height, place), made) is made
        assert (edge.size, edge.head) == (size, head_of(LEAVES[:size]))
        assert edge_of(size, node).nodes == edge.nodes
    assert told == {(h, n): node(h, n) for h in range(len(LEAVES).bit_length()) for n in range(len(LEAVES) >> h)}


@given(SIZES, st.data())
def test_every_leaf_is_proved_and_no_other_is(size: int, data: st.DataObject):
    index = data.draw(st.integers(0, size - 1))
    head, path = head_of(LEAVES[:size]), inclusion(index, size, node)
    assert included(LEAVES[index], index, size, path, head)
    other = data.draw(st.integers(0, len(LEAVES) - 1).filter(lambda n: n != index))
    assert not included(LEAVES[other], index, size, path, head)
    assert not included(LEAVES[index], other, size, path, head)
    assert not included(LEAVES[index], index, size, [*path, EMPTY], head)
    if path:
        assert not included(LEAVES[index], index, size, path[:-1], head)


@given(SIZES, SIZES, st.data())
def test_a_tree_is_shown_to_go_on_from_an_older_one_and_a_forked_one_is_not(one: int, two: int, data: st.DataObject):
    old, size = sorted((one, two))
    path, heads = consistency(old, size, node), (head_of(LEAVES[:old]), head_of(LEAVES[:size]))
    assert consistent(old, heads[0], size, heads[1], path)
    forked = [*LEAVES[:old]]
    forked[data.draw(st.integers(0, old - 1))] = EMPTY
    assert not consistent(old, head_of(forked), size, heads[1], path)
    assert not consistent(old, heads[0], size, parent(*heads), path)
    assert not consistent(old, heads[0], size, heads[1], [*path, EMPTY])


@pytest.mark.parametrize(("index", "size"), [(1, 1), (-1, 3), (3, 3)])
def test_a_place_outside_the_tree_proves_nothing(index: int, size: int):
    assert not included(LEAVES[0], index, size, [], LEAVES[0])


def test_nothing_goes_on_from_no_tree_or_from_a_larger_one():
    assert not consistent(0, EMPTY, 3, head_of(LEAVES[:3]), [])
    assert not consistent(4, head_of(LEAVES[:4]), 3, head_of(LEAVES[:3]), [])
