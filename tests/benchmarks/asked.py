"""What an auditor may ask of history: each filter alone and every two together, with values that find much, with values
of some row, and with values that never meet; first pages and deep ones, oldest and newest first."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations

import asyncpg
import msgspec
from msgspec import Struct

WINDOW = "window"
FILTERS = ("escalation_id", "ticket_id", "customer_id", "actor", "trigger", "from", "to", WINDOW)
COLUMNS = {
    "escalation_id": "h.escalation_id::text",
    "ticket_id": "h.ticket_id",
    "customer_id": "h.customer_id",
    "actor": "h.actor",
    "trigger": "m.trigger",
    "from": "m.source",
    "to": "m.dest",
}
MOVES = ("trigger", "from", "to")
FEW = ("escalation_id", "ticket_id")
"""Filters of which every value has few rows."""
NOWHERE = {
    "escalation_id": "01900000-0000-7000-a000-000000000000",
    "ticket_id": "nowhere",
    "customer_id": "nowhere",
    "actor": "nobody",
    "trigger": "nothing",
    "from": "closed",
    "to": "open",
}
DAY = timedelta(days=1)
_IS = {"escalation_id": "h.escalation_id = $1::text::uuid", "ticket_id": "h.ticket_id = $1"}
_JOINED = "FROM history h JOIN allowed_move m ON m.id = h.move"
_MOST = 250
"""Of the values with most rows, among how many two are looked for that never meet."""

Asked = dict[str, str]
"""Filters as a URL has them."""


class Case(Struct, frozen=True):
    """A way to ask, and several values to ask by. `deep`: after most of the rows in that order, by `cursor`."""

    filters: tuple[str, ...]
    kind: str
    order: str
    cursor: int | None
    asked: tuple[Asked, ...]

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.kind}, {'deep' if self.cursor else 'first'}, {self.order}"


class Town:
    """The values that there are, from a database at rest."""

    def __init__(self, conn: asyncpg.Connection, seed: int) -> None:
        self._conn, self._rng = conn, random.Random(f"asked/{seed}")
        self._top: dict[str, dict[str, int]] = {}
        self.rows, self.since, self.until = 0, datetime.now(UTC), datetime.now(UTC)

    async def look(self) -> None:
        """Count once."""
        told = await self._conn.fetchrow("SELECT max(seq) AS rows, min(at) AS since, max(at) AS until FROM history")
        self.rows, self.since, self.until = told["rows"], told["since"], told["until"]
        for name in (*MOVES, "customer_id", "actor"):
            counted = (
                f"SELECT {COLUMNS[name]} AS v, count(*) AS n {_JOINED} WHERE {COLUMNS[name]} IS NOT NULL GROUP BY 1"
            )
            rows = await self._conn.fetch(f"{counted} ORDER BY 2 DESC, 1 LIMIT {_MOST}")
            self._top[name] = {row["v"]: row["n"] for row in rows}

    async def cases(self, samples: int) -> list[Case]:
        """All of them."""
        found = []
        for filters in [(name,) for name in FILTERS] + list(combinations(FILTERS, 2)):
            kinds = {
                "most": [await self._much(filters)],
                "some": [await self._of_a_row(filters) for _ in range(samples)],
                "never": [await self._never(filters)],
            }
            for kind, asked in kinds.items():
                values = tuple((asked * samples)[:samples])
                for order, deep in (("asc", self.rows * 8 // 10), ("desc", self.rows * 2 // 10)):
                    found += [Case(filters, kind, order, cursor, values) for cursor in (None, deep)]
        return found

    async def _much(self, filters: tuple[str, ...]) -> Asked:
        """The values with most rows, whether they meet or not."""
        told: Asked = {}
        for name in filters:
            if name == WINDOW:
                middle = self.since + (self.until - self.since) / 2
                told |= window(middle, middle + 30 * DAY)
            elif name in FEW:
                counted = f"SELECT {COLUMNS[name]} FROM history h WHERE seq <= 200000 GROUP BY 1 ORDER BY count(*) DESC"
                told[name] = await self._conn.fetchval(f"{counted}, 1 LIMIT 1")
            else:
                told[name] = next(iter(self._top[name]))
        return told

    async def row(self) -> asyncpg.Record:
        """Some row, which has somewhere that it came from."""
        columns = ", ".join(f'{column} AS "{name}"' for name, column in COLUMNS.items())
        while True:
            seq = self._rng.randint(1, self.rows)
            row = await self._conn.fetchrow(f"SELECT {columns}, h.at {_JOINED} WHERE h.seq = $1", seq)
            if row["from"] is not None:
                return row

    async def _of_a_row(self, filters: tuple[str, ...]) -> Asked:
        row = await self.row()
        told: Asked = {name: row[name] for name in filters if name != WINDOW}
        return told | (window(row["at"] - DAY / 2, row["at"] + DAY / 2) if WINDOW in filters else {})

    async def _never(self, filters: tuple[str, ...]) -> Asked:
        """Values that have rows, as many as can be, and none together."""
        if len(filters) == 1:
            empty = window(datetime(2001, 1, 1, tzinfo=UTC), datetime(2001, 2, 1, tzinfo=UTC))
            return empty if filters[0] == WINDOW else {filters[0]: NOWHERE[filters[0]]}
        one, other = filters
        if WINDOW in filters:
            return await self._not_then(one)
        if one in FEW:
            row = await self.row()
            return {one: row[one], other: await self._not_of(one, row[one], other)}
        a, b = COLUMNS[one], COLUMNS[other]
        both = (
            f"SELECT {a} AS a, {b} AS b {_JOINED} WHERE {a} = ANY ($1::text[]) AND {b} = ANY ($2::text[]) GROUP BY 1, 2"
        )
        rows = await self._conn.fetch(both, list(self._top[one]), list(self._top[other]))
        met = {(row["a"], row["b"]) for row in rows}
        pairs = [(a, b) for a in self._top[one] for b in self._top[other] if (a, b) not in met]
        if not pairs:
            return {one: next(iter(self._top[one])), other: NOWHERE[other]}
        best = max(pairs, key=lambda pair: min(self._top[one][pair[0]], self._top[other][pair[1]]))
        return {one: best[0], other: best[1]}

    async def _not_of(self, one: str, value: str, other: str) -> str:
        """What of the other filter this value's rows have not."""
        if other in FEW:
            return NOWHERE[other]
        told = f"SELECT DISTINCT {COLUMNS[other]} AS v {_JOINED} WHERE {_IS[one]}"
        has = {row["v"] for row in await self._conn.fetch(told, value)}
        return next((v for v in self._top[other] if v not in has), NOWHERE[other])

    async def _not_then(self, name: str) -> Asked:
        """A day in the middle, and the value with most rows that has none on it."""
        day = self.since + (self.until - self.since) / 2
        if name in FEW:
            return {name: (await self.row())[name]} | window(self.until + DAY, self.until + 2 * DAY)
        met = f"SELECT DISTINCT {COLUMNS[name]} AS v {_JOINED} WHERE h.at >= $1 AND h.at < $2"
        has = {row["v"] for row in await self._conn.fetch(met, day, day + DAY)}
        value = next((v for v in self._top[name] if v not in has), None)
        if value is None:
            return {name: next(iter(self._top[name]))} | window(self.until + DAY, self.until + 2 * DAY)
        return {name: value} | window(day, day + DAY)

    def instants(self, count: int) -> Iterator[datetime]:
        """Anywhere in all that time."""
        for _ in range(count):
            yield self.since + (self.until - self.since) * self._rng.random()


def window(since: datetime, until: datetime) -> Asked:
    """From one instant to another."""
    return {"since": written(since), "until": written(until)}


def written(at: datetime) -> str:
    """An instant as URLs have it."""
    return str(msgspec.to_builtins(at.astimezone(UTC)))
