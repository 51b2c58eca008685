"""Years of history, written by the engine's own statement: lives of the demo's day (`lived.py`), again and again, each
with ids, ticket, customer and people of its own, one beside the other in the order of time.

Skewed as such things are: some customers have most of the escalations and some people decide most, by Zipf's law;
weekends are quiet, and twice as much happens at the end as at the beginning. Every row's hash is the product's, after
the one before; `escalation-matrix verify` finds nothing but the messages, which are left out: nothing here reads them.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any

import asyncpg

import sql
from service import database
from service.housekeeping import span
from service.proof.horizon import Horizon

from .lived import CUSTOMER, HEAD, LEVELS, PREV, SEQ, TICKET, Life, Row, filler
from .record import filled

MONTHS = 24
BATCH = 4000
"""Rows of one statement."""
PEOPLE = (120, 40, 25, 10, 4)
"""How many there are of each level."""
GENESIS = "0" * 64
_QUIET = {5: 0.45, 6: 0.35}
"""How much of a weekday's happens on a Saturday and a Sunday."""
_NOTHING: list[str] = []
_ANSWERS = (_NOTHING,) * 8


def _zipf(count: int, exponent: float) -> list[float]:
    return list(accumulate(1 / (n + 1) ** exponent for n in range(count)))


@dataclass
class _Living:
    """A life that goes on: its form, what goes into its holes, and what stands."""

    life: Life
    values: list[str]
    moved: int
    next: int = 0

    @property
    def row(self) -> Row:
        return self.life.rows[self.next]

    @property
    def at(self) -> float:
        return self.row.at + self.moved


@dataclass
class Batch:
    """Rows of one statement, and the number of the last."""

    tickets: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    escalations: list[str] = field(default_factory=list)
    timers: list[str] = field(default_factory=list)

    def arguments(self) -> tuple[Any, ...]:
        """Of `engine.write`."""

        def rows(texts: list[str]) -> str:
            return f"[{','.join(texts)}]"

        told = (rows(self.tickets), _NOTHING, "[]", "[]", rows(self.said), rows(self.history), rows(self.escalations))
        return (*told, rows(self.timers), "[]", "[]", "[]", *_ANSWERS, "[]", _NOTHING, True)


