"""What must hold of every edge because time passes: timers, shifts, and what is reported of a ticket.

It lists its invariants with the others; `broken_by` asks them all.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from machines.asked import Duty, Fire, Report
from machines.clock import armed
from machines.decided import Refusal
from tests.machines.cast import POLICY
from tests.machines.invariants import ANYBODY, INVARIANTS, after, invariant, nothing_happens
from tests.machines.invariants_of_clocks import OF_CLOCKS
from tests.machines.walk import Edge, Node, attempt

MOMENT = timedelta(microseconds=1)


def broken_by(edge: Edge) -> list[str]:
    """The names of the invariants that an edge breaks."""
    of_all = [*OF_CLOCKS, *(INVARIANTS if edge.after.e else ())] if edge.after.clocks else INVARIANTS
    return [check.__name__ for check in of_all if not check(edge)] if edge.after.e or edge.after.clocks else []


def _level(name: str | None) -> int:
    return int(name[-1]) if name else 0


# Timers -----------------------------------------------------------------------------------------------------------


@invariant
def an_unanswered_level_has_one_armed_response_timer_and_an_answered_one_none(edge: Edge) -> bool:
    e = after(edge)
    timer = armed(e)["respond"]
    if not e.pending:
        return timer is None and e.respond_by is None
    return e.respond_by is not None and (timer is not None or edge.after.ticket.solved)


@invariant
def every_open_with_a_promise_has_its_engage_timer(edge: Edge) -> bool:
    e = after(edge)
    due = [s.due_at for s in e.situations if s.due_at and not s.settled and s.level > e.level]
    return e.state == "closed" or armed(e)["engage"] == min(due, default=None)


@invariant
def a_timer_that_was_moved_or_cleared_changes_nothing(edge: Edge) -> bool:
    now = edge.after.timers
    for kind, due in edge.before.timers.items():
        if now.get(kind) != due:
            late = replace(edge.after, now=max(due, edge.after.now))
            if not nothing_happens(late, Fire("T-1", kind, due)):
                return False
    return True


@invariant
def a_timer_does_not_fire_before_its_instant(edge: Edge) -> bool:
    return all(
        nothing_happens(edge.after, Fire("T-1", kind, due))
        for kind, due in edge.after.timers.items()
        if due > edge.after.now
    )


@invariant
def a_timer_that_fired_is_not_armed_for_that_instant_again(edge: Edge) -> bool:
    return not isinstance(edge.ask, Fire) or edge.after.timers.get(edge.ask.kind) != edge.ask.due_at


@invariant
def a_late_timer_is_decided_at_the_real_now_and_keeps_its_due_instant(edge: Edge) -> bool:
    if not isinstance(edge.ask, Fire):
        return True
    seen = [(entry.at, entry.detail.get("due_at"), entry.actor) for entry in edge.decision.entries]
    return all(each == (edge.before.now, edge.ask.due_at, "clock") for each in seen)


@invariant
def an_armed_timer_that_fires_does_what_it_is_armed_for(edge: Edge) -> bool:
    if not isinstance(edge.ask, Fire) or not edge.before.open:
        return True
    before, e = edge.before.e, after(edge)
    did = [entry.trigger for entry in edge.decision.entries]
    assert before is not None
    match edge.ask.kind:
        case "engage":
            return e.level >= before.target_level and e.state not in ("open", "de_escalating")
        case "respond" if before.handoff and before.handoff.kind == "reassign":
            return did == ["decline"] and e.owner == before.owner and not e.pending
        case "respond":
            return did == (["repage"] if before.level == 4 else ["escalate"]) and e.pending
        case "update":
            return did == ["remind"] and e.next_update_by is None
        case "p1":  # after a change of tier it may be armed for another instant, and fires then
            return "p1_unresolved" in {s.situation for s in e.situations} or bool(edge.decision.timers)
        case "first_response" | "resolution":
            return bool(edge.decision.warned)


@invariant
def updates_run_at_a_level_and_while_de_escalating_and_never_in_open_or_closed(edge: Edge) -> bool:
    e, did = after(edge), [entry.trigger for entry in edge.decision.entries]
    if e.state in ("open", "closed"):
        return e.next_update_by is None
    before = edge.before.e.next_update_by if edge.before.e else None
    if did == ["accept"] and before is not None:
        return e.next_update_by == before
    return e.next_update_by is not None or not {"engage", "accept", "update_customer"} & set(did)


@invariant
def an_unanswered_l4_is_paged_until_somebody_accepts(edge: Edge) -> bool:
    e, moved = after(edge), edge.after.timers.get("respond") != edge.before.timers.get("respond")
    unanswered = e.state == "l4" and e.pending and not edge.after.ticket.solved
    return not unanswered or (e.page_by is not None and (not moved or e.page_by >= edge.after.now))


@invariant
def entering_a_level_starts_its_response_clock_and_nothing_else_moves_it_before_it_is_answered(edge: Edge) -> bool:
    before, e = edge.before.e, after(edge)
    if not (e.pending and e.handoff and e.handoff.kind == "level"):
        return True
    entered = {"engage", "escalate", "step_down", "resume"} & {entry.trigger for entry in edge.decision.entries}
    if entered and e.handoff.offered_at == edge.before.now:
        return e.respond_by == edge.before.now + POLICY.respond_within(e.level)
    return before is not None and e.respond_by == before.respond_by


# Shifts and ticket events -----------------------------------------------------------------------------------------


@invariant
def the_clock_offers_only_to_who_is_on_duty_and_not_again_to_who_declined(edge: Edge) -> bool:
    before, h = edge.before.e, after(edge).handoff
    offered_before = before.handoff.to if before and before.handoff and before.handoff.pending else None
    if h is None or not h.pending or h.to in (None, offered_before) or edge.decision.entries[-1].trigger == "reassign":
        return True
    return h.to not in edge.before.off and (h.to not in h.declined or _level(h.to) > h.level)


@invariant
def who_goes_off_duty_passes_on_their_own_offer_and_who_comes_on_duty_takes_one_that_nobody_has(edge: Edge) -> bool:
    if not isinstance(edge.ask, Duty) or edge.before.e is None:
        return True
    who, off, h = edge.ask.person, edge.ask.person in edge.before.off, edge.before.e.handoff
    wanted = []
    if h is not None and h.pending:
        if off and h.to == who:
            wanted = ["went_off_duty"]
        elif not off and h.to is None and (_level(who) > h.level or (_level(who) == h.level and who not in h.declined)):
            wanted = ["came_on_duty"]
    told = [entry.reason for entry in edge.decision.entries if entry.trigger == "decline"]
    now = after(edge).handoff
    if h is None or now is None or not wanted:
        return not told and now == h
    return told == wanted and not (now.pending and now.to == h.to)


@invariant
def an_owner_whose_shift_ends_is_reminded_and_stays_accountable(edge: Edge) -> bool:
    if not isinstance(edge.ask, Duty) or edge.before.e is None:
        return True
    ends = edge.ask.person in edge.before.off and edge.before.e.owner == edge.ask.person
    told = [entry.reason for entry in edge.decision.entries if entry.trigger == "remind"]
    return told == (["shift_ended"] if ends else []) and after(edge).owner == edge.before.e.owner


@invariant
def a_shift_that_was_seen_before_a_change_changes_nothing(edge: Edge) -> bool:
    if not isinstance(edge.ask, Duty) or edge.before.e is None:
        return True
    return nothing_happens(edge.after, replace(edge.ask, version=edge.before.e.version))


@invariant
def solving_quiets_an_unanswered_level_and_reopening_answers_for_it_again(edge: Edge) -> bool:
    before, e, solved = edge.before.e, after(edge), edge.after.ticket.over
    if not isinstance(edge.ask, Report) or not edge.before.open or before is None or edge.decision.situations:
        return True
    told = [entry.reason for entry in edge.decision.entries if entry.reason != "ticket_merged"]
    if solved == edge.before.ticket.over:
        back = edge.before.ticket.solved and not edge.after.ticket.solved and before.state == "de_escalating"
        return told == ["ticket_reopened"] * back  # it was merged meanwhile
    if before.state == "open":
        return e.state == ("closed" if solved else "open")
    if before.state == "de_escalating":
        return told == ([] if solved else ["ticket_reopened"]) and solved == (e.state == "de_escalating")
    if before.handoff and before.handoff.unanswered_level:
        quiet, respond_by = before.page_by is None, before.respond_by
        assert respond_by is not None
        due = None if solved else max(respond_by, edge.before.now) if quiet else before.page_by
        return told == (["ticket_solved"] if solved else ["ticket_reopened"] * quiet) and e.page_by == due
    return told == (["ticket_solved"] if solved else []) and armed(e) == armed(before)


def _waits(node: Node) -> bool:
    return node.ticket.status == "pending"


@invariant
def a_lowered_priority_cancels_no_running_clock(edge: Edge) -> bool:
    was, now = edge.before, edge.after
    if not isinstance(edge.ask, Report) or now.ticket.priority <= was.ticket.priority:
        return True
    if now.ticket.solved != was.ticket.solved or _waits(was) != _waits(now):
        return True  # solving does, and waiting for the customer
    # Its instant follows the tier of now.
    since = "p1" not in was.waiting or was.ticket.p1_since == now.ticket.p1_since
    return since and was.timers.keys() == now.timers.keys() and armed(was.e) == armed(now.e)


@invariant
def the_same_report_again_and_an_older_one_begin_nothing(edge: Edge) -> bool:
    if not isinstance(edge.ask, Report):
        return True
    older = Report(replace(edge.ask.ticket, updated_at=edge.after.now - MOMENT))
    again = attempt(ANYBODY, edge.after, edge.actor, edge.ask)
    stale = attempt(ANYBODY, edge.after, edge.actor, older)
    if isinstance(again, Refusal) or isinstance(stale, Refusal):
        return False
    return not again.situations and stale.stale and not (stale.entries or stale.timers)


@invariant
def a_fact_begins_its_situation_once(edge: Edge) -> bool:
    begun = [(s.situation, s.at) for s in after(edge).situations if s.origin == "automatic"]
    return len(begun) == len(set(begun))
