"""A week's review, read at one moment: its figures, its patterns, and what people wrote."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import asyncpg
from msgspec import Struct

import sql
from machines.values import Tier
from service.reviews.figures import FEW, LEVELS, Figure, figures, only
from service.reviews.measures import Measures, bounds, measured, rows
from service.reviews.weeks import BASELINE, Week

MOST_CARRIED = 200
"""Open actions of earlier reviews that are shown."""


class Signed(Struct, frozen=True):
    """Who signed the review off, and when."""

    by: str
    at: datetime


class Note(Struct, frozen=True):
    """What somebody wrote into the review."""

    id: str
    text: str
    by: str
    at: datetime


class Action(Struct, frozen=True):
    """What a review wants done: by whom, by which day, and whether it was."""

    id: str
    week: str
    text: str
    owner: str
    due: str | None
    by: str
    at: datetime
    done_by: str | None
    done_at: datetime | None


class Counts(Struct, frozen=True):
    """How many escalations lived in the week: opened in it, closed in it, not closed when it ended (one may be of
    several); and how many of the total are marked as reviewed."""

    total: int
    opened: int
    closed: int
    left_open: int
    reviewed: int


class Pattern(Struct, frozen=True):
    """What stands out against its own baseline: how often in this week, and in the four before together."""

    kind: Literal["reason", "customer", "product"]
    name: str
    count: int
    before: int
    few: bool


class Lesson(Struct, frozen=True):
    """A documented lesson; its text is null where it was erased."""

    escalation_id: str
    ticket_id: str
    at: datetime
    by: str
    tags: tuple[str, ...]
    text: str | None


class Need(Struct, frozen=True):
    """What training might help: refused attempts by guard, handoffs that were declined or accepted without anybody's
    brief and late responses by level. `was` is a week's mean of the four before."""

    kind: Literal["denied", "declined", "unbriefed", "late"]
    of: str
    count: int
    was: float
    few: bool


class Training(Struct, frozen=True):
    """Training needs."""

    needs: list[Need]
    lessons: list[Lesson]


class Repeated(Struct, frozen=True):
    """An issue that was escalated more than once in this week and the four before; five of its tickets at most."""

    issue_key: str
    count: int
    before: int
    tickets: tuple[str, ...]


class Documentation(Struct, frozen=True):
    """Documentation gaps."""

    lessons: list[Lesson]
    repeated: list[Repeated]


class Review(Struct, frozen=True):
    """The review of an ISO week in UTC. `measures` are of the week, `before` of the four weeks before it together,
    `changes` the figures of both beside each other. `carried` are open actions of earlier reviews."""

    week: str
    since: datetime
    until: datetime
    told_at: datetime
    over: bool
    signed: Signed | None
    escalations: Counts
    changes: list[Figure]
    patterns: list[Pattern]
    training: Training
    documentation: Documentation
    notes: list[Note]
    actions: list[Action]
    carried: list[Action]
    measures: Measures
    before: Measures


class Lived(Struct, frozen=True):
    """An escalation of the week, as it stands now; `opened` and `closed` say whether it was in this week."""

    id: str
    ticket_id: str
    subject: str
    priority: str
    customer_id: str
    customer: str
    tier: Tier
    state: str
    level: int
    owner: str | None
    opened_at: datetime
    closed_at: datetime | None
    criterion: str | None
    csat: int | None
    opened: bool
    closed: bool
    reviewed_by: str | None
    reviewed_at: datetime | None
    situations: tuple[str, ...]


async def read(conn: asyncpg.Connection, week: Week) -> Review:
    """The review, all of one moment."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        now = await measured(conn, week.since, week.until)
        was = await measured(conn, week.baseline, week.since)
        window = await bounds(conn, week.since, week.until)
        both = {**await bounds(conn, week.baseline, week.until), "since": week.since, "baseline": week.baseline}
        lessons = await rows(conn, "lessons", Lesson, window)
        signed = await conn.fetchrow(sql.query("review.by_week"), str(week))
        return Review(
            week=str(week),
            since=week.since,
            until=week.until,
            told_at=now.told_at,
            over=week.until <= now.told_at,
            signed=Signed(signed["signed_by"], signed["signed_at"]) if signed and signed["signed_at"] else None,
            escalations=await counts(conn, week),
            changes=figures(now, was),
            patterns=await _patterns(conn, both),
            training=Training(needs(now, was), [lesson for lesson in lessons if "training" in lesson.tags]),
            documentation=Documentation(
                [lesson for lesson in lessons if "documentation_gap" in lesson.tags],
                await rows(conn, "issue_keys", Repeated, both),
            ),
            notes=[Note(**row) for row in await conn.fetch(sql.query("review.notes"), str(week))],
            actions=[Action(**row) for row in await conn.fetch(sql.query("review.actions"), str(week))],
            carried=[
                Action(**row) for row in await conn.fetch(sql.query("review.open_actions"), str(week), MOST_CARRIED)
            ],
            measures=now,
            before=was,
        )


async def counts(conn: asyncpg.Connection, week: Week) -> Counts:
    """How many escalations lived in it."""
    return Counts(**await conn.fetchrow(sql.query("review.counts"), str(week), week.since, week.until))


async def lived(
    conn: asyncpg.Connection, week: Week, reviewed: bool | None, before: str | None, count: int
) -> list[Lived]:
    """Escalations of the week, the newest first, older than `before`."""
    found = await conn.fetch(
        sql.query("review.escalations"), str(week), week.since, week.until, reviewed, before, count
    )
    return [Lived(**{**row, "situations": tuple(row["situations"])}) for row in found]


async def _patterns(conn: asyncpg.Connection, window: dict[str, Any]) -> list[Pattern]:
    report = sql.report("patterns")
    found = await conn.fetch(report.text, *(window[name] for name in report.parameters))
    return [Pattern(row["kind"], row["name"], row["count"], row["before"], row["count"] < FEW) for row in found]


def needs(now: Measures, was: Measures) -> list[Need]:
    """Where training might help, what happens most often first."""
    found = [_need("denied", d.guard or "", d.count, _denied(was, d.guard)) for d in now.denials if d.guard]
    for level in LEVELS:
        offers, offered = only(now.handoffs, level=level), only(was.handoffs, level=level)
        calls, called = only(now.attainment, level=level), only(was.attainment, level=level)
        if offers is not None:
            found.append(_need("declined", f"l{level}", offers.declined, offered.declined if offered else 0))
            found.append(_need("unbriefed", f"l{level}", offers.unbriefed, offered.unbriefed if offered else 0))
        if calls is not None:
            late = called.late + called.missed if called else 0
            found.append(_need("late", f"l{level}", calls.late + calls.missed, late))
    return sorted((need for need in found if need.count), key=lambda need: (-need.count, need.kind, need.of))


def _denied(was: Measures, guard: str | None) -> int:
    row = only(was.denials, trigger=None, guard=guard)
    return row.count if row else 0


def _need(kind: Literal["denied", "declined", "unbriefed", "late"], of: str, count: int, before: int) -> Need:
    return Need(kind, of, count, before / BASELINE, count < FEW)
