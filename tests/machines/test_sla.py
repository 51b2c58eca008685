"""SLA clocks against a naive minute-by-minute reading, and the complaints that every help desk gets.

Source: the document's "SLA Breach: Response or resolution time exceeds SLA"; `domain.md`, "The default policy".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from machines.calendar import Calendar
from machines.document import CLOCKS, PRIORITIES, TIERS, Clock, Hours, Target
from machines.matrix import Policy, check
from machines.sla import MOST_PHASES, Reading, armed, folded, followed, read, warning
from machines.values import ClockName, Phase, Ticket, Warned
from tests.machines.cast import HOUR, MINUTE, NOW, POLICY
from tests.machines.test_calendar import BERLIN, NIGHTS, berlin, calendars, minutes, works

DAY = timedelta(days=1)
FIRST: ClockName = "first_response"
RESOLUTION: ClockName = "resolution"


def policy(calendar: Calendar | dict[str, Calendar] | None = None, **sla: Any) -> Policy:
    """The default policy with these calendars, and these targets of resolution (`p1=…`) for every tier."""
    by_tier = calendar if isinstance(calendar, dict) else dict.fromkeys(TIERS, calendar or Calendar())
    hours = {tier: Hours(c.zone, c.hours, c.holidays, origin="default") for tier, c in by_tier.items()}
    rows = {
        tier: {
            p: Target(min(row.first_response, span), span, "default")
            for p, row in by.items()
            for span in [sla.get(p, row.resolution)]
        }
        for tier, by in POLICY.document.sla.items()
    }
    return check(replace(POLICY.document, calendars=hours, sla=rows), 1)


def told(ticket: Ticket | None, at: datetime, tier: Any = "enterprise", **facts: Any) -> Ticket:
    """The ticket after a report as of this instant; what is not given is as before."""
    before = ticket or Ticket("T-1", opened_at=at, status="open", priority="p1")
    now = replace(before, **facts)
    ends = now.solved and (before.solved_since is not None or now.merged_into is None)
    now = replace(now, solved_since=(before.solved_since or at) if ends else None)
    return replace(now, phases=followed(before.phases, now, tier, at))


def life(*events: tuple[timedelta, dict[str, Any]], opened: datetime = NOW) -> Ticket:
    """A ticket that is open and P1, and what is reported of it so long after its opening."""
    ticket = told(None, opened)
    for after, facts in events:
        ticket = told(ticket, opened + after, **facts)
    return ticket


def breach(ticket: Ticket, by: Policy = POLICY, clock: ClockName = RESOLUTION) -> datetime | None:
    return read(clock, ticket, by).breaches_at


# The oracle -------------------------------------------------------------------------------------------------------


class Naive:
    """A clock that looks at its ticket every minute, and remembers what it has counted."""

    def __init__(self, clock: ClockName, by: Policy, answered: datetime | None) -> None:
        self.clock, self.by, self.answered = clock, by, answered
        self.counted, self.state = 0, "running"
        self.breached: datetime | None = None
        self.facts: Phase | None = None
        self.reopened: datetime | None = None

    def look(self, at: datetime, facts: Phase) -> None:
        """What is due at an instant comes before what is reported at it, unless that is the answer."""
        before, self.facts = self.facts, facts
        if self.state == "breached":
            return
        met = facts.over or (self.answered is not None and self.answered <= at)
        if before is not None and not met and self.state == "running" and self._due(at, before):
            self.state, self.breached = "breached", at
            return
        if self.state == "met" and self.answered is not None and self.answered <= at:
            return
        if before is not None and before.over and not facts.over:
            self.reopened = at
        own = self._own(facts)
        pauses = self.by.document.clocks[self.clock].paused_in
        self.state = "met" if met else "paused" if own is None and facts.status in pauses else "running"
        if self.state == "running" and self._due(at, facts):
            self.state, self.breached = "breached", at
        elif self.state == "running" and works(self.by.document.calendars[facts.tier], at):
            self.counted += 1

    def _own(self, facts: Phase) -> datetime | None:
        by = facts.first_response_by if self.clock == FIRST else facts.resolution_by
        return None if by is None or (self.reopened is not None and by <= self.reopened) else by

    def _due(self, at: datetime, facts: Phase) -> bool:
        if (own := self._own(facts)) is not None:
            return at >= own
        row = self.by.document.sla[facts.tier][facts.priority]
        target = row.first_response if self.clock == FIRST else row.resolution
        return self.counted * MINUTE >= target


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any calendar for each tier, any targets, any pauses."""
    spans = st.integers(1, 900).map(lambda n: n * MINUTE)
    rows: dict[Any, dict[Any, Target]] = {}
    for tier in TIERS:
        rows[tier] = {}
        for priority in PRIORITIES:
            first, last = sorted((draw(spans), draw(spans)))
            rows[tier][priority] = Target(first, last, "default")
    hours = {}
    for tier in TIERS:
        c = draw(calendars())
        hours[tier] = Hours(c.zone, c.hours, c.holidays, origin="default")
    pauses: st.SearchStrategy[Any] = st.sampled_from(((), ("pending",), ("pending", "on_hold"), ("new", "on_hold")))
    clocks = {clock: Clock(draw(pauses), (50, 75, 90), "default") for clock in CLOCKS}
    return check(replace(POLICY.document, sla=rows, calendars=hours, clocks=clocks), 1)


