"""A running service in a thread of its own, for callers without a loop: schemathesis, and Hypothesis' machines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from service import database, postgres, verify
from tests.conftest import database_from
from tests.service.conftest import Service, running

STARTS_WITHIN = 60.0


@dataclass(frozen=True)
class Town:
    """Where a service listens, the keys of its cast, and the id of an escalation on the ticket T-1."""

    base: str
    keys: dict[str, str]
    escalation: str


@contextmanager
def served(server_url: str, template: str, **settings: Any) -> Iterator[Town]:
    """A service on a new database of this server, made from a migrated one; the verifier must find nothing at its
    end."""
    begun: Future[Town] = Future()
    ended: Future[list[verify.Finding]] = Future()
    done = threading.Event()

    async def serve() -> None:
        async with database_from(server_url, template) as url:
            async with running(url, **settings) as service:
                begun.set_result(await _town(service))
                await asyncio.to_thread(done.wait)
            ended.set_result(await verify.run(url))

    def run() -> None:
        try:
            asyncio.run(serve())
        except Exception as error:
            for future in (begun, ended):
                if not future.done():
                    future.set_exception(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield begun.result(STARTS_WITHIN)
    finally:
        done.set()
        thread.join()
    assert ended.result() == []


async def _town(service: Service) -> Town:
    return Town(service.base, service.keys, await service.opened("T-1"))


@contextmanager
def alone(directory: Path, **settings: Any) -> Iterator[Town]:
    """The same on a Postgres of its own, in this directory: for commands, which have no test's server."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(postgres.ensure(directory, scratch=True, grace=1.0))
    try:
        loop.run_until_complete(_migrated(server.url))
        with served(server.url, "migrated", **settings) as town:
            yield town
    finally:
        loop.run_until_complete(server.__aexit__(None, None, None))
        loop.close()


async def _migrated(url: str) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute("CREATE DATABASE migrated")
    await conn.close()
    await database.prepare(f"{url.rpartition('/')[0]}/migrated", months=2)
