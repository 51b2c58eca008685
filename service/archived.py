"""What is said of months that lie in archives: an answer that would have their rows names them, or is refused."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg
from msgspec import Struct

import sql
from service.pages import Stretch, Wanted
from service.problems import Refused

ABOUT = sql.query("archive.about")
ANYWHERE = Stretch()


class ArchiveAnswer(Struct, frozen=True):
    """A month of history that is not in the database any more: when its escalations were opened, and its file."""

    month: str
    file: str


async def about(conn: asyncpg.Connection, wanted: Wanted, among: Stretch = ANYWHERE) -> tuple[ArchiveAnswer, ...]:
    """The archives in which there may be rows that are wanted."""
    window = (wanted.since, wanted.until, among.after, among.last)
    rows = await conn.fetch(ABOUT, wanted.escalations, wanted.customer_id, *window)
    return tuple(ArchiveAnswer(row["month"], row["file"]) for row in rows)


async def here(conn: asyncpg.Connection, wanted: Wanted, among: Stretch = ANYWHERE) -> None:
    """Raises 410 where rows that are wanted may lie in an archive."""
    if archives := await about(conn, wanted, among):
        named = ", ".join(f"{each.month} ({each.file})" for each in archives)
        raise Refused(410, "archived", f"Some of this history was archived: {named}. Whoever keeps that file has it.")


async def all_here(conn: asyncpg.Connection, escalations: Sequence[UUID | str]) -> None:
    """Raises 410 where the history of one of these lies in an archive."""
    await here(conn, Wanted([str(each) for each in escalations]))
