"""What a dead node had in its hands is done by another, soon."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.takeover import takeover


async def test_due_timers_and_leased_messages_of_a_killed_node_are_taken_over(tmp_path: Path):
    told = await takeover(40, 1, tmp_path)
    assert told.findings == []
    assert told.done
