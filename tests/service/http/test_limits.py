"""Connections that dawdle, and requests that are larger than a head or a body may be: spoken as bytes, over a socket.

The service of these tests waits half a second where one in production waits 15.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from tests.service.conftest import Service, running

WITHIN = 0.5


@pytest.fixture
async def impatient(database_url: str) -> AsyncIterator[Service]:
    """A service that waits for a request no longer than half a second."""
    async with running(database_url, request_within=WITHIN) as service:
        yield service


@asynccontextmanager
async def _line(service: Service) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = service.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def _said(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], Any]:
    """One answer: its status, headers and JSON."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await asyncio.wait_for(reader.readexactly(int(headers.get("content-length", 0))), 10)
    return int(head[0].split(" ")[1]), headers, json.loads(body) if body else None


def _head(service: Service, *lines: str, path: str = "/v1/customers/acme", method: str = "PUT") -> bytes:
    key = service.keys["root"]
    own = (f"{method} {path} HTTP/1.1", "Host: here", f"Authorization: Bearer {key}")
    return "\r\n".join((*own, *lines, "", "")).encode()


async def _drip(writer: asyncio.StreamWriter, text: bytes, every: float) -> None:
    """A byte now and then, until the other side has had enough."""
    for byte in text * 1000:
        try:
            writer.write(bytes((byte,)))
            await writer.drain()
        except ConnectionError:
            return
        await asyncio.sleep(every)


async def _ends(reader: asyncio.StreamReader) -> bytes:
    """Whatever still comes until the connection ends."""
    try:
        return await asyncio.wait_for(reader.read(), 10 * WITHIN)
    except ConnectionError:
        return b""


# Slow -------------------------------------------------------------------------------------------------------------


async def test_a_connection_that_says_nothing_is_closed(impatient: Service) -> None:
    async with _line(impatient) as (reader, _):
        began = time.monotonic()
        assert await _ends(reader) == b""
        assert time.monotonic() - began >= WITHIN * 0.9


async def test_a_head_that_drips_is_closed(impatient: Service) -> None:
    async with _line(impatient) as (reader, writer):
        writer.write(b"GET /v1/history HTTP/1.1\r\n")
        dripping = asyncio.create_task(_drip(writer, b"X-Drip: drop\r\n", WITHIN / 10))
        assert await _ends(reader) == b""
        dripping.cancel()


@pytest.mark.parametrize("said", [b"G", b"GET /healthz HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nHost: here\r\nX-A"])
async def test_a_head_that_begins_and_stops_is_closed(impatient: Service, said: bytes) -> None:
    async with _line(impatient) as (reader, writer):
        writer.write(said)
        assert await _ends(reader) == b""


async def test_a_body_that_begins_late_has_only_what_is_left(impatient: Service) -> None:
    async with _line(impatient) as (reader, writer):
        writer.write(_head(impatient)[:20])
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), WITHIN * 0.8)
        writer.write(_head(impatient, "Content-Length: 5000")[20:])
        assert (await _said(reader))[0] == 408
        assert time.monotonic() - began < WITHIN * 1.6  # and not 0.8 and a whole one


async def test_a_body_that_drips_is_408_and_closed(impatient: Service) -> None:
    async with _line(impatient) as (reader, writer):
        writer.write(_head(impatient, "Content-Length: 5000"))
        dripping = asyncio.create_task(_drip(writer, b" ", WITHIN / 10))
        status, headers, told = await _said(reader)
        assert (status, told["code"], headers["connection"]) == (408, "too_slow", "close")
        assert headers["content-type"].startswith("application/problem+json")
        assert await _ends(reader) == b""
        dripping.cancel()


async def test_chunks_that_drip_are_408_and_closed(impatient: Service) -> None:
    async with _line(impatient) as (reader, writer):
        writer.write(_head(impatient, "Transfer-Encoding: chunked"))
        dripping = asyncio.create_task(_drip(writer, b"1\r\n \r\n", WITHIN / 10))
        assert (await _said(reader))[0] == 408
        assert await _ends(reader) == b""
        dripping.cancel()


async def test_the_second_requests_head_that_drips_is_closed_too(impatient: Service) -> None:
    async with _line(impatient) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        assert (await _said(reader))[0] == 200
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        dripping = asyncio.create_task(_drip(writer, b"X-Drip: drop\r\n", WITHIN / 10))
        assert await _ends(reader) == b""
        dripping.cancel()


async def test_a_connection_that_was_useful_may_be_idle_for_longer(impatient: Service) -> None:
    async with _line(impatient) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
            assert (await _said(reader))[0] == 200
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), WITHIN * 1.5)


async def test_a_slow_caller_holds_nobody_up(impatient: Service) -> None:
    async with _line(impatient) as (_, writer):
        writer.write(_head(impatient, "Content-Length: 5000"))
        (await impatient.call("ann", "GET", "/v1/history")).ok()


