"""The SLA clocks of a ticket: first response and resolution. Each is running, paused, met or breached.

    running → paused    a status in which the policy's clock stands still, or the ticket is solved
    paused  → running   any other status; what was counted stays counted
    running → met       answered, or solved (a reopened ticket's clock runs on with what it had left)
    running → breached  it has counted its target and was not met: for good, once per clock

A clock is not kept but read from the ticket's `phases`, so nothing is lost when its SLA changes: it counts the working
time of each phase by the calendar of the tier of then, but for phases in which it stands still, and breaches at the
first instant at which it runs and has counted the target of the tier and priority of now. Hold time is thereby added
where it belongs, at the end of what was counted before it. An instant of the ticket's own (`sla` of a report) is a
promise in itself: it counts as it stands, whatever the status, unless it passed while the ticket was solved.
Sources: the document's "SLA Breach: Response or resolution time exceeds SLA"; `domain.md`, "The default policy".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from machines.calendar import NONE
from machines.document import CLOCKS
from machines.matrix import Policy
from machines.values import ClockName, Phase, Priority, Status, Ticket, Tier, TimerKind, Warned

ClockState = Literal["running", "paused", "met", "breached"]
MOST_PHASES = 200
"""How many are kept one by one; older ones only as what they counted."""


class Span(Struct, frozen=True):
    """What a clock did in one phase. `until` None: it lasts. `row` is the policy's, or the ticket's own instant.

    `counted` is the working time of this span by the calendar of its tier, `total` all of it until its end.
    """

    since: datetime
    until: datetime | None
    paused: bool
    status: Status
    tier: Tier
    priority: Priority
    row: str
    target: timedelta | None
    counted: timedelta
    total: timedelta


class Reading(Struct, frozen=True):
    """A clock as it is read. `breaches_at`: when it has breached, or will if nothing
    changes; `met_at`: when it was met.

    `due_at` is the deadline of the span in which it ran last (None: none within ten years), `marks` the percents at
    which it warns, each with its instant.
    """

    clock: ClockName
    spans: tuple[Span, ...]
    due_at: datetime | None = None
    breaches_at: datetime | None = None
    met_at: datetime | None = None
    marks: tuple[tuple[int, datetime], ...] = ()

    def state(self, now: datetime) -> ClockState:
        """As it stands now."""
        if self.breaches_at is not None and self.breaches_at <= now:
            return "breached"
        if self.met_at is not None:
            return "met"
        return "paused" if self.spans and self.spans[-1].paused else "running"


def read(clock: ClockName, ticket: Ticket, policy: Policy, now: datetime | None = None) -> Reading:
    """Read a clock from the ticket's phases; with `now`, what lasts is counted so far, else until it breaches.

    A breach ends the reading: nothing that comes later undoes it.
    """
    spans: list[Span] = []
    due, total = None, ticket.phases[0].counted.get(clock, NONE) if ticket.phases else NONE
    for phase, until, met in _stretches(clock, ticket):
        row, target, by = _terms(clock, ticket, policy, phase)
        calendar = policy.document.calendars[phase.tier]
        paused = phase.over or (by is None and phase.status in policy.document.clocks[clock].paused_in)
        breaches, before = False, total
        if not paused:
            due = max(by, phase.at) if by else calendar.after(phase.at, target - total)
            breaches = due is not None and (until is None or due < until or (due == until and not met))
        stop = due if breaches else until
        seen = min((at for at in (stop, now) if at is not None), default=phase.at)
        counted = NONE if paused else calendar.counted(phase.at, seen)
        total += counted
        lasts = stop is None or (now is not None and now < stop)
        shown = None if by else target
        ends = None if lasts else stop
        kind = (phase.status, phase.tier, phase.priority)
        spans.append(Span(phase.at, ends, paused, *kind, row, shown, counted, total))
        if breaches:
            marks = _marks(clock, ticket, policy, phase, target - before, target, by)
            return Reading(clock, tuple(spans), due, breaches_at=due, marks=marks)
    return Reading(clock, tuple(spans), due, met_at=_met_at(clock, ticket))


def _stretches(clock: ClockName, ticket: Ticket) -> Iterator[tuple[Phase, datetime | None, bool]]:
    """The phases up to the answer, each with its end, and whether the clock is met there."""
    answered = ticket.first_responded_at if clock == "first_response" else None
    for n, phase in enumerate(ticket.phases):
        if answered is not None and answered <= phase.at:
            return
        after = ticket.phases[n + 1] if n + 1 < len(ticket.phases) else None
        until, met = (after.at, after.over) if after else (None, False)
        if answered is not None and (until is None or answered <= until):
            until, met = answered, True
        yield phase, until, met


def _met_at(clock: ClockName, ticket: Ticket) -> datetime | None:
    """When it was answered; a ticket that is solved without an answer has been answered by that."""
    if clock == "first_response" and ticket.first_responded_at is not None:
        return ticket.first_responded_at
    return ticket.phases[-1].at if ticket.phases and ticket.phases[-1].over else None


def _terms(clock: ClockName, ticket: Ticket, policy: Policy, phase: Phase) -> tuple[str, timedelta, datetime | None]:
    """What it goes by: the policy's row and target; and the ticket's own instant, unless that passed while it was
    solved, for then it says nothing of what was reopened."""
    row = policy.document.sla[phase.tier][phase.priority]
    target = row.first_response if clock == "first_response" else row.resolution
    by = phase.first_response_by if clock == "first_response" else phase.resolution_by
    if by is not None:
        reopened = _reopened(ticket, phase.at)
        if reopened is None or reopened < by:
            return f"ticket.sla.{clock}_by", target, by
    return f"sla.{phase.tier}.{phase.priority}.{clock}", target, None


def _reopened(ticket: Ticket, until: datetime | None = None) -> datetime | None:
    """When it was last reopened, up to this instant."""
    found = [b.at for a, b in pairwise(ticket.phases) if a.over and not b.over and (until is None or b.at <= until)]
    return found[-1] if found else None


def _marks(
    clock: ClockName,
    ticket: Ticket,
    policy: Policy,
    phase: Phase,
    left: timedelta,
    target: timedelta,
    by: datetime | None,
) -> tuple[tuple[int, datetime], ...]:
    """When the clock, running since this phase began, has used its percents; of an own instant, of the time to it."""
    found = []
    for percent in policy.document.clocks[clock].warns_at:
        if by is not None:
            opened = ticket.phases[0].at
            at: datetime | None = max(opened + (by - opened) * percent / 100, phase.at)
        else:
            at = policy.document.calendars[phase.tier].after(phase.at, left - target * (100 - percent) / 100)
        assert at is not None, "what comes before a breach is not due never"
        found.append((percent, at))
    return tuple(found)


# What waits -------------------------------------------------------------------------------------------------------


def armed(ticket: Ticket, policy: Policy) -> dict[TimerKind, datetime | None]:
    """When each clock acts next: its next warning, else its breach. None: it stands still, is met, or has breached.

    What breached before `live_since` is recorded and begins nothing; neither does a ticket that is solved, and what it
    missed before that is not begun by reopening it.
    """
    return {clock: _next(read(clock, ticket, policy), ticket, policy) for clock in CLOCKS}


def _next(reading: Reading, ticket: Ticket, policy: Policy) -> datetime | None:
    breach = reading.breaches_at
    if ticket.over or breach is None or _told(reading.clock, ticket) == 100:
        return None
    counts_from = [at for at in (policy.document.live_since, _reopened(ticket)) if at is not None]
    if any(breach < at for at in counts_from):
        return None
    return min((at for _, at in _untold(reading, ticket)), default=breach)


def _untold(reading: Reading, ticket: Ticket) -> list[tuple[int, datetime]]:
    """The marks that nobody was told of yet; a mark is told once, whatever becomes of the target."""
    told = _told(reading.clock, ticket)
    return [(percent, at) for percent, at in reading.marks if percent > told]


def _told(clock: ClockName, ticket: Ticket) -> int:
    """The highest percent that was told of this clock. 100 is its breach: that is once, also after a reopening."""
    return max((warned.percent for warned in ticket.warned if warned.clock == clock), default=0)


def warning(clock: ClockName, ticket: Ticket, policy: Policy, now: datetime) -> Warned | None:
    """The highest mark that this clock has passed untold; its `at` is the instant at which it passed it."""
    passed = [Warned(clock, *mark) for mark in _untold(read(clock, ticket, policy), ticket) if mark[1] <= now]
    return max(passed, key=lambda warned: warned.percent, default=None)


# Phases -----------------------------------------------------------------------------------------------------------


def followed(phases: tuple[Phase, ...], ticket: Ticket, tier: Tier, at: datetime) -> tuple[Phase, ...]:
    """The phases with what these facts say from `at` on; the same facts again add none.

    The first begins when the ticket was opened, as if it had always been what it was first seen as; but a ticket that
    is first seen solved was open until then. A solution counts from `resolved_at` where the desk tells of it later.
    """
    assert ticket.opened_at is not None
    own = ticket.sla or {}
    now = Phase(
        at,
        tier,
        ticket.priority,
        ticket.status,
        ticket.over,
        own.get("first_response_by"),
        own.get("resolution_by"),
    )
    if not phases:
        first = replace(now, at=ticket.opened_at)
        if not now.over:
            return (first,)
        phases = (replace(first, status="open", over=False),)
    elif not phases[0].counted and (len(phases) == 1 or ticket.opened_at < phases[1].at):
        phases = (replace(phases[0], at=ticket.opened_at), *phases[1:])
    if now.over and not phases[-1].over and ticket.resolved_at is not None:
        at = min(at, ticket.resolved_at)
    at = max(at, phases[-1].at)
    if at == phases[-1].at and len(phases) > 1:
        phases = phases[:-1]
    now = replace(now, at=at)
    if at == phases[-1].at:
        return (now,)
    return phases if replace(now, at=phases[-1].at) == phases[-1] else (*phases, now)


def folded(ticket: Ticket, policy: Policy) -> tuple[Phase, ...]:
    """The phases, of which the oldest are kept as what they counted once there are too many."""
    phases = ticket.phases
    if len(phases) <= MOST_PHASES:
        return phases
    kept = phases[-MOST_PHASES // 2 :]
    until = replace(ticket, phases=(*phases[: -MOST_PHASES // 2], replace(kept[0], over=True)))
    totals = {clock: read(clock, until, policy).spans[-1].total for clock in CLOCKS}
    return (replace(kept[0], counted=totals), *kept[1:])
