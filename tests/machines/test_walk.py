"""The invariants of an escalation, proved on every edge of exhaustive walks over the production table.

The walks differ in what they range over (`SCOPES`); each visits everything that can be reached with its people, its
words and its situations. Which invariant is for a later issue, or shown elsewhere, stands in `ELSEWHERE`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from functools import cache

import pytest

from machines.clock import armed
from machines.escalation import RULES
from machines.values import THE_CLOCK, Escalation, Fire, Refusal, Report, Request, Transition
from tests.machines import golden, mutants
from tests.machines.cast import POLICY
from tests.machines.walk import DESK, Edge, Node, Walk, attempt, explore, scope, start

HANDOFF = "engage escalate brief accept decline reassign"
ENDING = "withdraw de_escalate resume step_down complete_step act close solve lower say"

SCOPES = {
    "handoffs up to L4": (
        scope("ann0 lee1 mia2 vic4", f"{HANDOFF} de_escalate solve", "workaround_unacceptable"),
        "p2",
    ),
    "handoffs with two at a level and nobody at others": (
        scope("ann0 lee1 lou1 vic4", f"{HANDOFF} solve de_escalate join disengage", "workaround_unacceptable"),
        "p2",
    ),
    "every way to an end": (scope("ann0 lee1 mia2", f"engage accept {ENDING}", "customer_request"), "p2"),
    "ending while handoffs wait": (
        scope("ann0 mia2 vic4", f"{HANDOFF} de_escalate resume solve close complete_step", "blocking_business_process"),
        "p2",
    ),
    "situations that come and go": (
        scope(
            "ann0 lee1 mia2 dan3",
            "engage accept escalate dismiss_situation withdraw de_escalate resume solve",
            "customer_request workaround_unacceptable executive_visibility",
        ),
        "p2",
    ),
    "nobody on duty at all": (scope("ann0 -lee1", f"{HANDOFF} {ENDING}", "workaround_unacceptable"), "p2"),
    "an enterprise P0": (
        scope("ann0 mia2 dan3", f"accept {ENDING}".replace(" say", ""), "", "enterprise"),
        "p0",
    ),
    "a starter's P0": (scope("ann0 lee1", f"engage accept {ENDING}", "", "starter"), "p0"),
    "a P1 that is solved, lowered and reopened": (
        scope("ann0 mia2", "accept withdraw de_escalate resume solve lower", "customer_request", "enterprise"),
        "p1",
    ),
}

ELSEWHERE = {
    "a breach fires at most once per clock": "SLA clocks are a later issue; p0 and p1 are below, by their keys",
    "the same command twice is once": "the engine's idempotency keys; timers and reports are below",
    "replay is deterministic": "test_properties: the fold of history is the row, and deciding twice is one answer",
    "the policy is total": "test_matrix",
    "a new policy strands no running escalation": "moving policies is a later issue; one keeps the version it has",
}

# Invariants: what must hold of an edge. Each says in its name what quality.md says ----------------------------------

Invariant = Callable[[Edge], bool]
INVARIANTS: list[Invariant] = []


def invariant(check: Invariant) -> Invariant:
    """List it."""
    INVARIANTS.append(check)
    return check


def after(edge: Edge) -> Escalation:
    """The escalation after the edge."""
    assert edge.after.e is not None
    return edge.after.e


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
    return all(e.actor and e.reason and 0 <= e.actor_level <= 4 and e.policy_version == 1 and e.guards is not None
               for e in edge.decision.entries)  # fmt: skip


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
def a_timer_that_is_no_longer_armed_changes_nothing(edge: Edge) -> bool:
    for kind, due in edge.before.timers.items():
        if edge.after.timers.get(kind) == due:
            continue
        late = Node(max(due, edge.after.now), edge.after.ticket, edge.after.e, edge.after.said, edge.after.p1)
        got = attempt(ANYBODY, late, THE_CLOCK, Fire("T-1", kind, due))
        if isinstance(got, Refusal) or got.entries:
            return False
    return True


@invariant
def a_timer_that_fired_is_not_armed_for_that_instant_again(edge: Edge) -> bool:
    return not isinstance(edge.ask, Fire) or edge.after.timers.get(edge.ask.kind) != edge.ask.due_at


@invariant
def an_unanswered_l4_is_paged_until_somebody_accepts(edge: Edge) -> bool:
    e = after(edge)
    unanswered = e.state == "l4" and e.pending and not edge.after.ticket.solved
    return not unanswered or (e.page_by is not None and e.page_by >= edge.after.now)


@invariant
def closing_means_confirmed_updated_chain_notified_and_lessons(edge: Edge) -> bool:
    steps_ = {"confirm_with_customer", "update_ticket", "notify_chain", "document_lessons"}
    return all(set(after(edge).steps) == steps_ for e in edge.decision.entries if e.trigger == "close")


@invariant
def a_lowered_priority_cancels_no_running_clock(edge: Edge) -> bool:
    if not isinstance(edge.ask, Report) or edge.after.ticket.priority <= edge.before.ticket.priority:
        return True
    return edge.before.timers == edge.after.timers


@invariant
def every_level_change_plans_a_message(edge: Edge) -> bool:
    level = edge.before.e.level if edge.before.open and edge.before.e else 0
    for entry in edge.decision.entries:
        if entry.level != level and not entry.messages:
            return False
        level = entry.level
    return True


@invariant
def the_same_report_again_begins_nothing(edge: Edge) -> bool:
    if not isinstance(edge.ask, Report):
        return True
    again = attempt(ANYBODY, edge.after, edge.actor, edge.ask)
    return not isinstance(again, Refusal) and not again.situations


@invariant
def a_fact_begins_its_situation_once(edge: Edge) -> bool:
    begun = [(s.situation, s.at) for s in after(edge).situations if s.origin == "automatic"]
    return len(begun) == len(set(begun))


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
def a_call_makes_at_most_two_rows_and_anything_else_five(edge: Edge) -> bool:
    return len(edge.decision.entries) <= (2 if isinstance(edge.ask, Transition) else 5)


@invariant
def versions_are_gap_free_and_name_their_source(edge: Edge) -> bool:
    if not edge.decision.entries:
        return edge.after.e == edge.before.e
    before = edge.before.e if edge.before.open else None
    version, state = (before.version, str(before.state)) if before else (0, None)
    for entry in edge.decision.entries:
        if (entry.version, entry.source) != (version + 1, state):
            return False
        version, state = entry.version, str(entry.state)
    return after(edge).version == version


ANYBODY = scope("ann0 lee1 mia2 dan3 vic4", "", "")

# The walks --------------------------------------------------------------------------------------------------------


def broken_by(edge: Edge) -> list[str]:
    """The names of the invariants that an edge breaks."""
    return [check.__name__ for check in INVARIANTS if not check(edge)] if edge.after.e else []


@cache
def walked(name: str) -> tuple[Walk, dict[str, str]]:
    """The walk of a scope, and of each broken invariant the first edge that breaks it."""
    broken: dict[str, str] = {}

    def see(edge: Edge) -> None:
        for invariant in broken_by(edge):
            broken.setdefault(invariant, f"{edge.ask} by {edge.actor.id}: {edge.before.e} -> {edge.after.e}")

    scope_, priority = SCOPES[name]
    return explore(scope_, start(priority), see), broken


@pytest.mark.parametrize("name", SCOPES)
def test_the_invariants_hold_on_every_edge_and_every_node_leads_to_closed(name, record_property):
    walk, broken = walked(name)
    record_property("nodes and edges", f"{len(walk.nodes)} {len(walk.edges)}")
    print(f"{name}: {len(walk.nodes)} nodes, {len(walk.edges)} edges")  # pytest -rP shows it
    assert len(walk.nodes) > 200, "a walk that hardly goes anywhere proves nothing"
    assert not broken
    assert not stranded(walk, ends(name)), "from every state some path reaches closed"
    for node in walk.nodes.values():
        if node.e is not None and not node.open:
            closed_is_terminal(node, node.e)


def ends(name: str) -> tuple[str, ...]:
    """Where paths must lead; in walks that don't close, de-escalating counts (that it closes, the others show)."""
    return ("closed",) if "close" in SCOPES[name][0].words else ("closed", "de_escalating")


