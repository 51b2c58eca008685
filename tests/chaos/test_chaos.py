"""A short run of the harness: the service and Postgres are each killed once, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.run import Plan, chaos


async def test_a_killed_service_and_a_killed_postgres_lose_nothing(tmp_path: Path):
    report = await chaos(Plan(kills=1, postgres_kills=1, seed=1, clients=4, seconds=0.5), tmp_path, lambda *_: None)
    assert report.wrong == []
    assert report.findings == []
    assert report.lost == 0
    assert len(report.kills) == 2
    assert report.acknowledged > 0
