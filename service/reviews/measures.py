"""The measures of a window of time, each read by its report: their definitions stand above the SELECTs there.

Rows without a tier, level, trigger or guard are of all of them; where there was nothing, there is no row but that one.
Shares are from 0 to 1, spans are ISO 8601.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from msgspec import Meta, Struct

import sql
from machines.values import Tier
from service.durations import iso

NEWEST = 2**63 - 1
Span = Annotated[str, Meta(description="An ISO 8601 duration.", examples=["PT7H30M"])]
Share = Annotated[float, Meta(description="From 0 to 1; null where there is nothing of which it could be a share.")]


class Rate(Struct, frozen=True):
    """Escalations opened ÷ tickets opened."""

    tier: Tier | None
    tickets: int
    escalations: int
    rate: Annotated[float, Meta(description="Escalations a ticket; null where no ticket was opened.")] | None


class Resolution(Struct, frozen=True):
    """From opened to closed, of those closed at this highest level."""

    tier: Tier | None
    level: int | None
    closed: int
    median: Span | None
    p90: Span | None


class Withdrawn(Struct, frozen=True):
    """Ended before a level was called."""

    tier: Tier | None
    criterion: str | None
    withdrawn: int


class Reason(Struct, frozen=True):
    """Why escalations began (`situation`), or went higher (`escalate`)."""

    kind: Literal["situation", "escalate"]
    reason: str
    count: int
    share: Share


class Satisfaction(Struct, frozen=True):
    """What customers answered after the close; `scores` counts the answers 1 to 5."""

    tier: Tier | None
    closed: int
    answered: int
    response_rate: Share | None
    mean: float | None
    scores: tuple[int, ...]


class Attainment(Struct, frozen=True):
    """How the calls of a level were answered."""

    level: int | None
    called: int
    in_time: int
    late: int
    missed: int
    ended: int
    waiting: int
    attainment: Share | None


class Lateness(Struct, frozen=True):
    """Engages that had a deadline, and by how much they missed it."""

    tier: Tier | None
    promised: int
    unpromised: int
    late: int
    share: Share | None
    median: Span | None
    p90: Span | None
    longest: Span | None


class Denied(Struct, frozen=True):
    """Refused attempts, by trigger or by guard."""

    trigger: str | None
    guard: str | None
    count: int


class Coverage(Struct, frozen=True):
    """How often nobody was on duty at a level."""

    level: int | None
    skipped: int
    nobody: int


class Returns(Struct, frozen=True):
    """Re-escalations."""

    opened: int
    follows: int
    share: Share | None
    resumed: int


class Dismissed(Struct, frozen=True):
    """False alarms; `words` says how often each word raised one."""

    situation: str
    begun: int
    dismissed: int
    words: dict[str, int]


class Handoffs(Struct, frozen=True):
    """How offers went at a level."""

    level: int | None
    accepted: int
    unbriefed: int
    declined: int
    passed_on: int


class Measures(Struct, frozen=True):
    """All measures from `since` until `until`, as known at `told_at`."""

    since: datetime
    until: datetime
    told_at: datetime
    rate: list[Rate]
    resolution: list[Resolution]
    withdrawn: list[Withdrawn]
    reasons: list[Reason]
    satisfaction: list[Satisfaction]
    attainment: list[Attainment]
    lateness: list[Lateness]
    denials: list[Denied]
    coverage: list[Coverage]
    returns: list[Returns]
    dismissed: list[Dismissed]
    handoffs: list[Handoffs]


MEASURES: dict[str, type[Struct]] = {
    "rate": Rate,
    "resolution": Resolution,
    "withdrawn": Withdrawn,
    "reasons": Reason,
    "satisfaction": Satisfaction,
    "attainment": Attainment,
    "lateness": Lateness,
    "denials": Denied,
    "coverage": Coverage,
    "returns": Returns,
    "dismissed": Dismissed,
    "handoffs": Handoffs,
}
"""Each report that is a measure, and its rows."""


async def measured(conn: asyncpg.Connection, since: datetime, until: datetime) -> Measures:
    """All of them. In a repeatable-read transaction they tell of one moment."""
    window = await bounds(conn, since, until)
    found: dict[str, Any] = {name: await rows(conn, name, kind, window) for name, kind in MEASURES.items()}
    return Measures(since, until, window["now"], **found)


async def bounds(conn: asyncpg.Connection, since: datetime, until: datetime, **more: Any) -> dict[str, Any]:
    """What reports take: a window, and the numbers of history between which its rows lie."""
    between = await conn.fetchrow(sql.query("history.between"), since, until)
    now = await conn.fetchval(sql.query("board.now"))
    last = NEWEST if between["last"] is None else between["last"]
    return {"since": since, "until": until, "after": between["after"] or 0, "last": last, "now": now, **more}


async def rows(conn: asyncpg.Connection, name: str, kind: type[Struct], window: dict[str, Any]) -> list[Any]:
    """What a report finds in this window, as rows of this kind."""
    report = sql.report(name)
    found = await conn.fetch(report.text, *(window[each] for each in report.parameters))
    return [kind(**{column: _plain(column, row[column]) for column in kind.__struct_fields__}) for row in found]


def _plain(column: str, value: Any) -> Any:
    if isinstance(value, timedelta):
        return iso(value)
    if column == "words":
        return msgspec.json.decode(value)
    return tuple(value) if isinstance(value, list) else value
