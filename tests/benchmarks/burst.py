"""A burst: thousands of live tickets with SLA clocks, and hundreds that arrive at once, all opened at one instant.

Measured: situations found a second until the last clock has run out; whether each is found, once (breaches of both
clocks, P0s, unsolved P1s, flagged texts), whether each warning at 50 and 75 % and the breach at 100 % is told
once; and how late: by the instant at which each was decided, and from outside, by looking at what is due and still
there. The gate: nothing late by more than a second.

Fair: the service is the real one in one process, in real time, on a copy of the stage with its own 2,000 escalations;
everything arrives over HTTP. Unfair to the product: tickets of a burst are opened at one instant, so that all of
their clocks warn and breach together; the client and the watcher take their share of the same two cores. The spans
are short, else nobody could wait for them: a policy of the burst's own says them (`arrivals.py`).
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from machines.matrix import dump
from service import verify

from . import arrivals, cpu, load
from .bench import Bench, Figure, Measure, Sample
from .process import ProgramError
from .stage import service

LATE_AT_MOST = 1000.0
"""Milliseconds."""
# Seconds, at most; and between two looks from outside.
_FILLED_WITHIN = 300.0
_DRAINED_WITHIN = 120.0
_LOOK_EVERY = 0.05

_PUBLISH = "INSERT INTO policy (version, document, published_by) VALUES ($1, $2, 'bench')"
_OVERDUE = """SELECT kind, extract(epoch FROM clock_timestamp() - min(due_at)) * 1000 AS late FROM timer
WHERE due_at <= clock_timestamp() AND ticket_id >= 'burst-' AND ticket_id < 'burst.' GROUP BY kind"""
_LEFT = "SELECT EXISTS (SELECT FROM timer WHERE ticket_id >= 'burst-' AND ticket_id < 'burst.' AND due_at <= $1)"
_DECIDED = """SELECT m.trigger, h.detail ->> 'situation' AS situation,
    extract(epoch FROM h.at - (h.detail ->> 'due_at')::timestamptz) * 1000 AS late
FROM history h JOIN allowed_move m ON m.id = h.move
WHERE h.ticket_id LIKE 'burst-%' AND h.detail ->> 'due_at' IS NOT NULL
    AND m.trigger IN ('open', 'add_situation', 'engage', 'escalate')"""
_SITUATIONS = """SELECT e.ticket_id, s ->> 'situation' AS situation, s -> 'detail' ->> 'clock' AS clock,
    (s ->> 'at')::timestamptz AS at
FROM escalation e, json_array_elements(e.situations) AS s WHERE e.ticket_id LIKE 'burst-%'"""
_WARNED = "SELECT id, warned::text AS warned FROM ticket WHERE id LIKE 'burst-%'"


@dataclass(frozen=True, slots=True)
class Burst:
    """A burst on a copy of the stage."""

    name: str = "burst"
    title: str = "a burst"
    unit: str = "situations/s"
    settings: tuple[str, ...] = ("one process",)

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """A copy of the stage with the burst's policy, the service, and the tickets that are live before."""
        async with bench.stage.copy(self.name) as made:
            db = await asyncpg.connect(made.url, server_settings={"timezone": "UTC"})
            try:
                short = arrivals.policy()
                await db.execute(_PUBLISH, short.version, dump(short))
                async with service(made.url) as (port, _):
                    said = {"keys": dict(made.keys), "count": bench.live}
                    await _say(port, "live", bench, said, _FILLED_WITHIN)
                    await db.execute("VACUUM (ANALYZE)")

                    async def measure_once(warmup: float, seconds: float) -> Sample:
                        sample = await _measure(db, port, made.keys, bench)
                        if findings := await verify.run(made.url):
                            raise ProgramError(f"the verifier found {len(findings)} rows, first {findings[0]}")
                        return sample

                    yield measure_once
            finally:
                await db.close()


async def _say(port: int, what: str, bench: Bench, said: dict[str, Any], within: float) -> load.Outcome:
    outcome = await load.run(
        load.Plan(
            port=port,
            script=f"tests.benchmarks.arrivals:{what}",
            arguments=said,
            connections=bench.connections,
            warmup=0,
            seconds=within,
            seed=bench.seed,
        )
    )
    if outcome.refused or outcome.broken:
        raise ProgramError(f"{what}: refused {outcome.refused}, broken {outcome.broken}")
    return outcome


