"""What the load generator itself can do: the bound above every other figure over HTTP.

Measured: the same client as for everybody else, against a second process that reads each request
and writes one fixed reply of a real one's size. Fair as an upper bound, and as nothing else: the
two share the two cores as client and service do, but no database works beside them. Where a
service comes near this figure, it is the client that is being measured.

    python -m tests.benchmarks.capacity PORT       that second process
"""

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import uvloop

from .bench import Bench, Measure, over_http
from .load import Conversation, request
from .process import free_port, serving

_BODY = b'{"id":"' + b"0" * 391 + b'"}'
_REPLY = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Content-Length: %d\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n%b" % (len(_BODY), _BODY)
)


class Loader:
    """The load generator against a server that does nothing."""

    name = "loader"
    title = "the load generator alone"
    unit = "replies/s"
    settings = ("against a fixed reply",)

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """The server that does nothing."""
        port = free_port()
        argv = [sys.executable, "-m", "tests.benchmarks.capacity", str(port)]
        async with serving(argv, port=port):
            yield over_http(bench, port, f"{__name__}:repeat", {})


def repeat(connection: int, connections: int, rng: random.Random) -> Conversation:
    """Say the same thing for ever: as long as a transition's request, with a new id in it."""
    while True:
        yield request(
            "POST",
            f"/v1/escalations/{rng.getrandbits(128):032x}/transitions",
            b'{"trigger":"escalate","reason":"technical complexity","needed":"engineers"}',
            {"Authorization": "Bearer " + "0" * 60},
        )


class _Fixed(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        # What the client says fits into one segment, and it says one thing at a time.
        self.transport.write(_REPLY)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Fixed, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
