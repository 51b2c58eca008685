"""A service that kills itself (kill -9) at one point of its first batch: where a crash would be worst, each time.

It is the product's own, but for a hand of the engine and a way out that are put around it as traces are: nothing in the
product can be told to die.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Literal, get_args

import asyncpg
import structlog
from aiohttp import web

from service import database
from service.app import build
from service.asks import Wants
from service.batch import Batch, Job
from service.channels.letter import Channel
from service.config import Settings
from service.door import Route
from service.engine import WRITE, Engine, Hand
from service.server import Handler, Runner

Point = Literal["before_begin", "after_facts", "before_commit", "after_commit"]
"""Before the batch's transaction; with its facts read and decided, before it is written; written, before COMMIT; after
COMMIT, before anybody is answered."""
POINTS: tuple[Point, ...] = get_args(Point)


def die() -> None:
    """As by kill -9: nothing is flushed, closed or said."""
    os.kill(os.getpid(), signal.SIGKILL)


class Failing:
    """What is put around the service; `after`: how many batches are spared. Without a point nothing fails."""

    def __init__(self, point: Point | None, after: int = 0) -> None:
        self.point, self.after = point, after

    def request(self, route: Route, handle: Handler) -> Handler:
        return handle

    def engine(self, *given: Any, **more: Any) -> Engine:
        return _Engine(self, *given, **more)

    def channels(self, channels: Sequence[Channel]) -> tuple[Channel, ...]:
        return tuple(channels)

    async def close(self) -> None:
        pass

    def at(self, point: Point) -> None:
        """This point of a batch is reached."""
        if point == self.point:
            if self.after == 0:
                die()
            self.after -= 1


class _Engine(Engine):
    def __init__(self, failing: Failing, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.failing = failing
        self.hand = _Hand


class _Hand(Hand):
    def _at(self, point: Point) -> None:
        assert isinstance(self._engine, _Engine)
        self._engine.failing.at(point)

    async def _connection(self) -> asyncpg.Connection:
        return _Watched(await super()._connection(), self)

    async def _batch(self, jobs: list[Job]) -> None:
        self._at("before_begin")
        await super()._batch(jobs)

    async def _commit(self, conn: asyncpg.Connection, batch: Batch, want: Wants) -> None:
        self._at("before_commit")
        await super()._commit(conn, batch, want)
        self._at("after_commit")


class _Watched:
    """A connection that is about to write."""

    def __init__(self, conn: asyncpg.Connection, hand: _Hand) -> None:
        self._conn, self._hand = conn, hand

    async def fetchval(self, query: str, *given: Any) -> Any:
        if query == WRITE:
            self._hand._at("after_facts")
        return await self._conn.fetchval(query, *given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)


def run(point: Point | None, after: int, url: str, told: Connection) -> None:
    """Serve on a port that is told, until killed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(_serve(Failing(point, after), url, told))


async def _serve(failing: Failing, url: str, told: Connection) -> None:
    await database.wait_until_it_answers(url)
    settings = Settings(clock="virtual", audits=False)
    runner = Runner(build(settings, url, around=failing), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    told.send(runner.addresses[0][1])
    await asyncio.Event().wait()
