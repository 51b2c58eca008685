"""The invariants of an escalation, proved on every edge of exhaustive walks over the production table.

What each walk ranges over is in `walks`, what must hold of an edge in `invariants` and `invariants_of_time`. Which
invariant is for a later issue, or shown elsewhere, stands in `ELSEWHERE`.
"""

from __future__ import annotations

from typing import get_args

import pytest

from machines.asked import THE_CLOCK, Ask, Duty, Fire, Rearm, Request
from machines.decided import Refusal
from machines.escalation import RULES
from machines.values import WAITING, Escalation, TimerKind
from tests.machines import golden, mutants
from tests.machines.alphabet import DESK
from tests.machines.invariants import (
    ANYBODY,
    an_accept_needs_a_brief_to_that_same_person_from_somebody_else,
    closing_means_confirmed_updated_chain_notified_and_lessons,
)
from tests.machines.invariants_of_time import broken_by
from tests.machines.walk import Node, attempt, explore, scope, start
from tests.machines.walks import SCOPES, stranded, walked

ELSEWHERE = {
    "the same command twice is once": "the engine's idempotency keys; here: what happens once, timers, reports, shifts",
    "replay is deterministic": "test_properties: deciding twice is one answer; here: history folds to the row",
    "the policy is total": "test_matrix",
    "a new policy strands no running escalation": "moving policies is a later issue; one keeps the version it has",
}


@pytest.mark.parametrize("name", SCOPES)
def test_the_invariants_hold_on_every_edge_and_every_node_leads_to_closed(name, record_property):
    walk, broken, *_ = walked(name)
    record_property("nodes and edges", f"{len(walk.nodes)} {len(walk.edges)}")
    print(f"{name}: {len(walk.nodes)} nodes, {len(walk.edges)} edges")  # pytest -rP shows it
    assert len(walk.nodes) > 200, "a walk that hardly goes anywhere proves nothing"
    assert not broken
    assert not stranded(name), "from every state some path reaches closed"


@pytest.mark.parametrize("name", SCOPES)
def test_closed_is_terminal_for_people_timers_and_shifts(name):
    for node in walked(name).walk.nodes.values():
        if node.e is not None and not node.open:
            closed_is_terminal(node, node.e)


def closed_is_terminal(node: Node, e: Escalation) -> None:
    """No trigger leaves it, no timer is armed, and what comes later opens another that names it."""
    assert not [rule.trigger for rule in RULES.values() if rule.fields and e.state in rule.moves]
    assert not {kind for kind in node.timers if kind not in WAITING}
    asks: list[Ask] = [Duty("T-1", name) for name in ANYBODY.people]
    asks += [Fire("T-1", "engage", node.now), Fire("T-1", "respond", node.now), Fire("T-1", "update", node.now)]
    for ask in (*asks, Rearm("T-1")):
        got = attempt(ANYBODY, node, THE_CLOCK, ask)
        assert not isinstance(got, Refusal)
        assert not got.entries
    got = attempt(ANYBODY, node, DESK, Request("T-1", "customer_request", "r"))
    assert not isinstance(got, Refusal)
    assert got.escalation is not None
    assert (got.escalation.follows, got.escalation.version) == (e.id, 1)


def test_every_timer_fires_at_its_instant_and_late():
    fired = set().union(*(walked(name).fired for name in SCOPES))
    assert fired == {(kind, late) for kind in get_args(TimerKind) for late in (False, True)}


@pytest.mark.parametrize(
    ("trigger", "guard", "finds"),
    [
        ("close", "steps_done", closing_means_confirmed_updated_chain_notified_and_lessons),
        ("accept", "handoff_pending", an_accept_needs_a_brief_to_that_same_person_from_somebody_else),
    ],
)
def test_a_walk_finds_what_a_missing_guard_lets_through(trigger, guard, finds):
    broken: set[str] = set()
    scope_ = scope("ann0 lee1", "accept solve de_escalate close complete_step", "workaround_unacceptable")
    with golden.swapped(mutants.without(mutants.Mutant(trigger, guard))):
        explore(scope_, start(scope_), lambda edge: broken.update(broken_by(edge)))
    assert finds.__name__ in broken


def test_each_walk_is_the_same_every_time():
    name = "people who join and leave"
    scope_, priority = SCOPES[name]
    again = explore(scope_, start(scope_, priority), lambda edge: None)
    walk = walked(name).walk
    assert (list(again.nodes), again.edges) == (list(walk.nodes), walk.edges)
