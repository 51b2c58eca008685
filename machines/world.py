"""The facts of a batch, by what they are asked for: whose key it is, which escalation a command is about.

Each decision is absorbed before the next command of its ticket is decided, so a ticket's commands are decided in
arrival order, each on the state that the one before leaves.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, structs

from machines.asked import THE_CLOCK, Actor, Command, Report, Transition
from machines.case import Facts, Mint
from machines.decide import decide
from machines.decided import Decision, Refusal
from machines.matrix import Policy
from machines.repeats import after as after_report
from machines.values import (
    LEVEL_ROLE,
    ROLE_LEVEL,
    WAITING,
    Contact,
    Customer,
    Escalation,
    Person,
    Reported,
    Role,
    State,
    Ticket,
    TimerKind,
)
from machines.waiting import waits


class Principal(Struct, frozen=True):
    """Whoever a key belongs to, as the database has it now. `digest` is the key's SHA-256, hex."""

    key: str
    digest: str
    id: str
    role: Role
    level: int
    may: tuple[str, ...] = ()


class Snapshot(Struct):
    """What `engine.facts` answers: everything that this batch's commands need, as of one instant, under the locks."""

    now: datetime
    policy_version: int
    seq: list[int] = []
    principals: list[Principal] = []
    people: list[Person] = []
    customers: list[Customer] = []
    tickets: list[Ticket] = []
    escalations: list[Escalation] = []
    follows: dict[str, str] = {}
    contacts: list[Contact] = []
    texts: dict[str, dict[str, object]] = {}
    waiting: dict[str, dict[TimerKind, datetime]] = {}
    reports: list[Reported] = []


