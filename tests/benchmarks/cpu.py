"""Processor time by the system's own count: what Postgres took, and what was started here.

Rates suffer when others are at work on the machine; processor time for each transition hardly does. Read from /proc,
so on Linux alone, and of a server that runs on this machine; elsewhere it is not known, and not told.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg

_TICKS = os.sysconf("SC_CLK_TCK")
# Seconds: a program that was just started is not at work yet, and one that ends is not any more.
_LATER, _EARLIER = 1.0, 0.3


@dataclass(slots=True)
class Cores:
    """How many cores were busy, on average, for Postgres and for all that was started here. None: not known."""

    postgres: float | None = None
    others: float | None = None


async def postmaster(url: str) -> int | None:
    """The server's first process, where it runs on this machine and can be seen."""
    connection = await asyncpg.connect(url)
    try:
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        try:
            name = Path(f"/proc/{backend}/comm").read_text()
        except OSError:
            return None
        return int(_stat(backend)[1]) if name.startswith("postgres") else None
    finally:
        await connection.close()


def spent(pid: int) -> float:
    """Seconds that a process has had so far."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def spent_by_tree(root: int) -> float:
    """Seconds of a process and all that descend from it, those included that have ended and were waited for."""
    stats = {int(each.name): _stat(int(each.name)) for each in Path("/proc").iterdir() if each.name.isdigit()}
    children: dict[int, list[int]] = {}
    for pid, fields in stats.items():
        if fields:
            children.setdefault(int(fields[1]), []).append(pid)
    total, left = 0.0, [root]
    while left:
        pid = left.pop()
        total += sum(map(int, stats.get(pid, [])[11:15])) / _TICKS
        left += children.get(pid, [])
    return total


@asynccontextmanager
async def watching(server: int | None, warmup: float, seconds: float) -> AsyncIterator[Cores]:
    """Cores that are busy in the measured seconds of what is begun now; known at the end."""
    cores = Cores()
    if server is None:
        yield cores
        return

    async def watch() -> None:
        await asyncio.sleep(warmup + _LATER)
        before, length = (spent_by_tree(server), spent_by_tree(os.getpid())), max(0.5, seconds - _LATER - _EARLIER)
        await asyncio.sleep(length)
        after = spent_by_tree(server), spent_by_tree(os.getpid())
        cores.postgres, cores.others = ((after[n] - before[n]) / length for n in (0, 1))

    watcher = asyncio.create_task(watch())
    try:
        yield cores
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, …; none where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def spent_by_both(postmaster: int | None) -> list[float]:
    """Seconds of processor time until now, of Postgres and of all that was started here; none if it is elsewhere."""
    return [spent_by_tree(postmaster), spent_by_tree(os.getpid())] if postmaster else []