@st.composite
def reports(draw: st.DrawFn) -> list[tuple[int, dict[str, Any]]]:
    """What a desk reports: after how many minutes, and which facts."""
    offsets = sorted(draw(st.sets(st.integers(0, 2400), min_size=1, max_size=7)))
    offsets[0] = 0
    facts = st.fixed_dictionaries(
        {
            "status": st.sampled_from(("new", "open", "open", "pending", "on_hold", "solved", "closed")),
            "priority": st.sampled_from(PRIORITIES),
            "tier": st.sampled_from(TIERS),
            "by": st.one_of(st.none(), st.none(), st.integers(0, 3000)),
        }
    )
    return [(offset, draw(facts)) for offset in offsets]


LONG = 3000


def replayed(opened: datetime, events: list[tuple[int, dict[str, Any]]], answered: datetime | None) -> Ticket:
    ticket = Ticket("T-1", opened_at=opened)
    for offset, facts in events:
        own = {f"{clock}_by": opened + facts["by"] * MINUTE for clock in CLOCKS} if facts["by"] is not None else None
        given = {"status": facts["status"], "priority": facts["priority"], "sla": own}
        for _ in range(2):  # every event is delivered twice
            ticket = told(ticket, opened + offset * MINUTE, facts["tier"], first_responded_at=answered, **given)
    return ticket


@settings(max_examples=40, deadline=None)
@given(
    policies(),
    st.sampled_from(NIGHTS),
    reports(),
    st.one_of(st.none(), st.integers(-10, 2500)),
    st.sampled_from(CLOCKS),
)
def test_a_clock_is_what_a_look_every_minute_sees(by, opened, events, answer, clock):
    if events[0][1]["status"] in ("solved", "closed"):
        events[0][1]["status"] = "open"  # first seen solved: a test of its own
    answered = None if answer is None else opened + answer * MINUTE
    ticket = replayed(opened, events, answered)
    naive = Naive(clock, by, answered if clock == FIRST else None)
    n = 0
    for at in minutes(opened, opened + LONG * MINUTE):
        while n + 1 < len(ticket.phases) and ticket.phases[n + 1].at <= at:
            n += 1
        naive.look(at, ticket.phases[n])
        if at.minute % 20 == 0 or naive.state == "breached":
            seen = read(clock, ticket, by, at)
            assert (seen.state(at) == "breached") == (naive.state == "breached"), at
            if naive.state == "breached":
                assert seen.breaches_at == naive.breached
                assert seen.due_at == naive.breached
                break
    else:
        assert read(clock, ticket, by, at).state(at) == naive.state
        last = read(clock, ticket, by, opened + LONG * MINUTE)  # it has looked up to there, and not there
        assert sum((span.counted for span in last.spans), timedelta(0)) == naive.counted * MINUTE


