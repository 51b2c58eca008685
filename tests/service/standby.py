"""A real standby of the tests' Postgres: a base backup of it, that streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from tests.service.cluster import Cluster


class Standby:
    """It runs until it is stopped; `url` is the same database's on it."""

    def __init__(self, cluster: Cluster, url: str, db: asyncpg.Connection) -> None:
        self._cluster, self.url, self.db = cluster, url, db

    def stop(self) -> None:
        """As a power cut would."""
        self._cluster.stop()


@asynccontextmanager
async def standby_of(url: str) -> AsyncIterator[Standby]:
    """One of the server at this url."""
    parts = urlsplit(url)
    cluster = Cluster("standby", parts.password or "")
    try:
        await cluster.copy(url)
        await cluster.start()
        database = parts.path.removeprefix("/")
        standby = Standby(cluster, cluster.url(database), await cluster.connect(database))
        try:
            yield standby
        finally:
            standby.db.terminate()
    finally:
        await asyncio.to_thread(cluster.remove)
