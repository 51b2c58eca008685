"""The stage: a database of the demo's own, the real service on it, in this process, and keys for the cast."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
from aiohttp import web

from service import database, postgres
from service.app import build
from service.config import Settings
from service.replay import keys_for
from service.replay.cast.members import CAST
from service.server import Runner

DATABASE = "escalation_demo"


class StageError(Exception):
    """The demo can't begin; the message says what to do about it."""


@asynccontextmanager
async def a_server(settings: Settings) -> AsyncIterator[str]:
    """The URL of a server on which a database may be made: the embedded one, unless the settings name another."""
    given = settings.migrate_url or settings.database_url
    if given is not None:
        yield given
        return
    async with await postgres.ensure(settings.data_dir, binaries=settings.postgres_binaries) as embedded:
        yield embedded.url


async def fresh_database(server: str, name: str = DATABASE) -> str:
    """An empty database of this name, migrated; what an earlier demo left in it is gone. Answers its URL.

    Raises StageError where another demo still uses it, or the server gives no such right.
    """
    conn = await asyncpg.connect(server, timeout=10)
    try:
        # Without FORCE: nobody loses a database that they are looking at.
        await conn.execute(f'DROP DATABASE IF EXISTS "{name}"')
        await conn.execute(f'CREATE DATABASE "{name}"')
        # Nobody waits for the disk: what is gone with the next demo may be gone with a power cut.
        await conn.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    except asyncpg.ObjectInUseError:
        raise StageError(f"Another demo is still using the database {name}: stop that one first.") from None
    except asyncpg.InsufficientPrivilegeError as error:
        raise StageError(f"The demo makes a database of its own, {name}, and may not on this server: {error}") from None
    finally:
        await conn.close()
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    await database.prepare(url)
    return url


async def keys_for_the_cast(url: str) -> dict[str, str]:
    """An API key for each of them."""
    return await keys_for(url, CAST)


@asynccontextmanager
async def service_on(settings: Settings, url: str) -> AsyncIterator[str]:
    """The service on this database, on a virtual clock, and its address. Raises StageError where the port is taken."""
    settings = replace(settings, database_url=url, migrate_url=None, workers=1, clock="virtual")
    runner = Runner(build(settings, url), shutdown_timeout=settings.shutdown_within)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise StageError(
                f"Port {settings.port} is taken: try `--port {settings.port + 1}`, or 0 for any."
            ) from None
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
