"""An exhaustive walk over what can be reached from the production table, with the real `decide`.

A node is an escalation with its ticket; an edge is a command that happened. Two nodes are one where nothing that a
guard or an effect asks differs: instants are reduced to the order in which timers fall due and whether the response is
late, people to what they are here (owner, offered, writer of the brief, has declined), lists to what is in them. Time
passes by going to the next armed instant. The alphabet of commands is bounded (`commands`), so the walk is finite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from machines.case import Facts
from machines.clock import armed
from machines.decide import decide
from machines.escalation import RULES
from machines.values import (
    LEVEL_ROLE,
    THE_CLOCK,
    Actor,
    Ask,
    Command,
    Contact,
    Customer,
    Decision,
    Escalation,
    Fire,
    Heard,
    Person,
    Refusal,
    Report,
    Request,
    Ticket,
    TimerKind,
    Transition,
)
from tests.machines.cast import NOW, POLICY, TEXT, mint
from tests.machines.play import roster

DESK = Actor("desk", "service")


class Node(Struct, frozen=True):
    """What is known at one instant. `p1` is that timer's instant; the others follow from the escalation."""

    now: datetime
    ticket: Ticket
    e: Escalation | None = None
    said: Contact | None = None
    p1: datetime | None = None

    @property
    def timers(self) -> dict[TimerKind, datetime]:
        """What is armed."""
        every: dict[Any, datetime | None] = {**armed(self.e), "p1": self.p1}
        return {kind: due for kind, due in every.items() if due is not None}

    @property
    def open(self) -> bool:
        """There is an escalation that is not closed."""
        return self.e is not None and self.e.state != "closed"


class Edge(Struct, frozen=True):
    """A command that happened, from one node to another."""

    before: Node
    actor: Actor
    ask: Ask
    decision: Decision
    after: Node


class Scope(Struct, frozen=True):
    """What a walk ranges over: the people, the tier, and the words that it may say."""

    people: Mapping[str, Person]
    tier: Any
    words: frozenset[str]
    situations: tuple[str, ...]

    @property
    def customer(self) -> Customer:
        """Whose ticket it is."""
        return Customer("acme", "Acme", self.tier, "max")


def scope(people: str, words: str, situations: str, tier: str = "professional") -> Scope:
    """A scope, from words."""
    return Scope(roster(*people.split()), tier, frozenset(words.split()), tuple(situations.split()))


@cache
def actor(who: str) -> Actor:
    """Somebody of the roster."""
    return Actor(who, LEVEL_ROLE[int(who[-1])], int(who[-1]))


def attempt(scope: Scope, node: Node, who: Actor, ask: Ask) -> Decision | Refusal:
    """Decide a command at a node."""
    live = node.e if node.open or isinstance(ask, Transition) else None
    contacts = {node.said.id: node.said} if node.said else {}
    follows = node.e.id if node.e and not node.open else None
    known = Facts(who, live, node.ticket, scope.customer, scope.people, contacts, follows, mint(), node.p1)
    return decide(known, Command("c", ask, "r"), POLICY, node.now)


def step(scope: Scope, node: Node, who: Actor, ask: Ask, now: datetime | None = None) -> Edge | None:
    """The edge of a command that changes something, or None."""
    here = replace(node, now=now) if now else node
    got = attempt(scope, here, who, ask)
    if isinstance(got, Refusal):
        return None
    ticket = got.ticket or node.ticket
    if not got.entries and ticket == node.ticket and got.contact is None:
        return None
    p1 = got.timers.get("p1", node.p1) if "p1" in got.timers else node.p1
    after = Node(here.now, ticket, got.escalation if got.entries else node.e, got.contact or node.said, p1)
    return Edge(here, who, ask, got, after)


# The alphabet -----------------------------------------------------------------------------------------------------


def commands(scope: Scope, node: Node) -> Iterator[tuple[Actor, Ask]]:
    """Everything that this walk may say at this node, by everybody for whom it could make a difference."""
    yield from _ticket_events(scope, node)
    if node.open:
        assert node.e is not None
        for who, trigger, fields in _calls(scope, node.e, node.said):
            kind = RULES[trigger].fields
            assert kind is not None
            if trigger in scope.words and node.e.state in RULES[trigger].moves:
                yield who, Transition(node.e.id, trigger, kind(**fields))


def _ticket_events(scope: Scope, node: Node) -> Iterator[tuple[Actor, Ask]]:
    e, t = node.e, node.ticket
    told = replace(t, revision=0, reported=0, priorities=(), begun=(), updated_at=None)
    if "solve" in scope.words:
        yield DESK, Report(replace(told, status="open" if t.solved else "solved"))
    if "lower" in scope.words and t.priority < "p2":
        yield DESK, Report(replace(told, priority="p2"))
    if "say" in scope.words and node.said is None and node.open:
        yield DESK, Heard("said", "T-1", None, "portal", "kim@acme.example", "customer")
    if e is not None and not node.open:
        return
    present = {s.situation for s in e.situations} if e else set()
    for situation in scope.situations:
        if situation not in present:
            yield (actor("ann0") if situation != "customer_request" else DESK), Request("T-1", situation, "because")


