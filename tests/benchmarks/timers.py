"""Timers: many due at one instant, and so many a second, while people ask for something else.

Measured, `timers-at-once`: so many escalations whose deadline is one instant; how many a second fire until none is
left, and meanwhile the latency of people who write notes on other escalations, on a few connections that each wait
for their answer. `timers-steady`: deadlines spread evenly over the measured seconds, and how late each was decided:
p50 and p99 of lateness, in milliseconds. The rate is of transitions that fired; each is an `engage`: a level is
called, somebody is offered it with a brief, four messages are planned, another timer is armed.

Fair: the service is the real one in one process, with its log, on a copy of the stage; every timer was armed as the
product arms it. Unfair: the escalations are copies of one that the product opened, made by SQL, for opening so many
over HTTP takes longer than firing them. A timer that fired twice or not at all fails the run.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
import asyncpg

from . import cpu
from .bench import Bench, Measure, Sample
from .process import ProgramError
from .stage import service

STEADY = 500
"""Timers a second, steadily."""
_PEOPLE = 8
"""Connections on which people ask meanwhile."""
_COPIED_A_SECOND = 4000
# Seconds, at most.
_DRAINED_WITHIN = 600.0
_POLL_EVERY = 0.2

_LEFT = "SELECT EXISTS (SELECT FROM timer WHERE ticket_id >= 'due-' AND ticket_id < 'due.' AND kind = 'engage')"
_COLUMNS = """SELECT table_name, array_agg(column_name::text) AS names FROM information_schema.columns
WHERE table_name = ANY ($1) AND table_schema = 'public' AND is_generated = 'NEVER' GROUP BY table_name"""
_HELD = """INSERT INTO holding AS h (person, held)
SELECT person, count(*) FROM escalation, unnest(holders(owner, offered_to, closed_at)) AS person
WHERE ticket_id LIKE 'due-%' GROUP BY person
ON CONFLICT (person, hand) DO UPDATE SET held = h.held + excluded.held"""
_FIRED = """SELECT count(*) AS fired, count(DISTINCT h.escalation_id) AS once, max(h.at) AS last,
    percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP
        (ORDER BY extract(epoch FROM h.at - (h.detail ->> 'due_at')::timestamptz)) AS late
