"""Escalations as they stood at an instant, that instant included, as their history up to then tells.

Which those are is found first: what was live then are few of all, by the spans of time in which each was; what was
closed by then has a row of which nothing that is asked here changes any more. Their history is then read by itself, in
the months of their ids alone, and only what each transition set, of which an escalation is the fold.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec

import sql
from machines.history import fold_changes
from service import answers, archived
from service.pages import Wanted

LIVE, CLOSED, HELD = (sql.query(f"escalation.{name}") for name in ("live_at", "closed_at", "held_to_the_end"))
STOOD, CHANGES, SAID = (sql.query(f"escalation.{name}") for name in ("stood", "changes", "said"))
AT_ONCE = 1000
"""Live ones whose history is asked how they stood, until enough stood as is asked."""


class Stood(NamedTuple):
    """How one must have stood at an instant; None: any way."""

    at: datetime
    state: str | None = None
    level: int | None = None
    owner: str | None = None
    overdue: bool | None = None
    live: bool | None = None


class Opened(NamedTuple):
    """What never changes of one. `before` is an id; since ≤ opened_at < until."""

    tier: str | None = None
    customer_id: str | None = None
    ticket_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | UUID | None = None


async def found(conn: asyncpg.Connection, stood: Stood, opened: Opened, count: int) -> list[UUID]:
    """Those that stood so, at most so many, newest first; raises 410 where that is in an archive."""
    some = await _live(conn, stood, opened, count) if stood.state != "closed" and stood.live is not False else []
    if stood.state in (None, "closed") and not stood.overdue and not stood.live:
        few = stood.owner is not None and opened.customer_id is None and opened.ticket_id is None
        if few:
            await archived.here(conn, Wanted(until=stood.at))
        query = HELD if few else CLOSED
        closed = await conn.fetch(query, stood.at, *opened, count, stood.level, stood.owner)
        some = sorted([*some, *(row["id"] for row in closed)], reverse=True)
    return some[:count]


async def _live(conn: asyncpg.Connection, stood: Stood, opened: Opened, count: int) -> list[UUID]:
    some: list[UUID] = []
    how = stood[1:5]
    at_once = count if how == (None,) * len(how) else AT_ONCE
    while len(some) < count:
        ids = [row["id"] for row in await conn.fetch(LIVE, stood.at, *opened, at_once)]
        if at_once == count:
            return ids
        if ids:
            await archived.all_here(conn, ids)
            rows = await conn.fetch(STOOD, ids, stood.at, ids[-1], ids[0], *how, count - len(some))
            some += [row["id"] for row in rows]
        if len(ids) < at_once:
            break
        opened = opened._replace(before=ids[-1])
    return some


async def told(conn: asyncpg.Connection, ids: list[UUID], at: datetime) -> list[answers.EscalationAnswer]:
    """How these stood, newest first; those that were not opened yet are left out. Raises 410 where it is archived."""
    if not ids:
        return []
    await archived.all_here(conn, ids)
    rows = await conn.fetch(CHANGES, ids, at, min(ids), max(ids))
    some = [fold_changes(row["changed"], row["version"], row["at"], row["head"]) for row in rows]
    said = [step.said for e in some for step in e.steps.values() if step.said is not None]
    texts: answers.Texts = {}
    if said:
        texts = {row["id"]: msgspec.json.decode(row["text"]) for row in await conn.fetch(SAID, said)}
    return [answers.escalation(e, texts) for e in some]
