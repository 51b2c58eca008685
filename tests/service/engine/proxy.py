"""A proxy before Postgres that reads the wire: it knows which statement passes, can hold it, or lose it.

So a test waits for "the engine is at its COMMIT" as an event, and cuts a connection at exactly that place.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

Fate = Literal["pass", "lose", "lose_answer", "hang_up"]
"""What becomes of a stopped statement: passed on; lost with its connection before the server sees it; passed on, and
its connection lost when the server has done it; passed on, and its connection lost while the server does it."""


@dataclass(eq=False)
class Stop:
    """The next statement in which the pattern is found stops here until `go`, then meets its fate.

    Until then its connection is frozen both ways: nor does the client hear what the server says meanwhile.
    """

    pattern: str
    fate: Fate = "pass"
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)


class Proxy:
    """Listens on loopback at `url`. `said` is every statement that a client had executed, in order."""

    def __init__(self, upstream: str) -> None:
        self._parts = urlsplit(upstream)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stops: list[Stop] = []
        self.said: list[str] = []
        self.chained = 0
        self.refusing = False
        self.url = ""

    def stop_at(self, pattern: str, fate: Fate = "pass", *, wait: bool = True) -> Stop:
        """Stop the next statement in which the pattern is found; with `wait` it is held until `go` is set."""
        stop = Stop(pattern, fate)
        if not wait:
            stop.go.set()
        self._stops.append(stop)
        return stop

    async def open(self) -> None:
        """Start listening."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user = self._parts.netloc.rpartition("@")[0]
        netloc = f"{user}@127.0.0.1:{port}" if user else f"127.0.0.1:{port}"
        query = f"{self._parts.query}&sslmode=disable" if self._parts.query else "sslmode=disable"
        self.url = urlunsplit(self._parts._replace(netloc=netloc, query=query))

    async def close(self) -> None:
        """Drop every connection and stop listening."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._spawn(_Link(self, reader, writer).serve())

    def next_stop(self, text: str) -> Stop | None:
        """The first stop that is meant for this statement; it is used up."""
        for stop in self._stops:
            if re.search(stop.pattern, text):
                self._stops.remove(stop)
                return stop
        return None

    @property
    def upstream(self) -> tuple[str, int]:
        """Where the server listens."""
        return self._parts.hostname or "127.0.0.1", self._parts.port or 5432


class _Link:
    """One client's connection and the server's, and what passes between them."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client, self._to_client = reader, writer
        self._texts: dict[bytes, str] = {}
        self._lose_answer = False
        self._thawed = asyncio.Event()
        self._thawed.set()

    async def serve(self) -> None:
        writers = [self._to_client]
        try:
            if self._proxy.refusing:
                return
            server, self._to_server = await asyncio.open_connection(*self._proxy.upstream)
            writers.append(self._to_server)
            length = await self._client.readexactly(4)  # the start-up message has no type
            self._to_server.write(length + await self._client.readexactly(int.from_bytes(length) - 4))
            pumps = [asyncio.ensure_future(self._asks()), asyncio.ensure_future(self._answers(server))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for writer in writers:
                writer.close()

    async def _asks(self) -> None:
        while True:
            kind, raw, body = await _message(self._client)
            text, begins = self._statement(kind, body), False
            if text == "COMMIT AND CHAIN":  # as if they were two
                text, begins = "COMMIT", True
            stop = self._proxy.next_stop(text) if text is not None else None
            if stop is not None:
                self._thawed.clear()
                stop.reached.set()
                await stop.go.wait()
                self._thawed.set()
                if stop.fate == "lose":
                    return
                self._lose_answer = stop.fate == "lose_answer"
            if text is not None:
                self._proxy.said += [text, "BEGIN"] if begins else [text]
                self._proxy.chained += begins
            self._to_server.write(raw)
            await self._to_server.drain()
            if stop is not None and stop.fate == "hang_up":
                return

    async def _answers(self, server: asyncio.StreamReader) -> None:
        while True:
            try:
                kind, raw, body = await _message(server)
            finally:
                await self._thawed.wait()
            if self._lose_answer and kind == b"C" and body == b"COMMIT\0":
                return
            self._to_client.write(raw)
            await self._to_client.drain()

    def _statement(self, kind: bytes, body: bytes) -> str | None:
        """The text of the statement that this message has executed, if it is one that does."""
        match kind:
            case b"Q":
                return body.rstrip(b"\0").decode()
            case b"P":
                name, text, _ = body.split(b"\0", 2)
                self._texts[name] = text.decode()
            case b"B":  # its Execute and Sync follow: a server that has seen none of them is idle
                return self._texts[body.split(b"\0", 2)[1]]
        return None


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes, bytes]:
    head = await reader.readexactly(5)
    body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
    return head[:1], head + body, body


@asynccontextmanager
async def proxied(upstream: str) -> AsyncIterator[Proxy]:
    """A proxy for as long as the context lasts."""
    proxy = Proxy(upstream)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
