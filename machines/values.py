"""The words of the house as types: what is known, what is asked, what was decided.

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
    the unanswered level is next acted on (at L4 the next page, else `respond_by`), `head` is the hash of the
    newest history row.
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
    closed_at: datetime | None = None
    updated_at: datetime | None = None
    head: str = ""

    @property
    def pending(self) -> bool:
        """A handoff waits for its answer."""
        return self.handoff is not None and self.handoff.pending


# Asked ------------------------------------------------------------------------------------------------------------


class Actor(Struct, frozen=True):
    """Who asks. `through` is the service principal that acts for this person, if one does.

    `granted`: the triggers that such a service may call for people (None: nobody acts for anybody).
    """

    id: str
    role: Role
    level: int = 0
    through: str | None = None
    granted: tuple[str, ...] | None = None

    @property
    def person(self) -> bool:
        """A human being; never a service, an auditor, an admin or the clock."""
        return self.role in ROLE_LEVEL

    @property
    def clock(self) -> bool:
        """The service's own timers and the matrix."""
        return self.role == CLOCK


THE_CLOCK = Actor(CLOCK, "clock")


class BriefText(Struct, frozen=True, forbid_unknown_fields=True):
    """The document's template, without what the ticket already says."""

    issue: Text
    reason: Text
    current_status: Text
    needed: Text


class Transition(Struct, frozen=True):
    """A trigger called on an escalation, with its `machines.fields` (checked by the door; none if there is no such)."""

    escalation_id: str
    trigger: str
    fields: Any = None
    if_match: int | None = None


class Found(Struct, frozen=True):
    """A word of a policy's list in what a customer wrote: in which field, from which character on, as it stands there.

    `word` is the first of its forms in the list; `key` is what makes it the same fact on a ticket.
    """

    situation: str
    list: str
    word: str
    field: str
    at: int
    text: str
    key: str


class Gist(Struct, frozen=True):
    """What was written, as hashes: `print` of all of it (None: nothing was), `words` of its different words."""

    print: str | None = None
    words: tuple[int, ...] = ()


class Report(Struct, frozen=True):
    """All facts of a ticket as of `updated_at` (None: now). `found` are the flagged words in its texts."""

    ticket: Ticket
    found: tuple[Found, ...] = ()
    gist: Gist = Gist()


class Heard(Struct, frozen=True):
    """A contact on a ticket. `request: false`: what would ask for an escalation by its channel does not.

    `once`: its id follows from what was sent, so that the same sent again is no other contact.
    `found` are its flagged words.
    """

    id: str
    ticket_id: str
    at: datetime | None
    channel: Channel
    sender: str
    author_role: Author
    subject: str | None = None
    body: str | None = None
    request: bool | None = None
    found: tuple[Found, ...] = ()
    gist: Gist = Gist()
    once: bool = False


class Request(Struct, frozen=True):
    """A manual reason, or a customer's request, brought by a caller: `POST /v1/escalations`."""

    ticket_id: str
    situation: str
    reason: str
    brief: BriefText | None = None
    level: int | None = None


class Fire(Struct, frozen=True):
    """A timer that was armed for this instant. It changes nothing unless it still is."""

    ticket_id: str
    kind: TimerKind
    due_at: datetime


class Duty(Struct, frozen=True):
    """This person came on duty or went off it: an offer to them passes on, one to nobody finds somebody.

    `version`: where the escalation stood when this was seen; if it moved since, this changes nothing, so that two
    nodes that see the same edge of a shift tell of it once.
    """

    ticket_id: str
    person: str
    version: int | None = None


class Rearm(Struct, frozen=True):
    """The customer of this ticket is of another tier: what has not begun yet may be due at another instant."""

    ticket_id: str


Ask = Transition | Report | Heard | Request | Fire | Duty | Rearm


class FieldProblem(Struct, frozen=True):
    """A field that is wrong, and what it should be. `field` is a dotted path."""

    field: str
    message: str


class Command(Struct, frozen=True):
    """What a door hands to the engine.

    `problems` are the fields that the door found wrong: they are told in their turn (404 and 412 come first).
    """

    id: str
    ask: Ask
    request_id: str
    problems: tuple[FieldProblem, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """By which it is found again: its own id in history, events and denials, a contact's among contacts."""
        return (self.id, self.ask.id) if isinstance(self.ask, Heard) else (self.id,)


# Decided ----------------------------------------------------------------------------------------------------------


class Said(Struct, frozen=True):
    """The free text of one history row or contact, a JSON object. History keeps SHA-256(salt ‖ its canonical JSON)."""

    id: str
    customer_id: str
    salt: str
    text: dict[str, Any]


class Message(Struct, frozen=True):
    """A planned message: an outbox row. `to` is a person, a customer, a channel's name, or a ticket."""

    audience: Literal["person", "escalations", "customer", "account_manager", "help_desk"]
    to: str
    template: str
    payload: dict[str, Any] = field(default_factory=dict)


class Entry(Struct, frozen=True):
    """One row of history, before it is sealed with `seq` and hash.

    `changed` holds every field of the escalation that the transition set, as plain JSON values: history folds to
    the row. `reason` is a code or a fixed sentence; what people wrote is in `said`.
    """

    escalation_id: str
    version: int
    at: datetime
    trigger: str
    source: str | None
    state: State
    level: int
    owner: str | None
    ticket_id: str
    customer_id: str
    actor: str
    on_behalf_of: str | None
    actor_level: int
    reason: str
    detail: dict[str, Any]
    guards: tuple[str, ...]
    policy_version: int
    changed: dict[str, Any]
    said: Said | None = None
    messages: tuple[Message, ...] = ()


class Failure(Struct, frozen=True):
    """A guard that failed: its sentence, and who could pass it (ids of people, or roles)."""

    guard: str
    message: str
    who_could: tuple[str, ...] = ()


class Refusal(Struct, frozen=True):
    """The command changes nothing. `denied`: a real attempt that a guard or the table refused, worth a denial."""

    status: int
    code: str
    detail: str
    failed: tuple[Failure, ...] = ()
    problems: tuple[FieldProblem, ...] = ()
    escalation: Escalation | None = None

    @property
    def denied(self) -> bool:
        """403, 409 and the guards' 422 are recorded; wrong fields, unknown things and stale versions are not."""
        return bool(self.failed)


class Decision(Struct, frozen=True):
    """What one command does: the rows as they will stand, and the history that leads there.

    `timers` maps kinds to their new instant, or None where they are cleared. `situations` are those that this
    command began (also when the policy's cell is empty). `refused` are a contact's channels that its tier lacks:
    the report counts all the same. `warned` is what became known of SLA clocks, for whoever listens. `reported` may
    repeat others; `counted` are those that a repetition was made of. `stale`: what was told is older than what is
    known, or known already.
    """

    entries: tuple[Entry, ...] = ()
    escalation: Escalation | None = None
    ticket: Ticket | None = None
    contact: Contact | None = None
    texts: tuple[Said, ...] = ()
    timers: dict[TimerKind, datetime | None] = field(default_factory=dict)
    situations: tuple[Situation, ...] = ()
    refused: tuple[Failure, ...] = ()
    warned: tuple[Warned, ...] = ()
    stale: bool = False
    reported: Reported | None = None
    counted: tuple[str, ...] = ()
