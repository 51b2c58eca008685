"""What is decided: the rows that a command writes and the messages that it plans, or why it is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

from machines.asked import FieldProblem
from machines.values import Contact, Escalation, Reported, Situation, State, Ticket, TimerKind, Warned


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
