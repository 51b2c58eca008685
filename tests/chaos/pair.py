"""A primary and its synchronous standby, and how one takes the other's place."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import asyncpg

from service.supervisor import SUPERUSER
from tests.service.cluster import Cluster

DATABASE = "escalation"
IN_SYNC = "SELECT count(*) FROM pg_stat_replication WHERE application_name = $1 AND sync_state = 'sync'"
SYNCHRONOUS_WITHIN = 120.0
"""Seconds in which a standby has caught up."""


class Pair:
    """Whatever was acknowledged is on both. `url` names both, and means the one that takes writes."""

    def __init__(self) -> None:
        self.password = secrets.token_urlsafe(24)
        self.primary, self.standby = (Cluster(name, self.password) for name in ("one", "other"))
        self._hosts = f"{self.primary.address},{self.standby.address}"

    @property
    def url(self) -> str:
        """What the service is given."""
        login = f"{SUPERUSER}:{self.password}"
        return f"postgres://{login}@{self._hosts}/{DATABASE}?target_session_attrs=read-write"

    async def open(self) -> None:
        """Make both, and wait until a commit waits for both."""
        await self.primary.make()
        await self.primary.start()
        await self._tell(self.primary, f"CREATE DATABASE {DATABASE}")
        await self.rebuild(by="backup")

    def close(self) -> None:
        """Remove both."""
        self.primary.remove()
        self.standby.remove()

    async def promote(self, *, alone: bool) -> None:
        """The standby takes the killed primary's place. `alone`: and commits without another until there is one; else
        every commit waits for that."""
        self.primary, self.standby = self.standby, self.primary
        await self._wait_for("" if alone else self.standby.name)
        await self._tell(self.primary, "SELECT pg_promote(true, 60)")

    async def rebuild(self, *, by: str) -> None:
        """The other becomes the standby: rewound, or by a new `backup`; returns when commits wait for it."""
        if by == "rewind":
            await self._tell(self.primary, "CHECKPOINT")  # which tells the rewinding which timeline this is
            await self.standby.rewind(self.primary.url())
        else:
            await self.standby.copy(self.primary.url())
        await self.standby.start()
        await self._wait_for(self.standby.name)
        conn = await self.primary.connect()
        try:
            async with asyncio.timeout(SYNCHRONOUS_WITHIN):
                while not await conn.fetchval(IN_SYNC, self.standby.name):  # noqa: ASYNC110  # other processes do it
                    await asyncio.sleep(0.05)
        finally:
            await conn.close()

    async def _wait_for(self, standby: str) -> None:
        """Whom commits wait for."""
        await self._tell(self.primary, f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'")
        await self._tell(self.primary, "SELECT pg_reload_conf()")

    @staticmethod
    async def _tell(cluster: Cluster, what: str) -> None:
        conn: asyncpg.Connection = await cluster.connect()
        try:
            await conn.execute(what)
        finally:
            await conn.close()


@asynccontextmanager
async def pair_of_servers() -> AsyncIterator[Pair]:
    """As long as the context lasts."""
    with closing(Pair()) as pair:
        await pair.open()
        yield pair