def stranded(walk: Walk, ends: tuple[str, ...]) -> list[object]:
    """The nodes of an escalation from which no path leads to an end."""
    leads = defaultdict(list)
    for here, there in walk.edges:
        leads[there].append(here)
    done = {key for key, node in walk.nodes.items() if node.e is not None and node.e.state in ends}
    waiting = deque(done)
    while waiting:
        for before in leads[waiting.popleft()]:
            if before not in done:
                done.add(before)
                waiting.append(before)
    return [key for key, node in walk.nodes.items() if node.e is not None and key not in done]


def closed_is_terminal(node: Node, e: Escalation) -> None:
    """No trigger leaves it, no timer is armed, and what comes later opens another that names it."""
    assert not [rule.trigger for rule in RULES.values() if rule.fields and e.state in rule.moves]
    assert not {kind for kind in node.timers if kind != "p1"}
    got = attempt(ANYBODY, node, DESK, Request("T-1", "customer_request", "r"))
    assert not isinstance(got, Refusal)
    assert got.escalation is not None
    assert (got.escalation.follows, got.escalation.version) == (e.id, 1)


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
        explore(scope_, start(), lambda edge: broken.update(broken_by(edge)))
    assert finds.__name__ in broken


def test_each_walk_is_the_same_every_time():
    name = "every way to an end"
    scope_, priority = SCOPES[name]
    again = explore(scope_, start(priority), lambda edge: None)
    walk, _ = walked(name)
    assert (list(again.nodes), again.edges) == (list(walk.nodes), walk.edges)