def _calls(scope: Scope, e: Escalation, said: Contact | None) -> Iterator[tuple[Actor, str, dict[str, Any]]]:
    top = actor(max(scope.people, key=lambda name: (int(name[-1]), name)))
    owner = actor(e.owner) if e.owner else top
    offered = actor(e.handoff.to) if e.handoff and e.handoff.to else None
    evidence = {"evidence": said.id} if said else {}
    criteria = ("issue_resolved", "workaround_accepted", "priority_lowered", "request_withdrawn")
    because, brief = {"reason": "because"}, {"brief": TEXT}
    for who in dict.fromkeys((owner, top)):
        yield who, "engage", brief
        yield who, "escalate", {**because, **brief}
        yield who, "resume", because
    yield top, "escalate", {**because, **brief, "level": 4}
    for criterion in criteria:
        yield owner, "de_escalate", {"criterion": criterion, **evidence}
        yield top, "withdraw", {"criterion": criterion, **evidence}
    yield owner, "step_down", {**brief, "level": 1}
    yield owner, "close", {}
    for step_ in ("confirm_with_customer", "update_ticket", "notify_chain", "document_lessons"):
        yield owner, "complete_step", {"step": step_, "detail": "Mail 7"}
    for authority in ("approve_standard_workaround", "reprioritize_ticket"):
        if authority not in {act.authority for act in e.acts}:
            yield owner, "act", {"authority": authority, "detail": "Yes"}
    for situation in dict.fromkeys(s.situation for s in e.situations):
        yield top, "dismiss_situation", {**because, "situation": situation}
    if offered is not None:
        written = {"to": offered.id, "issue": "i", "reason": "r", "current_status": "c", "needed": "n"}
        for who in dict.fromkeys((owner, offered)):
            yield who, "brief", written
        yield offered, "accept", {}
        yield offered, "decline", because
    for name in scope.people:
        if int(name[-1]) >= e.level:
            yield owner, "reassign", {**because, "to": name}
    yield top, "join", because
    yield owner, "disengage", {"person": top.id}
    yield owner, "update_customer", {"text": "We are on it"}


# The walk ---------------------------------------------------------------------------------------------------------


def key(node: Node) -> tuple[Any, ...]:
    """What makes two nodes one."""
    t, e = node.ticket, node.e
    timers = tuple(kind for _, kind in sorted((due, kind) for kind, due in node.timers.items()))
    ticket = (t.solved, t.priority, t.p0_since is None, t.p1_since is None, bool(node.said), len(set(t.begun)))
    if e is None or not node.open:
        return e is None, ticket, timers
    h = e.handoff
    offer: tuple[Any, ...] = ()
    if h is not None:
        by = h.brief.by if h.brief else None
        whose = by if by in ("clock", h.to, e.owner) else by and "other"
        offer = (h.status in ("offered", "briefed"), h.status if not h.pending else "", h.kind, h.pending and h.to)
        offer = (*offer, h.pending and whose, tuple(sorted(h.declined)) if h.kind == "level" else ())
    late = e.respond_by is not None and e.respond_by <= node.now
    wants = tuple(sorted((s.situation, s.level, s.settled) for s in e.situations))
    highest = min((c.priority for c in t.priorities), default=t.priority)
    since = t.reported > e.de_escalated_revision if e.state == "de_escalating" else None
    ends = (e.criterion, e.evidence is not None, tuple(sorted(e.steps)), since)
    acts = tuple(sorted({act.authority for act in e.acts}))
    where = (str(e.state), e.level, e.target_level, e.owner)
    return (*where, offer, late, wants, ends, acts, ticket, t.priority > highest, timers)


class Walk(Struct):
    """What was found: the nodes by key, and the edges between them."""

    nodes: dict[tuple[Any, ...], Node]
    edges: list[tuple[tuple[Any, ...], tuple[Any, ...]]]


def explore(scope: Scope, start: Node, see: Callable[[Edge], None], limit: int = 50_000) -> Walk:
    """Visit every node that can be reached; `see` is shown every edge. More than `limit` nodes is an error."""
    first = key(start)
    walk = Walk({first: start}, [])
    waiting = [first]
    for here in waiting:
        node = walk.nodes[here]
        asks: list[tuple[Actor, Ask, datetime | None]] = [(who, ask, None) for who, ask in commands(scope, node)]
        if node.timers:
            due, kind = min((due, kind) for kind, due in node.timers.items())
            asks.append((THE_CLOCK, Fire("T-1", kind, due), max(due, node.now)))
        for who, ask, now in asks:
            edge = step(scope, node, who, ask, now)
            if edge is None:
                continue
            see(edge)
            there = key(edge.after)
            walk.edges.append((here, there))
            if there not in walk.nodes:
                walk.nodes[there] = edge.after
                waiting.append(there)
                assert len(waiting) <= limit, f"more than {limit} nodes"
    return walk


def start(priority: str = "p2") -> Node:
    """A reported ticket, and nothing else."""
    told = Ticket("T-1", 1, 1, "acme", priority=priority, status="open", subject="Down", opened_at=NOW, updated_at=NOW)  # type: ignore[arg-type]
    return Node(NOW, told)
