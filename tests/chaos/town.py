"""What is killed: a real Postgres under its supervisor, and the real service as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from machines.values import ROLE_LEVEL
from service import auth, database, postgres

ROOT = Path(__file__).resolve().parents[2]
CAST = {"desk": "service", "ann": "agent", "lee": "lead", "mia": "manager"}
CAST |= {f"dan{n}": "director" for n in range(3)} | {f"vic{n}": "executive" for n in range(2)}


class Postgres:
    """The embedded server, durable, in a directory of its own; its supervisor starts it again when it was killed."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory, self.url = directory, url

    def kill(self) -> None:
        """kill -9 of the postmaster."""
        os.kill(int((self._directory / "cluster" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    async def accepts(self) -> None:
        """Return when it takes connections again."""
        while True:
            try:
                conn = await asyncpg.connect(self.url, timeout=5)
            except (OSError, TimeoutError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
            else:
                await conn.close()
                return


@asynccontextmanager
async def postgres_in(directory: Path) -> AsyncIterator[Postgres]:
    """A server as long as the context lasts."""
    async with await postgres.ensure(directory, grace=1.0) as server:
        yield Postgres(directory, server.url)


class Service:
    """`escalation-matrix serve` on a port that stays the same when it is started again."""

    def __init__(self, url: str, words: Path, **settings: str) -> None:
        self._environment = os.environ | {
            "ESCALATION_DATABASE_URL": url,
            "ESCALATION_LOG_LEVEL": "warning",
            "PYTHONPATH": str(ROOT),
            **settings,
        }
        self._words = words
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def base(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start it, and return when it listens."""
        with self._words.open("ab") as words:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "service", "serve", "--port", str(self._port)),
                cwd=ROOT,
                env=self._environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=words,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode()
        if not line.startswith("listening on "):
            raise RuntimeError(f"the service did not start:\n{self.last_words()}")
        self._port = int(line.rpartition(":")[2])

    async def kill(self) -> None:
        """kill -9, and return when it is gone."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, SIGSTOP or SIGCONT."""
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self) -> int:
        """Ask it to stop; its exit code."""
        if self._process is None or self._process.returncode is not None:
            return -1
        self._process.terminate()
        return await self._process.wait()

    def last_words(self) -> str:
        """The end of what it logged."""
        return self._words.read_text("utf-8", "replace")[-2000:] if self._words.exists() else ""


async def settle(url: str) -> dict[str, str]:
    """Migrate, and make the cast and their customer; the keys by name."""
    await database.prepare(url)
    conn = await asyncpg.connect(url)
    try:
        keys = {who: await auth.create_key(conn, who, role) for who, role in CAST.items()}
        people = [(who, ROLE_LEVEL[role]) for who, role in CAST.items() if role in ROLE_LEVEL]
        await conn.executemany("INSERT INTO person (id, name, level, on_duty) VALUES ($1, $1, $2, true)", people)
        await conn.execute("INSERT INTO customer (id, name, tier) VALUES ('acme', 'Acme', 'enterprise')")
    finally:
        await conn.close()
    return keys
