"""The product's own statements without the product: pgbench, one transaction for each command.

Measured: transactions a second that write history, of 64 clients which live the same life as the product's callers.
What the engine sends for each lone command of a life was recorded (`record.py`), and is repeated with fresh ids
(`script.py`), prepared once a client, in sessions with the settings of the engine's own: the same tables, indexes,
constraints, keys of the machine's moves and of repeats, the same rows with the same sizes. Every transaction commits
or the run fails. `rows-one` is the same from one client, for its latency. `rows-plain` writes the same rows by
statements that are light for one command (`plain.py`), and reads less: the harder yardstick of the two.

Fair: no statement or row more or less than the product's for a lone command, in the same mix, each client on tickets
of its own; the report that writes no history is done and not counted on either side. Unfair to the product, and meant
so: nothing is decided, hashed, checked, authenticated or spoken over HTTP, facts are read and thrown away, hashes and
answers are the recorded ones, and the client is C. Unfair to pgbench: the engine's statements are made for sets, and
heavy for one, which is why `rows-plain` stands beside; and documents are put together by `format()` in the server,
where the product's come ready in the statement's arguments. What that costs is measured apart (one client that makes
them and does nothing else, beside one that makes nothing; the faster tenth), told as `documents_us`, and *given back*:
rate and latency are those that pgbench would have if documents cost it nothing. Customers, people and texts are those
of the recorded life, so that indexes grow in fewer places, for better and worse.
"""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg

from service import database

from . import pgbench
from .bench import Bench, Measure, Sample
from .lives import CALLS, COUNTED
from .plain import plain
from .process import ProgramError
from .script import Script, script
from .tally import written

# Every client plans every statement first.
_LEAST_WARMUP = 2.0
_DOCUMENTS_SECONDS = 2.0
_SESSION = """
SELECT name, setting || coalesce(unit, '') AS value FROM pg_settings
WHERE source = 'client' AND name NOT IN ('application_name', 'client_encoding', 'TimeZone')
UNION ALL SELECT 'TimeZone', current_setting('TimeZone') UNION ALL SELECT 'role', current_setting('role')
"""

# On a busy machine pgbench may get no turn for long: it costs the same, and ends nobody.
_PATIENCE = {"idle_in_transaction_session_timeout": "60s"}


class _Documents:
    """Seconds that making one transaction's documents takes, once it is known."""

    took: float | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """pgbench on the product's rows; `clients`, where they are not as many as everybody gets."""

    name: str
    title: str
    unit: str
    documents: _Documents
    # Statements that are light for one command, in place of the engine's own.
    plain: bool = False
    clients: int | None = None
    settings: tuple[str, ...] = ("one commit each",)

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """A copy of the stage, with the recorded life in tables beside the product's."""
        pgbench.find()
        life = await bench.stage.life()
        async with bench.stage.copy(self.name) as there:
            made = await plain(life, there.url) if self.plain else script(life)
            session = await _prepare(there.url, made)
            before = await written(there.url)

            async def measure(warmup: float, seconds: float) -> Sample:
                clients = self.clients or bench.connections
                run = partial(_run, there.url, made, session, bench.seed)
                result = await run(made.text, clients, max(warmup, _LEAST_WARMUP), seconds)
                rows = await written(there.url) - before
                if not made.documents:
                    self.documents.took = 0.0
                if self.documents.took is None:
                    dear, cheap = [
                        (await run(text, 1, 1.0, _DOCUMENTS_SECONDS)).p10 for text in (made.documents, made.nothing)
                    ]
                    self.documents.took = max(0.0, dear - cheap) / 1e3
                spared = self.documents.took / (min(clients, os.cpu_count() or 1))
                counted = COUNTED / CALLS
                return Sample(
                    rate=counted / (1 / result.tps - spared),
                    p50=result.p50 - (self.documents.took * 1e3 if clients == 1 else 0.0),
                    p99=result.p99,
                    notes={
                        "rate_with_documents": round(counted * result.tps, 1),
                        "documents_us": round(self.documents.took * 1e6, 1),
                        "a_call_writes": rows.a_call(),
                    },
                )

            yield measure


async def _run(
    url: str,
    made: Script,
    session: dict[str, str],
    seed: int,
    text: str,
    clients: int,
    warmup: float,
    seconds: float,
) -> pgbench.Result:
    with tempfile.TemporaryDirectory(prefix="pgbench-") as folder:
        file = Path(folder) / "script.sql"
        file.write_text(text)
        return await pgbench.run(
            url,
            file,
            clients=clients,
            warmup=warmup,
            seconds=seconds,
            seed=seed,
            defines=made.defines,
            settings=session,
        )


async def _prepare(url: str, made: Script) -> dict[str, str]:
    """Put the life there; answers what the engine sets on its connections."""
    connection = await asyncpg.connect(url)
    try:
        for statement in made.tables.split(";\n"):
            await connection.execute(statement)
    finally:
        await connection.close()
    engine = await database.open_connection(url)
    try:
        found = {row["name"]: row["value"] for row in await engine.fetch(_SESSION)} | _PATIENCE
    finally:
        await engine.close()
    if awkward := [name for name, value in found.items() if not value.replace("_", "").replace("-", "").isalnum()]:
        raise ProgramError(f"not known how to tell pgbench of {', '.join(awkward)}")
    return found


_DOCUMENTS = _Documents()
ROWS = Rows("rows-pgbench", "pgbench, the product's own rows", "transitions/s", _DOCUMENTS)
ROWS_PLAIN = Rows("rows-plain", "pgbench, the same rows, plainly", "transitions/s", _Documents(), plain=True)
ROWS_ONE = Rows("rows-one", "pgbench, the product's own rows", "transitions/s, one connection", _DOCUMENTS, clients=1)
