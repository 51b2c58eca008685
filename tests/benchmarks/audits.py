"""`bench history`: what an auditor waits for, on years of history that the engine's own statement wrote (`years.py`).

Measured over HTTP, one question after the other, from the request to the last byte: a page of 100 rows by each filter
alone and by every two (`asked.py`), in turns with the same statement, with the same values, on a plain connection; an
escalation, and lists of them, as of random instants; the export of all rows as lines beside `COPY` of the same rows;
and transitions a second with and without that history. The plan of every slowest question is kept as evidence.

Fair: the service is the real one, its key is checked each time, and pages hold what people wrote. The plain connection
is asyncpg's, which prepares a statement once and has it planned anew each time; psql would send and parse it, too. It
is asked the statements that the service asks for this page, one after the other (`pages.page`). Each connection is
used before anything is measured: a new one has to read the catalogue first.
Unfair to the product: Python reads, checks, shapes and writes each page, the plain connection counts its rows.
"""

from __future__ import annotations

import asyncio
import base64
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Literal

import aiohttp
import asyncpg
import msgspec
from msgspec import Struct

from service import database
from service.config import Settings
from service.pages import page
from service.routes.history import Which

from .asked import Case, Town, written
from .process import ProgramError

LIMIT = 100
TWICE, MORE, AT_MOST, AS_OF_AT_MOST = 2.0, 3.0, 10.0, 20.0
"""The gates: times the plain connection's, and milliseconds more; milliseconds of the slowest; those of `as_of`."""
EXPORT_AIM = 0.5
CONNECTIONS = Settings().read_connections
LISTS = {
    "an escalation": "/{id}?",
    "all": "?limit=100&",
    "state=l2": "?state=l2&limit=100&",
    "state=closed": "?state=closed&limit=100&",
    "owner": "?owner={owner}&limit=100&",
    "customer": "?customer_id={customer}&limit=100&",
    "overdue": "?overdue=true&limit=100&",
}
"""What is asked as of an instant."""


class Seen(Struct):
    """One case: milliseconds of each answer and of the plain connection, rows of the last page, and the plan."""

    case: Case
    page: list[float]
    plain: list[float]
    rows: int = 0
    plan: str = ""

    @property
    def within(self) -> bool:
        """Not more than so many times the plain connection's, and so much more."""
        return statistics.median(self.page) <= TWICE * statistics.median(self.plain) + MORE


class Export(Struct, frozen=True):
    """Rows a second of the export, and of COPY."""

    rows: int
    export: float
    copy: float


class Found(Struct):
    """All of it."""

    rows: int = 0
    pages: list[Seen] = []
    as_of: dict[str, list[float]] = {}
    export: Export | None = None


class Told:
    """A connection that remembers what it was asked."""

    def __init__(self, conn: asyncpg.Connection) -> None:
        self._conn = conn
        self._asked: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        ask = getattr(self._conn, name)
        if not name.startswith("fetch"):
            return ask

        def asked(text: str, *arguments: Any) -> Any:
            self._asked.append((text, arguments))
            return ask(text, *arguments)

        return asked

    async def plans(self) -> str:
        """How each was answered."""
        found = []
        for text, arguments in self._asked:
            plan = await self._conn.fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {text}", *arguments)
            found.append("\n".join(row[0] for row in plan))
        return "\n\n".join(found)


