"""The load generator is trusted with every figure, so it is tested; nothing here is timed."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.benchmarks.load import Aside, Conversation, Outcome, Plan, Reply, request, run
from tests.benchmarks.process import ProgramError

Answer = Callable[[bytes], bytes]


def alternating(connection: int, connections: int, rng: random.Random) -> Conversation:
    """Says what it was last told to say; ends when told to."""
    reply = Reply(0, b"first")
    while reply.body != b"end":
        reply = yield request("POST", "/", reply.body or b"broken", {"X": str(connection)})


@asynccontextmanager
async def answering(answer: Answer, pieces: int = 1, hang_up: bool = False) -> AsyncIterator[int]:
    """A server that answers each request's body, in so many pieces, and may hang up after it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                reply = answer(await reader.readexactly(length))
                step = max(1, -(-len(reply) // pieces))
                for start in range(0, len(reply), step):
                    writer.write(reply[start : start + step])
                    await writer.drain()
                    await asyncio.sleep(0.002 if pieces > 1 else 0)
                if hang_up or not reply:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def reply(status: int, body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d X" % status, b"content-length: %d" % len(body), *headers, b"", b""]
    return b"\r\n".join(lines) + body


async def load(port: int, connections: int = 2, seconds: float = 0.3, script: str = "alternating") -> Outcome:
    plan = Plan(
        port=port,
        script=f"tests.benchmarks.test_load:{script}",
        connections=connections,
        warmup=0,
        seconds=seconds,
    )
    return await run(plan)


async def test_the_next_request_follows_from_the_reply() -> None:
    heard: list[bytes] = []

    def answer(body: bytes) -> bytes:
        heard.append(body)
        return reply(201, b"second" if body == b"first" else b"first")

    async with answering(answer) as port:
        outcome = await load(port, connections=1)
    assert heard[:4] == [b"first", b"second", b"first", b"second"]
    assert set(outcome.statuses) == {"201"}
    assert 0 < outcome.statuses["201"] <= len(heard)


async def test_replies_in_pieces_are_put_together() -> None:
    async with answering(lambda body: reply(200, b"x" * 50), pieces=7) as port:
        outcome = await load(port)
    assert set(outcome.statuses) == {"200"}
    assert outcome.broken == 0


async def test_a_service_that_closes_after_each_reply_is_called_again() -> None:
    closing = reply(201, b"again", b"Connection: close")
    async with answering(lambda body: closing, hang_up=True) as port:
        outcome = await load(port)
    assert outcome.statuses["201"] > 2
    assert outcome.broken == 0


async def test_a_connection_that_breaks_is_counted_and_its_conversation_told() -> None:
    heard: list[bytes] = []

    def answer(body: bytes) -> bytes:
        heard.append(body)
        return b"" if len(heard) == 1 else reply(200, b"first")

    async with answering(answer) as port:
        outcome = await load(port, connections=1)
    assert outcome.broken == 1
    assert heard[:2] == [b"first", b"broken"]


async def test_refusals_are_counted_but_not_as_accepted() -> None:
    statuses = iter([201, 409] * 100_000)
    async with answering(lambda body: reply(next(statuses), b"first")) as port:
        outcome = await load(port, connections=1)
    assert set(outcome.statuses) == {"201", "409"}
    assert outcome.refused == {"409": outcome.statuses["409"]}
    assert outcome.accepted == pytest.approx(outcome.statuses["201"] / outcome.seconds)


def with_asides(connection: int, connections: int, rng: random.Random) -> Conversation:
    """Every other request is said aside."""
    while True:
        yield Aside(request("POST", "/", b"aside"))
        yield request("POST", "/", b"counted")


async def test_what_is_said_aside_is_not_counted_unless_it_is_refused() -> None:
    async with answering(lambda body: reply(200 if body == b"aside" else 201, b"x")) as port:
        outcome = await load(port, script="with_asides")
    assert set(outcome.statuses) == {"201"}
    assert outcome.aside == pytest.approx(outcome.statuses["201"], abs=4)
    async with answering(lambda body: reply(503 if body == b"aside" else 201, b"x")) as port:
        outcome = await load(port, script="with_asides")
    assert outcome.refused["503"] == outcome.aside


async def test_a_reply_without_a_length_ends_the_run_with_a_word() -> None:
    async with answering(lambda body: b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nx") as port:
        with pytest.raises(ProgramError, match="without status or content-length"):
            await load(port)


async def test_a_conversation_that_is_over_ends_early() -> None:
    async with answering(lambda body: reply(200, b"end")) as port:
        async with asyncio.timeout(20):
            outcome = await load(port, connections=3, seconds=60)
    assert outcome.statuses == {"200": 3}
    assert outcome.seconds < 20