class World:
    """A snapshot that decisions change as they are made."""

    def __init__(self, snapshot: Snapshot, policies: dict[int, Policy], mint: Mint, *, inbox_only: bool = True) -> None:
        self.now = snapshot.now
        self.texts = snapshot.texts
        self._policies = policies
        self.newest = policies[snapshot.policy_version]
        self.mint = mint
        self._inbox_only = inbox_only
        self._principals = {p.key: p for p in snapshot.principals}
        self._people = {p.id: p for p in snapshot.people}
        self._customers = {c.id: c for c in snapshot.customers}
        self._tickets = {t.id: t for t in snapshot.tickets}
        self._escalations = {e.id: e for e in snapshot.escalations}
        self._live = {e.ticket_id: e.id for e in snapshot.escalations if e.state != State.CLOSED}
        self._follows = snapshot.follows
        self._contacts = {c.id: c for c in snapshot.contacts}
        self._waiting: dict[str, dict[TimerKind, datetime | None]] = {
            id_: {**due} for id_, due in snapshot.waiting.items()
        }
        self._ended: set[str] = set()
        self._reports = tuple(snapshot.reports)

    def actor(self, key: str, digest: str, on_behalf_of: str | None) -> Actor | None:
        """Who asks; None where the key is unknown, revoked, or its principal or person retired.

        A person's level is the lower of key and roster. A service that acts for a person has that person's level.
        """
        if key == THE_CLOCK.id and not digest:
            return THE_CLOCK
        p = self._principals.get(key)
        if p is None or p.digest != digest:
            return None
        if on_behalf_of is not None:
            person = self._people.get(on_behalf_of)
            level = person.level if person else 0
            granted = p.may if p.role == "service" and person is not None else ()
            return Actor(on_behalf_of, LEVEL_ROLE[level], level, through=p.id, granted=granted)
        if p.role not in ROLE_LEVEL:
            return Actor(p.id, p.role)
        person = self._people.get(p.id)
        level = min(p.level, person.level) if person else p.level
        return Actor(p.id, LEVEL_ROLE[level], level)

    def escalation_of(self, command: Command) -> Escalation | None:
        """The escalation that a command is about: the one named, or the ticket's that is not closed."""
        if isinstance(command.ask, Transition):
            return self._escalations.get(command.ask.escalation_id)
        return self._escalations.get(self._live.get(ticket_of(command) or "", ""))

    def customer_of(self, command: Command) -> str | None:
        """Whose an answer to this command is, as far as is known: it goes with them when they are erased."""
        e = self.escalation_of(command)
        ticket = self._tickets.get(ticket_of(command) or "")
        return e.customer_id if e else ticket.customer_id if ticket else None

    def must_wait(self, command: Command) -> bool:
        """What opens after a close waits for the next batch: one final row per escalation and ticket.

        A transition names no ticket, only the escalation that was closed: it is refused at once.
        """
        return ticket_of(command) in self._ended

    def facts(self, command: Command, actor: Actor) -> Facts:
        """All that is known for this command."""
        e = self.escalation_of(command)
        ticket = self._tickets.get(e.ticket_id if e else ticket_of(command) or "")
        customer_id = ticket.customer_id if ticket else None
        if isinstance(command.ask, Report):
            customer_id = command.ask.ticket.customer_id
        return Facts(
            actor=actor,
            escalation=e,
            ticket=ticket,
            customer=self._customers.get(customer_id or ""),
            roster=self._people,
            contacts=self._contacts,
            follows=self._follows.get(ticket.id) if ticket else None,
            mint=self.mint,
            waiting=self._waiting.get(ticket.id, {}) if ticket else {},
            reports=self._reports,
            inbox_only=self._inbox_only,
        )

    def policy_of(self, escalation: Escalation | None) -> Policy:
        """An escalation keeps the policy that it was opened under; what opens now gets the newest."""
        return self._policies[escalation.policy_version] if escalation else self.newest

    def policy(self, version: int) -> Policy | None:
        """A version, if it is at hand."""
        return self._policies.get(version)

    def decide(self, command: Command, actor: Actor) -> Decision | Refusal:
        """Decide, on the state that the decisions before left."""
        facts = self.facts(command, actor)
        policy = self.policy_of(facts.escalation)
        result = decide(facts, command, policy, self.now)
        if policy is not self.newest and isinstance(result, Decision) and _ends(facts.escalation, result.escalation):
            return self._without(result, facts)
        return result

    def _without(self, decision: Decision, facts: Facts) -> Decision:
        """A ticket whose escalation has ended goes by the newest policy again: what waits on it is armed by that."""
        ticket = decision.ticket or facts.ticket
        if ticket is None or facts.customer is None:
            return decision
        own = waits(ticket, facts.customer.tier, self.newest)
        return structs.replace(decision, timers={**decision.timers, **own})

    def absorb(self, decision: Decision) -> None:
        """What was decided is known to the commands after it."""
        if decision.ticket is not None:
            self._tickets[decision.ticket.id] = decision.ticket
            if own := {kind: due for kind, due in decision.timers.items() if kind in WAITING}:
                self._waiting[decision.ticket.id] = {**self._waiting.get(decision.ticket.id, {}), **own}
        if decision.contact is not None:
            self._contacts[decision.contact.id] = decision.contact
        if decision.reported is not None:
            self._reports = after_report(self._reports, decision.reported, decision.counted)
        after = decision.escalation
        if after is None:
            return
        before = self._escalations.get(after.id)
        self._count(before, -1)
        self._count(after, +1)
        self._escalations[after.id] = after
        if after.state == State.CLOSED:
            self._live.pop(after.ticket_id, None)
            self._ended.add(after.ticket_id)
        else:
            self._live[after.ticket_id] = after.id
        for entry in decision.entries:
            if entry.said is not None:
                self.texts[entry.said.id] = entry.said.text

    def _count(self, e: Escalation | None, by: int) -> None:
        """Whoever holds or is offered an escalation is less likely to be offered the next."""
        for who in holders(e):
            if person := self._people.get(who):
                self._people[who] = structs.replace(person, held=person.held + by)


def _ends(before: Escalation | None, after: Escalation | None) -> bool:
    """Whether what was live is closed."""
    was = before is not None and before.state != State.CLOSED
    return was and after is not None and after.state == State.CLOSED


def holders(e: Escalation | None) -> set[str]:
    """Who holds or is offered a live escalation."""
    if e is None or e.state == State.CLOSED:
        return set()
    offered = e.handoff.to if e.handoff and e.handoff.pending else None
    return {who for who in (e.owner, offered) if who}


def ticket_of(command: Command) -> str | None:
    """The ticket that a command names itself; a transition names its escalation."""
    ask = command.ask
    if isinstance(ask, Transition):
        return None
    return ask.ticket.id if isinstance(ask, Report) else ask.ticket_id
