"""What a batch writes: decisions become rows, a list per table, in the shape that `engine.write` takes.

One final row per ticket, escalation and timer, however many commands of the batch changed it; every history row.
"""

from __future__ import annotations

import hashlib
import sys
from datetime import datetime
from itertools import repeat
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from machines.asked import Actor, Command, Report
from machines.decided import Decision, Entry, Refusal
from machines.history import Record, canonical, seal
from machines.values import Escalation, Reported, Ticket

Sealed = tuple[Record, str]
"""A history record and its hash."""


class Answered(Struct, frozen=True):
    """The answer stored under an idempotency key. `body` is given again byte for byte."""

    principal_id: str
    key: str
    fingerprint: str
    status: int
    body: str
    etag: int | None
    customer_id: str | None
    at: datetime


_ANSWERED = ("principal_id", "key", "fingerprint", "status", "body", "etag", "customer_id", "at")


class Rows:
    """The rows of one batch, in the making. `seq` are the numbers drawn for its history, `spare` how many are left.

    With `first` nothing is drawn: each row that bears an id of its own counts one, from there on.
    """

    def __init__(self, now: datetime, seq: list[int], first: int | None = None) -> None:
        self._now = now
        self._seq = iter(seq or repeat(0))
        self._first = first
        self.spare = len(seq) if first is None else sys.maxsize
        self._tickets: dict[str, Ticket] = {}
        self._events: list[dict[str, Any]] = []
        self._contacts: list[dict[str, Any]] = []
        self._said: list[Any] = []
        self._history: list[bytes] = []
        self._escalations: dict[str, Escalation] = {}
        self._timers: dict[tuple[str, str], datetime | None] = {}
        self._outbox: list[dict[str, Any]] = []
        self._denials: list[dict[str, Any]] = []
        self._reports: list[Reported] = []
        self._counted: list[str] = []
        self.answers: list[Answered] = []
        self.marks: list[tuple[str, int]] = []

    def decided(self, command: Command, actor: Actor, decision: Decision) -> tuple[Decision, list[Sealed]]:
        """Take a decision's rows. Answers it with the head that its history has now, and the sealed records."""
        sealed: list[Sealed] = []
        e = decision.escalation
        if decision.entries:
            assert e is not None
            head = e.head
            self.spare -= len(decision.entries)
            for entry in decision.entries:
                seq = next(self._seq) if self._first is None else self.next
                record, text, head = seal(entry, seq=seq, request_id=command.request_id, command=command.id, prev=head)
                sealed.append((record, head))
                self._history.append(text[:-1] + b',"hash":"' + head.encode() + b'"}')
                self.marks.append((entry.escalation_id, entry.version))
                self._spoken(entry)
            e = replace(e, head=head)
            self._escalations[e.id] = e
            decision = replace(decision, escalation=e)
        if decision.ticket is not None and not decision.stale:
            self._tickets[decision.ticket.id] = decision.ticket
        ticket_id = decision.ticket.id if decision.ticket else e.ticket_id if e else ""
        for kind, due in decision.timers.items():
            self._timers[ticket_id, kind] = due
        self._said += decision.texts
        by = actor.through or actor.id
        if isinstance(command.ask, Report) and decision.ticket is not None:
            told = command.ask.ticket
            self._events.append(
                {
                    "id": command.id,
                    "ticket_id": ticket_id,
                    "revision": decision.ticket.revision,
                    "received_at": self._now,
                    "updated_at": told.updated_at or self._now,
                    "by": by,
                    "stale": decision.stale,
                    "facts": told,
                }
            )
        if decision.contact is not None and not decision.stale:
            self._contacts.append({**msgspec.structs.asdict(decision.contact), "by": by})
        if decision.reported is not None:
            self._reports.append(decision.reported)
            self._counted += decision.counted
        return decision, sealed

    def _spoken(self, entry: Entry) -> None:
        if entry.said is not None:
            self._said.append(entry.said)
        for ordinal, message in enumerate(entry.messages):
            self._outbox.append(
                {
                    "escalation_id": entry.escalation_id,
                    "version": entry.version,
                    "ordinal": ordinal,
                    "ticket_id": entry.ticket_id,
                    "customer_id": entry.customer_id,
                    "audience": message.audience,
                    "recipient": message.to,
                    "template": message.template,
                    "payload": message.payload,
                    "planned_at": entry.at,
                }
            )

    def denied(self, command: Command, actor: Actor, refusal: Refusal, ticket_id: str | None, trigger: str) -> None:
        """A refused real attempt is one row: who, what, which guards."""
        e = refusal.escalation
        self._denials.append(
            {
                "id": command.id,
                "at": self._now,
                "status": refusal.status,
                "trigger": trigger,
                "escalation_id": e.id if e and e.version else None,
                "ticket_id": e.ticket_id if e and e.ticket_id else ticket_id,
                "customer_id": e.customer_id if e else None,
                "state": e.state if e and e.version else None,
                "actor": actor.through or actor.id,
                "on_behalf_of": actor.id if actor.through else None,
                "failed": refusal.failed,
                "request_id": command.request_id,
            }
        )

    def answer(self, answered: Answered) -> None:
        """Keep what is answered under a key."""
        self.answers.append(answered)

    @property
    def next(self) -> int:
        """The number of what comes next, where they are counted.

        It follows from the rows that there are and from nothing else: not from which commands were decided together,
        and not from those that came to nothing, as a repetition does, or a timer that had fired.
        """
        if self._first is None:
            return 0
        return self._first + len(self._history) + len(self._events) + len(self._contacts) + len(self._denials)

    @property
    def empty(self) -> bool:
        """Nothing to write."""
        lists = (self._tickets, self._events, self._contacts, self._history, self._denials, self.answers, self._timers)
        return not any(lists)

    def arguments(self, unused_tickets: list[str]) -> tuple[Any, ...]:
        """The arguments of `engine.write`, in its order, but for the last."""
        armed = [{"ticket_id": t, "kind": k, "due_at": due} for (t, k), due in self._timers.items() if due is not None]
        gone = [{"ticket_id": t, "kind": k} for (t, k), due in self._timers.items() if due is None]
        return (
            _json(list(self._tickets.values())),
            unused_tickets,
            _json(self._events),
            _json(self._contacts),
            _json(self._said),
            (b"[" + b",".join(self._history) + b"]").decode(),
            _json(list(self._escalations.values())),
            _json(armed),
            _json(gone),
            _json(self._outbox),
            _json(self._denials),
            *([_text(getattr(a, name)) for a in self.answers] for name in _ANSWERED),
            _json([replace(r, counted=r.id in self._counted) for r in self._reports]),
            self._counted,
        )


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


_encode = msgspec.json.Encoder().encode


def _json(rows: list[Any]) -> str:
    return _encode(rows).decode()


def fingerprint(*parts: Any) -> str:
    """What makes two requests under one key the same: method, path and body."""
    return hashlib.sha256(canonical(parts)).hexdigest()