@settings(max_examples=30, deadline=None)
@given(policies(), st.sampled_from(NIGHTS), reports(), st.sampled_from(CLOCKS))
def test_a_reading_explains_itself(by, opened, events, clock):
    """Its spans follow each other, what each counted adds up, and a breach by the policy has counted its target."""
    ticket = replayed(opened, events, None)
    got = read(clock, ticket, by)
    assert all(one.until == two.since for one, two in pairwise(got.spans))
    total = timedelta(0)
    for span in got.spans:
        total += span.counted
        assert span.total == total
        assert span.counted == timedelta(0) or not span.paused
    if got.breaches_at is not None and got.spans[-1].target is not None:
        assert got.spans[-1].total >= got.spans[-1].target
        assert got.spans[-1].total == got.spans[-1].target or got.breaches_at == got.spans[-1].since
    for percent, at in got.marks:
        assert got.breaches_at is not None
        assert got.spans[-1].since <= at <= max(got.breaches_at, got.spans[-1].since)
        here = read(clock, ticket, by, at).spans[-1]
        if here.target is not None and at > here.since:
            assert abs(here.total - here.target * percent / 100) < timedelta(milliseconds=1)


MOVES = {
    ("running", "paused"), ("running", "met"), ("running", "breached"), ("paused", "running"), ("paused", "met"),
    ("paused", "breached"), ("met", "running"), ("met", "paused"), ("met", "breached"),
}  # fmt: skip


@settings(max_examples=35, deadline=None)
@given(policies(), st.sampled_from(NIGHTS), reports(), st.sampled_from(CLOCKS))
def test_no_later_report_undoes_a_breach_and_a_clock_moves_only_as_it_may(by, opened, events, clock):
    """Reports that come in their order: each sees the ticket as the one before left it."""
    was, breached = "running", None
    for upto in range(1, len(events) + 1):
        at = opened + events[upto - 1][0] * MINUTE
        got = read(clock, replayed(opened, events[:upto], None), by, at)
        state = got.state(at)
        assert state == was or (was, state) in MOVES
        assert breached is None or got.breaches_at == breached
        was, breached = state, got.breaches_at if state == "breached" else None


@settings(max_examples=20, deadline=None)
@given(policies(), reports())
def test_what_is_no_longer_kept_one_by_one_is_still_counted(by, events):
    """A ticket whose status changes all day long."""
    ticket = replayed(NIGHTS[0], [(offset, {**facts, "by": None}) for offset, facts in events], None)
    at, n = ticket.phases[-1].at, 0
    while len(ticket.phases) <= MOST_PHASES:
        at, n = at + MINUTE / 2, n + 1
        ticket = told(ticket, at, status=("open", "pending", "solved")[n % 3])
    short = replace(ticket, phases=folded(ticket, by))
    assert len(short.phases) == MOST_PHASES // 2
    for clock in CLOCKS:
        whole, part = read(clock, ticket, by), read(clock, short, by)
        if whole.breaches_at is None or whole.breaches_at > short.phases[0].at:
            assert (part.breaches_at, part.met_at) == (whole.breaches_at, whole.met_at)


def told_spans(reading: Reading) -> list[tuple[float | None, ...]]:
    """Its spans in hours: since, until, counted, total, target; None: it lasts, or has no target."""

    def hours(at: datetime | None) -> float | None:
        return None if at is None else (at - NOW) / HOUR

    return [
        (
            hours(s.since),
            hours(s.until),
            s.counted / HOUR,
            s.total / HOUR,
            None if s.target is None else s.target / HOUR,
        )
        for s in reading.spans
    ]


def test_a_reading_tells_what_each_span_counted_by_now_and_which_lasts():
    ticket = life((3 * HOUR, {"status": "pending"}), (5 * HOUR, {"status": "open"}))
    assert told_spans(read(RESOLUTION, ticket, POLICY, NOW + 6 * HOUR)) == [
        (0, 3, 3, 3, 8),
        (3, 5, 0, 3, 8),
        (5, None, 1, 4, 8),
    ]
    assert told_spans(read(RESOLUTION, ticket, POLICY, NOW + 3 * HOUR))[0] == (0, 3, 3, 3, 8)
    assert told_spans(read(RESOLUTION, ticket, POLICY, NOW + 2 * HOUR))[0] == (0, None, 2, 2, 8)
    assert told_spans(read(RESOLUTION, ticket, POLICY, NOW + 9 * HOUR))[-1] == (5, None, 4, 7, 8)
    assert told_spans(read(RESOLUTION, ticket, POLICY, NOW + 10 * HOUR))[-1] == (5, 10, 5, 8, 8), "a breach ends it"
    assert told_spans(read(RESOLUTION, ticket, POLICY)) == told_spans(read(RESOLUTION, ticket, POLICY, NOW + DAY))


