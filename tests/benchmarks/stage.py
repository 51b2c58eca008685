"""The product's own database, made once a run and copied for every turn.

Migrated as the product migrates, with partitions as many as it makes by default, a key for everyone, people and
customers put there over HTTP, and a background of live escalations, so that no index is empty. Whatever is measured
on the product's tables begins on a copy of it: the service, pgbench with the service's statements, and set-wise
writes.
"""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import asyncpg

from service import auth, database

from . import load, record
from .database import Server, scratch
from .lives import PRINCIPALS
from .process import Argument, ProgramError, free_port, serving

BACKGROUND = 2_000
"""Escalations that are live before anything is measured."""
_LIVE = "SELECT count(*) FROM escalation WHERE state <> 'closed'"
# Seconds, at most.
_SET_UP_WITHIN = 300.0


@dataclass(frozen=True, slots=True)
class Made:
    """Where the stage lies, and the API key of everyone."""

    url: str
    keys: Mapping[str, str]


class Stage:
    """Made when it is first asked for, dropped at the end of the context."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stack = AsyncExitStack()
        self._made: Made | None = None
        self._life: list[record.Step] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def made(self) -> Made:
        """The stage itself, to which nobody may be connected while it is copied."""
        if self._made is None:
            url = await self._stack.enter_async_context(scratch(self._server, "stage"))
            self._made = Made(url, await _furnish(url))
        return self._made

    @asynccontextmanager
    async def copy(self, name: str) -> AsyncIterator[Made]:
        """A copy of one's own."""
        made = await self.made()
        async with scratch(self._server, name, template=made.url) as url:
            yield Made(url, made.keys)

    async def life(self) -> list[record.Step]:
        """What the engine says to the database in one life, recorded on a copy."""
        if self._life is None:
            async with self.copy("recorded") as made:
                self._life = await record.recorded(record.Plan(made.url, dict(made.keys)))
        return self._life


@asynccontextmanager
async def service(
    url: str, launcher: tuple[Argument, ...] = ("-m", "service"), *, timers: bool = True, workers: int = 1
) -> AsyncIterator[tuple[int, int]]:
    """The real service on that database, in so many processes; yields its port and its pid.

    It logs JSON to a file, as under any supervisor. `launcher` says how Python is to start it; without `timers` it
    fires none.
    """
    port = free_port()
    argv: list[Argument] = [sys.executable, *launcher, "serve", "--no-migrate", "--port", str(port)]
    argv += ["--workers", str(workers)]
    # Whatever else is set where the benchmarks run is not what is measured.
    others = {name: "" for name in os.environ if name.startswith("ESCALATION_")}
    env = {**others, "ESCALATION_DATABASE_URL": url, "ESCALATION_LOG_FORMAT": "json", "ESCALATION_LOG_LEVEL": "info"}
    env |= {} if timers else {"ESCALATION_TIMERS": "false"}
    async with serving(argv, port=port, env=env) as pid:
        yield port, pid


async def furnished(url: str, background: int = 0) -> dict[str, str]:
    """Put a key for everyone, people, customers and so many live escalations there; answers the keys."""
    try:
        await database.prepare(url)
        connection = await asyncpg.connect(url)
        try:
            keys = {name: await auth.create_key(connection, name, role) for name, role in PRINCIPALS.items()}
        finally:
            await connection.close()
    except (database.MigrationError, asyncpg.PostgresError) as error:
        raise ProgramError(f"the product's schema could not be made: {error}") from error
    async with service(url, timers=background > 0) as (port, _):
        await _say(port, "settle", 1, keys=keys)
        if background:
            await _say(port, "fill", 64, keys=keys, count=background)
    return keys


async def _furnish(url: str) -> dict[str, str]:
    keys = await furnished(url, BACKGROUND)
    connection = await asyncpg.connect(url)
    try:
        live = await connection.fetchval(_LIVE)
        # As autovacuum leaves it, and not in the middle of somebody's turn.
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()
    if live != BACKGROUND:
        raise ProgramError(f"of {BACKGROUND} escalations in the background only {live} are live")
    return keys


async def _say(port: int, what: str, connections: int, **arguments: object) -> None:
    outcome = await load.run(
        load.Plan(
            port=port,
            script=f"tests.benchmarks.lives:{what}",
            arguments=arguments,
            connections=connections,
            warmup=0,
            seconds=_SET_UP_WITHIN,
        )
    )
    if outcome.refused or outcome.broken:
        raise ProgramError(f"setting up: refused {outcome.refused}, broken {outcome.broken}")
