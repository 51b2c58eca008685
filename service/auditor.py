"""The auditor: what `verify` finds, and timers that should have fired, found while the service runs.

It goes through everything slice by slice, again and again, each slice in a snapshot of its own, and rests for fifty
times as long as that took. One node does it at a time, whichever comes first (an advisory lock for as long as a slice):
several would find the same. How far it is stands in the database, so that another node goes on where one dies, and each
tells it in its metrics. It changes nothing but that. What takes the whole of history in one go, rows beside the tree
that was sealed over them, is left to `verify` and `verify-history`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import asyncpg
import structlog
from msgspec import Struct
from msgspec.structs import replace

import sql
from machines.matrix import Policy
from service import verify
from service.database import PASSES
from service.metrics import Metrics
from service.verify import Finding

log = structlog.get_logger(__name__)

EVERY, SHARE = 1.0, 0.02
"""Seconds between two slices at least, and the share of its time that it works at most."""
SLICE = {"escalations": 20, "tickets": 200, "spans": 1}
"""How many of each are one slice: some tens of milliseconds."""
BEGINS = {"escalations": verify.EVERY_ESCALATION[0], "tickets": "", "spans": "-1", "counts": ""}
"""The parts of a round, in their order, and what each begins after."""
LATE_MOST = 20
"""Late timers that are told of at one look, the latest first."""
STANDS_STILL = 300.0
"""Seconds without a slice on any node, after which nothing can be said to be well."""
LOCK, STAND, LOOKED, LATE = (sql.query(f"audit.{name}") for name in ("try_lock", "stand", "looked", "late"))


class Stand(Struct, frozen=True):
    """How far the audit is, whoever does it. `found`: in this round; `found_before`: in the last whole one."""

    now: datetime | None = None
    part: str = "escalations"
    after: str = BEGINS["escalations"]
    found: int = 0
    found_before: int = 0
    rounds: int = 0
    looked_at: datetime | None = None
    round_at: datetime | None = None


class Auditor:
    """One node's. `late_after`: seconds by which a timer may be late; None where time stands still."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        metrics: Metrics,
        *,
        late_after: float | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool, self._metrics, self._late_after = pool, metrics, late_after
        self._sleep, self._clock = sleep, clock
        self._late = set[tuple[str, str, datetime]]()
        self._failed: str | None = "has not looked yet"
        self.stand = Stand()

    async def run(self) -> None:
        """Look, slice by slice, until cancelled."""
        while True:
            began = self._clock()
            await self.look()
            await self._sleep(max(EVERY, (self._clock() - began) / SHARE))

    def unwell(self) -> str | None:
        """Why it can't be said that all is well, None where it can."""
        stand = self.stand
        if self._failed is not None:
            return self._failed
        if stand.now is None or stand.looked_at is None:
            return "nobody has looked yet"
        if (still := (stand.now - stand.looked_at).total_seconds()) > STANDS_STILL:
            return f"nobody has looked for {still:.0f} s"
        if stand.found or stand.found_before:
            return "an invariant is broken"
        return f"{len(self._late)} timers are late" if self._late else None

    async def look(self) -> bool:
        """Late timers, and one slice unless another node is at it; whether there was one. Never raises what passes."""
        try:
            async with self._pool.acquire() as conn:
                await self._timers(conn)
                looked = await self._slice(conn)
                row = await conn.fetchrow(STAND)
        except asyncpg.SerializationError:
            return False  # another node was there in between
        except PASSES as error:
            self._failed = f"could not look: {type(error).__name__}"
            log.warning("audit_failed", error=f"{type(error).__name__}: {error}")
            return False
        self._failed, self.stand = None, Stand(**row) if row else Stand()
        self._metrics.audit_stands(
            self.stand.found + self.stand.found_before, self.stand.looked_at, self.stand.round_at
        )
        return looked

    async def _timers(self, conn: asyncpg.Connection) -> None:
        if self._late_after is None:
            return
        rows = await conn.fetch(LATE, self._late_after, LATE_MOST)
        late = {(row["ticket_id"], row["kind"], row["due_at"]): row["late"] for row in rows}
        for timer in late.keys() - self._late:
            ticket_id, kind, due_at = timer
            log.error("timer_stood_late", ticket_id=ticket_id, kind=kind, due_at=due_at, late_s=round(late[timer], 1))
        self._late = set(late)
        self._metrics.audit_late(len(late))

    async def _slice(self, conn: asyncpg.Connection) -> bool:
        async with conn.transaction(isolation="repeatable_read"):
            if not await conn.fetchval(LOCK):
                return False
            row = await conn.fetchrow(STAND)
            stand = Stand(**row) if row else Stand()
            try:
                async with conn.transaction():
                    upto, found = await sliced(conn, stand)
            except asyncpg.QueryCanceledError:
                # Large as it is, the next part must have its turn; `verify` has no limit of time.
                log.warning("audit_slice_took_too_long", part=stand.part, after=stand.after)
                upto, found = None, []
            self._metrics.audited(stand.part, [each.claim for each in found])
            for each in found:
                log.error("invariant_broken", claim=each.claim, where=each.where, what=each.what)
            after, ended = following(stand, upto, len(found))
            if ended:
                log.info("audit_round_ended", round=after.rounds, found=after.found_before)
            told = (after.part, after.after, after.found, after.found_before, after.rounds)
            await conn.execute(LOOKED, *told, ended)
        return True


async def sliced(conn: asyncpg.Connection, stand: Stand) -> tuple[str | None, list[Finding]]:
    """Where the slice ends that begins here, None at the end of its part, and what it found. It writes nothing."""
    if stand.part == "counts":
        return None, [each for part in (verify.of_counts, verify.of_archives) async for each in part(conn)]
    after: str | int = int(stand.after) if stand.part == "spans" else stand.after
    upto = await conn.fetchval(sql.query(f"audit.{stand.part}"), after, SLICE[stand.part])
    policies = await verify.known_policies(conn) if stand.part != "spans" else {}
    found = [each async for each in _of(conn, stand.part, policies, after, upto)]
    return None if upto is None else str(upto), found


def _of(
    conn: asyncpg.Connection, part: str, policies: dict[int, Policy], after: str | int, upto: str | int | None
) -> AsyncIterator[Finding]:
    match part, after, upto:
        case "escalations", str(), str() | None:
            return verify.of_escalations(conn, policies, after, upto)
        case "tickets", str(), str() | None:
            return verify.of_tickets(conn, policies, after, upto)
        case "spans", int(), int() | None:
            return verify.of_spans(conn, after, upto)
    raise AssertionError(f"no part of an audit: {part} after {after!r} up to {upto!r}")


def following(stand: Stand, upto: str | None, found: int) -> tuple[Stand, bool]:
    """What stands after a slice that ended there, and whether a round ended with it."""
    parts, found = list(BEGINS), stand.found + found
    if upto is not None:
        return replace(stand, after=upto, found=found), False
    part = parts[(parts.index(stand.part) + 1) % len(parts)]
    stand = replace(stand, part=part, after=BEGINS[part], found=found)
    if part != parts[0]:
        return stand, False
    return replace(stand, found=0, found_before=found, rounds=stand.rounds + 1), True