def test_a_first_response_ends_its_clock_at_its_own_instant_and_nothing_is_read_after_it():
    """The desk tells of it an hour later, with the phase that began then."""
    ticket = life(
        (0 * HOUR, {"priority": "p2"}),
        (HOUR, {"priority": "p3"}),
        (3 * HOUR, {"status": "pending", "first_responded_at": NOW + 2 * HOUR}),
    )
    got = read(FIRST, ticket, POLICY, NOW + DAY)
    assert told_spans(got) == [(0, 1, 1, 1, 4), (1, 2, 1, 2, 8)]
    assert (got.met_at, got.state(NOW + DAY)) == (NOW + 2 * HOUR, "met")
    at_once = life((HOUR, {"status": "pending", "first_responded_at": NOW + HOUR}))
    assert told_spans(read(FIRST, at_once, POLICY, NOW + DAY)) == [(0, 1, 1, 1, 1)]
    assert breach(at_once, clock=FIRST) is None
    before = life((0 * HOUR, {"first_responded_at": NOW - HOUR}))
    assert read(FIRST, before, POLICY, NOW) == Reading(FIRST, (), met_at=NOW - HOUR)


def test_a_span_that_goes_by_an_own_instant_counts_working_time_and_has_no_target():
    ticket = life((0 * HOUR, {"sla": {"resolution_by": NOW + 2 * HOUR}}))
    assert told_spans(read(RESOLUTION, ticket, POLICY, NOW + HOUR)) == [(0, None, 1, 1, None)]
    assert told_spans(read(RESOLUTION, ticket, POLICY)) == [(0, 2, 2, 2, None)]
    night = policy(BERLIN)
    assert read(RESOLUTION, ticket, night, NOW + HOUR).spans[0].row == "ticket.sla.resolution_by"
    late = told(life(opened=berlin(4, 5, 16)), berlin(4, 5, 16), sla={"resolution_by": berlin(4, 5, 18)})
    assert read(RESOLUTION, late, night).spans[0].total == HOUR, "half of it after the office had closed"


# The complaints ---------------------------------------------------------------------------------------------------


def test_time_paused_is_not_lost_when_the_sla_changes():
    """Two hours pending, then the priority is raised: the new target too has those two hours more."""
    ticket = life((HOUR, {"status": "pending"}), (3 * HOUR, {"status": "open"}), (4 * HOUR, {"priority": "p0"}))
    assert breach(ticket) == NOW + 2 * HOUR + 4 * HOUR
    ticket = told(ticket, NOW + 5 * HOUR, "professional")
    assert breach(ticket) == NOW + 2 * HOUR + 8 * HOUR


def test_hold_time_is_added_in_working_time_not_by_the_wall():
    """On hold from Thursday 16:00 until Friday 10:00 are two working hours; the night between adds nothing."""
    by = policy(BERLIN, p1=8 * HOUR)
    monday = berlin(4, 5, 9)
    ticket = life((7 * HOUR, {"status": "on_hold"}), (25 * HOUR, {"status": "open"}), opened=monday)
    assert breach(life(opened=monday), by) == berlin(5, 5, 10)
    assert read(RESOLUTION, ticket, by, berlin(5, 5, 10)).spans[0].total == 6 * HOUR
    assert breach(ticket, by) == berlin(5, 5, 12), "Monday 09 to 16 without lunch are 6 h; Tuesday from 10 the other 2"


def test_while_it_is_paused_there_is_no_deadline_to_breach():
    ticket = life((3 * HOUR, {"status": "pending"}))
    assert breach(ticket) is None
    assert read(RESOLUTION, ticket, POLICY, NOW + 99 * DAY).state(NOW + 99 * DAY) == "paused"


def test_a_frozen_ticket_does_not_breach_at_once_on_reopening():
    """Seven of eight hours were used when it was solved; a month later it has the eighth."""
    ticket = life((7 * HOUR, {"status": "solved"}), (30 * DAY, {"status": "open"}))
    assert breach(ticket) == NOW + 30 * DAY + HOUR
    assert armed(ticket, POLICY)[RESOLUTION] == NOW + 30 * DAY, "it is beyond its marks: that is told"


