"""What `verify` finds of the tree: whether the rows are still those that were sealed, row by row and head by head.

Whoever owns the database may change rows, tiles and checkpoints alike; that is what checkpoints kept elsewhere, and
`verify-history`, are for. This finds what was changed by less than all of it, and names the rows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg

import sql
from service.proof.tiles import WIDTH
from service.proof.tree import TILE, Edge, leaf

PREFETCH = 500


async def sealed(conn: asyncpg.Connection) -> AsyncIterator[tuple[str, str]]:
    """Where something is not as it was sealed, and what; in a transaction, for it reads through cursors."""
    heads = aiter(conn.cursor(sql.query("verify.heads"), prefetch=PREFETCH))
    tiles = aiter(conn.cursor(sql.query("verify.leaves"), prefetch=8))
    head, tile, edge, broken = await anext(heads, None), b"", Edge(), False
    async for row in conn.cursor(sql.query("verify.sealed_rows"), prefetch=PREFETCH):
        if edge.size % TILE == 0:
            kept = await anext(tiles, None)
            tile = kept["nodes"] if kept is not None and kept["place"] == edge.size // TILE else b""
        found, begin = leaf(bytes.fromhex(row["hash"])), edge.size % TILE * WIDTH
        if not broken and tile[begin : begin + WIDTH] != found:
            where = f"{row['escalation_id']} version {row['version']}"
            yield where, f"is not what was sealed as row {edge.size + 1} of history: it was changed, or one is missing"
            broken = True  # where one is missing, all after it differ
        edge.add(found)
        while head is not None and edge.size == head["size"]:
            if (edge.head.hex(), row["seq"]) != (head["head"], head["seq"]) and not broken:
                yield f"checkpoint over {head['size']} rows", "has another head than these rows"
                broken = True
            head = await anext(heads, None)
    if head is not None and not broken:
        yield f"checkpoint over {head['size']} rows", f"is over more rows than there are: {edge.size}"
