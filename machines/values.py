"""The words of the house as types: what is known. What is asked is in `asked.py`, what is decided in `decided.py`.

Rows (`Escalation`, `Ticket`, `Person` …) have the names of their columns in `sql/schema.sql` and travel to and
from the database as JSON, so a struct and its table can't drift apart: a test compares them. Instants are aware
datetimes in UTC, spans are timedeltas, levels are 0 (the agent) to 4 (VP/C-level).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field


class State(StrEnum):
    """Where an escalation stands. `closed` is terminal: what comes later opens a new escalation."""

    OPEN = "open"
    """A situation is known; nobody is called yet. An agent may engage before `engage_by`."""
    L1 = "l1"
    """With the Support Team Lead."""
    L2 = "l2"
    """With the Engineering Manager."""
    L3 = "l3"
    """With the Director of Support or Engineering."""
    L4 = "l4"
    """With the VP or C-level. Never a dead end: it is paged until somebody accepts."""
    DE_ESCALATING = "de_escalating"
    """A criterion is met with its evidence; the document's five steps are being done."""
    CLOSED = "closed"
    """All five steps are done, or it was withdrawn while open."""


LEVELS = (State.L1, State.L2, State.L3, State.L4)
LIVE = (State.OPEN, *LEVELS, State.DE_ESCALATING)

Text = Annotated[str, Meta(max_length=10_000)]
"""What a person writes in one field."""
Tier = Literal["enterprise", "professional", "starter"]
Priority = Literal["p0", "p1", "p2", "p3"]
Status = Literal["new", "open", "pending", "on_hold", "solved", "closed"]
Role = Literal["agent", "lead", "manager", "director", "executive", "service", "auditor", "admin", "clock"]
Channel = Literal["reply", "call", "account_manager", "emergency", "portal"]
Author = Literal["customer", "agent", "system"]
Criterion = Literal["issue_resolved", "workaround_accepted", "priority_lowered", "request_withdrawn"]
Step = Literal["confirm_with_customer", "update_ticket", "notify_chain", "document_lessons"]
HandoffStatus = Literal["offered", "briefed", "accepted", "declined", "superseded"]
ClockName = Literal["first_response", "resolution"]
TimerKind = Literal["engage", "respond", "update", "p1", "first_response", "resolution"]

WAITING: tuple[TimerKind, ...] = ("p1", "first_response", "resolution")
"""Timers of the ticket's own facts, of which no row of an escalation tells."""

LEVEL_ROLE: dict[int, Role] = {0: "agent", 1: "lead", 2: "manager", 3: "director", 4: "executive"}
ROLE_LEVEL: dict[str, int] = {role: level for level, role in LEVEL_ROLE.items()}
CLOCK = "clock"


# Rows -----------------------------------------------------------------------------------------------------------


class Customer(Struct, frozen=True):
    """Whose tickets they are. `contacts` are the verified addresses, casefolded."""

    id: str
    name: str
    tier: Tier
    account_manager: str | None = None
    contacts: tuple[str, ...] = ()


class Person(Struct, frozen=True):
    """Somebody on the roster. `held` counts the live escalations that they own or are offered."""

    id: str
    name: str
    level: int
    on_duty: bool = False
    active: bool = True
    held: int = 0


class PriorityChange(Struct, frozen=True):
    """The ticket's priority from `revision` on."""

    revision: int
    priority: Priority


class Phase(Struct, frozen=True):
    """What a ticket's SLA clocks go by from `at` on, until the next phase; the last one lasts.

    `over`: solved, and not only merged. `counted` is what its clocks had counted before, in phases that are no longer
    kept one by one.
    """

    at: datetime
    tier: Tier
    priority: Priority
    status: Status
    over: bool = False
    first_response_by: datetime | None = None
    resolution_by: datetime | None = None
    counted: dict[ClockName, timedelta] = field(default_factory=dict)


class Warned(Struct, frozen=True):
    """A clock had used this share of its time, in percent, and whoever listens was told."""

    clock: ClockName
    percent: int
    at: datetime


class Ticket(Struct, frozen=True):
    """The facts of a ticket that decide, as its help desk last reported them, and what we keep beside them.

    `revision` counts reports and contacts (0: named, never reported); `reported` is the revision of the newest
    report, so that "since" can be asked without comparing clocks. `begun` lists the situations that have begun
    on this ticket, so that the same fact again adds nothing, also after a close. `phases` are what its SLA clocks are
    read from (`machines.sla`), `warned` what was told of them.
    """

    id: str
    revision: int = 0
    reported: int = 0
    customer_id: str | None = None
    priority: Priority = "p3"
    status: Status = "new"
    subject: str = ""
    description: str | None = None
    opened_at: datetime | None = None
    first_responded_at: datetime | None = None
    resolved_at: datetime | None = None
    updated_at: datetime | None = None
    assignee: str | None = None
    issue_key: str | None = None
    product: str | None = None
    outage: bool | None = None
    merged_into: str | None = None
    tags: tuple[str, ...] = ()
    sla: dict[str, datetime] | None = None
    priorities: tuple[PriorityChange, ...] = ()
    p0_since: datetime | None = None
    p1_since: datetime | None = None
    solved_since: datetime | None = None
    begun: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()
    warned: tuple[Warned, ...] = ()

    @property
    def solved(self) -> bool:
        """Solved or closed in its help desk."""
        return self.status in ("solved", "closed")

    @property
    def over(self) -> bool:
        """Solved, and not only by being merged: what was closed as a duplicate lives on in another ticket."""
        return self.solved and (self.merged_into is None or self.solved_since is not None)


