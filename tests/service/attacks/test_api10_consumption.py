"""OWASP API10:2023, unsafe consumption of APIs: whatever a receiver answers, it is handed over, refused or tried again.

What help desks, Slack and calendars send and answer: `tests/service/inbound`, `tests/service/channels`,
`tests/service/rotas`.
"""

from __future__ import annotations

import asyncio
import gzip
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.channels import guarded
from service.channels.letter import Later, Refused
from service.channels.webhook import post

HEAD = b"HTTP/1.1 200 OK\r\n"
ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "what is not HTTP": b"\x16\x03\x01\x00\xff garbage \x00\r\n\r\n",
    "HTTP of long ago": b"HTTP/0.9 200\r\n\r\nok",
    "a status beyond any": b"HTTP/1.1 99999 What\r\n\r\n",
    "a negative status": b"HTTP/1.1 -1 What\r\n\r\n",
    "a redirect to the metadata": b"HTTP/1.1 302 X\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
    "a redirect to a file": b"HTTP/1.1 307 X\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
    "a header without end": HEAD + b"X-Long: " + b"x" * 1_000_000,
    "a million headers": HEAD + b"X: y\r\n" * 1_000_000 + b"\r\n",
    "a body that is longer than it says": HEAD + b"Content-Length: 2\r\n\r\n" + b"x" * 1_000_000,
    "a body that is shorter than it says": HEAD + b"Content-Length: 1000000\r\n\r\nx",
    "a length that is none": HEAD + b"Content-Length: many\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "chunks that are none": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n",
    "a packed body that grows": HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"0" * 50_000_000),
    "a body of ten megabytes": HEAD + b"Content-Length: 10000000\r\n\r\n" + b"x" * 10_000_000,
    "a cookie for others": HEAD + b"Set-Cookie: a=b; Domain=example\r\nContent-Length: 0\r\n\r\n",
    "when to come back, beyond all time": b"HTTP/1.1 503 X\r\nRetry-After: 1e999\r\nContent-Length: 0\r\n\r\n",
    "when to come back, long ago": b"HTTP/1.1 429 X\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n",
}


@asynccontextmanager
async def receiver(answer: bytes) -> AsyncIterator[str]:
    """A receiver that answers this, whatever it is asked."""

    async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(told, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


@pytest.mark.parametrize("what", ANSWERS)
async def test_whatever_a_receiver_answers_is_an_outcome_and_takes_no_memory(what: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with receiver(ANSWERS[what]) as url, guarded.session(private=True) as session:
        try:
            outcome = str(await post(session, url, b"{}", {}))
        except (Later, Refused) as error:
            outcome = str(error)
    assert outcome
    assert "\r" not in outcome
    assert len(outcome) < 200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before <= 16_000  # kB
