"""A trial: what a policy does with a ticket, and when, if nobody answers. Decided by the machine, and written nowhere.

A ticket's life is told as the engine is told it: reports, a situation, timers at their own instants. One person of each
level is on duty, and does nothing, so every deadline is seen to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from machines.asked import THE_CLOCK, Actor, Command, Fire, Found, Heard, Report, Request
from machines.case import Facts, Mint
from machines.clock import armed
from machines.decide import decide
from machines.decided import Decision, Entry, Failure, Refusal
from machines.document import Origin
from machines.matrix import Policy
from machines.situations import Asked, begin
from machines.story import Story
from machines.values import WAITING, Customer, Escalation, Person, Priority, State, Ticket, Tier, TimerKind
from machines.waiting import waits

Instant = Annotated[datetime, Meta(tz=True)]
Text = Annotated[str, Meta(max_length=1000)]
Situation = Literal[
    "customer_request",
    "repeated_contact",
    "security_flag",
    "revenue_impact",
    "blocking_business_process",
    "workaround_unacceptable",
    "priority_disagreement",
    "executive_visibility",
    "regulatory_compliance",
]
"""What can be tried by name; the others begin by themselves, from the ticket's facts."""
FLAGGED = ("repeated_contact", "security_flag", "revenue_impact")
LASTS, LONGEST = timedelta(days=14), timedelta(days=366)
"""How long a trial looks ahead, unless it is told otherwise, and at most."""
MOST_STEPS, MOST_COMMANDS = 60, 1000
WHO = "trial"


class Trial(Struct, frozen=True, forbid_unknown_fields=True):
    """A ticket's life. `situation` begins at `situation_at` (when the ticket was opened, unless told); `paused_at` is
    when the ticket waits for the customer, `resumed_at` when it no longer does; `until` is how far to look."""

    tier: Tier
    priority: Priority
    opened_at: Instant
    outage: bool | None = None
    subject: Text | None = None
    situation: Situation | None = None
    channel: Literal["reply", "call", "account_manager", "emergency"] | None = None
    situation_at: Instant | None = None
    first_responded_at: Instant | None = None
    paused_at: Instant | None = None
    resumed_at: Instant | None = None
    solved_at: Instant | None = None
    until: Instant | None = None

    def wrong(self) -> Iterator[tuple[str, str]]:
        """Fields that don't fit together, and what they should be."""
        later = ("situation_at", "first_responded_at", "paused_at", "resumed_at", "solved_at", "until")
        for name in later:
            at = getattr(self, name)
            if at is not None and at < self.opened_at:
                yield name, "must not be before opened_at"
        if self.until is not None and self.until > self.opened_at + LONGEST:
            yield "until", "must be within a year of opened_at"
        if self.resumed_at is not None and (self.paused_at is None or self.resumed_at <= self.paused_at):
            yield "resumed_at", "must be after paused_at"
        if self.channel is not None and self.situation not in ("customer_request", "security_flag"):
            yield "channel", "goes with customer_request and security_flag alone"
        if self.situation_at is not None and self.situation is None:
            yield "situation_at", "needs a situation"


class Due(Struct, frozen=True):
    """A deadline that a step sets: `since` + `within` = `at`. `path` is the policy's cell, `origin` whose it is."""

    name: Literal["engage_by", "respond_by", "next_update_by"]
    at: datetime
    since: datetime
    within: timedelta
    path: str
    origin: Origin


class Step(Struct, frozen=True):
    """A transition. `again`: the instants at which the same page is sent once more. `told` is who hears what."""

    at: datetime
    trigger: str
    source: str | None
    dest: State
    level: int
    reason: str
    target_level: int
    due: tuple[Due, ...]
    told: tuple[tuple[str, str], ...]
    again: tuple[datetime, ...] = ()


class Told(Struct, frozen=True):
    """What comes of a trial. `ticket` is as it was last told of, at `told_at`; `more`: it goes on further than listed.

    `refused`: why the situation could not begin.
    """

    steps: tuple[Step, ...]
    ticket: Ticket
    told_at: datetime
    until: datetime
    refused: tuple[Failure, ...] = ()
    more: bool = False


def play(trial: Trial, policy: Policy, find: Callable[[Report], tuple[Found, ...]]) -> Told:
    """Play it. `find` tells the policy's words in a ticket's texts. Raises nothing: `trial` has nothing `wrong`."""
    return _Play(trial, policy, find).told()


