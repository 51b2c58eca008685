"""Two who act on the same state, in every state: people, the clock, services; the second is decided on what the first
left. Who wins is said in `races`."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from msgspec.structs import replace

from machines.asked import Command, Fire, Transition
from machines.decide import decide
from machines.decided import Decision, Refusal
from machines.fields import Note
from machines.world import Snapshot, World, holders
from tests.machines.cast import NOW, OWNER, POLICY, escalation, facts, mint, ticket
from tests.machines.races import EXCLUDED
from tests.machines.walk import Leg, Node, Scope, customer, left, on_roster
from tests.machines.walks import SCOPES, walked


@pytest.mark.parametrize("name", SCOPES)
def test_of_two_who_race_each_order_ends_as_the_rules_say(name, record_property):
    told = walked(name).races
    record_property("races", told.count)
    print(f"{name}: {told.count} races")  # pytest -rP shows it
    assert not told.broken


def test_every_two_that_exclude_each_other_have_raced():
    met = set().union(*(walked(name).races.met for name in SCOPES))
    assert not EXCLUDED - met, "a rule that was never put to the test proves nothing"


def test_a_call_that_names_a_version_which_somebody_else_moved_is_refused_as_stale_and_is_no_denial():
    moved = 0
    walk = walked("ending while handoffs wait").walk
    for here, legs in walk.legs.items():
        seen = walk.nodes[here].e
        calls = [leg for leg in legs if isinstance(leg.ask, Transition)]
        for first, second in pairwise(calls):
            world = at(SCOPES["ending while handoffs wait"][0], walk.nodes[here])
            got = decided(world, first)
            assert seen is not None
            world.absorb(got)
            assert isinstance(second.ask, Transition)
            stale = world.decide(Command("c2", replace(second.ask, if_match=seen.version), "r"), second.who)
            assert isinstance(stale, Refusal)
            assert (stale.status, stale.denied, stale.escalation) == (412, False, got.escalation)
            moved += got.escalation is not None and got.escalation.version > seen.version
    assert moved > 1000


def test_two_commands_of_one_batch_are_decided_as_in_two_and_what_opens_after_a_close_waits():
    random, waited = Random(7), 0
    for name in ("every way to an end", "ending while handoffs wait", "people who come on duty and go off it"):
        scope, walk = SCOPES[name][0], walked(name).walk
        for here, legs in walk.legs.items():
            asked = [leg for leg in legs if leg.ask is not None and not isinstance(leg.ask, Fire)]
            closing = [leg for leg in asked if walk.nodes[leg.there].e and not walk.nodes[leg.there].open]
            for first in (*closing, *random.sample(asked, min(1, len(asked)))):
                waited += one_batch_is_two(scope, walk.nodes[here], first, random.choice(asked))
    assert waited > 20


def one_batch_is_two(scope: Scope, node: Node, first: Leg, second: Leg) -> bool:
    """Whether the second waits for the next batch; if it does not, that would have decided the same."""
    together = at(scope, node)
    assert second.ask is not None
    command = Command("c2", second.ask, "r")
    assert not together.must_wait(command)
    got = decided(together, first)
    together.absorb(got)
    ended = bool(got.entries) and got.escalation is not None and got.escalation.state == "closed"
    waits = together.must_wait(command)
    assert waits == (ended and not isinstance(second.ask, Transition))
    if not waits:
        next_ = at(scope, left(node, got))
        together.mint, next_.mint = mint(), mint()
        assert together.decide(command, second.who) == next_.decide(command, second.who)
    return waits


def decided(world: World, leg: Leg) -> Decision:
    """What a leg's command does in this world."""
    assert leg.ask is not None
    got = world.decide(Command("c1", leg.ask, "r"), leg.who)
    assert isinstance(got, Decision)
    return got


def at(scope: Scope, node: Node) -> World:
    """A batch's world over what is known at a node."""
    held = holders(node.e)
    snapshot = Snapshot(
        now=node.now,
        policy_version=1,
        people=[replace(p, held=int(name in held)) for name, p in on_roster(scope, node.off).items()],
        customers=[customer(node.tier)],
        tickets=[node.ticket],
        escalations=[node.e] if node.e else [],
        follows={"T-1": node.e.id} if node.e and not node.open else {},
        contacts=[node.said] if node.said else [],
        waiting={"T-1": dict(node.waiting)},
    )
    return World(snapshot, {1: POLICY}, mint())


@pytest.mark.parametrize(("if_match", "seen"), [(-1, "no version of it"), (0, "version 0"), (4, None)])
def test_the_version_that_a_call_names_is_told_where_it_is_not_the_one_that_stands(if_match, seen):
    e = escalation("l1")
    got = decide(facts(OWNER, e, ticket()), Command("c", Transition(e.id, "note", NOTE, if_match), "r"), POLICY, NOW)
    if seen is None:
        assert isinstance(got, Decision)
    else:
        assert isinstance(got, Refusal)
        assert got.detail.startswith(f"If-Match names {seen}; it is at 4.")


NOTE = Note("Looked at it")
