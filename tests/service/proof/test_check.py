"""`verify` names what is not as it was sealed, also where every hash is fresh."""

from __future__ import annotations

import asyncpg
import pytest

from service import database, verify
from service.proof.notes import Signer
from service.proof.sealer import Sealer
from tests.service.conftest import Service

_, SIGNER = Signer.made("escalations.example")
TAMPERINGS = {
    "a fresh hash": "UPDATE history SET hash = repeat('ab', 32) WHERE seq = $1",
    "a row less": "DELETE FROM history WHERE seq = $1",
    "another leaf": "UPDATE tree_tile SET nodes = overlay(nodes placing 'x'::bytea from 40) WHERE $1::bigint > 0",
    "another head": "UPDATE checkpoint SET head = repeat('ab', 32) WHERE $1::bigint IS NOT NULL",
    "a tile less": "DELETE FROM tree_tile WHERE $1::bigint IS NOT NULL",
    "the last row less": "DELETE FROM history WHERE seq = (SELECT max(seq) FROM history) AND $1::bigint IS NOT NULL",
}


@pytest.fixture
async def sealed(service: Service) -> int:
    """The number of a row in the middle of a sealed history."""
    pool = await database.connect(service.database_url)
    for n in range(3):
        await service.held(f"T-{n}")
        await Sealer(pool, SIGNER).seal(patience=10.0)
    await pool.close()
    assert await verify.run(service.database_url) == []
    rows = await service.db.fetch("SELECT seq FROM history ORDER BY seq")
    return int(rows[len(rows) // 2]["seq"])


@pytest.mark.parametrize("how", TAMPERINGS)
async def test_what_is_not_as_it_was_sealed_is_found(service: Service, sealed: int, how: str):
    async with _owned(service.db):
        await service.db.execute("SET session_replication_role = replica")  # a superuser, whom no trigger stops
        await service.db.execute(TAMPERINGS[how], sealed)
        found = await verify.findings(service.db)
        assert [each for each in found if "sealed" in each.what or "checkpoint" in each.where], found


class _owned:  # noqa: N801  # a block, not a thing
    """A transaction that is rolled back."""

    def __init__(self, db: asyncpg.Connection) -> None:
        self._transaction = db.transaction()

    async def __aenter__(self) -> None:
        await self._transaction.start()

    async def __aexit__(self, *_: object) -> None:
        await self._transaction.rollback()
