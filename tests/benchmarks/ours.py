"""The product: the real service in one process, over HTTP, living through whole escalations.

Measured: acknowledged calls a second that wrote at least one row of history, from 64 connections that each live
through escalations of their own (`lives.py`), and the latency of those calls. Each went through authentication,
validation, guards and the state machine; its history with hash, timers, messages and stored answer were committed,
with `synchronous_commit` on, before the reply. The service runs as `escalation-matrix serve` starts it, with its log
written as JSON to a file; the database is a copy of the stage (`stage.py`). A single refusal fails the run, and with
`--verify` so does anything that the product's verifier finds afterwards.

Fair: nothing is left out that the product does for a caller. Unfair to the product: the one call of a life in 17
that writes no history (the first report of a ticket) is asked, and not counted; the load generator takes its share
of the same two cores. Unfair to others: 64 connections at once are what its group commit is for; `ours-one` is the
same with one connection, where there is nothing to group.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from service import verify

from .bench import Bench, Measure, Sample, over_http
from .process import ProgramError
from .stage import service
from .tally import written

SCRIPT = "tests.benchmarks.lives:lives"


@dataclass(frozen=True, slots=True)
class Ours:
    """The service, in so many processes (`workers`); `connections`, where it is not as many as everybody gets."""

    name: str
    title: str
    unit: str
    connections: int | None = None
    settings: tuple[str, ...] = ("one process",)
    workers: int = 1

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """A copy of the stage, then the service."""
        async with bench.stage.copy(self.name) as made, service(made.url, workers=self.workers) as (port, _):
            before = await written(made.url)
            bench = replace(bench, connections=self.connections or bench.connections)
            measure = over_http(bench, port, SCRIPT, {"keys": dict(made.keys)})

            async def measure_once(warmup: float, seconds: float) -> Sample:
                sample = await measure(warmup, seconds)
                if sample.notes["refused"] or sample.notes["broken"]:
                    raise ProgramError(f"not every call was answered 2xx: {dict(sample.notes)}")
                rows = await written(made.url) - before
                if bench.verify and (findings := await verify.run(made.url)):
                    raise ProgramError(f"the verifier found {len(findings)} rows that are wrong, first {findings[0]}")
                return replace(sample, notes={**sample.notes, "a_call_writes": rows.a_call()})

            yield measure_once


OURS = Ours("ours", "Escalation Matrix", "transitions/s")
CONNECTIONS, PROCESSES = (1, 4, 16, 32, 64, 128), (1, 2, 4)
"""Where the curve is measured: how many speak at once, and to how many processes of the service."""
CURVE = tuple(
    Ours(
        f"curve-{processes}-{connections}",
        f"{connections} connections",
        "transitions/s, by connections and processes",
        connections=connections,
        settings=(f"{processes} process{'es' if processes > 1 else ''}",),
        workers=processes,
    )
    for processes in PROCESSES
    for connections in CONNECTIONS
)
OURS_ONE = Ours("ours-one", "Escalation Matrix", "transitions/s, one connection", connections=1)
