"""A short run of the harness: the service and Postgres are each killed once in mid-replay, and nothing tells of it."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.replay import Plan, compare, day


async def test_a_replay_whose_service_and_postgres_are_killed_ends_as_one_in_peace(tmp_path: Path):
    report = await compare(Plan(1, 1, seed=1), day(tmp_path / "day.ndjson", "p0", 3), tmp_path, lambda _: None)
    assert report.peaceful.findings == report.killed.findings == []
    assert report.peaceful.transitions > 50
    assert report.killed.outcome == report.peaceful.outcome
    assert report.killed.history == report.peaceful.history
    assert {victim for victim, _ in report.kills} == {"service", "postgres"}
    assert report.sound
