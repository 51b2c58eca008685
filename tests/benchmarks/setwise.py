"""Group commit at its best: the product's own set-wise statements, from one connection, 64 commands a batch.

Measured: commands a second that wrote history, on the time that Postgres and one connection to it take. Each batch
holds the recorded statements of 64 lives, each at a step of its own and on a ticket of its own, put together as the
engine puts them together: lists united, documents joined. It is locked, read, written and committed as the engine
does it, through the driver and settings of the engine's connections. Batches are prepared ahead, some at a time, and
the clock stands still meanwhile.

Included: the round trips, the arguments' way to the server, the facts' way back as text. Not included: reading those
facts, deciding, hashing, HTTP, and whatever else a service does for a caller. So this is the bound of any service
that commits by sets of 64 on one connection. It is no bound of the product, which has two batches in flight, but each
of those has the whole of Python beside it on the same two cores. Unfair to the product, and meant so.

    python -m tests.benchmarks.setwise < PLAN       the process that measures
"""

import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice

import asyncpg
import msgspec
import uvloop
from msgspec import Struct

from service import database

from .bench import Bench, Measure, Sample
from .lives import CUSTOMERS, TIERS
from .process import output_of
from .record import Argument, Call, Form, Step, filled, form
from .script import NAMES
from .tally import written

BATCH = 64
_OVERHEAD = 60.0
# Batches that are prepared at a time: some ten megabytes.
_AHEAD = 48


class Plan(Struct, frozen=True):
    """What the process that measures is told. Times in seconds."""

    url: str
    steps: list[Step]
    warmup: float
    seconds: float
    seed: int


class SetWise:
    """The engine's statements, by sets."""

    name = "setwise"
    title = "the product's rows, by sets of 64"
    unit = "transitions/s"
    settings = ("one connection",)

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """A copy of the stage; the program is over with its measurement."""
        steps = await bench.stage.life()
        async with bench.stage.copy(self.name) as there:
            before = await written(there.url)

            async def measure(warmup: float, seconds: float) -> Sample:
                plan = Plan(there.url, steps, warmup, seconds, bench.seed)
                answer = await output_of(
                    [sys.executable, "-m", "tests.benchmarks.setwise"],
                    stdin=msgspec.json.encode(plan),
                    within=4 * (warmup + seconds) + _OVERHEAD,
                )
                sample = msgspec.json.decode(answer, type=Sample)
                rows = await written(there.url) - before
                return replace(sample, notes={**sample.notes, "a_call_writes": rows.a_call()})

            yield measure


class _Argument(Struct, frozen=True):
    """A recorded argument with its holes: a text each for a list, one for a document, or what is never another."""

    forms: tuple[Form | None, ...]
    like: Argument

    @staticmethod
    def of(argument: Argument, seqs: list[int]) -> "_Argument":
        texts = argument if isinstance(argument, list) else [argument[1:-1]] if isinstance(argument, str) else []
        return _Argument(tuple(None if text is None else form(text, seqs) for text in texts), argument)


class _Lives:
    """One place in every batch: life after life, a step each time."""

    def __init__(self, number: int, steps: list[list[tuple[str, list[_Argument]]]], rng: random.Random) -> None:
        self.number, self.rng = number, rng
        # Not all at the same step at once.
        self.waits = number % len(steps)
        self.forms = steps
        self.at = 0
        self.values: list[str] = []

    def next(self, seqs: Iterator[int], draws: int) -> list[tuple[str, list[Argument]]]:
        if self.waits:
            self.waits -= 1
            return []
        if self.at == 0:
            self.values = self._drawn()
        values = self.values + [str(seq) for seq in islice(seqs, draws)]
        calls = [(text, [_fill(argument, values) for argument in arguments]) for text, arguments in self.forms[self.at]]
        self.at = (self.at + 1) % len(self.forms)
        return calls

    def _drawn(self) -> list[str]:
        ms, bits = f"{int(time.time() * 1000):012x}", f"{self.rng.getrandbits(64):016x}"
        n = len(TIERS) * self.rng.randrange(len(CUSTOMERS[:: len(TIERS)]))
        ticket = f"B-{self.number:04}-{bits}"
        return [f"{ms[:8]}-{ms[8:]}", f"{bits[:8]}-{bits[8:12]}", bits[:12], ticket, CUSTOMERS[n]]


