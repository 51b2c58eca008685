"""The step `notify_chain`: done when each message to the chain has had its first try, whatever came of that.

Nobody has to tell this loop anything: which escalations wait for which messages stands in their rows, and what became
of the messages in theirs. It hands in what it sees as the clock's command, so a second node, or one that died in
between, changes nothing.
"""

from __future__ import annotations

import asyncio

import asyncpg
import structlog

import sql
from machines.asked import ChainTold
from service.database import PASSES
from service.engine import Engine, Unavailable
from service.outbox.lane import LOOKS_EVERY
from service.outbox.tries import PASSES_AFTER
from service.timers import in_order

log = structlog.get_logger(__name__)

AT_ONCE = 200
CHAINS_TOLD = sql.query("outbox.chains_told")


async def chains_told(pool: asyncpg.Pool, engine: Engine) -> int:
    """Have the step done wherever it is; how many transitions came of it."""
    rows = await pool.fetch(CHAINS_TOLD, PASSES_AFTER, AT_ONCE)
    return await in_order(engine, [ChainTold(row["ticket_id"], row["version"]) for row in rows])


async def watch_chains(pool: asyncpg.Pool, engine: Engine) -> None:
    """Look a few times a second, until cancelled; what can't be done now is seen again."""
    while True:
        try:
            await chains_told(pool, engine)
        except (*PASSES, Unavailable) as error:
            log.warning("chains_not_read", error=type(error).__name__)
            await asyncio.sleep(1.0)
        except Exception:  # a loop that ends would keep escalations from closing
            log.exception("chains_failed")
            await asyncio.sleep(1.0)
        await asyncio.sleep(LOOKS_EVERY)
