"""Play a ticket's life with the production table: commands in, decisions absorbed, timers fired at their own instants.

It does what the engine does, without a database; and after every command it checks what must always hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from machines.asked import THE_CLOCK, Actor, Ask, BriefText, Command, Duty, Fire, Heard, Report, Request, Transition
from machines.case import Facts
from machines.clock import armed
from machines.decide import decide
from machines.decided import Decision, Entry, Message, Refusal
from machines.escalation import RULES
from machines.history import GENESIS, Record, digest, fold, seal
from machines.matrix import Policy
from machines.repeats import after
from machines.situations import Asked, begin
from machines.story import Story
from machines.values import LEVEL_ROLE, WAITING, Contact, Customer, Escalation, Person, Reported, Ticket, TimerKind
from machines.waiting import waits
from tests.machines.cast import NOW, POLICY, TEXT, mint

MACHINES = {"desk": "service", "clock": "clock", "eye": "auditor", "root": "admin"}
KINDS: tuple[TimerKind, ...] = ("engage", "p1", "respond", "update")
SLA = ("first_response", "resolution")


def roster(*people: str) -> dict[str, Person]:
    """People on duty from their levels' digits: `lee1` is of level 1; `-lee1` is off duty; `lee1+2` holds two."""
    found = {}
    for text in people:
        name, _, held = text.lstrip("-").partition("+")
        found[name] = Person(name, name.title(), int(name[-1]), not text.startswith("-"), held=int(held or 0))
    return found


EVERYBODY = ("ann0", "lee1", "mia2", "dan3", "vic4")


