"""DBOS Transact for Python: durable workflows kept in Postgres.

Measured: changes a second, each one workflow with one transaction step (`apps/dbos_work.py`, laid
out as DBOS's own starter), over HTTP from 64 connections, and without HTTP from threads.

Fair: its own tables in the same database, its defaults, and the number of threads that suits it
best here: DBOS is bound by Python's lock, so that its default of 40 threads is slower than three
or four. `dbos` is one process, as the product is; `dbos-two` is two, the most that two cores bear;
`dbos-direct` leaves HTTP out of it. Whoever compares takes the best that is of its own kind.
Unfair to the product: no authentication, and less is written. Unfair to DBOS: it records inputs,
outputs and progress of workflows that could be far longer than this one, which is what it is for.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from ..bench import Bench, Measure, Sample, over_http
from ..ceiling import SCHEMA
from ..database import column, scratch
from ..process import Argument, free_port, output_of, serving
from .changes import SCRIPT
from .environment import APPS, python_of

_IDS = "SELECT id FROM escalation ORDER BY id"
_OVERHEAD = 60.0


def _environment(url: str, threads: str) -> dict[str, str]:
    return {
        "DBOS_SYSTEM_DATABASE_URL": url,
        "BENCH_THREADS": threads,
        "PYTHONPATH": str(APPS),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@dataclass(frozen=True, slots=True)
class Transact:
    """DBOS behind HTTP, in so many processes."""

    name: str
    title: str
    processes: int
    settings: tuple[str, ...]
    unit: str = "transitions/s"

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """Its tables, then the service."""
        python = await python_of("dbos", bench.cache)
        threads = setting.split()[0]
        async with scratch(bench.server, self.name, SCHEMA) as url:
            env = _environment(url, threads)
            await output_of([python, APPS / "dbos_http.py"], within=_OVERHEAD, env=env)
            port = free_port()
            argv: list[Argument] = [python, "-m", "uvicorn", "dbos_http:app", f"--port={port}"]
            argv += [f"--workers={self.processes}", "--no-access-log", "--log-level=warning"]
            async with serving(argv, port=port, env=env):
                yield over_http(bench, port, SCRIPT, {"ids": await column(url, _IDS)})


class TransactDirect:
    """DBOS called in its own process."""

    name = "dbos-direct"
    title = "DBOS Transact without HTTP"
    unit = "transitions/s"
    settings = ("3 threads", "4 threads", "20 threads")

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """The tables; the program is over with its measurement."""
        python = await python_of("dbos", bench.cache)
        async with scratch(bench.server, self.name, SCHEMA) as url:
            ids = await column(url, _IDS)

            async def measure(warmup: float, seconds: float) -> Sample:
                plan = {"ids": ids, "warmup": warmup, "seconds": seconds, "seed": bench.seed}
                answer = await output_of(
                    [python, APPS / "dbos_direct.py"],
                    stdin=msgspec.json.encode(plan),
                    within=warmup + seconds + _OVERHEAD,
                    env=_environment(url, setting.split()[0]),
                )
                return msgspec.json.decode(answer, type=Sample)

            yield measure


DBOS = Transact("dbos", "DBOS Transact, one process", 1, ("3 threads", "4 threads", "40 threads"))
DBOS_TWO = Transact("dbos-two", "DBOS Transact, two processes", 2, ("2 threads", "3 threads"))
DBOS_DIRECT = TransactDirect()
