"""The yardstick: the smallest rows that one durable transition could do with, by pgbench.

Measured: transactions a second of 64 clients, each reading one of 20,000 escalations and then, in
one statement that commits alone, moving it and writing its history, an outbox message and a timer.
`ceiling/schema.sql` and `ceiling/transition.sql` are those rows.

Fair: Postgres does about the least work that a durable transition means, and the client is C.
Unfair to the product, and meant so: no HTTP, authentication, guards, hash, foreign keys, checks or
keys against repeats, and values are constants. Unfair to pgbench: each transaction is a commit of
its own, where a service may commit several at once.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from . import pgbench
from .bench import Bench, Measure, Sample
from .database import scratch

SCHEMA = Path(__file__).parent / "ceiling" / "schema.sql"
_TRANSITION = SCHEMA.with_name("transition.sql")


class Ceiling:
    """pgbench on the smallest rows."""

    name = "ceiling"
    title = "pgbench, smallest rows"
    unit = "transitions/s"
    settings = ("one commit each",)

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """A database with 20,000 escalations."""
        pgbench.find()
        async with scratch(bench.server, self.name, SCHEMA) as url:

            async def measure(warmup: float, seconds: float) -> Sample:
                result = await pgbench.run(
                    url, _TRANSITION, clients=bench.connections, warmup=warmup, seconds=seconds, seed=bench.seed
                )
                return Sample(rate=result.tps, p50=result.p50, p99=result.p99)

            yield measure
