"""The SLA clocks of a ticket, explained: the policy's row, the calendar, each span, and the sum to the deadline."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta, Struct, structs

import sql
from machines import sla
from machines.calendar import NONE, Weekday
from machines.document import CLOCKS
from machines.matrix import Policy, load
from machines.values import ClockName, Ticket
from service.door import Route, nowhere, path_id
from service.durations import iso
from service.reads import answered, reading

Span = Annotated[str, Meta(description="Working time, as an ISO 8601 duration.", examples=["PT7H30M"])]


class RowAnswer(Struct, frozen=True):
    """What a clock goes by now: a row of the policy, or an instant of the ticket's own, which has no target."""

    path: str
    target: Span | None
    origin: str | None
    policy_version: int


class CalendarAnswer(Struct, frozen=True):
    """When it counts. No `hours`: always."""

    path: str
    zone: str
    hours: dict[Weekday, tuple[str, ...]] | None
    holidays: tuple[date, ...]


class SpanAnswer(Struct, frozen=True):
    """What it did while the ticket was in one status, priority and tier. `until` null: that lasts.

    `counted` is the working time of this span, `total` all until its end; a paused one counts none.
    """

    since: datetime
    until: datetime | None
    paused: bool
    status: str
    priority: str
    tier: str
    row: str
    target: Span | None
    counted: Span
    total: Span


class Arithmetic(Struct, frozen=True):
    """target − counted = left; `left` of working time from `since` on ends at `due_at`."""

    target: Span
    counted: Span
    left: Span
    since: datetime
    due_at: datetime | None


class Mark(Struct, frozen=True):
    """So many percent of its time, and when that is; 100: the breach."""

    percent: int
    at: datetime


class ClockAnswer(Struct, frozen=True):
    """A clock: running, paused, met or breached; a breach is final. `due_at` is null while it is paused, for it moves.

    `left` is the working time that it has; null where it goes by an instant. `arithmetic` leads from the span in which
    it ran last to the deadline. `warns` says when it warns if nothing changes, `warned` when it did.
    """

    clock: ClockName
    state: sla.ClockState
    due_at: datetime | None
    met_at: datetime | None
    breached_at: datetime | None
    left: Span | None
    row: RowAnswer | None
    calendar: CalendarAnswer | None
    paused_in: tuple[str, ...]
    arithmetic: Arithmetic | None
    spans: list[SpanAnswer]
    warns: list[Mark]
    warned: list[Mark]


class ClocksAnswer(Struct, frozen=True):
    """Both clocks of a ticket as of `now`. None where it has not been reported since clocks are kept."""

    ticket_id: str
    now: datetime
    clocks: list[ClockAnswer]


_decode = msgspec.json.Decoder(Ticket).decode


async def show(request: web.Request) -> web.StreamResponse:
    """Why each deadline is what it is: which row and calendar, which spans counted and which were paused."""
    async with reading(request) as (conn, _):
        row = await conn.fetchrow(sql.query("ticket.clocks"), path_id(request))
    if row is None:
        raise nowhere("There is no such ticket: nobody has reported it yet.")
    ticket, policy, now = _decode(row["ticket"]), load(row["document"], row["version"]), row["now"]
    told = [explained(clock, ticket, policy, now) for clock in CLOCKS if ticket.phases]
    return answered(ClocksAnswer(ticket.id, now, told))


def explained(clock: ClockName, ticket: Ticket, policy: Policy, now: datetime) -> ClockAnswer:
    """A clock as it stands now, with what led to that."""
    reading = sla.read(clock, ticket, policy, now)
    warned = [Mark(w.percent, w.at) for w in ticket.warned if w.clock == clock]
    # What began stays so, also where the desk tells afterwards that it had been answered in time.
    began = next((mark.at for mark in warned if mark.percent == 100), None)
    state = "breached" if began else reading.state(now)
    last = reading.spans[-1] if reading.spans else None
    calendar = policy.document.calendars[last.tier] if last else None
    return ClockAnswer(
        clock=clock,
        state=state,
        due_at=None if state == "paused" else reading.due_at,
        met_at=reading.met_at,
        breached_at=began or (reading.breaches_at if state == "breached" else None),
        left=iso(max(last.target - last.total, NONE)) if last and last.target is not None else None,
        row=_row(last, policy) if last else None,
        calendar=CalendarAnswer(f"calendars.{last.tier}", calendar.zone, calendar.hours, calendar.holidays)
        if last and calendar
        else None,
        paused_in=policy.document.clocks[clock].paused_in,
        arithmetic=_arithmetic(reading),
        spans=[_span(span) for span in reading.spans],
        warns=[Mark(*mark) for mark in reading.marks],
        warned=warned,
    )


def _row(span: sla.Span, policy: Policy) -> RowAnswer:
    origin = policy.document.sla[span.tier][span.priority].origin if span.target is not None else None
    return RowAnswer(span.row, None if span.target is None else iso(span.target), origin, policy.version)


def _span(span: sla.Span) -> SpanAnswer:
    told = structs.asdict(span)
    spans = {name: iso(told[name]) for name in ("target", "counted", "total") if told[name] is not None}
    return SpanAnswer(**{**told, **spans})


def _arithmetic(reading: sla.Reading) -> Arithmetic | None:
    """From the span in which it ran last; an instant of the ticket's own needs none."""
    ran = next((span for span in reversed(reading.spans) if not span.paused), None)
    if ran is None or ran.target is None:
        return None
    before = ran.total - ran.counted
    left = max(ran.target - before, NONE)
    return Arithmetic(iso(ran.target), iso(before), iso(left), ran.since, reading.due_at)


ROUTES = (Route("GET", "/v1/tickets/{id}/clocks", show, "A ticket's SLA clocks, explained", {200: ClocksAnswer}),)
