"""Rows as they are answered: the contract's shapes, with what people said joined in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from machines.history import Record
from machines.values import CLOCK, Escalation

Texts = dict[str, dict[str, object]]
"""What was said, by the id under which it lies."""


class SituationAnswer(Struct, frozen=True):
    """Why it exists."""

    situation: str
    at: datetime
    origin: str
    level: int
    detail: dict[str, Any]
    by: str
    due_at: datetime | None


class HandoffAnswer(Struct, frozen=True):
    """The latest handoff; `status` is offered, briefed, accepted, declined or superseded."""

    status: str
    to: str | None
    offered_at: datetime
    briefed_at: datetime | None
    accepted_at: datetime | None


class StepAnswer(Struct, frozen=True):
    """A done step of the de-escalation."""

    done_at: datetime
    by: str
    detail: str | None
    tags: tuple[str, ...]


class EscalationAnswer(Struct, frozen=True):
    """An escalation as answered. `level` is 0 while open, and the level last held while de-escalating and after."""

    id: str
    ticket_id: str
    customer_id: str
    tier: str
    state: str
    level: int
    target_level: int
    situations: tuple[SituationAnswer, ...]
    owner: str | None
    engaged: tuple[str, ...]
    handoff: HandoffAnswer | None
    engage_by: datetime | None
    respond_by: datetime | None
    next_update_by: datetime | None
    steps: dict[str, StepAnswer]
    criterion: str | None
    csat: int | None
    follows: str | None
    policy_version: int
    version: int
    opened_at: datetime
    closed_at: datetime | None


class TransitionAnswer(Struct, frozen=True):
    """One row of history as answered; `from` is null where it opens the escalation."""

    seq: int
    escalation_id: str
    version: int
    at: datetime
    trigger: str
    source: str | None = msgspec.field(name="from")
    dest: str = msgspec.field(name="to")
    actor: str
    on_behalf_of: str | None
    reason: str
    detail: dict[str, Any]
    guards: tuple[str, ...]
    policy_version: int
    request_id: str
    hash: str
    ticket_id: str
    customer_id: str
    level: int
    owner: str | None


class Done(Struct, frozen=True):
    """What a call did: the escalation as it stands now, and the last row that the call made."""

    escalation: EscalationAnswer | None
    transition: TransitionAnswer | None


def escalation(e: Escalation, texts: Texts) -> EscalationAnswer:
    """An escalation, its steps with what was said."""
    h = e.handoff
    return EscalationAnswer(
        id=e.id,
        ticket_id=e.ticket_id,
        customer_id=e.customer_id,
        tier=e.tier,
        state=e.state,
        level=e.level,
        target_level=e.target_level,
        situations=tuple(
            SituationAnswer(s.situation, s.at, s.origin, s.level, s.detail, s.by, s.due_at) for s in e.situations
        ),
        owner=e.owner,
        engaged=e.engaged,
        handoff=HandoffAnswer(h.status, h.to, h.offered_at, h.briefed_at, h.accepted_at) if h else None,
        engage_by=e.engage_by,
        respond_by=e.respond_by,
        next_update_by=e.next_update_by,
        steps={
            name: StepAnswer(done.done_at, done.by, _detail(done.said, texts), done.tags)
            for name, done in e.steps.items()
        },
        criterion=e.criterion,
        csat=e.csat,
        follows=e.follows,
        policy_version=e.policy_version,
        version=e.version,
        opened_at=e.opened_at,
        closed_at=e.closed_at,
    )


def stored(row: str, texts: str | None) -> EscalationAnswer:
    """An escalation as a query reads it: its row as JSON, and what was said in its steps."""
    return escalation(_decode_row(row), _decode_texts(texts) if texts else {})


_decode_row = msgspec.json.Decoder(Escalation).decode
_decode_texts = msgspec.json.Decoder(Texts).decode


def _detail(said: str | None, texts: Texts) -> str | None:
    text = texts.get(said or "", {}).get("detail")
    return text if isinstance(text, str) else None


class Kept(Record, frozen=True):
    """A row of history as a query reads it; `text` is what was said there, null where nothing was or it was erased."""

    hash: str
    text: dict[str, object] | None = None


decode_history = msgspec.json.Decoder(Kept).decode


def transition(record: Record, hash_: str, said: dict[str, object] | None) -> TransitionAnswer:
    """A row of history. Its own reason first, else its brief's, else the criterion, situation or fixed sentence.

    The clock says why it acts in its own words: a brief in its row is what it passes on.
    """
    detail, reason = record.detail, record.reason
    if said:
        detail = {**detail, **said}
        brief = said.get("brief")
        spoken = said.get("reason") or (brief.get("reason") if isinstance(brief, dict) else None)
        reason = spoken if isinstance(spoken, str) and record.actor != CLOCK else reason
    return TransitionAnswer(
        seq=record.seq,
        escalation_id=record.escalation_id,
        version=record.version,
        at=record.at,
        trigger=record.trigger,
        source=record.source,
        dest=record.state,
        actor=record.actor,
        on_behalf_of=record.on_behalf_of,
        reason=reason,
        detail=detail,
        guards=record.guards,
        policy_version=record.policy_version,
        request_id=record.request_id,
        hash=hash_,
        ticket_id=record.ticket_id,
        customer_id=record.customer_id,
        level=record.level,
        owner=record.owner,
    )