async def test_a_caller_who_asks_and_takes_no_answer_is_let_go(impatient: Service) -> None:
    """Answers of some megabytes, more than the system keeps for whoever is slow."""
    host, port = impatient.base.removeprefix("http://").split(":")
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((host, int(port)))
        deaf.setblocking(False)
        asked = _head(impatient, method="GET", path="/openapi.json") * 8
        async with asyncio.timeout(20 * WITHIN):
            while deaf.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                with suppress(BlockingIOError):
                    deaf.send(asked)
                await asyncio.sleep(WITHIN / 10)
    (await impatient.call("ann", "GET", "/v1/history")).ok()


async def test_a_caller_who_takes_their_answer_slowly_but_takes_it_gets_it_whole(impatient: Service) -> None:
    async with _line(impatient) as (reader, writer):
        writer.write(_head(impatient, "Connection: close", method="GET", path="/openapi.json"))
        whole = b""
        while part := await reader.read(8192):
            whole += part
            await asyncio.sleep(0)
    assert whole.startswith(b"HTTP/1.1 200 ")
    assert whole.endswith(b"}")


# Large ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        [f"X-Long: {'x' * 9000}"],
        [f"X-Many-{n}: x" for n in range(200)],
        [f"{'X' * 9000}: name"],
        [f"Cookie: {'a=b; ' * 4000}"],
    ],
    ids=["a long header", "200 headers", "a header with a long name", "many cookies"],
)
async def test_a_head_that_is_too_large_is_a_problem(service: Service, lines: list[str]) -> None:
    async with _line(service) as (reader, writer):
        writer.write(_head(service, *lines, method="GET", path="/v1/history"))
        status, headers, told = await _said(reader)
        assert (status, told["code"]) == (400, "unreadable")
        assert headers["content-type"].startswith("application/problem+json")
        assert headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/tickets/" + "x" * 10_000, "/v1/history?cursor=" + "x" * 10_000])
async def test_a_url_that_is_too_long_is_a_problem(service: Service, path: str) -> None:
    (await service.call("ann", "GET", path)).problem(400, "unreadable")


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: here\r\nA\x00B: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: here\r\n folded: c\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: here\r\nContent-Length: -5\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: here\r\n\r\n",
    ],
    ids=lambda said: said[:60].decode(errors="replace"),
)
async def test_what_is_not_http_is_a_problem_and_no_500(service: Service, said: bytes) -> None:
    async with _line(service) as (reader, writer):
        writer.write(said)
        status, headers, told = await _said(reader)
        assert (status, told["code"]) == (400, "unreadable")
        assert headers["content-type"].startswith("application/problem+json")
        assert await _ends(reader) == b""


@pytest.mark.parametrize(
    "chunks",
    [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}garbage\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFFF\r\n{}"],
    ids=["a size that is none", "more than its size", "a size beyond 64 bits"],
)
async def test_chunks_that_are_none_are_unreadable(service: Service, chunks: bytes) -> None:
    async with _line(service) as (reader, writer):
        writer.write(_head(service, "Transfer-Encoding: chunked"))
        writer.write(chunks)
        status, _, told = await _said(reader)
        assert (status, told["code"]) == (400, "unreadable")


async def test_a_body_that_breaks_off_hurts_nobody(service: Service) -> None:
    async with _line(service) as (_, writer):
        writer.write(_head(service, "Content-Length: 50") + b'{"name":')
        writer.write_eof()
    (await service.call("ann", "GET", "/v1/history")).ok()


@pytest.mark.parametrize("size", [1, 2])
async def test_a_million_chunks_stay_small(service: Service, size: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with _line(service) as (reader, writer):
        writer.write(_head(service, "Transfer-Encoding: chunked"))
        answering = asyncio.create_task(_said(reader))
        chunk = b"%d\r\n%s\r\n" % (size, b" " * size)
        for _ in range(1000):
            if answering.done():
                break
            writer.write(chunk * 1000)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        status, _, told = await answering
    assert (status, told["code"]) == ((400, "unreadable") if size == 1 else (413, "too_large"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before <= 64_000  # kB


async def test_a_body_announced_too_large_is_refused_before_it_comes(service: Service) -> None:
    async with _line(service) as (reader, writer):
        writer.write(_head(service, "Content-Length: 999999999999"))
        status, headers, told = await _said(reader)
        assert (status, told["code"], headers["connection"]) == (413, "too_large", "close")


async def test_a_hundred_requests_in_one_breath_are_answered_in_turn(service: Service) -> None:
    async with _line(service) as (reader, writer):
        writer.write(_head(service, method="GET", path="/v1/customers/acme") * 100)
        for _ in range(100):
            assert (await _said(reader))[0] == 200
