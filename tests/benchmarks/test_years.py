"""Generated history is the product's own in every respect that its verifier knows, and skewed as asked."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
import pytest

from service import verify
from service.database import prepare
from service.demo.incidents import load
from tests.benchmarks.lived import Life, played
from tests.benchmarks.years import Years, fill

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
ROWS = 1500


@pytest.fixture
async def lives(database_url: str) -> list[Life]:
    """Those of a few urgent incidents."""
    return await played(database_url, [incident for incident in load() if incident.highest <= "p1"][:6])


async def test_the_verifier_finds_nothing_in_generated_years_but_the_messages_that_are_left_out(
    lives: list[Life], empty_database_url: str
):
    assert lives
    await prepare(empty_database_url)
    wanted = Years(lives, ROWS, UNTIL)
    rows = await fill(empty_database_url, wanted)
    assert abs(rows - ROWS) < ROWS / 4
    findings = await verify.run(empty_database_url)
    assert [finding for finding in findings if finding.claim != "V5"] == []
    conn = await asyncpg.connect(empty_database_url)
    numbers = await conn.fetchrow("SELECT count(*), max(seq), count(DISTINCT tableoid) AS months FROM history")
    assert (numbers[0], numbers[1]) == (rows, rows)
    assert numbers["months"] > 12
    assert await conn.fetchval("SELECT nextval('history_seq')") == rows + 1
    backwards = "SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY seq) AS back FROM history) AS h WHERE back"
    assert await conn.fetchval(backwards) == 0
    await conn.close()


async def test_the_same_seed_makes_the_same_years(lives: list[Life]):
    one, same, other = (Years(lives, 300, UNTIL, seed) for seed in (1, 1, 2))
    hashes = [[row for batch in years.batches() for row in batch.history] for years in (one, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]
