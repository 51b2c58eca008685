"""An exhaustive walk over what can be reached from the production table, with the real `decide`.

A node is an escalation with its ticket, and who is on duty; an edge is a command that happened. Two nodes are one where
nothing that a guard or an effect asks differs: instants are reduced to which timers are armed and whether the response
is late, people to what they are here (owner, offered, writer of the brief, has declined), lists to what is in them.
Every armed timer fires from every node, at its instant and a day late, whatever else is due: nodes of a service race.
The alphabet of commands is bounded (`alphabet`), so the walk is finite.

For the sake of races, who saw a node may also act after somebody else has, though it is not of the alphabet there any
more: a late click.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from machines.asked import THE_CLOCK, Actor, Ask, Command, Fire, Rearm, Report, Transition
from machines.case import Facts
from machines.clock import armed
from machines.decide import decide
from machines.decided import Decision, Refusal
from machines.document import CLOCKS
from machines.sla import ClockState, followed, read
from machines.values import WAITING, ClockName, Contact, Customer, Escalation, Person, Priority, Ticket, Tier, TimerKind
from machines.waiting import waits
from tests.machines import alphabet
from tests.machines.cast import MINUTE, NOW, POLICY, mint
from tests.machines.play import roster

DAY = timedelta(days=1)
Key = tuple[Any, ...]
Label = tuple[Any, ...]


class Node(Struct, frozen=True, dict=True):
    """What is known at one instant. `waiting` are timers of the ticket's own facts, those that the walk follows; the
    others follow from the escalation.

    `off` are those of the roster who are off duty, `tier` is the customer's now. `clocks`: SLA clocks are followed.
    """

    now: datetime
    ticket: Ticket
    tier: Tier
    off: frozenset[str] = frozenset()
    e: Escalation | None = None
    said: Contact | None = None
    waiting: Mapping[TimerKind, datetime] = {}
    clocks: bool = False

    @cached_property
    def timers(self) -> dict[TimerKind, datetime]:
        """What is armed."""
        return {kind: due for kind, due in armed(self.e).items() if due is not None} | dict(self.waiting)

    @cached_property
    def sla(self) -> dict[ClockName, tuple[ClockState, int]]:
        """What each SLA clock is now, and the highest percent that was told of it."""
        found: dict[ClockName, tuple[ClockState, int]] = {}
        for clock in CLOCKS:
            told = max((w.percent for w in self.ticket.warned if w.clock == clock), default=0)
            state = read(clock, self.ticket, POLICY, self.now).state(self.now)
            found[clock] = ("breached" if told == 100 else state, told)
        return found

    @property
    def open(self) -> bool:
        """There is an escalation that is not closed."""
        return self.e is not None and self.e.state != "closed"

    @property
    def late(self) -> bool:
        """The level's response time has passed."""
        return self.e is not None and self.e.respond_by is not None and self.e.respond_by <= self.now


class Edge(Struct, frozen=True):
    """A command that happened, from one node to another."""

    before: Node
    actor: Actor
    ask: Ask
    decision: Decision
    after: Node


class Scope(Struct, frozen=True, eq=False):
    """What a walk ranges over: the people, the tier, and the words that it may say.

    `shifts` are those who come on duty and go off it; `tiers` those between which the customer is moved. `clocks`:
    whether time passes for the ticket's SLA clocks; then whoever reports does it a minute later. `channels`: there are
    some, so that messages take their time.
    """

    people: Mapping[str, Person]
    tier: Tier
    words: frozenset[str]
    situations: tuple[str, ...]
    shifts: tuple[str, ...] = ()
    tiers: tuple[Tier, ...] = ()
    clocks: bool = False
    channels: bool = False


def scope(
    people: str,
    words: str,
    situations: str = "",
    tier: Tier = "professional",
    shifts: str = "",
    to: Tier | None = None,
    *,
    clocks: bool = False,
    channels: bool = False,
) -> Scope:
    """A scope, from words."""
    tiers = (tier, to) if to else ()
    said = frozenset(words.split()), tuple(situations.split()), tuple(shifts.split())
    return Scope(roster(*people.split()), tier, *said, tiers, clocks, channels)


@cache
def customer(tier: Tier) -> Customer:
    """Whose ticket it is."""
    return Customer("acme", "Acme", tier, "max", ("kim@acme.example",))


