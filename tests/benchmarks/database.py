"""The Postgres that is measured against, and scratch databases in it."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg

from service.postgres import PostgresError, ensure

from . import cpu
from .process import ProgramError

# Without these a commit is a promise and no fact, and every figure here counts commits.
_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
_QUERY_TO_LIBPQ = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}


@dataclass(frozen=True, slots=True)
class Server:
    """A server that commits durably, through a role that may create databases."""

    url: str
    version: str
    settings: dict[str, str]
    # Its first process, where it runs on this machine.
    postmaster: int | None = None


@asynccontextmanager
async def server(url: str | None, cache: Path) -> AsyncIterator[Server]:
    """The one that is named, else ESCALATION_DATABASE_URL's, else an embedded one.

    The embedded one is the product's, with a cluster of its own under the cache folder.

    Raises ProgramError if a commit on it would not be durable, or if databases cannot be created.
    """
    async with AsyncExitStack() as stack:
        url = url or os.environ.get("ESCALATION_DATABASE_URL")
        if not url:
            try:
                embedded = await ensure(cache / "postgres")
            except PostgresError as error:
                raise ProgramError(str(error)) from None
            url = (await stack.enter_async_context(embedded)).url
        # SQLAlchemy, which a rival uses, knows only the longer name.
        url = url.replace("postgres://", "postgresql://", 1)
        try:
            connection = await asyncpg.connect(url)
        except (OSError, asyncpg.PostgresError) as error:
            raise ProgramError(f"no Postgres to measure against: {error}") from None
        try:
            version = await connection.fetchval("SELECT current_setting('server_version')")
            settings: dict[str, str] = {
                name: await connection.fetchval("SELECT current_setting($1)", name)
                for name in (*_DURABLE, "shared_buffers", "wal_level", "max_connections")
            }
            may_create = await connection.fetchval(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            )
        finally:
            await connection.close()
        if careless := [name for name in _DURABLE if settings[name] != "on"]:
            raise ProgramError(f"this Postgres has {', '.join(careless)} not on: nothing to compare")
        if not may_create:
            raise ProgramError("the database's role may not create the scratch databases it takes")
        yield Server(url, version, settings, await cpu.postmaster(url))


@asynccontextmanager
async def scratch(
    server: Server, name: str, schema: Path | None = None, *, template: str | None = None
) -> AsyncIterator[str]:
    """The URL of a fresh database, with the schema's statements run in it; dropped at the end.

    `template`: the URL of a database that it is a copy of, to which nobody is connected.
    """
    database = f"escalation_bench_{name}_{os.getpid()}".replace("-", "_")
    await _execute(server.url, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    like = f" TEMPLATE {urlsplit(template).path.lstrip('/')}" if template else ""
    await _execute(server.url, f"CREATE DATABASE {database}{like}")
    try:
        parts = urlsplit(server.url)
        # Not by urlunsplit, which drops the slashes where only a query says where the server is.
        url = f"postgresql://{parts.netloc}/{database}" + (f"?{parts.query}" if parts.query else "")
        if schema is not None:
            await _execute(url, schema.read_text("utf-8"))
        yield url
    finally:
        await _execute(server.url, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


async def settle(server: Server) -> None:
    """Write out what came before, so that nobody pays for another's pages."""
    # A role that may not leaves it to the server, which does it when it is due, in anybody's turn.
    with suppress(asyncpg.InsufficientPrivilegeError):
        await _execute(server.url, "CHECKPOINT")


async def column(url: str, query: str) -> list[str]:
    """The first column of a query, as text."""
    connection = await asyncpg.connect(url)
    try:
        return [str(row[0]) for row in await connection.fetch(query)]
    finally:
        await connection.close()


def libpq(url: str) -> dict[str, str]:
    """Where libpq programs look for that database: no password on a command line."""
    parts = urlsplit(url)
    found = {
        "PGHOST": parts.hostname,
        "PGPORT": str(parts.port) if parts.port else None,
        "PGUSER": unquote(parts.username) if parts.username else None,
        "PGPASSWORD": unquote(parts.password) if parts.password else None,
        "PGDATABASE": unquote(parts.path.lstrip("/")),
    }
    for key, value in parse_qsl(parts.query):
        if key in _QUERY_TO_LIBPQ:
            found[_QUERY_TO_LIBPQ[key]] = value
    return {name: value for name, value in found.items() if value}


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql, timeout=60)
    finally:
        await connection.close()
