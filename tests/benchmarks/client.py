"""The load generator's process: reads a Plan from its input, writes an Outcome to its output.

Callbacks, and neither streams nor tasks for each request: at 20,000 replies a second those would be
what is measured. Of a reply, the status and the length are read, and nothing else is parsed.
"""

import asyncio
import gc
import importlib
import random
import re
import sys
import time
from array import array
from collections import Counter
from typing import cast

import msgspec
import uvloop

from .load import LAST_REPLIES_WITHIN, Aside, Conversation, Outcome, Plan, Reply, Script

_LOOPBACK = "127.0.0.1"
# Broken or refused connections, after which the run is given up as pointless.
_MOST_BREAKS = 1_000
_RETRY_AFTER = 0.05

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_WITHOUT_BODY = frozenset({204, 304})


class LoadError(Exception):
    """The load could not be made, or what answers does not speak HTTP/1.1 as expected."""


class _Tally:
    """What all connections of a run have seen, and when it counts."""

    def __init__(self, plan: Plan) -> None:
        now = time.perf_counter()
        self.begin = now + plan.warmup
        self.end = self.begin + plan.seconds
        self.latencies = array("d")
        self.statuses: Counter[int] = Counter()
        self.aside = 0
        self.breaks = 0
        self.failure: Exception | None = None

    def note(self, status: int, asked: float, answered: float, aside: bool) -> None:
        if not self.begin <= answered < self.end:
            return
        self.aside += aside
        if not aside or status >= 300:
            self.statuses[status] += 1
            self.latencies.append(answered - asked)


class _Line(asyncio.Protocol):
    """One conversation, held on one connection at a time."""

    def __init__(self, plan: Plan, conversation: Conversation, tally: _Tally) -> None:
        self.plan, self.conversation, self.tally = plan, conversation, tally
        self.loop = asyncio.get_running_loop()
        self.finished: asyncio.Future[None] = self.loop.create_future()
        self.transport: asyncio.Transport | None = None
        self.dialling: asyncio.Task[None] | None = None  # held, since the loop holds it weakly
        self.buffer = b""
        self.waiting = False
        self.asked = 0.0
        self.next = next(conversation, None)

    async def dial(self, after: float = 0.0) -> None:
        try:
            await asyncio.sleep(after)
            await self.loop.create_connection(lambda: self, _LOOPBACK, self.plan.port)
        except OSError as error:
            self.redial_after_break(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self.buffer = b""
        self.ask()

    def ask(self) -> None:
        if self.next is None or time.perf_counter() >= self.tally.end or self.tally.failure:
            self.finish()
            return
        assert self.transport is not None
        self.waiting = True
        self.asked = time.perf_counter()
        self.transport.write(self.next)

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
        at = data.find(b"\r\n\r\n")
        if at < 0:
            self.buffer = data
            return
        head = data[:at]
        found = _STATUS.match(head)
        length = _LENGTH.search(head)
        if found is None or (length is None and int(found[1]) not in _WITHOUT_BODY):
            # Chunked replies are not read: nothing that is measured here sends them.
            self.fail(LoadError(f"a reply without status or content-length: {head[:200]!r}"))
            return
        status = int(found[1])
        whole = at + 4 + (int(length[1]) if length else 0)
        if len(data) < whole:
            self.buffer = data
            return
        answered = time.perf_counter()
        self.buffer = b""
        self.waiting = False
        self.tally.note(status, self.asked, answered, type(self.next) is Aside)
        self.hear(Reply(status, data[at + 4 : whole]))
        if _CLOSE.search(head):
            self.hang_up()  # connection_lost dials again
        else:
            self.ask()

    def hear(self, reply: Reply) -> None:
        try:
            self.next = self.conversation.send(reply)
        except StopIteration:
            self.next = None
        except Exception as error:
            self.fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.finished.done():
            return
        if self.waiting:
            self.waiting = False
            self.hear(Reply(0, b""))
            self.redial_after_break(exc)
        else:
            self.dialling = self.loop.create_task(self.dial())

    def redial_after_break(self, error: Exception | None) -> None:
        self.tally.breaks += 1
        if self.tally.breaks > _MOST_BREAKS:
            self.fail(LoadError(f"{_MOST_BREAKS} connections broke or were refused: {error}"))
        elif time.perf_counter() >= self.tally.end:
            self.finish()
        else:
            self.dialling = self.loop.create_task(self.dial(after=_RETRY_AFTER))

    def fail(self, error: Exception) -> None:
        self.tally.failure = self.tally.failure or error
        self.finish()

    def finish(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)
        self.hang_up()

    def hang_up(self) -> None:
        if self.transport is not None:
            transport, self.transport = self.transport, None
            transport.close()


async def _talk(plan: Plan) -> Outcome:
    module, _, function = plan.script.partition(":")
    script: Script = getattr(importlib.import_module(module), function)
    conversations = [
        script(number, plan.connections, random.Random(f"{plan.seed}/{number}"), **plan.arguments)
        for number in range(plan.connections)
    ]
    # What is made from here on dies by its count; the collector would only walk over it.
    gc.freeze()
    gc.disable()
    tally = _Tally(plan)
    lines = [_Line(plan, conversation, tally) for conversation in conversations]
    cpu: list[float] = []
    loop = asyncio.get_running_loop()
    for after in (plan.warmup, plan.warmup + plan.seconds):
        loop.call_later(after, lambda: cpu.append(time.process_time()))
    await asyncio.gather(*(line.dial() for line in lines))
    await asyncio.wait(
        [line.finished for line in lines],
        timeout=plan.warmup + plan.seconds + LAST_REPLIES_WITHIN,
    )
    cpu.append(time.process_time())  # a third, unless the conversations ended early
    if tally.failure:
        raise tally.failure
    if not tally.latencies:
        raise LoadError("nothing was answered in the measured time")
    ordered = sorted(tally.latencies)

    def quantile(q: float) -> float:
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))] * 1e3

    return Outcome(
        # Less than was planned, where all conversations were over before.
        seconds=min(time.perf_counter(), tally.end) - tally.begin,
        statuses={str(status): n for status, n in sorted(tally.statuses.items())},
        aside=tally.aside,
        broken=tally.breaks,
        p50=quantile(0.50),
        p95=quantile(0.95),
        p99=quantile(0.99),
        slowest=ordered[-1] * 1e3,
        client_cpu=(cpu[1] - cpu[0]) / plan.seconds if len(cpu) > 1 else 0.0,
    )


def _main() -> None:
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    try:
        outcome = uvloop.run(_talk(plan))
    except LoadError as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    _main()
