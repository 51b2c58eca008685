"""History told again: what each row changed, as whom its actor did it, and how ownership moved.

Everything here follows from the rows alone, as folding does: what a person had to do with the escalation is read from
how it stood before the row, and nothing from how the roster is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from machines.history import Record
from machines.values import CLOCK, Escalation, Handoff, HandoffStatus

Standing = Literal["clock", "owner", "offered", "engaged"]
"""What an actor has to do with an escalation, besides having a level."""
TOLD = (
    *("state", "level", "target_level", "owner", "engaged", "handoff", "engage_by", "respond_by", "next_update_by"),
    *("steps", "criterion", "csat", "closed_at", "policy_version"),
)
"""Fields whose change is told, in this order; the others are the service's own bookkeeping."""


class Change(Struct, frozen=True):
    """A field that a row set: what stood there (null: nothing), and what stands there since."""

    field: str
    was: Any
    now: Any


class Moved(Struct, frozen=True):
    """One row of history, how the escalation stood before it (None: it was not there yet) and after it."""

    record: Record
    before: Escalation | None
    after: Escalation

    @property
    def who(self) -> str:
        """Whose act it is: the person for whom a service acted, else the actor."""
        return self.record.on_behalf_of or self.record.actor

    @property
    def standing(self) -> tuple[Standing, ...]:
        """What they had to do with the escalation before this row; besides, they have their level."""
        if self.who == CLOCK:
            return ("clock",)
        e = self.before
        if e is None:
            return ()
        offered = e.handoff is not None and e.handoff.pending and e.handoff.to == self.who
        found: dict[Standing, bool] = {
            "owner": e.owner == self.who,
            "offered": offered,
            "engaged": self.who in e.engaged and e.owner != self.who,
        }
        return tuple(name for name, holds in found.items() if holds)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What came of it, field by field: of the handoff where and with whom it is, of the steps which are done."""
        return tuple(
            Change(name, was, now)
            for name in TOLD
            if (was := _told(self.before, name)) != (now := _told(self.after, name))
        )


def _told(e: Escalation | None, name: str) -> Any:
    if e is None:
        return None
    value = getattr(e, name)
    if isinstance(value, Handoff):
        return f"{value.status}: {value.to or 'nobody'}"
    if name == "steps":
        return tuple(value) or None
    return None if value == () else value


class Offer(Struct, frozen=True):
    """One movement of ownership, from its offer to its end. `offered` and `ended` are the versions of those rows
    (None: it still waits); `brief` is the id under which the newest brief's text lies, `brief_by` who wrote it."""

    level: int
    kind: Literal["level", "reassign"]
    to: str | None
    status: HandoffStatus
    offered: int
    offered_at: datetime
    briefed_at: datetime | None = None
    brief_by: str | None = None
    brief: str | None = None
    ended: int | None = None
    ended_at: datetime | None = None


def unfold(records: Iterable[Record]) -> Iterator[Moved]:
    """Each row of an escalation, oldest first, with how it stood before and after. The head's hash is left out."""
    row: dict[str, Any] = {}
    before: Escalation | None = None
    for record in records:
        row |= record.changed
        row |= {"version": record.version, "updated_at": record.at}
        after = msgspec.convert(msgspec.to_builtins(row), Escalation, strict=False)
        yield Moved(record, before, after)
        before = after


def offers(story: Iterable[Moved]) -> list[Offer]:
    """Every offer, in order. One that another replaces ends with that row: declined by `decline`, else superseded."""
    found: list[Offer] = []
    for moved in story:
        h, was = moved.after.handoff, moved.before.handoff if moved.before else None
        if h is None or h == was:
            continue
        record = moved.record
        if was is None or not _same(h, was):
            if found and found[-1].ended is None:
                status: HandoffStatus = "declined" if record.trigger == "decline" else "superseded"
                found[-1] = replace(found[-1], status=status, ended=record.version, ended_at=record.at)
            found.append(Offer(h.level, h.kind, h.to, h.status, record.version, h.offered_at))
        offer = replace(found[-1], status=h.status, briefed_at=h.briefed_at)
        if h.brief is not None:
            offer = replace(offer, brief_by=h.brief.by, brief=h.brief.said)
        if not h.pending and offer.ended is None:
            offer = replace(offer, ended=record.version, ended_at=record.at)
        found[-1] = offer
    return found


def _same(one: Handoff, other: Handoff) -> bool:
    """Whether it is the same offer, further on its way: one that ended never comes back."""
    same = (one.to, one.level, one.kind, one.offered_at) == (other.to, other.level, other.kind, other.offered_at)
    return same and (other.pending or not one.pending)
