"""Old months of history into files: written, proved, kept in mind, and only then taken off the table.

A month is that in which escalations were opened, a partition. It goes when all of it is over: each escalation closed
and untouched for long, each row sealed, nothing of it unsent. Two files are made of it, its rows as `verify-history`
reads them and the proof that they are what was sealed; both are read again before anything changes here. In one
transaction the month's hashes are then kept (`archived_row`), so every proof goes on, and its partition is detached; it
is dropped only when that is asked for, and the file is still what was written. What was said is in no archive: it stays
where erasing a customer finds it.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct

import sql
from service.proof.notes import Checkpoint
from service.proof.offline import Report, verify_part
from service.proof.part import Part, beside
from service.proof.tiles import Tiles

Q = {name: sql.query(f"archiving.{name}") for name in ("months", "counted", "hindrances", "lines", "sealed")}
KEEP_HASHES, NOTE = sql.query("archiving.keep_hashes"), sql.query("archiving.note")
OF_MONTH = sql.query("archiving.of_month")
PREFETCH = 1000
LOCKED_WITHIN = "2s"
"""For how long taking a month off waits for whoever uses history, while others wait behind it."""
WHY = {
    "live": "escalation {} is not closed",
    "lately": "escalation {} was changed too lately",
    "followed": "escalation {} is live, and follows one of it",
    "unsent": "a message of escalation {} is not sent yet",
    "unlike": "escalation {} is not as its history says: run verify",
    "unknown": "history of {} is there, and no such escalation: run verify",
    "unsealed": "row {} is not sealed: a service with ESCALATION_SIGNING_KEY seals",
}
"""What keeps a month where it is."""


class ArchiveError(RuntimeError):
    """A month stays where it is; the message says why."""


class Month(Struct, frozen=True):
    """A month's partition, and what keeps it here: sentences, none where it may go."""

    name: str
    lowest: Any
    below: Any
    rows: int
    escalations: int
    hindrances: tuple[str, ...]

    @property
    def partition(self) -> str:
        """Its table."""
        return f"history_{self.name}"


@asynccontextmanager
async def owner(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may take partitions off: the owner's."""
    name = "escalation-archive"
    conn = await asyncpg.connect(url, server_settings={"timezone": "UTC", "application_name": name, "jit": "off"})
    try:
        yield conn
    finally:
        await conn.close()


async def months(conn: asyncpg.Connection, closed_before: datetime) -> list[Month]:
    """Every month that has rows, oldest first, and why it must stay, if it must."""
    found = []
    for row in await conn.fetch(Q["months"]):
        counted = await conn.fetchrow(Q["counted"], row["lowest"], row["below"])
        if counted["rows"] == 0:
            continue
        kept = await conn.fetchrow(Q["hindrances"], row["lowest"], row["below"], closed_before)
        why = tuple(WHY[name].format(example) for name, example in kept.items() if example is not None)
        place = (row["month"], row["lowest"], row["below"])
        found.append(Month(*place, counted["rows"], counted["escalations"], why))
    return found


async def write(
    conn: asyncpg.Connection, month: Month, folder: Path, progress: Callable[[int], None]
) -> tuple[Path, str]:
    """The month's two files, NAME.ndjson and NAME.proof.json, read again and found right; the first, and its SHA-256.

    `progress` hears rows. Raises ArchiveError where they are not what was sealed, OSError where they can't be written.
    """
    file, proof = folder / f"{month.partition}.ndjson", folder / f"{month.partition}.proof.json"
    folder.mkdir(parents=True, exist_ok=True)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        sealed = await conn.fetchrow(Q["sealed"])
        if month.hindrances or sealed is None:
            raise ArchiveError(f"{month.name} stays: {'; '.join(month.hindrances) or 'nothing is sealed'}")
        places = array("q")
        with _whole(file) as out:
            async for row in conn.cursor(Q["lines"], month.lowest, month.below, prefetch=PREFETCH):
                out.write(row["line"].encode() + b"\n")
                places.append(row["place"])
                progress(1)
        part = Part(len(places), sealed["note"], await _nodes(conn, places, sealed["size"]))
    with _whole(proof) as out:
        out.write(msgspec.json.encode(part))
    head = Checkpoint("", sealed["size"], sealed["head"], sealed["seq"], sealed["at"])
    with file.open("rb") as lines:
        report = verify_part(lines, part, head, Report())
    if report.findings:
        first = report.findings[0]
        raise ArchiveError(f"{month.name} stays: {first.where} {first.what}. Run verify.")
    return file, _sum(file)


async def _nodes(conn: asyncpg.Connection, places: array[int], size: int) -> tuple[str, ...]:
    tiles = Tiles()
    for _ in beside(places, size, tiles.asked):
        pass
    await tiles.load(conn)
    try:
        return tuple(node.hex() for node in beside(places, size, tiles.node))
    except LookupError as error:
        raise ArchiveError(f"the tree lacks {error}: run verify") from None


async def take_off(conn: asyncpg.Connection, month: Month, file: Path, sha256: str, by: str) -> None:
    """Keep the month's hashes and detach its partition, all or nothing; raises ArchiveError where something was written
    to it meanwhile, or history is in use for longer than is waited for."""
    try:
        async with conn.transaction():
            await conn.execute(f"SET LOCAL lock_timeout = '{LOCKED_WITHIN}'")
            await conn.execute(KEEP_HASHES, month.lowest, month.below)
            await conn.execute(NOTE, month.name, month.lowest, month.below, str(file), sha256, by)
            # From here on nobody reads or writes history until this is over.
            await conn.execute("LOCK TABLE history IN ACCESS EXCLUSIVE MODE")
            if (await conn.fetchrow(Q["counted"], month.lowest, month.below))["rows"] != month.rows:
                raise ArchiveError(f"{month.name} stays: something was written to it meanwhile. Look at it again.")
            await conn.execute(f"ALTER TABLE history DETACH PARTITION {month.partition}")
            # What comes after all is refused, and never beside a history that is elsewhere.
            await conn.execute(
                f"ALTER TABLE history_rest ADD CONSTRAINT {month.partition}_is_archived "
                f"CHECK (escalation_id < '{month.lowest}' OR escalation_id >= '{month.below}')"
            )
    except asyncpg.LockNotAvailableError:
        raise ArchiveError(f"{month.name} stays: history was in use for {LOCKED_WITHIN}. Try again.") from None


async def drop(conn: asyncpg.Connection, name: str) -> None:
    """Drop the detached table of an archived month; raises ArchiveError where its file is not what was written."""
    archived = await conn.fetchrow(OF_MONTH, name)
    if archived is None:
        raise ArchiveError(f"{name} is not archived: nothing is dropped that is not in a file")
    file = Path(archived["file"])
    try:
        if _sum(file) != archived["sha256"]:
            raise ArchiveError(f"{file} is not what was written: {name} is not dropped")
    except OSError as error:
        raise ArchiveError(f"{file} can't be read ({error.strerror}): {name} is not dropped") from None
    await conn.execute(f"DROP TABLE IF EXISTS history_{name}")


def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class _whole:  # noqa: N801  # used as `open` is
    """A file that is there only when it is whole and on the disk."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(path.name + ".part")

    def __enter__(self) -> Any:
        self._file = self._part.open("wb")
        return self._file

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if error is None:
            self._part.replace(self._path)
        else:
            self._part.unlink()