@cache
def on_roster(scope: Scope, off: frozenset[str]) -> Mapping[str, Person]:
    """The roster while these are off duty."""
    return {name: replace(p, on_duty=name not in off) for name, p in scope.people.items()}


def known(scope: Scope, node: Node, who: Actor, ask: Ask) -> Facts:
    """What is known when this is asked at a node."""
    live = node.e if node.open or isinstance(ask, Transition) else None
    contacts = {node.said.id: node.said} if node.said else {}
    follows = node.e.id if node.e and not node.open else None
    people, whose = on_roster(scope, node.off), customer(node.tier)
    told = (people, contacts, follows, mint(), node.waiting)
    return Facts(who, live, node.ticket, whose, *told, inbox_only=not scope.channels)


def attempt(scope: Scope, node: Node, who: Actor, ask: Ask) -> Decision | Refusal:
    """Decide a command at a node."""
    return decide(known(scope, node, who, ask), Command("c", ask, "r"), POLICY, node.now)


def step(scope: Scope, node: Node, who: Actor, ask: Ask) -> Edge | None:
    """The edge of a command that changes something, or None."""
    got = attempt(scope, node, who, ask)
    if isinstance(got, Refusal):
        return None
    after = left(node, got)
    return Edge(node, who, ask, got, after) if after != node else None


def left(node: Node, got: Decision) -> Node:
    """What a decision leaves."""
    e = got.escalation if got.entries else node.e
    every = {**node.waiting, **got.timers}
    waiting = {kind: due for kind in followed_kinds(node.clocks) if (due := every.get(kind)) is not None}
    return replace(node, ticket=got.ticket or node.ticket, e=e, said=got.contact or node.said, waiting=waiting)


def followed_kinds(clocks: bool) -> tuple[TimerKind, ...]:
    """The timers of the ticket's own facts for which time passes."""
    return WAITING if clocks else ("p1",)


def firings(node: Node) -> Iterator[tuple[Fire, Node]]:
    """Every armed timer at its instant, when those before it are late; the first one also a day late."""
    first = min(node.timers.values(), default=node.now)
    for kind, due in node.timers.items():
        yield Fire("T-1", kind, due), replace(node, now=max(due, node.now))
        if due == first:
            yield Fire("T-1", kind, due), replace(node, now=max(node.now, *node.timers.values()) + DAY)


def later(node: Node, what: Ask) -> Node:
    """Where SLA clocks are followed, a minute has passed when something is reported: what is due meanwhile is late."""
    return replace(node, now=node.now + MINUTE) if node.clocks and isinstance(what, Report | Rearm) else node


def drifts(scope: Scope, node: Node) -> Iterator[Node]:
    """What changes though nobody asks: a response time passes, a shift begins or ends, a contract changes."""
    if node.e and node.e.respond_by and not node.late:
        yield replace(node, now=node.e.respond_by)
    for name in scope.shifts:
        yield replace(node, off=node.off ^ {name})
    for tier in scope.tiers:
        if tier != node.tier:
            yield replace(node, tier=tier)


# What makes two nodes one -----------------------------------------------------------------------------------------


def key(node: Node) -> Key:
    """What makes two nodes one."""
    t, e = node.ticket, node.e
    timers = tuple(node.timers)
    begins = tuple(since and f"{kind}@{since.isoformat()}" in t.begun for kind, since in _facts(t))
    around: Key = (t.solved, t.over, t.merged_into, t.priority, begins, node.said is None, timers, node.off, node.tier)
    if node.clocks:
        around = (*around, t.status, t.first_responded_at is None, *node.sla.values())
    if e is None or not node.open:
        return e is None, *around
    h = e.handoff
    offer: Key = ()
    if h is not None:
        by = h.brief.by if h.brief else None
        whose = by if by in ("clock", h.to, e.owner) else by and "other"
        offer = (h.pending, h.status if not h.pending else "", h.kind, h.pending and h.to)
        offer = (*offer, h.pending and whose, tuple(sorted(h.declined)) if h.kind == "level" else ())
    wants = frozenset((s.situation, s.level, s.settled) for s in e.situations)
    highest = min((c.priority for c in t.priorities), default=t.priority)
    since = t.reported > e.de_escalated_revision if e.state == "de_escalating" else None
    ends = (e.criterion, e.evidence is not None, tuple(sorted(e.steps)), since, e.notifying is not None)
    acts = frozenset(act.authority for act in e.acts)
    where = (str(e.state), e.level, e.target_level, e.owner, frozenset(e.engaged))
    return (*where, offer, node.late, wants, ends, acts, t.priority > highest, around)