def test_an_instant_that_passed_while_it_was_solved_says_nothing_of_what_was_reopened():
    own = {"sla": {"resolution_by": NOW + 5 * HOUR}}
    ticket = life((0 * HOUR, own), (4 * HOUR, {"status": "solved"}), (DAY, {"status": "open"}))
    assert breach(ticket) == NOW + DAY + 4 * HOUR, "the policy's row counts again: 8 h, of which 4 are used"
    own_row, row = "ticket.sla.resolution_by", "sla.enterprise.p1.resolution"
    assert [span.row for span in read(RESOLUTION, ticket, POLICY).spans] == [own_row, own_row, row]
    at_it = life((0 * HOUR, {"sla": {"resolution_by": NOW + DAY}}), (4 * HOUR, {"status": "solved"}))
    assert breach(told(at_it, NOW + DAY, status="open")) == NOW + DAY + 4 * HOUR
    closed = told(life((0 * HOUR, own), (4 * HOUR, {"status": "solved"})), NOW + 6 * HOUR, status="closed")
    assert [span.row for span in read(RESOLUTION, closed, POLICY).spans] == [own_row] * 3
    again = told(ticket, NOW + DAY + HOUR, sla={"resolution_by": NOW + DAY + 2 * HOUR})
    assert breach(again) == NOW + DAY + 2 * HOUR


def test_what_was_missed_before_it_was_solved_is_not_begun_by_reopening_it():
    """It arrived solved, late, and began nothing; the customer opens it again a week later."""
    ticket = told(None, NOW + DAY, opened_at=NOW, status="solved", resolved_at=NOW + 20 * HOUR)
    assert breach(ticket) == NOW + 8 * HOUR
    assert armed(ticket, POLICY)[RESOLUTION] is None
    ticket = told(ticket, NOW + 7 * DAY, status="open")
    assert armed(ticket, POLICY)[RESOLUTION] is None


def test_a_lunch_break_is_no_working_time():
    by = policy(BERLIN, p1=4 * HOUR)
    assert breach(life(opened=berlin(4, 5, 9)), by) == berlin(4, 5, 14)


@pytest.mark.parametrize(("month", "day", "due"), [(3, 29, 5), (10, 25, 3), (6, 21, 4)])
def test_on_the_nights_when_the_clock_jumps_four_hours_are_four_hours(month, day, due):
    by = policy(Calendar("Europe/Berlin", {"sunday": ("00:00-24:00",)}), p1=4 * HOUR)
    midnight = berlin(day, month, 0)
    assert breach(life(opened=midnight), by) == midnight + 4 * HOUR == berlin(day, month, due)


def test_a_raised_priority_counts_from_the_opening_but_breaches_nothing_in_the_past():
    ticket = life((5 * HOUR, {"priority": "p0"}))
    assert breach(ticket) == NOW + 5 * HOUR, "four hours had passed: it breaches as it becomes a P0"
    assert breach(life((3 * HOUR, {"priority": "p0"}))) == NOW + 4 * HOUR


def test_what_was_counted_stays_counted_when_the_tier_and_its_calendar_change():
    """Friday 16:00, one working hour until the weekend; on Monday it is enterprise's, whose clocks always run."""
    by = policy({"starter": BERLIN, "professional": BERLIN, "enterprise": Calendar()}, p1=8 * HOUR)
    ticket = told(None, berlin(8, 5, 16), "starter")
    ticket = told(ticket, berlin(11, 5, 10), "enterprise")
    assert breach(ticket, by) == berlin(11, 5, 10) + 6 * HOUR


def test_solved_at_the_very_instant_is_met_and_unsolved_then_is_breached():
    assert breach(life((8 * HOUR, {"status": "solved"}))) is None
    assert breach(life((8 * HOUR, {"status": "pending"}))) == NOW + 8 * HOUR
    assert read(FIRST, life((HOUR, {"first_responded_at": NOW + HOUR})), POLICY).breaches_at is None
    late = life((2 * HOUR, {"first_responded_at": NOW + HOUR + MINUTE}))
    assert breach(late, clock=FIRST) == NOW + HOUR


def test_the_first_response_does_not_wait_for_the_customer():
    assert breach(life((MINUTE, {"status": "pending"})), clock=FIRST) == NOW + HOUR


