"""`archive`: what it says on the screen, and in which order it does what."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from service import archive
from service.archive import ArchiveError, Month

WIDTH = 250
"""Columns of a table that goes to a file."""


class Asked(Struct, frozen=True):
    """What the command was asked; `older_than` in days."""

    month: str | None
    folder: Path
    older_than: int
    dry_run: bool
    drop: bool


async def run(url: str, asked: Asked) -> int:
    """The command's exit code; whatever keeps a month here is said."""
    console = Console(stderr=True)
    told = Console(soft_wrap=True, highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH)
    try:
        async with archive.owner(url) as conn:
            if asked.drop and asked.month is not None:
                await archive.drop(conn, asked.month)
                told.print(f"{asked.month}: its table is dropped, its file has it")
                return 0
            found = await archive.months(conn, datetime.now(UTC) - timedelta(days=asked.older_than))
            if asked.month is None:
                _print(told, found)
                return 0
            told.print(await _archive(conn, _named(found, asked.month), asked, console))
    except (ArchiveError, OSError, asyncpg.InsufficientPrivilegeError) as error:
        console.print(f"escalation-matrix: {error}", markup=False, highlight=False)
        return 1
    return 0


def _named(found: list[Month], name: str) -> Month:
    for month in found:
        if month.name == name:
            return month
    raise ArchiveError(f"there is no month {name} with rows: there are {', '.join(m.name for m in found) or 'none'}")


async def _archive(conn: asyncpg.Connection, month: Month, asked: Asked, console: Console) -> str:
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(f"{month.name}: writing", total=month.rows)
        file, sha256 = await archive.write(conn, month, asked.folder, lambda rows: bar.advance(task, rows))
    told = f"{month.name}: {month.rows} rows of {month.escalations} escalations in {file} (SHA-256 {sha256})"
    if asked.dry_run:
        return f"{told}; nothing was changed"
    await archive.take_off(conn, month, file, sha256, getpass.getuser())
    return f"{told}; {month.partition} hangs on history no more: `archive {month.name} --drop` drops it"


def _print(console: Console, found: list[Month]) -> None:
    table = Table("month", "rows", "escalations", "may it go", box=box.SIMPLE_HEAD)
    for month in found:
        table.add_row(month.name, f"{month.rows:,}", f"{month.escalations:,}", "; ".join(month.hindrances) or "yes")
    console.print(table)
