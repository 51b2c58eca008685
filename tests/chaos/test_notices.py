"""A short run of the notices under fire; long ones are started by hand."""

from pathlib import Path

from tests.chaos.notices import notices


async def test_with_failing_receivers_and_a_killed_service_every_planned_message_arrives(tmp_path: Path) -> None:
    seen = await notices("flaky", tmp_path, seconds=2.0, clients=3, kills=1, seed=1)
    assert seen.sound, (seen.planned, seen.heard, seen.missing, seen.left, seen.wrong)
    assert seen.heard == seen.planned > 0