FROM history h JOIN allowed_move m ON m.id = h.move WHERE m.trigger = 'engage' AND h.ticket_id LIKE 'due-%'"""


@dataclass(frozen=True, slots=True)
class Due:
    """Timers on a copy of the stage. `steady`: so many a second; None: all at once."""

    name: str
    title: str
    steady: int | None = None
    unit: str = "timers/s"
    settings: tuple[str, ...] = ("one process",)

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """A copy of the stage, and the service."""
        async with bench.stage.copy(self.name) as made, service(made.url) as (port, _):
            db = await asyncpg.connect(made.url, server_settings={"timezone": "UTC"})
            try:

                async def measure_once(warmup: float, seconds: float) -> Sample:
                    count = int(self.steady * seconds) if self.steady else bench.timers
                    return await _measure(db, port, made.keys, count, self.steady, bench.server.postmaster)

                yield measure_once
            finally:
                await db.close()


async def _measure(
    db: asyncpg.Connection, port: int, keys: Mapping[str, str], count: int, steady: int | None, postmaster: int | None
) -> Sample:
    """Arm them, wait for their instant, and watch until the last has fired."""
    busy = [
        str(row["id"]) for row in await db.fetch("SELECT id FROM escalation WHERE state <> 'closed' LIMIT $1", _PEOPLE)
    ]
    due = await _arm(db, port, keys, count, steady)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        now = await db.fetchval("SELECT clock_timestamp()")
        await asyncio.sleep(max(0.0, (due - now).total_seconds()))
        began, spent = time.monotonic(), cpu.spent_by_both(postmaster)
        stop, took = asyncio.Event(), list[float]()
        asking = [asyncio.create_task(_ask(session, keys["ann"], each, stop, took)) for each in busy]
        until = time.monotonic() + _DRAINED_WITHIN
        while await db.fetchval(_LEFT) and time.monotonic() < until:  # noqa: ASYNC110  # another process fires
            await asyncio.sleep(_POLL_EVERY)
        cores = [
            (after - before) / (time.monotonic() - began)
            for before, after in zip(spent, cpu.spent_by_both(postmaster), strict=True)
        ]
        stop.set()
        await asyncio.gather(*asking)
    fired = await db.fetchrow(_FIRED)
    if fired["fired"] != count or fired["once"] != count:
        raise ProgramError(f"of {count} timers {fired['once']} fired, in {fired['fired']} transitions")
    took.sort()
    late = [round(float(each) * 1000, 1) for each in fired["late"]]
    api = [round(_at(took, share) * 1000, 1) for share in (0.5, 0.99)]
    notes = {"timers": count, "late_p50_ms": late[0], "late_p99_ms": late[1], "asked": len(took)}
    notes |= {"api_p50_ms": api[0], "api_p99_ms": api[1]}
    # What is shown beside the rate: of the people who ask meanwhile, or, steadily, of the timers' own lateness.
    shown = late if steady else api
    rate = count / (fired["last"] - due).total_seconds()
    postgres, others = cores or (None, None)
    return Sample(rate=rate, p50=shown[0], p99=shown[1], postgres=postgres, others=others, notes=notes)


async def _ask(
    session: aiohttp.ClientSession, key: str, escalation: str, stop: asyncio.Event, took: list[float]
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    path, body = f"/v1/escalations/{escalation}/transitions", {"trigger": "note", "text": "Still with them"}
    while not stop.is_set():
        began = time.perf_counter()
        async with session.post(path, json=body, headers=headers) as answer:
            await answer.read()
            if answer.status != 201:
                raise ProgramError(f"a note was answered {answer.status}")
        took.append(time.perf_counter() - began)


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


async def _arm(db: asyncpg.Connection, port: int, keys: Mapping[str, str], count: int, steady: int | None) -> datetime:
    """Open one, and copy it with its history and timer; the instant of the first."""
    customer = await db.fetchval("SELECT id FROM customer WHERE tier = 'professional' ORDER BY id LIMIT 1")
    now = await db.fetchval("SELECT clock_timestamp()")
    facts = {
        "customer_id": customer,
        "priority": "p0",
        "status": "open",
        "subject": "Down",
        "opened_at": now.isoformat(),
        "sla": {"first_response_by": "2199-01-01T00:00:00Z", "resolution_by": "2199-01-01T00:00:00Z"},
    }
    headers = {"Authorization": f"Bearer {keys['desk']}"}
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session,
        session.put("/v1/tickets/model", json=facts) as answer,
    ):
        if answer.status != 200:
            raise ProgramError(f"the ticket to be copied was answered {answer.status}")
    gap = f"interval '{1 / steady:.9f} s'" if steady else "interval '0 s'"
    async with db.transaction():
        await db.execute(
            "SET LOCAL session_replication_role = replica"
        )  # copies, not transitions: no history of their own
        start = await db.fetchval("SELECT clock_timestamp() + $1", timedelta(seconds=3 + count / _COPIED_A_SECOND))
        columns = {
            row["table_name"]: row["names"]
            for row in await db.fetch(_COLUMNS, ["ticket", "escalation", "history", "timer"])
        }
        which = "'due-' || lpad(n::text, 7, '0')"
        fresh = "overlay(e.id::text placing lpad(to_hex(n), 12, '0') from 25)"
        await _copy(db, columns["ticket"], "ticket", "r.id = 'model'", {"id": which, "phases": "'[]'::json"}, count)
        about = {"ticket_id": which, "id": fresh, "engage_by": f"$2::timestamptz + {gap} * n"}
        await _copy(db, columns["escalation"], "escalation", "r.ticket_id = 'model'", about, count, start)
        await _copy(
            db,
            columns["history"],
            "history",
            "r.ticket_id = 'model'",
            {"ticket_id": which, "escalation_id": fresh},
            count,
        )
        about = {"ticket_id": which, "due_at": f"$2::timestamptz + {gap} * n"}
        await _copy(db, columns["timer"], "timer", "r.ticket_id = 'model' AND r.kind = 'engage'", about, count, start)
        await db.execute("DELETE FROM timer WHERE ticket_id = 'model'")
        await db.execute(_HELD)  # replicas are not counted by themselves either
    await db.execute("ANALYZE")
    return start  # type: ignore[no-any-return]  # asyncpg brings no types


async def _copy(
    db: asyncpg.Connection,
    columns: Iterable[str],
    table: str,
    where: str,
    about: Mapping[str, str],
    count: int,
    *more: object,
) -> None:
    """So many copies of one row, but for these columns."""
    changed = ", ".join(f"'{name}', {value}" for name, value in about.items())
    names = ", ".join(columns)
    await db.execute(
        f"INSERT INTO {table} ({names}) SELECT {', '.join(f'made.{name}' for name in columns)}"
        f" FROM {table} r JOIN escalation e ON e.ticket_id = 'model', generate_series(1, $1::integer) AS n,"
        f" LATERAL jsonb_populate_record(NULL::{table}, to_jsonb(r) || jsonb_build_object({changed})) AS made"
        f" WHERE {where}",
        count,
        *more,
    )


AT_ONCE = Due("timers-at-once", "all due at once")
STEADILY = Due("timers-steady", f"{STEADY} due each second", steady=STEADY)
