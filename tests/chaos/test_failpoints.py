"""A short run of the harness: the service dies once at each point, and history is as in peace."""

from __future__ import annotations

import asyncpg

from machines.escalation import RULES
from tests.chaos.failing import POINTS
from tests.chaos.failpoints import run

NOT_LIVED = {"rate", "move_policy"}
"""The survey's answer needs a link that only a message holds, and nobody can move a policy over HTTP."""


async def test_killed_at_each_point_of_a_batch_history_is_as_in_peace(database_url: str, empty_database_url: str):
    peaceful = await run(database_url, lambda n: None)
    assert (peaceful.kills, peaceful.findings) == (0, [])
    db = await asyncpg.connect(database_url)
    happened = await db.fetch("SELECT DISTINCT m.trigger FROM history h JOIN allowed_move m ON m.id = h.move")
    assert {row["trigger"] for row in happened} == RULES.keys() - NOT_LIVED
    await db.close()
    armed = dict(zip(range(4, 4 + 9 * len(POINTS), 9), POINTS, strict=True))
    killed = await run(empty_database_url, lambda n: (armed[n], 0) if n in armed else None)
    assert killed.findings == []
    assert killed.kills == len(POINTS)
    assert {point for point, _ in killed.killed} == set(POINTS)
    assert killed.history == peaceful.history