async def _measure(db: asyncpg.Connection, port: int, keys: Any, bench: Bench) -> Sample:
    """Let them arrive, watch until nothing of them is due any more, and compare what there is with what must be."""
    opened = await db.fetchval("SELECT clock_timestamp()")
    said = {"keys": dict(keys), "count": bench.arriving, "seed": bench.seed, "opened": opened.isoformat()}
    began, spent = time.monotonic(), cpu.spent_by_both(bench.server.postmaster)
    arriving = asyncio.create_task(_say(port, "arrive", bench, said, _FILLED_WITHIN))
    overdue = await _watched(db, opened, arriving)
    outcome, took = await arriving, time.monotonic() - began
    after = cpu.spent_by_both(bench.server.postmaster)
    postgres, others = [(now - then) / took for then, now in zip(spent, after, strict=True)] or (None, None)
    burst = arrivals.drawn(bench.arriving, bench.seed)
    found = await _compared(db, opened, burst)
    late: defaultdict[str, list[float]] = defaultdict(list)
    for row in await db.fetch(_DECIDED):
        late[" ".join(filter(None, (row["trigger"], row["situation"])))].append(float(row["late"]))
    every = sorted(each for some in late.values() for each in some)
    spread = {what: _spread(some) for what, some in sorted(late.items())}
    worst = max((*every, *overdue.values()), default=0.0)
    notes = {
        "live": bench.live,
        "arriving": bench.arriving,
        "late_ms": spread,
        "overdue_ms": {kind: round(ms, 1) for kind, ms in sorted(overdue.items())},
        "worst_ms": round(worst, 1),
        "found": dict(found),
        "report_p99_ms": round(outcome.p99, 1),
    }
    rate, p50, p99 = sum(found.values()) / took, _at(every, 0.5), _at(every, 0.99)
    return Sample(rate=rate, p50=p50, p99=p99, postgres=postgres, others=others, notes=notes)


async def _watched(db: asyncpg.Connection, opened: datetime, arriving: asyncio.Task[Any]) -> dict[str, float]:
    """By how many milliseconds the oldest due timer of each kind was late, as seen from outside."""
    seen: defaultdict[str, float] = defaultdict(float)
    until = time.monotonic() + _DRAINED_WITHIN
    while True:
        for row in await db.fetch(_OVERDUE):
            seen[row["kind"]] = max(seen[row["kind"]], float(row["late"]))
        now = await db.fetchval("SELECT clock_timestamp()")
        ended = now > opened + arrivals.ENDS and arriving.done()
        if ended and not await db.fetchval(_LEFT, opened + arrivals.ENDS):
            return seen
        if time.monotonic() > until:
            raise ProgramError(f"timers of a burst are still there after {_DRAINED_WITHIN:.0f} s")
        await asyncio.sleep(_LOOK_EVERY)


async def _compared(db: asyncpg.Connection, opened: datetime, burst: Sequence[arrivals.Arrival]) -> Counter[str]:
    """How many of each situation there are; raises what is missing, too much, or at another instant."""
    is_: defaultdict[str, list[tuple[str, str, Any]]] = defaultdict(list)
    for row in await db.fetch(_SITUATIONS):
        is_[row["ticket_id"]].append((row["situation"], row["clock"] or "", row["at"] - opened))
    told = {row["id"]: msgspec.json.decode(row["warned"]) for row in await db.fetch(_WARNED)}
    wrong, found = list[str](), Counter[str]()
    for each in burst:
        if sorted(is_[each.id]) != each.situations():
            wrong.append(f"{each} has {sorted(is_[each.id])}")
        found.update(name for name, *_ in is_[each.id])
        warned = sorted((w["clock"], w["percent"]) for w in told.get(each.id, ()))
        if warned != each.warnings():
            wrong.append(f"{each} warned {warned}")
    if wrong:
        raise ProgramError(f"{len(wrong)} of {len(burst)} are not as they must be, first {wrong[0]}")
    return found


def _at(ordered: Sequence[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else 0.0


def _spread(some: list[float]) -> dict[str, float]:
    ordered = sorted(some)
    return {"count": len(ordered), "p50": _at(ordered, 0.5), "p99": _at(ordered, 0.99), "max": round(ordered[-1], 1)}


def print_burst(console: Console, figures: Sequence[Figure]) -> None:
    """How late each kind of transition was decided, and what was seen from outside; of every turn the worst."""
    turns = [sample.notes for figure in figures if figure.name == BURST.name for sample in figure.samples]
    if not turns:
        return
    table = Table(title="a burst: late by, in ms", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for heading in ("count", "p50", "p99", "max"):
        table.add_column(heading, justify="right", no_wrap=True)
    spreads: list[dict[str, dict[str, float]]] = [msgspec.convert(each["late_ms"], dict) for each in turns]
    for what in sorted(set().union(*spreads)):
        seen = [spread[what] for spread in spreads if what in spread]
        worst = (max(each[name] for each in seen) for name in ("p50", "p99", "max"))
        table.add_row(f"decided: {what}", f"{seen[0]['count']:.0f}", *(f"{each:.1f}" for each in worst))
    outside: list[dict[str, float]] = [msgspec.convert(each["overdue_ms"], dict) for each in turns]
    for kind in sorted(set().union(*outside)):
        table.add_row(f"seen from outside: {kind}", "", "", "", f"{max(each.get(kind, 0) for each in outside):.1f}")
    console.print(table)


BURST = Burst()
