"""What is asked: commands, who gives them, and the fields that they bring."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from machines.matrix import Policy
from machines.values import CLOCK, ROLE_LEVEL, Author, Channel, Role, Text, Ticket, TimerKind


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


class ChainTold(Struct, frozen=True):
    """Every message to the chain that was planned at `version` was handed over, was parked, or is being retried.

    It changes nothing unless the escalation still waits for those.
    """

    ticket_id: str
    version: int


class MovePolicy(Struct, frozen=True):
    """Move a running escalation to another version of the policy. `policy` is that version, filled in where it is read.

    `if_match`: where the escalation stood when this was looked at.
    """

    ticket_id: str
    escalation_id: str
    version: int
    if_match: int | None = None
    policy: Policy | None = None


Ask = Transition | Report | Heard | Request | Fire | Duty | Rearm | ChainTold | MovePolicy


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
