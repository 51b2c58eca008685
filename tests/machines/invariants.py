"""What must hold of every edge, whoever asked and whatever fired. Each says in its name what the house promises.

An invariant is told an edge and answers whether it holds; it knows the rules' words, not their code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from machines.asked import THE_CLOCK, Duty, Fire, Transition
from machines.clock import armed
from machines.decided import Refusal
from machines.values import Escalation
from tests.machines.cast import POLICY
from tests.machines.walk import Edge, Node, Scope, attempt, scope

Invariant = Callable[[Edge], bool]
INVARIANTS: list[Invariant] = []
ANYBODY = scope("ann0 lee1 lou1 mia2 dan3 vic4", "")


def invariant(check: Invariant) -> Invariant:
    """List it."""
    INVARIANTS.append(check)
    return check


def after(edge: Edge) -> Escalation:
    """The escalation after the edge."""
    assert edge.after.e is not None
    return edge.after.e


def nothing_happens(node: Node, ask: Fire | Duty, scope: Scope = ANYBODY) -> bool:
    """The clock asks this in vain."""
    got = attempt(scope, node, THE_CLOCK, ask)
    return not isinstance(got, Refusal) and not got.entries and not got.timers


# Levels and ownership ---------------------------------------------------------------------------------------------


@invariant
def level_rises_only_by_engage_and_escalate_and_falls_only_through_de_escalating(edge: Edge) -> bool:
    level = edge.before.e.level if edge.before.open and edge.before.e else 0
    for entry in edge.decision.entries:
        if entry.level > level and entry.trigger not in ("engage", "escalate"):
            return False
        if entry.level < level and (entry.trigger, entry.source) != ("step_down", "de_escalating"):
            return False
        level = entry.level
    return True


@invariant
def every_edge_has_actor_authority_reason_and_policy_version(edge: Edge) -> bool:
    return all(
        e.actor and e.reason and 0 <= e.actor_level <= 4 and e.policy_version == 1 and e.guards
        for e in edge.decision.entries
    )


@invariant
def the_actors_authority_is_at_least_the_edges(edge: Edge) -> bool:
    for entry in edge.decision.entries:
        if entry.trigger == "act":
            authority = entry.detail["authority"]
            if not (POLICY.holds(entry.actor_level, authority) and POLICY.holds(entry.level, authority)):
                return False
    return True


@invariant
def there_is_one_owner_from_the_first_accept_on_and_they_stay_until_the_next_accept(edge: Edge) -> bool:
    before = edge.before.e if edge.before.open else None
    accepted = [e.actor for e in edge.decision.entries if e.trigger == "accept"]
    owner = after(edge).owner
    if before is None:
        return True
    return owner == accepted[-1] if accepted else owner == before.owner


@invariant
def the_owner_is_engaged_and_whoever_is_engaged_or_offered_is_of_the_chain(edge: Edge) -> bool:
    e = after(edge)
    offered = (e.handoff.to,) if e.handoff and e.handoff.to else ()
    return (e.owner is None or e.owner in e.engaged) and {*e.engaged, *offered} <= set(e.chain)


@invariant
def an_accept_needs_a_brief_to_that_same_person_from_somebody_else(edge: Edge) -> bool:
    h = edge.before.e.handoff if edge.before.e else None
    return all(
        h is not None and h.pending and h.brief is not None and h.brief.to == e.actor == h.to and h.brief.by != e.actor
        for e in edge.decision.entries
        if e.trigger == "accept"
    )


# Endings, messages and history ------------------------------------------------------------------------------------


@invariant
def closing_means_confirmed_updated_chain_notified_and_lessons(edge: Edge) -> bool:
    steps = {"confirm_with_customer", "update_ticket", "notify_chain", "document_lessons"}
    return all(set(after(edge).steps) == steps for e in edge.decision.entries if e.trigger == "close")


@invariant
def every_level_change_plans_a_message(edge: Edge) -> bool:
    level = edge.before.e.level if edge.before.open and edge.before.e else 0
    for entry in edge.decision.entries:
        if entry.level != level and not entry.messages:
            return False
        level = entry.level
    return True


@invariant
def the_row_fits_its_state_as_the_schema_claims(edge: Edge) -> bool:
    e = after(edge)
    level = {"open": 0, "l1": 1, "l2": 2, "l3": 3, "l4": 4}.get(e.state, e.level)
    ended = e.state != "closed" or (not any(armed(e).values()) and e.engage_by is e.page_by is e.next_update_by is None)
    told = (e.state == "closed") == (e.closed_at is not None) and 1 <= e.target_level <= 4 and e.level == level
    criterion = (e.criterion is not None) == (e.state in ("de_escalating", "closed"))
    handed = e.handoff is not None or e.state in ("open", "closed") or e.state == "de_escalating"
    return ended and told and criterion and handed


@invariant
def the_levels_above_where_it_stands_are_wanted_by_a_situation_that_is_armed(edge: Edge) -> bool:
    e = after(edge)
    wants = [s.level for s in e.situations if s.level > e.level and not s.settled]
    return e.state in ("open", "closed") or e.target_level <= max([e.level, *wants])


@invariant
def a_call_makes_at_most_two_rows_the_clock_three_and_a_report_five(edge: Edge) -> bool:
    most = 2 if isinstance(edge.ask, Transition) else 3 if edge.actor.clock else 5
    return len(edge.decision.entries) <= most


@invariant
def versions_are_gap_free_and_history_folds_to_the_row(edge: Edge) -> bool:
    if not edge.decision.entries:
        return edge.after.e == edge.before.e
    before = edge.before.e if edge.before.open else None
    version, state = (before.version, str(before.state)) if before else (0, None)
    told: dict[str, Any] = {}
    for entry in edge.decision.entries:
        if (entry.version, entry.source) != (version + 1, state):
            return False
        version, state = entry.version, str(entry.state)
        told |= entry.changed
    now = after(edge)
    told |= {"version": version, "updated_at": edge.decision.entries[-1].at}
    if before is None:
        return all(getattr(now, name) == value for name, value in told.items())
    return replace(before, **told) == now


@invariant
def the_same_call_again_with_the_version_that_was_seen_is_refused_as_stale(edge: Edge) -> bool:
    if not isinstance(edge.ask, Transition) or edge.before.e is None:
        return True
    again = attempt(ANYBODY, edge.after, edge.actor, replace(edge.ask, if_match=edge.before.e.version))
    return isinstance(again, Refusal) and (again.status, again.denied) == (412, False)