class Auditor:
    """Somebody with a key who asks, and a plain connection beside."""

    def __init__(self, session: aiohttp.ClientSession, plain: asyncpg.Connection) -> None:
        self._session, self._plain = session, plain

    async def get(self, path: str) -> tuple[float, bytes]:
        """Milliseconds, and the body; raises ProgramError where it is not 200, but for 503: that one was too slow."""
        began = time.perf_counter()
        async with self._session.get(path) as answer:
            body = await answer.read()
            took = (time.perf_counter() - began) * 1e3
            if answer.status not in (200, 503):
                raise ProgramError(f"{path} was answered {answer.status} after {took:.0f} ms: {body[:300]!r}")
            return took, body

    async def page(self, case: Case) -> Seen:
        """One case: each value in turns."""
        seen = Seen(case, [], [])
        for asked in case.asked:
            told = dict(asked, order=case.order, limit=str(LIMIT))
            if case.cursor is not None:
                told["cursor"] = base64.urlsafe_b64encode(msgspec.json.encode([case.cursor])).decode().rstrip("=")
            query = "&".join(f"{name}={value.replace('+', '%2B')}" for name, value in told.items())
            began = time.perf_counter()
            await self.plainly(self._plain, asked, case)
            seen.plain.append((time.perf_counter() - began) * 1e3)
            took, body = await self.get(f"/v1/history?{query}")
            seen.page.append(took)
            seen.rows = len(msgspec.json.decode(body).get("items", ()))
        heard = Told(self._plain)
        await self.plainly(heard, case.asked[max(range(len(seen.page)), key=seen.page.__getitem__)], case)
        seen.plan = await heard.plans()
        return seen

    async def plainly(self, conn: Any, asked: dict[str, str], case: Case) -> None:
        """What the service asks for this page, on a connection with nothing around it."""
        order: Literal["asc", "desc"] = "desc" if case.order == "desc" else "asc"
        wanted = await msgspec.convert(asked, Which).wanted(conn)
        await page(conn, wanted, order, case.cursor, LIMIT + 1)

    async def warmed(self) -> None:
        """Every connection of the service knows the tables."""
        await asyncio.gather(*(self.get(f"/v1/history?limit={n + 1}") for n in range(4 * CONNECTIONS)))

    async def as_of(self, town: Town, count: int) -> dict[str, list[float]]:
        """Milliseconds of each kind of question, as of random instants."""
        took = defaultdict[str, list[float]](list)
        for at in town.instants(count):
            row = await town.row()
            owner = await self._plain.fetchval(
                "SELECT owner FROM history WHERE owner IS NOT NULL AND seq > $1 ORDER BY seq LIMIT 1", town.rows // 2
            )
            about = {"id": row["escalation_id"], "owner": owner, "customer": row["customer_id"]}
            for name, path in LISTS.items():
                when = row["at"] if name == "an escalation" else at
                told, _ = await self.get(f"/v1/escalations{path.format(**about)}as_of={written(when)}")
                took[name].append(told)
        return dict(took)

    async def export(self) -> Export:
        """All rows as lines, beside COPY of the same columns."""
        began, lines = time.perf_counter(), 0
        async with self._session.get("/v1/history/export", timeout=aiohttp.ClientTimeout(total=None)) as answer:
            if answer.status != 200:
                raise ProgramError(f"the export was answered {answer.status}")
            async for part in answer.content.iter_any():
                lines += part.count(b"\n")
        exported = lines / (time.perf_counter() - began)
        size = 0

        async def count(part: bytes) -> None:
            nonlocal size
            size += len(part)

        began = time.perf_counter()
        await self._plain.copy_from_query(
            "SELECT h.*, s.salt, s.text FROM history h LEFT JOIN said s ON s.id = h.said ORDER BY h.seq", output=count
        )
        return Export(lines, exported, lines / (time.perf_counter() - began))


async def audit(
    url: str, port: int, key: str, seed: int, samples: int, progress: Callable[[str, int, int], None]
) -> Found:
    """Ask everything; `progress` hears what is done, and of how many."""
    found = Found()
    plain = await database.connect(url, min_size=1, max_size=1, statement_timeout=0)
    headers = {"Authorization": f"Bearer {key}"}
    async with plain.acquire() as conn, aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
        town, auditor = Town(conn, seed), Auditor(session, conn)
        await town.look()
        found.rows = town.rows
        cases = await town.cases(samples)
        await auditor.warmed()
        for n, case in enumerate(cases, 1):
            progress("pages", n, len(cases))
            found.pages.append(await auditor.page(case))
        progress("as of", 0, 1)
        found.as_of = await auditor.as_of(town, samples * 2)
        progress("export", 0, 1)
        found.export = await auditor.export()
    await plain.close()
    return found
