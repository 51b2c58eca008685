"""The load generator: one client process, raw sockets, for the product and its rivals alike.

Measured: replies a second, by status, and the time from writing a request to having the whole of
its reply, over keep-alive connections that wait for each reply before they say the next thing (a
closed loop: a slow service is asked less, so its rate is its own).

Fair: whoever is measured meets this same client on the same two cores. Each figure carries the
share of a core that the client took, and `python -m tests.benchmarks loader` measures what it can
do against a server that does nothing. Unfair: a client on another machine would leave both cores
to the service, the more so the faster it is. So ratios count here, not absolute numbers.

What is said on one connection is a *conversation*: a generator that yields whole requests as bytes
and is sent each Reply, so that what it says next may depend on what it heard. It is named
``package.module:function`` and made in the client's process by

    function(connection, connections, rng, **arguments)

where `rng` is seeded by the run's seed and the connection's number.
"""

import sys
from collections.abc import Callable, Generator, Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from .process import output_of

# Seconds that requests still on their way at the end are waited for.
LAST_REPLIES_WITHIN = 10.0
# Seconds for the client to start and to send its result, beside what it was asked to take.
_OVERHEAD = 30.0


class Reply(NamedTuple):
    """What came back. Status 0 and no body: the connection broke, and the outcome is unknown."""

    status: int
    body: bytes


class Aside(bytes):
    """A request that must be said, whose reply is not what is counted."""

    __slots__ = ()


Conversation = Generator[bytes, Reply, None]
Script = Callable[..., Conversation]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run: how long (seconds), by which script, and to which port of this machine's loopback.

    There is no host to name, and there are limits: a load is never aimed elsewhere or left running.
    """

    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    script: str
    arguments: dict[str, Any] = {}
    connections: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 64
    warmup: Annotated[float, msgspec.Meta(ge=0, le=600)] = 2.0
    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 10.0
    seed: int = 1


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one run saw in its measured seconds. Latencies in milliseconds, of every reply that counts."""

    seconds: float
    statuses: dict[str, int]
    # Replies to what was said aside; one that is no 2xx is counted among the statuses as well.
    aside: int
    broken: int
    p50: float
    p95: float
    p99: float
    slowest: float
    # Of one core, the client's own.
    client_cpu: float

    @property
    def accepted(self) -> float:
        """Replies with a status of 2xx, a second."""
        return sum(n for status, n in self.statuses.items() if status[0] == "2") / self.seconds

    @property
    def refused(self) -> dict[str, int]:
        """How many replies there were of every other status."""
        return {status: n for status, n in self.statuses.items() if status[0] != "2"}


async def run(plan: Plan) -> Outcome:
    """Make the load from a process of its own. Raises ProgramError."""
    answer = await output_of(
        [sys.executable, "-m", "tests.benchmarks.client"],
        stdin=msgspec.json.encode(plan),
        within=plan.warmup + plan.seconds + LAST_REPLIES_WITHIN + _OVERHEAD,
    )
    return msgspec.json.decode(answer, type=Outcome)


def request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole request, with its length where it has a body. Host is always the loopback's."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
