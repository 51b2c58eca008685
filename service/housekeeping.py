"""What the service does for itself now and then: room for months to come, and less of what it need not keep."""

from __future__ import annotations

import asyncio

import asyncpg
import structlog

import sql
from service.config import Settings
from service.database import MONTHS
from service.proof.horizon import Horizon

log = structlog.get_logger(__name__)

EVERY = 3600.0
"""Seconds between two rounds; any number of nodes may do them."""
AT_ONCE = 5000
SPAN, SPANS_EVERY = 2000, 5.0
"""Rows of history that one span tells of, and seconds between two looks for so many."""


async def keep_house(pool: asyncpg.Pool, settings: Settings) -> None:
    """Tidy now and every hour, until cancelled. A round that fails is logged, and the next one tries again."""
    while True:
        try:
            await tidy(pool, settings)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("housekeeping_failed", error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(EVERY)


async def tidy(pool: asyncpg.Pool, settings: Settings) -> None:
    """One round: partitions for the months to come, stored answers of more than 48 hours ago, kept mail that is too old
    or too much, sessions that are over, counts of the gone."""
    made = await pool.fetchval(sql.query("housekeeping.make_partitions"), MONTHS)
    answers = await _forget(pool, "housekeeping.forget_answers")
    mail = await _forget(pool, "housekeeping.forget_mail", settings.keep_mail_days, settings.keep_mail_most)
    sessions = await _forget(pool, "housekeeping.forget_sessions")
    await pool.execute(sql.query("housekeeping.sum_holdings"))
    forgotten = {"answers_forgotten": answers, "mail_forgotten": mail, "sessions_forgotten": sessions}
    log.info("house_tidied", partitions_made=made, **forgotten)


async def _forget(pool: asyncpg.Pool, query: str, *arguments: int) -> int:
    """Delete a bounded number of rows again and again, until none are left; how many it were."""
    forgotten = 0
    while (deleted := int((await pool.execute(sql.query(query), *arguments, AT_ONCE)).split()[-1])) > 0:
        forgotten += deleted
    return forgotten


async def tell_spans(pool: asyncpg.Pool) -> None:
    """Tell between which instants the rows of history lie, some thousand at a time, until cancelled."""
    horizon = Horizon()
    while True:
        try:
            while await span(pool, horizon):
                pass
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("spans_failed", error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(SPANS_EVERY)


async def span(pool: asyncpg.Pool | asyncpg.Connection, horizon: Horizon, rows: int = SPAN) -> bool:
    """Tell of the next so many rows; False where fewer are complete. Several nodes may: one row stays."""
    complete = await horizon.look(pool)
    return str(await pool.execute(sql.query("history.span"), complete, rows)).endswith(" 1")
