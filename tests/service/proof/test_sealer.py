"""Rows become leaves in the order of `seq`, none is forgotten, and each can be proved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from service import database
from service.proof import sealer as sealing
from service.proof.horizon import Horizon
from service.proof.notes import Signer, Verifier, split
from service.proof.sealer import BrokenTreeError, Sealer
from service.proof.tree import Edge, included, leaf
from tests.service.conftest import Service

TEXT, SIGNER = Signer.made("escalations.example")
VERIFIER = Verifier(SIGNER.public)


@pytest.fixture
async def pool(service: Service) -> AsyncIterator[asyncpg.Pool]:
    """Connections like the service's own."""
    pool = await database.connect(service.database_url)
    yield pool
    await pool.close()


async def head(service: Service) -> tuple[int, str, int]:
    """Size, head and last number of a tree over all rows, counted here."""
    edge, rows = Edge(), await service.db.fetch("SELECT seq, hash FROM history ORDER BY seq")
    for row in rows:
        edge.add(leaf(bytes.fromhex(row["hash"])))
    return edge.size, edge.head.hex(), rows[-1]["seq"]


async def test_what_is_sealed_is_all_rows_and_the_note_in_the_file_says_so(
    service: Service, pool: asyncpg.Pool, tmp_path: Path
):
    file = tmp_path / "checkpoints"
    sealer = Sealer(pool, SIGNER, file)
    assert await sealer.seal(patience=10.0) == 0
    for n in range(3):
        await service.held(f"T-{n}")
        assert await sealer.seal(patience=10.0) > 0
        assert await sealer.seal(patience=10.0) == 0
        told = VERIFIER.read(split(file.read_text())[-1])
        assert (told.size, told.head, told.seq) == await head(service)
    assert len(split(file.read_text())) == 3


async def test_another_node_goes_on_from_what_the_tiles_say(
    service: Service, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sealing, "AT_ONCE", 3)
    for n in range(4):
        await service.held(f"T-{n}")
    while await Sealer(pool, SIGNER).seal(patience=10.0):
        pass
    stands = await service.db.fetchrow("SELECT size, head, seq FROM checkpoint ORDER BY size DESC LIMIT 1")
    assert tuple(stands) == await head(service)


async def test_tiles_of_256_make_one_of_the_next_height(service: Service, pool: asyncpg.Pool):
    e = await service.opened("T-1")
    for start in range(0, 600, 100):
        notes = [{"escalation_id": e, "trigger": "note", "text": f"n{n}"} for n in range(start, start + 100)]
        (await service.call("ann", "POST", "/v1/transitions", notes)).ok()
    await Sealer(pool, SIGNER).seal(patience=10.0)
    tiles = await service.db.fetch("SELECT height, place, length(nodes) / 32 AS count FROM tree_tile ORDER BY 1, 2")
    size = (await head(service))[0]
    assert [tuple(row) for row in tiles] == [(0, 0, 256), (0, 1, 256), (0, 2, size - 512), (8, 0, 2)]


async def test_two_nodes_at_once_seal_each_row_once(service: Service, pool: asyncpg.Pool):
    for n in range(3):
        await service.held(f"T-{n}")
    made = await asyncio.gather(*(Sealer(pool, SIGNER).seal(patience=10.0) for _ in range(4)))
    size = (await head(service))[0]
    assert sum(made) == size
    assert await service.db.fetchval("SELECT max(size) FROM checkpoint") == size


async def test_a_tree_that_somebody_cut_is_not_grown(service: Service, pool: asyncpg.Pool):
    await service.held("T-1")
    await Sealer(pool, SIGNER).seal(patience=10.0)
    whole = await service.db.fetchval("SELECT nodes FROM tree_tile")
    await service.db.execute("UPDATE tree_tile SET nodes = substr(nodes, 1, 32)")
    await service.held("T-2")
    with pytest.raises(BrokenTreeError):
        await Sealer(pool, SIGNER).seal(patience=10.0)
    await service.db.execute("UPDATE tree_tile SET nodes = $1", whole)
    assert await Sealer(pool, SIGNER).seal(patience=10.0) > 0


async def test_a_row_that_commits_late_is_waited_for(service: Service):
    """A number is drawn, a larger one commits first: nothing is told above the open one."""
    await service.db.execute("CREATE TABLE late (seq bigint)")
    one, two = [await asyncpg.connect(service.database_url) for _ in range(2)]
    horizon, draw = Horizon(), "INSERT INTO late VALUES (nextval('history_seq'))"
    first = await horizon.look(service.db)
    await one.execute(f"BEGIN; {draw}")
    await two.execute(draw)
    assert await horizon.look(service.db) == first
    assert await horizon.look(service.db) == first
    await one.execute("COMMIT")
    assert await horizon.look(service.db) == await service.db.fetchval("SELECT max(seq) FROM late") == first + 2
    await one.close()
    await two.close()


async def test_every_row_is_proved_over_http(service: Service, pool: asyncpg.Pool):
    for n in range(3):
        await service.held(f"T-{n}")
        await Sealer(pool, SIGNER).seal(patience=10.0)
    latest = (await service.call("aud", "GET", "/v1/history/checkpoint")).ok()
    assert VERIFIER.read(latest["note"]).size == latest["size"] == (await head(service))[0]
    for door in ("checkpoint", "proof?seq=1"):
        (await service.call(None, "GET", f"/v1/history/{door}")).problem(401, "no_key")
    rows = await service.db.fetch("SELECT seq, hash FROM history ORDER BY seq")
    for index, row in enumerate(rows):
        told = (await service.call("aud", "GET", f"/v1/history/proof?seq={row['seq']}")).ok()
        note = VERIFIER.read(told["note"])
        path = [bytes.fromhex(node) for node in told["proof"]]
        assert (told["index"], told["hash"]) == (index, row["hash"])
        assert included(leaf(bytes.fromhex(row["hash"])), index, note.size, path, bytes.fromhex(note.head))


async def test_what_is_not_sealed_has_no_proof_and_the_answer_says_what_to_do(service: Service):
    await service.held("T-1")
    told = (await service.call("aud", "GET", "/v1/history/proof?seq=1")).problem(404, "not_found")
    assert "ESCALATION_SIGNING_KEY" in told["detail"]
    (await service.call("aud", "GET", "/v1/history/checkpoint")).problem(404, "not_found")
    assert (await service.call("aud", "GET", "/v1/history/proof?seq=0")).fields() == {"seq"}
    (await service.call("aud", "GET", "/v1/history/proof")).problem(422, "invalid_fields")
