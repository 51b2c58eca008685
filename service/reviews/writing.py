"""What people write into a review: marks, notes, actions, and the sign-off that ends it.

Leads and above write, managers and above sign: whoever leads a team may say that it looked at an escalation, and a
manager that the week is done with. Every change holds the review's row, so one comes after the other, and none after
the sign-off; a trigger of the schema says so too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any
from uuid import uuid4

import asyncpg
from aiohttp import web
from msgspec import Meta, Struct

import sql
from machines.asked import FieldProblem
from machines.decided import Failure
from machines.values import Text
from service import kept
from service.auth import Known
from service.door import Id, nowhere, wrong
from service.problems import Refused
from service.reads import Uuid, admit
from service.reviews import weeks
from service.reviews.review import Action, Counts, Note, Signed, counts
from service.reviews.weeks import Week
from service.submit import encode

WRITERS = ("lead", "manager", "director", "executive")
SIGNERS = WRITERS[1:]
MOST_NOTES, MOST_ACTIONS, MOST_MARKED = 500, 200, 500
DAY = r"^\d{4}-\d{2}-\d{2}$"
WHO_WRITES = "Only leads and above may write into a review."
WHO_SIGNS = "Only managers and above may sign a review off."

Written = Annotated[Text, Meta(min_length=1)]


class MarkFields(Struct, frozen=True, forbid_unknown_fields=True):
    """Escalations of the week that were looked at; marking one again changes nothing."""

    escalation_ids: Annotated[tuple[Uuid, ...], Meta(min_length=1, max_length=MOST_MARKED)]


class NoteFields(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be remembered of this week."""

    text: Written


class ActionFields(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done, by whom (somebody on the roster), and by which day, like 2026-01-30."""

    text: Written
    owner: Id
    due: Annotated[str, Meta(pattern=DAY, max_length=10)] | None = None


class Empty(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is to be said with it."""


Change = Callable[[asyncpg.Connection, Known, Week, Any], Awaitable[Any]]


async def change(
    conn: asyncpg.Connection,
    known: Known,
    week: Week,
    fields: Any,
    how: Change,
    key: str | None = None,
    told: str = "",
) -> bytes:
    """Make a change and answer it as JSON; what was answered under this key before, byte for byte. Raises 409 where
    the review was signed, 403 where the caller may not, 422 where something is missing."""
    async with conn.transaction():
        await conn.execute(sql.query("review.begin"), str(week))
        held = await conn.fetchrow(sql.query("review.hold"), str(week))
        if key and (before := await kept.before(conn, known, key, told)):
            raise Replayed(before)
        if held["signed_at"] is not None and how is not done:
            signed = f"{held['signed_by']} signed the review of {week} on {held['signed_at']:%Y-%m-%d}"
            raise Refused(409, "review_signed", f"{signed}: nothing is written into it any more.")
        if how is sign:
            admit(known, SIGNERS, WHO_SIGNS)
        elif how is not done:
            admit(known, WRITERS, WHO_WRITES)
        body = encode(await how(conn, known, week, fields))
        if key:
            await kept.keep(conn, known, key, told, body)
    return body


class Replayed(Exception):  # noqa: N818  # it ends the transaction without a change, and is no error
    """What was asked was answered before; carries that answer."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__()
        self.answer = answer


async def mark(conn: asyncpg.Connection, known: Known, week: Week, fields: MarkFields) -> Counts:
    """These were reviewed. Raises 422 for those that did not live in the week."""
    ids = list(fields.escalation_ids)
    foreign = {row["id"] for row in await conn.fetch(sql.query("review.not_of_week"), week.since, week.until, ids)}
    if foreign:
        why = f"did not live in {week}"
        raise wrong(*(FieldProblem(f"escalation_ids[{n}]", why) for n, id_ in enumerate(ids) if id_ in foreign))
    await conn.execute(sql.query("review.mark"), str(week), ids, known.id)
    return await counts(conn, week)


async def note(conn: asyncpg.Connection, known: Known, week: Week, fields: NoteFields) -> Note:
    """A note more."""
    _says_something(fields.text)
    await _room(conn, week, "review.notes", MOST_NOTES, "notes")
    return Note(**await conn.fetchrow(sql.query("review.add_note"), str(uuid4()), str(week), fields.text, known.id))


async def action(conn: asyncpg.Connection, known: Known, week: Week, fields: ActionFields) -> Action:
    """An action more. Raises 422 where its owner is nobody on the roster."""
    _says_something(fields.text)
    due = _day(fields.due)
    if not await conn.fetchval(sql.query("person.is_active"), fields.owner):
        raise wrong(FieldProblem("owner", "must be an active person on the roster"))
    await _room(conn, week, "review.actions", MOST_ACTIONS, "actions")
    query, id_ = sql.query("review.add_action"), str(uuid4())
    return Action(**await conn.fetchrow(query, id_, str(week), fields.text, fields.owner, due, known.id))


async def done(conn: asyncpg.Connection, known: Known, week: Week, which: str) -> Action:
    """It was done; told again, it stays as it was told first. It may be told after the sign-off, by its owner too."""
    owner = await conn.fetchval(sql.query("review.owner"), which, str(week))
    if owner is None:
        raise nowhere("The review of that week has no such action.")
    if owner != known.id:
        admit(known, WRITERS, "Only its owner, leads and above may say that an action is done.")
    return Action(**await conn.fetchrow(sql.query("review.done"), which, str(week), known.id))


async def sign(conn: asyncpg.Connection, known: Known, week: Week, _: Any) -> Signed:
    """The review is closed. Raises 422 while the week goes on, or something in it was not reviewed."""
    now = await conn.fetchval(sql.query("board.now"))
    failed = []
    if now < week.until:
        failed.append(Failure("week_over", f"The week is not over yet: sign from {week.until:%Y-%m-%d} 00:00 UTC on."))
    lived = await counts(conn, week)
    if waiting := lived.total - lived.reviewed:
        some = "One of its escalations is" if waiting == 1 else f"{waiting} of its escalations are"
        failed.append(Failure("all_reviewed", f"{some} not marked as reviewed."))
    if failed:
        raise Refused(422, "guard_failed", " ".join(f.message for f in failed), failed=tuple(failed))
    row = await conn.fetchrow(sql.query("review.sign"), str(week), known.id)
    return Signed(row["signed_by"], row["signed_at"])


async def _room(conn: asyncpg.Connection, week: Week, what: str, most: int, noun: str) -> None:
    if len(await conn.fetch(sql.query(what), str(week))) >= most:
        message = f"A review holds {most} {noun} at most."
        raise Refused(422, "guard_failed", message, failed=(Failure("room_left", message),))


def _says_something(text: str) -> None:
    if not text.strip():
        raise wrong(FieldProblem("text", "is blank"))


def _day(text: str | None) -> date | None:
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        day = date.min
    if day is not None and not weeks.FIRST <= day.year <= weeks.LAST:
        raise wrong(FieldProblem("due", f"must be a day between {weeks.FIRST} and {weeks.LAST}, like 2026-01-30"))
    return day