class Play:
    """A ticket of one customer, its escalations, its timers, and what everybody was told."""

    def __init__(
        self,
        tier: str = "enterprise",
        people: Iterable[str] = EVERYBODY,
        *,
        policy: Policy = POLICY,
        now: datetime = NOW,
        clocks: bool = False,
        inbox_only: bool = True,
    ) -> None:
        self.policy, self.now, self.people = policy, now, roster(*people)
        self.inbox_only = inbox_only
        self.clocks = clocks  # whether time passes for its SLA clocks: most plays are about something else
        self.customer = Customer("acme", "Acme", tier, "max", ("kim@acme.example",))  # type: ignore[arg-type]
        self.ticket: Ticket | None = None
        self.e: Escalation | None = None
        self.follows: str | None = None
        self.reports: tuple[Reported, ...] = ()
        self.contacts: dict[str, Contact] = {}
        self.timers: dict[str, datetime] = {}
        self.entries: list[Entry] = []
        self.sealed: list[tuple[Record, str]] = []
        self.mint = mint()

    # Commands

    def actor(self, who: str | Actor) -> Actor:
        """Somebody of the roster, or a machine."""
        if isinstance(who, Actor):
            return who
        if who == "clock":
            return THE_CLOCK
        if who in MACHINES:
            return Actor(who, MACHINES[who])  # type: ignore[arg-type]
        level = self.people[who].level if who in self.people else int(who[-1])
        return Actor(who, LEVEL_ROLE[level], level)

    def facts(self, who: str | Actor) -> Facts:
        """What is known now."""
        live = self.e if self.e and self.e.state != "closed" else None
        known = (self.ticket, self.customer, self.people, self.contacts, self.follows, self.mint)
        waiting = {kind: due for kind, due in self.timers.items() if kind in WAITING}
        return Facts(self.actor(who), live, *known, waiting=waiting, reports=self.reports, inbox_only=self.inbox_only)

    def does(self, who: str | Actor, ask: Ask) -> Decision | Refusal:
        """Decide a command, take over what it decided, and check what must always hold."""
        known = self.facts(who)
        if isinstance(ask, Transition):
            known = replace(known, escalation=self.e)
        got = decide(known, Command(f"c{len(self.entries)}-{len(self.reports)}", ask, "r"), self.policy, self.now)
        if isinstance(got, Decision):
            self._absorb(got)
        return got

    def _absorb(self, got: Decision) -> None:
        if got.entries and got.entries[0].version == 1:
            self.sealed = []
        if got.ticket is not None and not got.stale:
            self.ticket = got.ticket
        if got.reported is not None:
            self.reports = after(self.reports, got.reported, got.counted)
        if got.contact is not None:
            self.contacts[got.contact.id] = got.contact
        if got.entries:
            self.e = got.escalation
        for kind, due in got.timers.items():
            self.timers.pop(kind, None)
            if due is not None and (self.clocks or kind not in SLA):
                self.timers[kind] = due
        if self.clocks and self.ticket is not None:
            wants = {kind: due for kind, due in waits(self.ticket, self.customer.tier, self.policy).items() if due}
            assert {kind: due for kind, due in self.timers.items() if kind in WAITING} == wants
        self.entries += got.entries
        for entry in got.entries:
            prev = self.sealed[-1][1] if self.sealed else ""
            record, _, hash_ = seal(entry, seq=len(self.entries), request_id="r", command="c", prev=prev)
            self.sealed.append((record, hash_))
        if self.e is not None:
            if self.e.state == "closed":
                self.follows = self.e.id
            self._check(self.e)

    def _check(self, e: Escalation) -> None:
        """History folds to the row, its chain verifies, and the timers are those that the row asks for."""
        assert fold(self.sealed) == replace(e, head=self.sealed[-1][1])
        prevs = [GENESIS, *(hash_ for _, hash_ in self.sealed)]
        assert all(r.prev == prev and digest(r) == h for (r, h), prev in zip(self.sealed, prevs, strict=False))
        assert [r.version for r, _ in self.sealed] == list(range(1, e.version + 1))
        wanted = {kind: due for kind, due in armed(e).items() if due is not None}
        assert {kind: due for kind, due in self.timers.items() if kind not in WAITING} == wanted

    def did(self, who: str | Actor, ask: Ask) -> Decision:
        """It must be decided."""
        got = self.does(who, ask)
        assert isinstance(got, Decision), (got.status, [f.guard for f in got.failed], got.detail)
        return got

    def call(self, who: str | Actor, trigger: str, **fields: Any) -> Decision:
        """A trigger that must happen."""
        return self.did(who, self._ask(trigger, fields))

    def refused(self, who: str | Actor, trigger: str, **fields: Any) -> tuple[int, list[str]]:
        """A trigger that must be refused: the status, and the guards that failed."""
        before = self.e
        got = self.does(who, self._ask(trigger, fields))
        assert isinstance(got, Refusal), got
        assert self.e is before
        return got.status, [f.guard for f in got.failed]

    def _ask(self, trigger: str, fields: dict[str, Any]) -> Transition:
        assert self.e is not None
        kind = RULES[trigger].fields
        if trigger in ("engage", "escalate", "step_down"):
            fields = {"brief": TEXT, **fields}
        if trigger in ("escalate", "resume", "decline", "reassign", "join", "dismiss_situation"):
            fields = {"reason": "because", **fields}
        if trigger == "brief":
            assert self.e.handoff is not None
            fields = {
                "to": self.e.handoff.to,
                "issue": "i",
                "reason": "r",
                "current_status": "c",
                "needed": "n",
                **fields,
            }
        return Transition(self.e.id, trigger, kind(**fields) if kind else None)

    def report(self, who: str | Actor = "desk", **facts: Any) -> Decision:
        """The help desk reports the ticket: what is not given is as it was told before."""
        found = facts.pop("found", ())
        told = {"customer_id": "acme", "subject": "Checkout is down", "priority": "p2", "status": "open"}
        names = ("priority", "status", "subject", "outage", "assignee", "opened_at")
        if self.ticket is not None and self.ticket.revision:
            told |= {name: getattr(self.ticket, name) for name in names}
        return self.did(who, Report(Ticket("T-1", **{"opened_at": self.now, **told, **facts}), found))

    def contact(self, channel: Any, who: str | Actor = "desk", **more: Any) -> Decision:
        """Something that the customer said."""
        said_by = {"at": None, "sender": "kim@acme.example", "author_role": "customer"}
        told = {"id": f"k{len(self.contacts)}", **said_by, **more}
        return self.did(who, Heard(ticket_id="T-1", channel=channel, **told))

    def request(
        self, situation: str, who: str | Actor = "desk", brief: BriefText | None = None, level: int | None = None
    ) -> Decision:
        """`POST /v1/escalations`."""
        return self.did(who, Request("T-1", situation, "because", brief, level))

    def begins(self, situation: str, at: datetime | None = None) -> None:
        """A situation whose fact no door reads yet: as those will hand it in."""
        story = Story(self.facts("clock"), self.policy, self.now)
        assert begin(story, THE_CLOCK, Asked(situation, at or self.now)) is None
        was, now = armed(self.facts("clock").escalation), armed(story.facts.escalation)
        timers = {kind: due for kind, due in now.items() if due != was[kind]}
        self._absorb(Decision(tuple(story.entries), story.facts.escalation, story.facts.ticket, timers=timers))

    def duty(self, who: str, *, on: bool) -> Decision:
        """Somebody comes on duty, or goes off it."""
        self.people[who] = replace(self.people[who], on_duty=on)
        return self.did("clock", Duty("T-1", who))

    def fire(self, kind: TimerKind, due: datetime) -> Decision:
        """A timer is handed in."""
        return self.did("clock", Fire("T-1", kind, due))

    def until(self, instant: datetime | timedelta) -> list[str]:
        """Let time pass; every timer due by then fires at its own due instant. Answers the triggers, with the state."""
        until = self.now + instant if isinstance(instant, timedelta) else instant
        seen = len(self.entries)
        while due := sorted((at, kind) for kind, at in self.timers.items() if at <= until):
            at, kind = due[0]
            self.now = max(self.now, at)
            self.fire(kind, at)  # type: ignore[arg-type]
            assert self.timers.get(kind) != at, f"{kind} is armed for the instant at which it fired"
        self.now = until
        return self.story(seen)

    # What came of it

    def story(self, since: int = 0) -> list[str]:
        """The entries as words: trigger and state."""
        return [f"{e.trigger} {e.state}" for e in self.entries[since:]]

    @property
    def last(self) -> Entry:
        """The newest entry."""
        return self.entries[-1]

    @property
    def stands(self) -> Escalation:
        """The escalation; there must be one."""
        assert self.e is not None
        return self.e

    @property
    def offer(self) -> tuple[str, str | None, str | None]:
        """The handoff's status, to whom, and whose the brief is."""
        h = self.stands.handoff
        assert h is not None
        return h.status, h.to, h.brief.by if h.brief else None

    def told(self, audience: str) -> list[Message]:
        """Who of this audience was told by the newest entries of one decision."""
        return [m for m in self.last.messages if m.audience == audience]


def at_level(n: int, tier: str = "enterprise", people: Iterable[str] = EVERYBODY, *, accepted: bool = True) -> Play:
    """A play at this level, opened by `ann0` (the owner until the accept), accepted by whoever was offered it."""
    reasons = ("workaround_unacceptable", "blocking_business_process", "executive_visibility", "regulatory_compliance")
    play = Play(tier, people)
    play.report()
    play.request(reasons[n - 1], "ann0")
    if accepted:
        to = play.offer[1]
        assert to is not None
        play.call(to, "accept")
    return play


def offered(*people: str, n: int = 2) -> Play:
    """`ann0` opened it; it stands at this level and waits for an answer."""
    return at_level(n, people=("ann0", *people), accepted=False)
