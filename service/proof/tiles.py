"""Nodes of the tree as they are kept: in tiles of 256 beside each other, for every eighth height."""

from __future__ import annotations

import asyncpg

import sql
from service.proof.tree import TILE, TILE_HEIGHT, parent

TILES = sql.query("proof.tiles")
WIDTH = 32


class Tiles:
    """Some nodes: first they are asked for, then all are loaded at once, then they are there."""

    def __init__(self) -> None:
        self._tiles: dict[tuple[int, int], bytes] = {}

    def asked(self, height: int, place: int) -> bytes:
        """Remember that this node is needed; what it answers has no meaning."""
        self._tiles.setdefault(_where(height, place)[0], b"")
        return b""

    async def load(self, conn: asyncpg.Connection) -> None:
        """Read what was asked for."""
        if self._tiles:
            heights, places = zip(*self._tiles, strict=True)
            for row in await conn.fetch(TILES, heights, places):
                self._tiles[row["height"], row["place"]] = row["nodes"]

    def node(self, height: int, place: int) -> bytes:
        """A full node; raises LookupError where it is not kept."""
        tile, begin, count = _where(height, place)
        kept = self._tiles.get(tile, b"")[begin * WIDTH : (begin + count) * WIDTH]
        if len(kept) != count * WIDTH:
            raise LookupError(f"node {place} of height {height}")
        row = [kept[at : at + WIDTH] for at in range(0, len(kept), WIDTH)]
        while len(row) > 1:
            row = [parent(row[n], row[n + 1]) for n in range(0, len(row), 2)]
        return row[0]


def _where(height: int, place: int) -> tuple[tuple[int, int], int, int]:
    """The tile that a node follows from, where in it that begins, and how many of its nodes it takes."""
    below = height % TILE_HEIGHT
    first = place << below
    return (height - below, first // TILE), first % TILE, 1 << below