def test_a_solution_counts_from_when_it_was_not_from_when_it_was_told():
    ticket = life((9 * HOUR, {"status": "solved", "resolved_at": NOW + 7 * HOUR}))
    assert read(RESOLUTION, ticket, POLICY, NOW + DAY).met_at == NOW + 7 * HOUR


def test_a_merged_ticket_is_not_solved_its_clocks_run_on():
    assert breach(life((HOUR, {"status": "closed", "merged_into": "T-2"}))) == NOW + 8 * HOUR


def test_an_instant_of_its_own_counts_as_it_stands():
    own = {"resolution_by": NOW + 2 * HOUR}
    ticket = life((0 * HOUR, {"sla": own}), (HOUR, {"status": "pending"}))
    assert breach(ticket) == NOW + 2 * HOUR
    assert breach(told(ticket, NOW + HOUR, sla=None)) is None, "taken back: the policy's clock is paused"
    assert breach(ticket, clock=FIRST) == NOW + HOUR, "the other clock goes by the policy"


def kept(ticket: Ticket) -> list[tuple[float, str]]:
    """Its phases: hours after `NOW`, and status."""
    return [((phase.at - NOW) / HOUR, phase.status) for phase in ticket.phases]


def test_the_same_facts_again_add_no_phase_and_a_correction_at_once_replaces_one():
    ticket = life((HOUR, {"status": "pending"}), (2 * HOUR, {"subject": "Still down"}))
    assert kept(ticket) == [(0, "open"), (1, "pending")]
    assert kept(told(ticket, NOW + HOUR, status="on_hold")) == [(0, "open"), (1, "on_hold")]
    assert kept(told(ticket, NOW + HOUR, status="open")) == [(0, "open")]


def test_what_is_first_seen_later_was_so_from_its_opening_but_what_is_first_seen_solved_was_open():
    assert kept(told(None, NOW + HOUR, opened_at=NOW, status="pending")) == [(0, "pending")]
    solved = told(None, NOW + DAY, opened_at=NOW, status="solved", resolved_at=NOW + 20 * HOUR)
    assert kept(solved) == [(0, "open"), (20, "solved")]


def test_an_opening_that_is_corrected_moves_the_clock():
    assert breach(life((HOUR, {"opened_at": NOW - HOUR}))) == NOW + 7 * HOUR
    ticket = life((2 * HOUR, {"status": "pending"}))
    assert kept(told(ticket, NOW + 3 * HOUR, opened_at=NOW + HOUR)) == [(1, "open"), (2, "pending")]
    for late in (2 * HOUR, 3 * HOUR):  # what was seen before it stays
        assert kept(told(ticket, NOW + 3 * HOUR, opened_at=NOW + late)) == [(0, "open"), (2, "pending")]


def test_when_it_was_resolved_says_nothing_of_what_comes_after():
    """Desks keep `resolved_at` when a ticket is closed, and some when it is reopened."""
    ticket = life((7 * HOUR, {"status": "solved", "resolved_at": NOW + 7 * HOUR}), (12 * HOUR, {"status": "closed"}))
    assert kept(ticket) == [(0, "open"), (7, "solved"), (12, "closed")]
    ticket = told(told(ticket, NOW + 13 * HOUR, status="open"), NOW + 14 * HOUR, status="pending")
    assert kept(ticket)[3:] == [(13, "open"), (14, "pending")]


def test_a_clock_is_running_paused_met_or_breached_from_its_instant_on():
    def state(ticket: Ticket, at: datetime, clock: ClockName = RESOLUTION) -> str:
        return read(clock, ticket, POLICY, at).state(at)

    ticket = life((HOUR, {"first_responded_at": NOW + HOUR / 2}))
    assert state(ticket, NOW + 8 * HOUR - MINUTE) == "running"
    assert state(ticket, NOW + 8 * HOUR) == "breached"
    assert read(RESOLUTION, ticket, POLICY).met_at is None
    assert state(told(ticket, NOW + HOUR, status="pending"), NOW + 9 * HOUR) == "paused"
    solved = life((MINUTE, {"status": "solved"}))
    assert [read(clock, solved, POLICY).met_at for clock in CLOCKS] == [NOW + MINUTE] * 2
    assert state(solved, NOW + DAY) == "met"


