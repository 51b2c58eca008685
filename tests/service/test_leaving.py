"""A node that is told to stop says so, lets nobody else in, and finishes what it has accepted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE

import asyncpg

from service import verify
from service.routes.health import LEAVING
from tests.service.conftest import Service, running
from tests.service.engine.faults import blocked, let_commit, slow_commit

CALLERS = 12


async def test_a_node_that_was_told_to_stop_is_not_ready_and_still_answers(service: Service):
    service.app[LEAVING].set()
    answer = await service.call(None, "GET", "/readyz")
    assert (answer.status, answer.body["checks"]["node"]["ok"]) == (503, False)
    (await service.call(None, "GET", "/healthz")).ok()
    e = await service.opened("T-1")
    (await service.act("ann", e, "note", text="a")).ok(201)


async def test_what_was_accepted_is_finished_and_nobody_else_is_let_in(database_url: str):
    async with running(database_url) as here:
        e = await here.opened("T-1")
        await slow_commit(here.db, "history")
        words = ["-P", "-m", "service", "serve", "--port", "0", "--no-migrate"]
        given = os.environ | {"ESCALATION_DATABASE_URL": database_url, "ESCALATION_SENDS": "false"}
        node = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=PIPE, env=given)
        assert node.stdout is not None
        async with asyncio.timeout(60):
            here.base = (await node.stdout.readline()).decode().split()[-1]
        waiting = [asyncio.create_task(here.act("ann", e, "note", text=str(n))) for n in range(CALLERS)]
        await blocked(here.db, 1)
        node.send_signal(signal.SIGTERM)
        await _shut(here.base)
        await let_commit(here.db)
        answers = await asyncio.gather(*waiting)
        assert [answer.status for answer in answers] == [201] * CALLERS
        async with asyncio.timeout(60):
            assert await node.wait() == 0
        assert await here.db.fetchval("SELECT count(*) FROM history h JOIN allowed_move m ON m.id = h.move"
                                      " WHERE m.trigger = 'note'") == CALLERS  # fmt: skip
        assert await _connections(here.db) == 0
    assert await verify.run(database_url) == []


async def _shut(base: str) -> None:
    """Return once nobody is let in any more."""
    host, port = base.removeprefix("http://").split(":")
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except ConnectionError:
                return
            writer.close()


async def _connections(db: asyncpg.Connection) -> int:
    """The engine's, of nodes that are gone; this process has its own."""
    found = await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'escalation-matrix engine' AND state = 'idle in transaction'"
    )
    return int(found)
