"""Timers: what is due is handed in, on every node, and the engine decides what comes of it. There is no leader.

A node reads what is due, oldest first, and hands each in as a command. Nothing is claimed: a timer fires only if it
is still armed for that very instant, under its ticket's lock, so a second node, or a node that stood still for an
hour, changes nothing. So many are in flight at most, in a lane of their own, that requests are answered meanwhile.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import structlog
from msgspec import to_builtins
from msgspec.json import decode, encode

import sql
from machines.asked import Ask, Command, Duty, Fire
from machines.decided import Decision
from machines.values import CLOCK
from service.batch import Job, Reply, Settled
from service.database import PASSES
from service.engine import Engine
from service.metrics import Metrics
from service.submit import fresh_id

log = structlog.get_logger(__name__)

IN_FLIGHT = 256
"""Timers of this node that the engine may have at once: four batches, and a quarter of its queue."""
SPREADS_OVER = 8
"""Among how many times as many as it takes a node chooses, once it has seen that others take the same."""
LOOKS_EVERY, LOOKS_AT_MOST_EVERY = 1.0, 0.02
"""Seconds between two looks: when nothing is due sooner, and when much is."""
WAITS_AT_MOST = 60.0
"""Seconds before what did not fire is tried again; the first wait is one, each further one twice as long."""
FIRED, STALE = 201, 204
SWEEPS_EVERY = 60.0
"""Seconds between two looks at all shifts; whenever one has an edge, they are looked at too."""
DUE, EDGE, SHIFTS = sql.query("timer.due"), sql.query("person.edge_between"), sql.query("person.shifts")

Due = tuple[str, str, datetime]
"""A ticket, the kind of its timer, and the instant for which it is armed."""


def by_clock(ask: Ask, request_id: str = CLOCK) -> Job:
    """A job that the clock itself hands in; its reply says whether anything came of it."""
    job = Job(Command(fresh_id(), ask, request_id), _told, CLOCK, "", lane="timer")
    job.reply.add_done_callback(_announce)
    return job


def _told(settled: Settled) -> Reply:
    """Whether anything came of it, and the warnings of SLA clocks, to be told once they are committed."""
    warned = settled.result.warned if isinstance(settled.result, Decision) else ()
    ticket = settled.result.ticket if isinstance(settled.result, Decision) else None
    told = [{"ticket_id": ticket.id, **to_builtins(each)} for each in warned if ticket]
    return Reply(FIRED if settled.sealed or warned else STALE, encode(told) if told else b"")


def _announce(reply: asyncio.Future[Reply]) -> None:
    """Warnings are kept with the ticket; for whoever listens to the log, each is a line of it."""
    if not reply.cancelled() and reply.exception() is None and reply.result().body:
        for warned in decode(reply.result().body):
            log.info("sla_clock_warned", **warned)


async def shifts(conn: asyncpg.Connection | asyncpg.Pool, engine: Engine) -> int:
    """Hand in what the edges of shifts ask for; how many transitions came of it.

    Until nothing more does: where two leave one escalation at once, its owner and who is offered it, the second is told
    of it as it stands after the first.
    """
    told = 0
    while asks := [Duty(row["ticket_id"], row["person"], row["version"]) for row in await conn.fetch(SHIFTS)]:
        changed = await in_order(engine, asks)
        told += changed
        if not changed:
            break
    return told


async def in_order(engine: Engine, asks: Sequence[Ask], request_id: str = CLOCK, at_once: int = 64) -> int:
    """Have these decided in their order, a batch at a time; how many of them changed something."""
    changed = 0
    for start in range(0, len(asks), at_once):
        jobs = [by_clock(ask, request_id) for ask in asks[start : start + at_once]]
        for job in jobs:
            engine.put(job)
        replies = await asyncio.gather(*(job.reply for job in jobs))
        changed += sum(reply.status == FIRED for reply in replies)
    return changed


class Timers:
    """The loop of one node."""

    def __init__(self, engine: Engine, pool: asyncpg.Pool, metrics: Metrics) -> None:
        self._engine, self._pool, self._metrics = engine, pool, metrics
        self._in_flight: set[Due] = set()
        self._room = asyncio.Event()
        self._crowded = False
        self._rng = random.Random()  # noqa: S311  # nodes must differ, nothing more
        self._futile: dict[Due, tuple[int, float]] = {}
        self._looked: tuple[float, datetime | None] = (0.0, None)
        self._swept = 0.0

    async def run(self) -> None:
        """Fire what is due, until cancelled. Without a database there is nothing to do but to look again."""
        while True:
            try:
                pause = await self._look()
                await self._look_at_shifts()
            except PASSES as error:
                log.warning("timers_not_read", error=type(error).__name__)
                pause = LOOKS_EVERY
            if pause:
                await asyncio.sleep(pause)

    async def _look(self) -> float:
        """Hand in what is due; how many seconds until the next look."""
        room = IN_FLIGHT - len(self._in_flight)
        asked = room * SPREADS_OVER if self._crowded else room
        read_at = time.monotonic()
        rows = await self._pool.fetch(DUE, self._not_now(read_at), asked)
        due = [row for row in rows if row["due_at"] <= row["now"]]
        for row in sorted(self._share(due, room), key=lambda row: (row["due_at"], row["ticket_id"], row["kind"])):
            self._hand_in((row["ticket_id"], row["kind"], row["due_at"]), row["now"], read_at)
        self._crowded = self._crowded and len(due) > room
        if len(due) >= room:  # there is more: as soon as half of these are done
            self._room.clear()
            if len(self._in_flight) > IN_FLIGHT // 2:
                await self._room.wait()
            return 0.0
        ahead = [row for row in rows if row["due_at"] > row["now"]]
        until = (ahead[0]["due_at"] - ahead[0]["now"]).total_seconds() if ahead else LOOKS_EVERY
        return min(LOOKS_EVERY, max(LOOKS_AT_MOST_EVERY, until))

    def _share(self, due: list[asyncpg.Record], room: int) -> list[asyncpg.Record]:
        """The oldest; where other nodes take those as well, some of the oldest, so that each has its own.

        A ticket is chosen with all its timers, so that they are handed in in their order.
        """
        if len(due) <= room:
            return due
        tickets = list({row["ticket_id"] for row in due})
        self._rng.shuffle(tickets)
        chosen = set(tickets[: max(1, room * len(tickets) // len(due))])
        return [row for row in due if row["ticket_id"] in chosen][:room]

    def _not_now(self, now: float) -> list[str]:
        """What is not to be read: in flight, or tried in vain a moment ago."""
        if len(self._futile) > IN_FLIGHT:
            kept = {due: tried for due, tried in self._futile.items() if tried[1] > now - WAITS_AT_MOST}
            self._futile = kept
        waiting = (due for due, (_, until) in self._futile.items() if until > now)
        return [f"{kind} {ticket}" for ticket, kind, _ in (*self._in_flight, *waiting)]

    def _hand_in(self, due: Due, now: datetime, read_at: float) -> None:
        job = by_clock(Fire(*due))  # type: ignore[arg-type]  # the table knows the kinds
        self._in_flight.add(due)
        late = (now - due[2]).total_seconds()

        def told(reply: asyncio.Future[Reply]) -> None:
            self._in_flight.discard(due)
            if len(self._in_flight) <= IN_FLIGHT // 2:
                self._room.set()
            if reply.cancelled():
                return
            waited = time.monotonic() - read_at
            if reply.exception() is None and reply.result().status == FIRED:
                self._futile.pop(due, None)
                self._metrics.fired(due[1], late + waited)
            else:
                self._in_vain(due, failed=reply.exception() is not None)

        job.reply.add_done_callback(told)
        self._engine.put(job)

    def _in_vain(self, due: Due, *, failed: bool) -> None:
        """Another node was first, mostly. Whatever else keeps it from firing, it is not tried in a busy loop."""
        tries, _ = self._futile.get(due, (0, 0.0))
        self._metrics.fired_in_vain(due[1])
        self._crowded = self._crowded or not failed
        wait = min(WAITS_AT_MOST, 2.0 ** (tries - 1)) if tries or failed else 0.0
        self._futile[due] = (tries + 1, time.monotonic() + wait)

    async def _look_at_shifts(self) -> None:
        """Once a second at most, and only where a shift has begun or ended; now and then all the same."""
        now, (looked, since) = time.monotonic(), self._looked
        if since is not None and now - looked < LOOKS_EVERY:
            return
        instant = await self._pool.fetchval("SELECT service_now()")
        if since is None or now - self._swept > SWEEPS_EVERY or await self._pool.fetchval(EDGE, since, instant):
            await shifts(self._pool, self._engine)
            self._swept = now
        self._looked = (now, instant)