def _facts(ticket: Ticket) -> tuple[tuple[str, datetime | None], ...]:
    return ("p0_outage", ticket.p0_since), ("p1_unresolved", ticket.p1_since)


# The walk ---------------------------------------------------------------------------------------------------------


class Leg(Struct, frozen=True):
    """An edge between nodes by their keys; where nobody asked, a drift. `stale` are the timers that it put out."""

    there: Key
    stale: frozenset[str]
    who: Actor = THE_CLOCK
    ask: Ask | None = None
    label: Label = ()
    name: str = "drift"


class Walk(Struct):
    """What was found: the nodes by key; what leads from each; where every label that was asked there led.

    `clicked` are late clicks: what was possible on the node before, and is not of the alphabet here.
    """

    nodes: dict[Key, Node]
    legs: dict[Key, list[Leg]] = {}
    asked: dict[Key, dict[Label, list[Key]]] = {}
    clicked: dict[Key, dict[Label, list[Key]]] = {}

    @property
    def edges(self) -> list[tuple[Key, Key]]:
        """From where to where commands led."""
        every = (*self.asked.items(), *self.clicked.items())
        return [(here, there) for here, led in every for theres in led.values() for there in theres]


def explore(scope: Scope, start: Node, see: Callable[[Edge], None], limit: int = 50_000) -> Walk:
    """Visit every node that can be reached; `see` is shown every edge. More than `limit` nodes is an error."""
    walk = Walk({key(start): start})
    waiting = [key(start)]

    def ask(at: Node, who: Actor, ask: Ask) -> tuple[Edge, Key] | None:
        if edge := step(scope, at, who, ask):
            see(edge)
            return edge, arrive(edge.after)
        return None

    def arrive(node: Node) -> Key:
        there = key(node)
        if walk.nodes.setdefault(there, node) is node:
            waiting.append(there)
            assert len(waiting) <= limit, f"more than {limit} nodes"
        return there

    def expand(here: Key) -> None:
        node = walk.nodes[here]
        legs, asked = walk.legs.setdefault(here, []), walk.asked.setdefault(here, {})
        everything = [(who, what, later(node, what)) for who, what in alphabet.commands(scope, node)]
        everything += [(THE_CLOCK, fire, at) for fire, at in firings(node)]
        for who, what, at in everything:
            label = alphabet.label(who, what)
            led = asked.setdefault(label, [])
            if found := ask(at, who, what):
                led.append(found[1])
                legs.append(Leg(found[1], _stale(node, found[0].after), who, what, label, alphabet.name(label)))
        legs += [Leg(arrive(after), _stale(node, after)) for after in drifts(scope, node)]

    def click_late(here: Key) -> None:
        """Whoever saw this node and acts only after somebody else has. A timer is not a click: it is armed or not."""
        for first in walk.legs[here]:
            asked, clicked = walk.asked[first.there], walk.clicked.setdefault(first.there, {})
            for second in walk.legs[here]:
                late = second.ask
                if late is None or isinstance(late, Fire) or second.label in asked or second.label in clicked:
                    continue
                node = later(walk.nodes[first.there], late)
                if isinstance(late, Transition):
                    assert node.e is not None
                    late = replace(late, escalation_id=node.e.id)
                found = ask(node, second.who, late)
                clicked[second.label] = [found[1]] if found else []

    raced = expanded = 0
    while raced < len(waiting):
        while expanded < len(waiting):
            expand(waiting[expanded])
            expanded += 1
        click_late(waiting[raced])
        raced += 1
    return walk


def _stale(before: Node, after: Node) -> frozenset[str]:
    now = after.timers
    return frozenset(kind for kind, due in before.timers.items() if now.get(kind) != due)


def start(scope: Scope, priority: Priority = "p2") -> Node:
    """A reported ticket, and nothing else."""
    told = Ticket("T-1", 1, 1, "acme", priority=priority, status="open", subject="Down", opened_at=NOW, updated_at=NOW)
    off = frozenset(name for name, p in scope.people.items() if not p.on_duty)
    if not scope.clocks:
        return Node(NOW, told, scope.tier, off)
    told = replace(told, phases=followed((), told, scope.tier, NOW))
    waiting = {kind: due for kind, due in waits(told, scope.tier, POLICY).items() if due is not None}
    return Node(NOW, told, scope.tier, off, waiting=waiting, clocks=True)
