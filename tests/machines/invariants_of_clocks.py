"""What must hold of every edge of a walk that follows SLA clocks, whether there is an escalation or not.

Told by the ticket's facts, as its desk would tell them. What a clock had counted is shown by the oracle in `test_sla`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from machines.asked import Fire, Report
from machines.document import CLOCKS
from machines.values import ClockName, Ticket
from tests.machines.invariants import nothing_happens
from tests.machines.walk import Edge, Node

Invariant = Callable[[Edge], bool]
OF_CLOCKS: list[Invariant] = []
MOVES = """
running  | running paused met breached
paused   | paused running met breached
met      | met running paused breached
breached | breached
"""
"""Where a clock may go: a paused one breaches as it runs again under a higher priority, a met one as it is reopened."""
WAITS = ("pending", "on_hold")
MAY = {state.strip(): set(to.split()) for state, to in (line.split("|") for line in MOVES.strip().splitlines())}


def of_clocks(check: Invariant) -> Invariant:
    """List it."""
    OF_CLOCKS.append(check)
    return check


def stands_still(clock: ClockName, ticket: Ticket) -> bool:
    """Solved, answered, or the customer's turn."""
    if clock == "first_response":
        return ticket.over or ticket.first_responded_at is not None
    return ticket.over or ticket.status in WAITS


def ran(clock: ClockName, ticket: Ticket, at: datetime) -> bool:
    """Whether it ran at this instant, or up to it."""
    ends = [*(phase.at for phase in ticket.phases[1:]), at]
    met = clock == "first_response" and ticket.first_responded_at is not None and ticket.first_responded_at < at
    return not met and any(
        phase.at <= at <= end and not phase.over and (clock == "first_response" or phase.status not in WAITS)
        for phase, end in zip(ticket.phases, ends, strict=True)
    )


def _breaches(ticket: Ticket, clock: ClockName) -> int:
    return sum(warned.clock == clock and warned.percent == 100 for warned in ticket.warned)


@of_clocks
def a_breach_is_once_per_clock_and_begins_its_situation(edge: Edge) -> bool:
    begun = [s.detail["clock"] for s in edge.decision.situations if s.situation == "sla_breach"]
    for clock in CLOCKS:
        before, after = _breaches(edge.before.ticket, clock), _breaches(edge.after.ticket, clock)
        if after > 1 or after - before != begun.count(clock):
            return False
    return True


@of_clocks
def each_warning_is_told_once_and_higher_than_the_one_before(edge: Edge) -> bool:
    told = edge.after.ticket.warned
    percents = {clock: [w.percent for w in told if w.clock == clock] for clock in CLOCKS}
    return told[: len(edge.before.ticket.warned)] == edge.before.ticket.warned and all(
        some == sorted(set(some)) for some in percents.values()
    )


@of_clocks
def a_met_or_paused_clock_neither_warns_nor_breaches(edge: Edge) -> bool:
    """Not on a ticket that is solved, and nowhere but at an instant at which it ran: a late timer may tell of that."""
    ticket = edge.before.ticket
    return not any(ticket.over or not ran(warned.clock, ticket, warned.at) for warned in edge.decision.warned)


@of_clocks
def a_clock_has_a_timer_while_it_runs_or_until_its_breach_is_told_and_only_then(edge: Edge) -> bool:
    """But where it was missed unseen, and the ticket then solved and reopened."""
    node = edge.after
    for clock in CLOCKS:
        state, told = node.sla[clock]
        missed = state == "breached" and any(phase.over for phase in node.ticket.phases)
        wanted = told < 100 and not node.ticket.over and (state == "breached" or not stands_still(clock, node.ticket))
        if (clock in node.timers) != wanted and not (missed and clock not in node.timers):
            return False
    return True


@of_clocks
def a_clock_moves_only_as_it_may(edge: Edge) -> bool:
    """But for an answer that is told afterwards: where nobody was told of a breach, there was none."""
    was, now = edge.before, edge.after
    told = was.ticket.first_responded_at is None and now.ticket.first_responded_at is not None
    return all(
        now.sla[clock][0] in MAY[was.sla[clock][0]]
        or (told and clock == "first_response" and now.sla[clock][0] == "met")
        for clock in CLOCKS
    )


@of_clocks
def a_timer_of_a_clock_that_was_moved_or_cleared_changes_nothing(edge: Edge) -> bool:
    for clock in CLOCKS:
        due = edge.before.timers.get(clock)
        if due is not None and edge.after.timers.get(clock) != due:
            late: Node = replace(edge.after, now=max(due, edge.after.now))
            if not nothing_happens(late, Fire("T-1", clock, due)):
                return False
    return True


@of_clocks
def a_lowered_priority_cancels_no_clock_and_brings_none_forward(edge: Edge) -> bool:
    was, now = edge.before, edge.after
    lowered = isinstance(edge.ask, Report) and now.ticket.priority > was.ticket.priority
    if not lowered or now.ticket.status != was.ticket.status or now.tier != was.tier:
        return True
    return all(
        clock not in was.timers or (clock in now.timers and now.timers[clock] >= min(was.timers[clock], was.now))
        for clock in CLOCKS
    )


@of_clocks
def pauses_and_answers_are_kept_and_nothing_that_was_counted_is_lost(edge: Edge) -> bool:
    """The phases before the newest stay as they are; at one instant the newest is corrected."""
    was, now = edge.before.ticket.phases, edge.after.ticket.phases
    kept = min(len(was) - 1, len(now))
    return now[:kept] == was[:kept]