class Word(Struct, frozen=True):
    """A word that asks for an escalation, found at this place (in characters) of a subject.

    `look_alike`: other letters that only pass for it. It asks for nothing, and is shown to a person.
    """

    word: str
    place: int
    look_alike: bool = False


class Contact(Struct, frozen=True):
    """Something that was said on a ticket. `verified`: the sender is one of the customer's contacts.

    `word`: what in a reply's subject asks for an escalation, or looks as if it did.
    """

    id: str
    ticket_id: str
    customer_id: str
    revision: int
    at: datetime
    received_at: datetime
    channel: Channel
    sender: str
    author_role: Author
    verified: bool = False
    request: bool = False
    said: str | None = None
    word: Word | None = None


class Reported(Struct, frozen=True):
    """Something that a customer reported and that may be one issue's: a ticket as it was opened (`sender` None), or a
    contact of a verified sender. `counted`: a repetition was made of it."""

    id: str
    ticket_id: str
    customer_id: str
    at: datetime
    sender: str | None = None
    issue_key: str | None = None
    print: str | None = None
    words: tuple[int, ...] = ()
    counted: bool = False


class Situation(Struct, frozen=True):
    """Why the escalation exists. `due_at`: by when it stands at `level`; None: no promise of time.

    `settled`: a step down answered it, so that it asks for its level no longer.
    """

    situation: str
    at: datetime
    origin: Literal["automatic", "manual", "customer"]
    level: int
    by: str
    due_at: datetime | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    settled: bool = False


class Brief(Struct, frozen=True):
    """The newest brief of a handoff: who wrote it, whom it is addressed to, and where its text lies."""

    by: str
    to: str | None
    said: str


class Handoff(Struct, frozen=True):
    """The latest movement of ownership. `kind`: `level` on entering a level, `reassign` once one was accepted.

    `declined` are those who declined at this level: they are not offered it again.
    """

    status: HandoffStatus
    to: str | None
    level: int
    offered_at: datetime
    kind: Literal["level", "reassign"] = "level"
    briefed_at: datetime | None = None
    accepted_at: datetime | None = None
    brief: Brief | None = None
    declined: tuple[str, ...] = ()

    @property
    def pending(self) -> bool:
        """Offered, briefed or not, and neither accepted, declined nor superseded."""
        return self.status in ("offered", "briefed")

    @property
    def unanswered_level(self) -> bool:
        """Nobody answers for the level yet; a pending `reassign` has an owner who does."""
        return self.pending and self.kind == "level"


class Act(Struct, frozen=True):
    """A decision taken with an authority."""

    authority: str
    by: str
    at: datetime


class StepDone(Struct, frozen=True):
    """A done step of the de-escalation; its text lies in `said`."""

    done_at: datetime
    by: str
    said: str | None = None
    tags: tuple[str, ...] = ()


class Escalation(Struct, frozen=True):
    """One state machine instance. Everything that a guard asks of it stands here; the row is the fold of history.

    `target_level` is where its situations want it, `chain` is everyone ever engaged or offered, `page_by` is when
    the unanswered level is next acted on (at L4 the next page, else `respond_by`), `notifying` is the version whose
    messages to the chain still wait for their first try, `head` is the hash of the newest history row.
    """

    id: str
    ticket_id: str
    customer_id: str
    tier: Tier
    state: State
    level: int
    target_level: int
    owner: str | None
    opened_at: datetime
    opened_by: str
    policy_version: int
    version: int = 0
    situations: tuple[Situation, ...] = ()
    engaged: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    handoff: Handoff | None = None
    engage_by: datetime | None = None
    respond_by: datetime | None = None
    page_by: datetime | None = None
    next_update_by: datetime | None = None
    steps: dict[str, StepDone] = field(default_factory=dict)
    acts: tuple[Act, ...] = ()
    criterion: Criterion | None = None
    evidence: str | None = None
    csat: int | None = None
    follows: str | None = None
    opened_revision: int = 0
    de_escalated_revision: int = 0
    notifying: int | None = None
    closed_at: datetime | None = None
    updated_at: datetime | None = None
    head: str = ""

    @property
    def pending(self) -> bool:
        """A handoff waits for its answer."""
        return self.handoff is not None and self.handoff.pending