def _fill(argument: _Argument, values: list[str]) -> Argument:
    texts = [None if each is None else filled(each, values) for each in argument.forms]
    if isinstance(argument.like, list):
        return texts
    return texts[0] or "" if isinstance(argument.like, str) else argument.like


def _together(parts: list[list[tuple[str, list[Argument]]]], order: list[str]) -> list[Call]:
    """What 64 lone commands would have sent, as one batch."""
    calls = []
    for text in order:
        told = [arguments for part in parts for name, arguments in part if name == text]
        if told:
            calls.append(Call(text, [_united([arguments[n] for arguments in told]) for n in range(len(told[0]))]))
    return calls


def _united(given: list[Argument]) -> Argument:
    first = given[0]
    if isinstance(first, bool):
        return any(given)
    if isinstance(first, int):
        return sum(each for each in given if isinstance(each, int))
    if isinstance(first, str):
        return "[" + ",".join([each for each in given if isinstance(each, str) and each]) + "]"
    return [each for texts in given if isinstance(texts, list) for each in texts]


async def _measure(plan: Plan) -> Sample:
    seqs: list[list[int]] = [[] for _ in plan.steps]
    forms = [
        [(call.text, [_Argument.of(argument, seqs[n]) for argument in call.arguments]) for call in step.calls]
        for n, step in enumerate(plan.steps)
    ]
    draws = max(map(len, seqs))
    order = [call.text for call in max(plan.steps, key=lambda step: len(step.calls)).calls]
    places = [_Lives(n, forms, random.Random(f"sets/{plan.seed}/{n}")) for n in range(BATCH)]
    tally: dict[str, float] = {}
    numbers = iter(range(1_000_000_000, 2_000_000_000))
    connection = await database.open_connection(plan.url)

    def batch() -> tuple[int, list[Call]]:
        at = [place.at for place in places if not place.waits]
        parts = [place.next(numbers, draws) for place in places]
        return sum(plan.steps[n].counted for n in at), _together(parts, order)

    # Until every place is at its step, then the warm-up.
    for _ in range(len(plan.steps)):
        await _send(connection, batch()[1], tally)
    await _for(plan.warmup, connection, batch, tally)
    tally.clear()
    counted, took, latencies = await _for(plan.seconds, connection, batch, tally)
    await connection.close()
    latencies.sort()
    return Sample(
        rate=counted / took,
        p50=latencies[len(latencies) // 2] * 1e3,
        p99=latencies[len(latencies) * 99 // 100] * 1e3,
        notes={
            "batches": len(latencies),
            "a_batch_ms": {name: round(seconds / len(latencies) * 1e3, 2) for name, seconds in tally.items()},
        },
    )


async def _for(
    seconds: float,
    connection: asyncpg.Connection,
    batch: Callable[[], tuple[int, list[Call]]],
    tally: dict[str, float],
) -> tuple[int, float, list[float]]:
    """Batches for so many seconds of the database's time: counted commands, those seconds, and each batch's."""
    counted = 0
    latencies: list[float] = []
    while sum(latencies) < seconds:
        for count, calls in [batch() for _ in range(_AHEAD)]:
            began = time.perf_counter()
            await _send(connection, calls, tally)
            latencies.append(time.perf_counter() - began)
            counted += count
    return counted, sum(latencies), latencies


async def _send(connection: asyncpg.Connection, calls: list[Call], tally: dict[str, float]) -> None:
    for call in calls:
        began = time.perf_counter()
        if call.arguments:
            await connection.fetch(call.text, *call.arguments)
        else:
            await connection.execute(call.text)
        name = NAMES.get(call.text, call.text[:20])
        tally[name] = tally.get(name, 0.0) + time.perf_counter() - began


if __name__ == "__main__":
    found = uvloop.run(_measure(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)))
    sys.stdout.buffer.write(msgspec.json.encode(found))