def test_of_many_phases_the_older_half_is_kept_as_what_it_counted():
    """Open and pending by turns, a minute each: an hour and forty minutes of two hundred were counted."""
    ticket = life()
    while len(ticket.phases) < MOST_PHASES:
        n = len(ticket.phases)
        ticket = told(ticket, NOW + n * MINUTE, status=("open", "pending")[n % 2], first_responded_at=NOW + DAY)
    assert folded(ticket, POLICY) == ticket.phases
    ticket = told(ticket, NOW + MOST_PHASES * MINUTE, status="open")
    ticket = replace(ticket, phases=folded(ticket, POLICY))
    assert len(ticket.phases) == MOST_PHASES // 2
    assert ticket.phases[0].counted[RESOLUTION] == 51 * MINUTE
    assert breach(ticket) == NOW + MOST_PHASES * MINUTE + 8 * HOUR - 100 * MINUTE
    begins = ticket.phases[0].at
    assert told(ticket, ticket.phases[-1].at + MINUTE, status="on_hold").phases[0].at == begins


# Warnings ---------------------------------------------------------------------------------------------------------


def test_it_warns_at_50_75_and_90_percent_each_once():
    ticket, seen = life(), []
    at = armed(ticket, POLICY)[RESOLUTION]
    while at is not None and (mark := warning(RESOLUTION, ticket, POLICY, at)) is not None:
        seen.append((mark.percent, mark.at - NOW))
        ticket = replace(ticket, warned=(*ticket.warned, mark))
        at = armed(ticket, POLICY)[RESOLUTION]
    assert seen == [(50, 4 * HOUR), (75, 6 * HOUR), (90, 7 * HOUR + 12 * MINUTE)]
    assert at == NOW + 8 * HOUR


def test_of_the_marks_that_were_passed_at_once_only_the_highest_is_told():
    ticket = life((6 * HOUR + MINUTE, {"priority": "p2"}), (7 * HOUR, {"priority": "p1"}))
    assert warning(RESOLUTION, ticket, POLICY, NOW + 7 * HOUR) == Warned(RESOLUTION, 75, NOW + 7 * HOUR)


def test_of_an_own_instant_the_percents_are_of_the_time_to_it():
    got = read(RESOLUTION, life((0 * HOUR, {"sla": {"resolution_by": NOW + 10 * HOUR}})), POLICY)
    assert got.marks == ((50, NOW + 5 * HOUR), (75, NOW + 7.5 * HOUR), (90, NOW + 9 * HOUR))
    past = read(RESOLUTION, life((0 * HOUR, {"sla": {"resolution_by": NOW - HOUR}})), POLICY)
    assert past.marks == ((50, NOW), (75, NOW), (90, NOW))


# What waits -------------------------------------------------------------------------------------------------------


def test_what_waits_is_the_next_mark_then_the_breach_and_nothing_once_it_is_over():
    assert armed(life(), POLICY) == {FIRST: NOW + HOUR / 2, RESOLUTION: NOW + 4 * HOUR}
    assert armed(life((HOUR, {"status": "solved"})), POLICY) == {FIRST: None, RESOLUTION: None}
    assert armed(Ticket("T-1"), POLICY) == {FIRST: None, RESOLUTION: None}
    unseen = life((0 * HOUR, {"sla": {"resolution_by": NOW + 2 * HOUR}}), (3 * HOUR, {"status": "pending"}))
    assert armed(unseen, POLICY)[RESOLUTION] == NOW + HOUR, "it breached before it was paused, and nobody was told"
    told = replace(life(), warned=(Warned(RESOLUTION, 100, NOW + 8 * HOUR),))
    assert armed(told, POLICY)[RESOLUTION] is None


def test_what_breached_before_live_since_begins_nothing():
    live = Policy(replace(POLICY.document, live_since=NOW + 8 * HOUR + MINUTE), 1)
    assert armed(life(), live)[RESOLUTION] is None
    live = Policy(replace(POLICY.document, live_since=NOW + 8 * HOUR), 1)
    assert armed(life(), live)[RESOLUTION] == NOW + 4 * HOUR


def test_a_reading_is_a_reading_of_nothing_for_a_ticket_without_phases():
    assert read(FIRST, Ticket("T-1"), POLICY) == Reading(FIRST, ())
