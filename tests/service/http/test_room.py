"""Too many at once: connections, reads, file descriptors. Whoever has no room is told so, and soon there is some."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import AsyncExitStack

import aiohttp
import pytest

from service.config import Settings, Webhook
from service.room import LEAST, room
from service.submit import HOUSE
from tests.service.conftest import Service, running
from tests.service.http.test_limits import _ends, _line, _said

ASKS = b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"
RECOVERS_WITHIN = 10.0


async def test_a_connection_too_many_is_503_and_let_go_and_the_others_stay(database_url: str):
    async with running(database_url, connections=8) as service, AsyncExitStack() as lines:
        (await service.call(None, "GET", "/healthz")).ok()  # its connection stays
        for _ in range(7):
            reader, writer = await lines.enter_async_context(_line(service))
            writer.write(ASKS)
            assert (await _said(reader))[0] == 200
        async with _line(service) as (one_more, asking):
            asking.write(ASKS)
            status, headers, told = await _said(one_more)
            assert (status, told["code"], headers["retry-after"]) == (503, "unavailable", "1")
            assert (headers["connection"], headers["content-type"]) == ("close", "application/problem+json")
            assert await _ends(one_more) == b""
        writer.write(ASKS)
        assert (await _said(reader))[0] == 200
        await lines.aclose()
        async with asyncio.timeout(RECOVERS_WITHIN):
            while await _asked(service) != 200:
                pass


async def _asked(service: Service) -> int:
    async with _line(service) as (reader, writer):
        writer.write(ASKS)
        return (await _said(reader))[0]


async def test_whoever_is_one_too_many_and_says_nothing_is_let_go_too(database_url: str):
    async with running(database_url, connections=1) as service:
        (await service.call(None, "GET", "/healthz")).ok()
        async with _line(service) as (reader, _):
            assert await _ends(reader) == b""


async def test_a_read_that_gets_no_connection_is_503_and_the_next_is_answered(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    async with running(database_url, read_connections=1) as service:
        monkeypatch.setattr("service.reads.ACQUIRED_WITHIN", 0.05)
        async with service.app[HOUSE].reads.acquire():
            (await service.call("ann", "GET", "/v1/history")).problem(503, "unavailable")
            ready = await service.call(None, "GET", "/readyz")
            assert (ready.status, ready.body["checks"]["database"]["ok"]) == (503, False)
            (await service.call(None, "GET", "/healthz")).ok()
        monkeypatch.undo()
        async with asyncio.timeout(RECOVERS_WITHIN):
            (await service.call("ann", "GET", "/v1/history")).ok()


async def test_a_change_that_waits_for_a_place_in_a_full_queue_is_503(service: Service):
    e = await service.opened("T-1")
    engine = service.app[HOUSE].engine
    engine._limit = 0
    (await service.act("ann", e, "note", text="a")).problem(503, "unavailable")
    engine._limit = 1
    (await service.act("ann", e, "note", text="a")).ok(201)


@pytest.mark.parametrize(
    ("descriptors", "settings", "taken"),
    [
        (65536, {}, 8192),
        (1024, {}, 1024 - 48 - 2 - 8 - 3 * 16),
        (1024, {"read_connections": 100, "replica_url": "postgres://r"}, 1024 - 48 - 2 - 200 - 3 * 16),
        (1024, {"webhooks": (Webhook("a", "https://a", ("whsec_x",)),)}, 1024 - 48 - 2 - 8 - 4 * 16),
        (1024, {"connections": 10}, 10),
        (64, {}, LEAST),
    ],
)
def test_connections_leave_file_descriptors_to_what_else_needs_them(
    descriptors: int, settings: dict[str, object], taken: int
):
    assert room(Settings(**settings), descriptors) == taken  # type: ignore[arg-type]


async def _come(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Somebody who asks at once, as everybody does."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(ASKS)
    return reader, writer


async def _status(reader: asyncio.StreamReader) -> int | None:
    """What somebody was answered; None where they were let go because nobody had time to hear them."""
    try:
        async with asyncio.timeout(60):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    status = int(head.split()[1])
    assert status == 200 or "Retry-After: 1" in head
    return status


async def test_with_few_file_descriptors_some_are_told_to_come_back_and_then_all_are_served(database_url: str):
    words = ["-P", "-m", "service", "serve", "--port", "0", "--no-migrate"]
    few = ["sh", "-c", 'ulimit -n 160; exec "$0" "$@"', sys.executable, *words]
    environment = os.environ | {"ESCALATION_DATABASE_URL": database_url}
    process = await asyncio.create_subprocess_exec(*few, stdout=PIPE, stderr=PIPE, env=environment)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            base = (await process.stdout.readline()).decode().split()[-1]
        assert base.startswith("http://"), (await process.stderr.read()).decode()[-2000:]
        log = asyncio.create_task(process.stderr.read())
        host, port = base.removeprefix("http://").split(":")
        crowd = [await _come(host, int(port)) for _ in range(400)]
        statuses = [await _status(reader) for reader, _ in crowd[:60]]
        assert {200, 503} <= set(statuses), statuses
        for _, writer in crowd:
            writer.close()
        async with aiohttp.ClientSession() as session, asyncio.timeout(RECOVERS_WITHIN):
            while True:
                async with session.get(f"{base}/readyz") as answer:
                    told = json.loads(await answer.read())
                    if answer.status == 200:
                        break
        assert told["status"] == "ready"
    finally:
        process.terminate()
        assert await process.wait() == 0
    assert b"request_failed" not in await log