class _Play:
    def __init__(self, trial: Trial, policy: Policy, find: Callable[[Report], tuple[Found, ...]]) -> None:
        self._trial, self._policy, self._find = trial, policy, find
        self._customer = Customer(WHO, WHO, trial.tier, contacts=(WHO,))
        people = (Person(f"l{n}" if n else "agent", "", n, on_duty=True) for n in range(5))
        self._roster = {person.id: person for person in people}
        self._ticket: Ticket | None = None
        self._escalation: Escalation | None = None
        self._steps: list[Step] = []
        self._refused: tuple[Failure, ...] = ()
        self._mint = Mint(bytes)

    def told(self) -> Told:
        trial, told, more = self._trial, (self._trial.opened_at, Ticket(WHO)), False
        until = trial.until or trial.opened_at + LASTS
        events = sorted(self._events(), key=lambda event: event[0])
        for _ in range(MOST_COMMANDS):
            due = min(((at, kind) for kind, at in self._armed().items() if at is not None), default=None)
            if events and (due is None or events[0][0] <= due[0]):
                at, happen = events.pop(0)
                happen(at)
                told = (at, self._facts().ticket or told[1])
            elif due is not None and due[0] <= until and not (more := len(self._steps) >= MOST_STEPS):
                self._decide(Fire(WHO, due[1], due[0]), THE_CLOCK, due[0])
            else:
                break
        return Told(tuple(self._steps), told[1], told[0], until, self._refused, more)

    def _events(self) -> Iterator[tuple[datetime, Callable[[datetime], None]]]:
        """What happens to the ticket, each at its instant."""
        trial = self._trial
        yield trial.opened_at, lambda at: self._report(at, "open")
        if trial.situation is not None:
            yield trial.situation_at or trial.opened_at, self._begin
        if trial.first_responded_at is not None:
            yield trial.first_responded_at, lambda at: self._report(at, None)
        if trial.paused_at is not None:
            yield trial.paused_at, lambda at: self._report(at, "pending")
        if trial.resumed_at is not None:
            yield trial.resumed_at, lambda at: self._report(at, "open")
        if trial.solved_at is not None:
            yield trial.solved_at, lambda at: self._report(at, "solved")

    def _report(self, at: datetime, status: Literal["open", "pending", "solved"] | None) -> None:
        trial, before = self._trial, self._ticket
        answered = trial.first_responded_at
        facts = Ticket(
            WHO,
            customer_id=WHO,
            priority=trial.priority,
            status=status or (before.status if before else "open"),
            subject=trial.subject or "",
            opened_at=trial.opened_at,
            first_responded_at=answered if answered is not None and answered <= at else None,
            resolved_at=at if status == "solved" else None,
            updated_at=at,
            outage=trial.outage,
        )
        report = Report(facts)
        self._decide(replace(report, found=self._find(report)), Actor("help desk", "service"), at)

    def _begin(self, at: datetime) -> None:
        trial = self._trial
        assert trial.situation is not None
        if trial.situation in FLAGGED:
            story = Story(self._facts(), self._policy, at)
            detail = {"words": [{"word": WHO}]} if trial.situation == "security_flag" else {}
            asked = Asked(trial.situation, at, f"{trial.situation}@{WHO}", channel=trial.channel, detail=detail)
            refused = begin(story, THE_CLOCK, asked)
            self._absorb(refused or Decision(tuple(story.entries), story.facts.escalation, story.facts.ticket))
        elif trial.channel is None:
            by = Actor("agent", "agent")
            self._decide(Request(WHO, trial.situation, WHO), by, at)
        else:
            word = self._policy.document.asking.words[0] if trial.channel == "reply" else None
            heard = Heard(WHO, WHO, at, trial.channel, WHO, "customer", subject=word)
            self._decide(heard, Actor("help desk", "service"), at)

    def _decide(self, ask: Report | Heard | Request | Fire, actor: Actor, at: datetime) -> None:
        facts = replace(self._facts(), actor=actor)
        self._absorb(decide(facts, Command(WHO, ask, WHO), self._policy, at))

    def _facts(self) -> Facts:
        live = self._escalation is not None and self._escalation.state != State.CLOSED
        return Facts(
            actor=THE_CLOCK,
            escalation=self._escalation if live else None,
            ticket=self._ticket,
            customer=self._customer,
            roster=self._roster,
            mint=self._mint,
            waiting={kind: at for kind, at in self._armed().items() if kind in WAITING},
        )

    def _armed(self) -> dict[TimerKind, datetime | None]:
        ticket = self._ticket
        own = waits(ticket, self._trial.tier, self._policy) if ticket is not None and ticket.revision else {}
        return {**armed(self._escalation), **own}

    def _absorb(self, result: Decision | Refusal) -> None:
        if isinstance(result, Refusal):
            self._refused = result.failed
            return
        self._refused = self._refused or result.refused
        self._ticket = result.ticket or self._ticket
        for entry in result.entries:
            self._step(entry, result.escalation)
        if result.entries:
            self._escalation = result.escalation

    def _step(self, entry: Entry, after: Escalation | None) -> None:
        assert after is not None
        last = self._steps[-1] if self._steps else None
        if entry.trigger == "repage" and last is not None and last.trigger == "repage":
            self._steps[-1] = replace(last, again=(*last.again, entry.at))
            return
        due = tuple(_due(entry, after, self._policy))
        heard = ((m.to if m.audience == "person" else m.audience, m.template) for m in entry.messages)
        target = int(entry.changed.get("target_level") or after.target_level)
        moved = (entry.source, entry.state, entry.level, entry.reason)
        self._steps.append(Step(entry.at, entry.trigger, *moved, target, due, tuple(dict.fromkeys(heard))))


def _due(entry: Entry, after: Escalation, policy: Policy) -> Iterator[Due]:
    """The deadlines that this row sets, each with the cell of the policy that says so."""
    at = entry.changed.get("engage_by")
    asks = next((s for s in after.situations if s.due_at == at), None)
    if at is not None and asks is not None:
        of, cell = policy.cell_behind(asks, after.tier)
        yield Due("engage_by", at, asks.at, at - asks.at, f"matrix.{asks.situation}.{of}", cell.origin)
    at = entry.changed.get("respond_by")
    if at is not None:
        level = policy.level(entry.level)
        yield Due(
            "respond_by", at, entry.at, level.respond_within, f"levels.{entry.level}.respond_within", level.origin
        )
    at = entry.changed.get("next_update_by")
    if at is not None:
        updates = policy.document.updates[after.tier]
        yield Due("next_update_by", at, entry.at, updates.every, f"updates.{after.tier}.every", updates.origin)
