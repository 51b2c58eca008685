"""The sealer: rows that are there for good become leaves of the tree, whose signed head is kept outside the database.

Any node seals, one at a time; whoever changes a row afterwards, database owner or not, ends up with another head than
the one that was published. It reads what is committed and takes nobody's locks, so transitions don't wait for it.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import asyncpg
import structlog

import sql
from service.proof.horizon import Horizon
from service.proof.notes import Checkpoint, Signer
from service.proof.tiles import Tiles
from service.proof.tree import TILE, TILE_HEIGHT, Edge, edge_of, leaf
from service.proof.witness import Witness

log = structlog.get_logger(__name__)

LOCK, LAST, UNSEALED = sql.query("proof.lock"), sql.query("proof.last"), sql.query("proof.unsealed")
GROW, SEAL, NOW = sql.query("proof.grow"), sql.query("proof.seal"), sql.query("proof.now")
EVERY = 1.0
"""Seconds between two looks for rows to seal."""
AT_ONCE = 5000
"""Rows of one checkpoint at most."""


class BrokenTreeError(RuntimeError):
    """The tree in the database is not as its last checkpoint says: somebody changed it."""


class Sealer:
    """One node's. `published` is a file to which checkpoints are appended, `witness` whoever is handed them; where
    there is neither, the log alone has them."""

    def __init__(
        self, pool: asyncpg.Pool, signer: Signer, published: Path | None = None, witness: Witness | None = None
    ) -> None:
        self._pool, self._signer, self._published = pool, signer, published
        self._witness, self._greeted = witness, False
        self._horizon, self._edge = Horizon(), Edge()

    async def run(self) -> None:
        """Seal what comes until cancelled. A round that fails is logged, and the next tries again."""
        while True:
            try:
                while await self.seal() == AT_ONCE:
                    pass
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, BrokenTreeError) as error:
                log.warning("sealing_failed", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(EVERY)

    async def seal(self, patience: float = 0.0) -> int:
        """One checkpoint over what is new; how many rows are new in it, 0 also where another node is at it.

        Rows that stand behind somebody's open transaction are left for the next, unless one waits so many seconds.
        """
        async with self._pool.acquire() as conn:
            until = await (self._horizon.complete(conn, patience) if patience else self._horizon.look(conn))
            async with conn.transaction():
                if not await conn.fetchval(LOCK):
                    return 0
                last = await conn.fetchrow(LAST)
                size, seq = (last["size"], last["seq"]) if last else (0, 0)
                if self._witness is not None and last and not self._greeted:
                    # Whoever sealed it may have died before it was handed over.
                    self._witness.offer(size, last["note"])
                self._greeted = True
                rows = await conn.fetch(UNSEALED, seq, until, AT_ONCE)
                if not rows:
                    return 0
                edge = await self._edge_at(conn, size)
                await self._grow(conn, edge, [bytes.fromhex(row["hash"]) for row in rows])
                at: datetime = await conn.fetchval(NOW)
                checkpoint = Checkpoint(self._signer.name, edge.size, edge.head.hex(), rows[-1]["seq"], at)
                note = self._signer.sign(checkpoint)
                await conn.execute(SEAL, checkpoint.size, checkpoint.seq, checkpoint.head, at, note)
        self._edge = edge
        await self._publish(checkpoint, note)
        return len(rows)

    async def _edge_at(self, conn: asyncpg.Connection, size: int) -> Edge:
        """The tree's right edge; ours if no other node has sealed since, else read again."""
        if self._edge.size == size:
            return Edge(size, self._edge.nodes)
        tiles = Tiles()
        edge_of(size, tiles.asked)
        await tiles.load(conn)
        try:
            return edge_of(size, tiles.node)
        except LookupError as error:
            raise BrokenTreeError(f"the tree lacks nodes below its size of {size}: {error}") from None

    async def _grow(self, conn: asyncpg.Connection, edge: Edge, hashes: list[bytes]) -> None:
        """Add the leaves, and keep what is full: nodes of every eighth height, the ones between follow from them."""
        new = defaultdict[tuple[int, int], list[tuple[int, bytes]]](list)
        for each in hashes:
            for height, place, node in edge.add(leaf(each)):
                if height % TILE_HEIGHT == 0:
                    new[height, place // TILE].append((place % TILE, node))
        heights, places = zip(*new, strict=True)
        begins = [nodes[0][0] for nodes in new.values()]
        parts = [b"".join(node for _, node in nodes) for nodes in new.values()]
        if await conn.fetchval(GROW, heights, places, begins, parts) != len(new):
            raise BrokenTreeError("a tile does not end where the last checkpoint says")

    async def _publish(self, checkpoint: Checkpoint, note: str) -> None:
        """To the log, which mostly leaves this machine, to the file and to the witness. A node that dies
        here has sealed all the same: the next checkpoint is over these rows too."""
        log.info("history_sealed", size=checkpoint.size, seq=checkpoint.seq, head=checkpoint.head, note=note)
        if self._published is not None:
            await asyncio.to_thread(_append, self._published, note)
        if self._witness is not None:
            self._witness.offer(checkpoint.size, note)


def _append(path: Path, note: str) -> None:
    """All of it, on the disk, whoever else appends."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), "wb") as file:
        file.write(note.encode())
        file.flush()
        os.fsync(file.fileno())
