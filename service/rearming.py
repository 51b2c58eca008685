"""After a policy was published: what waits on tickets without an escalation, a P1 and SLA clocks, is armed by it.

Until a ticket is looked at, its timers go on as they were armed; one that fires too early is armed anew. Any number of
nodes may look: each ticket is armed under its own lock, by what is the newest then.
"""

from __future__ import annotations

import asyncio

import asyncpg
import structlog

import sql
from machines.asked import Rearm
from service.database import PASSES
from service.engine import Engine, Unavailable
from service.timers import in_order

log = structlog.get_logger(__name__)

AT_ONCE = 256
EVERY = 1.0
"""Seconds between two looks whether there is one."""


async def keep_rearmed(pool: asyncpg.Pool, engine: Engine) -> None:
    """Look every second, until cancelled. What fails is logged, and goes on where it was."""
    while True:
        try:
            while await rearm_some(pool, engine):
                pass
        except (*PASSES, Unavailable) as error:
            log.warning("rearming_failed", error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(EVERY)


async def rearm_some(pool: asyncpg.Pool, engine: Engine) -> bool:
    """Arm the next tickets by the newest policy; False where there is nothing to do now."""
    row = await pool.fetchrow(sql.query("policy.rearming"))
    if row is None:
        return False
    ids = [each["id"] for each in await pool.fetch(sql.query("policy.waiting"), row["after"], AT_ONCE)]
    await in_order(engine, [Rearm(ticket_id) for ticket_id in ids])
    await pool.execute(sql.query("policy.rearmed"), row["version"], ids[-1] if ids else None)
    return True