class Years:
    """About so many rows, ending at `until`; those whose turn comes later are left out, so some are live at the end."""

    def __init__(self, lives: Sequence[Life], rows: int, until: datetime, seed: int = 1) -> None:
        self._lives, self._rows, self._until = lives, rows, until
        self._rng = random.Random(f"years/{seed}")
        self._tiers = sorted({life.tier for life in lives})
        each = max(10, min(1500, rows // 2500))
        self.customers = {tier: [f"{tier}-{n:04}" for n in range(each)] for tier in self._tiers}
        self.people = [[f"person-{level}-{n:03}" for n in range(count)] for level, count in enumerate(PEOPLE)]
        self._skew = _zipf(each, 0.9)
        self._skews = [_zipf(count, 0.8) for count in PEOPLE]
        self._days: dict[int, str] = {}
        self.seq = 0

    @property
    def since(self) -> datetime:
        """The first day."""
        return self._until - timedelta(days=int(MONTHS * 30.4))

    def batches(self) -> Iterator[Batch]:
        """All rows, in the order of their numbers, which is that of time."""
        queue: list[tuple[float, int, _Living]] = []
        batch, touched, end = Batch(), dict[int, _Living](), self._until.timestamp()
        for n, (at, life, moved) in enumerate([*self._openings(), (end, None, 0)]):
            while queue and queue[0][0] <= at:
                _, number, living = heapq.heappop(queue)
                touched[number] = living
                self._emit(living, batch)
                if living.next < len(living.life.rows):
                    heapq.heappush(queue, (living.at, number, living))
                if len(batch.history) >= BATCH:
                    yield _closed(batch, touched)
                    batch, touched = Batch(), {}
            if life is not None:
                begun = _Living(life, self._drawn(life, moved, n), moved)
                heapq.heappush(queue, (begun.at, n, begun))
        for _, _, living in queue:
            batch.timers += _timers(living)
        yield _closed(batch, touched)

    def _openings(self) -> list[tuple[float, Life, int]]:
        """When which life begins, and by how many seconds later than its model; in the order of time."""
        days = [self.since.date() + timedelta(days=n) for n in range((self._until.date() - self.since.date()).days)]
        weights = [(1 + n / len(days)) * _QUIET.get(day.weekday(), 1.0) for n, day in enumerate(days)]
        mean = sum(len(life.rows) for life in self._lives) / len(self._lives)
        found = []
        for day in self._rng.choices(days, weights, k=max(1, round(self._rows / mean))):
            life = self._rng.choice(self._lives)
            model = datetime.fromtimestamp(life.opened, UTC).date()
            moved = (day - model).days * 86400 + self._rng.randrange(-1800, 1800)
            found.append((life.rows[0].at + moved, life, moved))
        return sorted(found, key=lambda each: each[0])

    def _drawn(self, life: Life, moved: int, number: int) -> list[str]:
        rng, who = self._rng, dict[str, str]()
        for own in life.own:
            if own.kind == "person":
                level, taken = LEVELS[own.text], set(who.values())
                while (drawn := rng.choices(self.people[level], cum_weights=self._skews[level])[0]) in taken:
                    pass
                who[own.text] = drawn
        values = filler(life, self._instant, moved, f"{rng.getrandbits(48):012x}", who)
        values[TICKET] = f"T-{number:08}"
        values[CUSTOMER] = rng.choices(self.customers[life.tier], cum_weights=self._skew)[0]
        values[PREV] = GENESIS
        return values

    def _instant(self, seconds: int) -> str:
        day, rest = divmod(seconds, 86400)
        text = self._days.get(day)
        if text is None:
            text = self._days[day] = (date(1970, 1, 1) + timedelta(days=day)).isoformat()
        return f"{text}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"

    def _emit(self, living: _Living, batch: Batch) -> None:
        self.seq += 1
        row, values = living.row, living.values
        values[SEQ] = str(self.seq)
        text = filled(row.record, values)
        head = values[PREV] = values[HEAD] = hashlib.sha256(text.encode()).hexdigest()
        batch.history.append(f'{text[:-1]},"hash":"{head}"}}')
        if row.said is not None:
            batch.said.append(filled(row.said, values))
        if living.next == 0:
            batch.tickets.append(filled(living.life.ticket, values))
        living.next += 1


def _closed(batch: Batch, touched: dict[int, _Living]) -> Batch:
    """The batch with each escalation as it stands after it."""
    batch.escalations += [filled(each.life.rows[each.next - 1].escalation, each.values) for each in touched.values()]
    return batch


def _timers(living: _Living) -> list[str]:
    if living.next == 0:
        return []
    due = living.life.rows[living.next - 1].due
    ticket = living.values[TICKET]
    return [
        f'{{"ticket_id":"{ticket}","kind":"{kind}","due_at":{filled(form, living.values)}}}'
        for kind, form in due.items()
    ]


async def fill(url: str, years: Years, progress: Callable[[int], None] = lambda rows: None) -> int:
    """Write them to this migrated database, in which nothing is; how many rows there are. `progress` hears rows."""
    owner = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    engine = await database.open_connection(url, statement_timeout=0)
    try:
        await owner.execute("SELECT make_history_partitions($1, $2)", years.since - timedelta(days=31), MONTHS + 3)
        named: list[tuple[str, str, str, list[str]]] = [
            (id_, id_, tier, []) for tier, ids in years.customers.items() for id_ in ids
        ]
        await owner.copy_records_to_table("customer", records=named, columns=["id", "name", "tier", "contacts"])
        people = [(id_, id_, level) for level, ids in enumerate(years.people) for id_ in ids]
        await owner.copy_records_to_table("person", records=people, columns=["id", "name", "level"])
        await engine.execute("SET synchronous_commit = off")
        write = sql.query("engine.write")
        batches = years.batches()
        batch = next(batches, None)
        while batch is not None:
            # The next one is made while Postgres writes this one.
            _, after = await asyncio.gather(
                engine.fetchval(write, *batch.arguments()), asyncio.to_thread(next, batches, None)
            )
            progress(len(batch.history))
            batch = after
        await owner.execute("SELECT setval('history_seq', $1)", years.seq)
        # As the service does beside its work.
        while await span(owner, Horizon()):
            pass
        await owner.execute("VACUUM (ANALYZE)")
        return years.seq
    finally:
        await engine.close()
        await owner.close()
