"""The replica: a standby that answers what has happened, where one is set (`replica_url`).

It is asked only when it has replayed all that the primary had committed as the request came in, so a caller never reads
less than what they wrote or were told before. Who somebody is, what they may do, and the feed's horizon are asked of
the primary alone; so are guards. A replica that is down, late, or no standby any more is said to be so (in the log, in
`/readyz` and `/metrics`), and the primary answers in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

import asyncpg
import structlog

import sql
from service.database import LOST

log = structlog.get_logger(__name__)

T = TypeVar("T")
State = Literal["serves", "down", "late", "no_standby"]
REACHED_WITHIN = 0.5
"""Seconds in which a connection to it is there; else it is down."""
LOOKS, LOOKS_EVERY = 5, 0.01
"""How often it is asked whether it has caught up, and the seconds between; else it is late."""
SHUNNED_FOR: dict[State, float] = {"down": 5.0, "late": 1.0, "no_standby": 5.0}
"""Seconds for which one that is not fit to answer is not asked again."""
FLUSHED, CAUGHT_UP = sql.query("replica.flushed"), sql.query("replica.caught_up")
FAILED = (
    *LOST,
    TimeoutError,
    asyncpg.SerializationError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
)
"""What a standby may meet: no connection, or a query in the way of what it replays."""


class NotThereError(Exception):
    """It can't answer this now: ask the primary."""


class Replica:
    """One, by a pool of its own. `counted` hears of each read whether it served it, or why not."""

    def __init__(self, pool: asyncpg.Pool, counted: Callable[[State], None] = lambda state: None) -> None:
        self.pool, self._counted = pool, counted
        self.state: State = "serves"
        self._shunned_until = 0.0

    async def ask(self, wanted: str, ask: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """What it answers, as new as `wanted` (`flushed` of the primary). Raises NotThereError."""
        if asyncio.get_running_loop().time() < self._shunned_until:
            self._counted(self.state)
            raise NotThereError
        try:
            conn = await self.pool.acquire(timeout=REACHED_WITHIN)
        except FAILED as error:
            raise self._unfit("down", error) from None
        except asyncpg.PostgresError as error:  # it starts, or lets nobody in
            raise self._unfit("down", error) from None
        try:
            await self._caught_up(conn, wanted)
            told = await ask(conn)
        except FAILED as error:
            raise self._unfit("down", error) from None
        finally:
            await self.pool.release(conn)
        self._is("serves")
        self._counted("serves")
        return told

    async def _caught_up(self, conn: asyncpg.Connection, wanted: str) -> None:
        for look in range(LOOKS):
            caught_up = await conn.fetchval(CAUGHT_UP, wanted)
            if caught_up:
                return
            if caught_up is None:
                raise self._unfit("no_standby")
            if look < LOOKS - 1:
                await asyncio.sleep(LOOKS_EVERY)
        raise self._unfit("late")

    def _unfit(self, state: State, error: BaseException | None = None) -> NotThereError:
        self._shunned_until = asyncio.get_running_loop().time() + SHUNNED_FOR[state]
        self._is(state, error)
        self._counted(state)
        return NotThereError()

    def _is(self, state: State, error: BaseException | None = None) -> None:
        if state == self.state:
            return
        self.state = state
        why = f"{type(error).__name__}: {error}" if error else None
        if state == "serves":
            log.info("replica_serves")
        else:
            log.warning("replica_unfit", state=state, error=why, instead="the primary")
