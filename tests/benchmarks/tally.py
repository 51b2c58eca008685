"""How many rows the counted calls wrote, as the database has them."""

from __future__ import annotations

from typing import Any

import asyncpg
from msgspec import Struct
from msgspec.structs import asdict

# A command that wrote history is what is counted; timers come and go, so their writes are read from the statistics.
_WRITTEN = """
SELECT (SELECT count(DISTINCT command) FROM history) AS calls,
    (SELECT count(*) FROM history) AS history,
    (SELECT count(*) FROM outbox) AS outbox,
    (SELECT count(*) FROM said) AS texts,
    (SELECT count(*) FROM answered) AS answers,
    (SELECT count(*) FROM ticket_event) AS reports,
    (SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = 'timer') AS timers,
    (SELECT sum(n_tup_ins) FROM pg_stat_user_tables WHERE relname ~ '^history_')::bigint AS seen,
    (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()) AS commits
"""


class Rows(Struct, frozen=True):
    """Rows there are, or rows written between two looks. `calls` are commands that wrote history.

    `timers` are writes of timers, and `commits` transactions, among those that made `seen` rows of history: the
    statistics lag a little.
    """

    calls: int
    history: int
    outbox: int
    texts: int
    answers: int
    reports: int
    timers: int
    seen: int
    commits: int

    def __sub__(self, earlier: Rows) -> Rows:
        """What was written since."""
        return Rows(**{name: value - getattr(earlier, name) for name, value in asdict(self).items()})

    def a_call(self) -> dict[str, float]:
        """Rows a counted call wrote, on average, and how many such calls each commit was for."""
        calls = max(1, self.calls)
        found: dict[str, Any] = {
            name: getattr(self, name) / calls for name in ("history", "outbox", "texts", "answers")
        }
        found["timer_writes"] = self.timers / max(1, self.seen) * found["history"]
        found["calls_a_commit"] = self.seen / max(1.0, found["history"]) / max(1, self.commits)
        return {name: round(value, 2) for name, value in found.items()}


async def written(url: str) -> Rows:
    """What the product's database at this url has."""
    connection = await asyncpg.connect(url)
    try:
        return Rows(**dict(await connection.fetchrow(_WRITTEN)))
    finally:
        await connection.close()
