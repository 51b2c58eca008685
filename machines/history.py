"""History rows: sealed with a hash over the one before, and folded back into the escalation that they tell of.

A row's hash is SHA-256 over its canonical JSON (RFC 8785), which holds the hash of the row before it on the same
escalation. Free text is not in it: `said_hash` stands for it, so erasing a text leaves every hash valid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from machines.decided import Entry, Said
from machines.values import Escalation

GENESIS = "0" * 64
"""What the first row of an escalation has in place of the hash before it."""

_encode = msgspec.json.Encoder(order="sorted").encode


class Record(Struct, frozen=True):
    """A row of history as it is hashed and stored: every column but `hash` and the transaction's id."""

    seq: int
    escalation_id: str
    version: int
    at: datetime
    trigger: str
    source: str | None
    state: str
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
    said: str | None
    said_hash: str | None
    messages: int
    request_id: str
    command: str
    prev: str


def canonical(value: Any) -> bytes:
    """RFC 8785 JSON. Our keys are ASCII and our numbers integers, so sorting by code point is the RFC's order."""
    return _encode(value)


def said_hash(said: Said) -> str:
    """SHA-256(salt ‖ text), hex: what history keeps of what people wrote."""
    return hashlib.sha256(bytes.fromhex(said.salt) + canonical(said.text)).hexdigest()


def seal(entry: Entry, *, seq: int, request_id: str, command: str, prev: str) -> tuple[Record, bytes, str]:
    """The record of an entry, its canonical JSON, and its hash (hex)."""
    record = Record(
        seq=seq,
        escalation_id=entry.escalation_id,
        version=entry.version,
        at=entry.at,
        trigger=entry.trigger,
        source=entry.source,
        state=entry.state,
        level=entry.level,
        owner=entry.owner,
        ticket_id=entry.ticket_id,
        customer_id=entry.customer_id,
        actor=entry.actor,
        on_behalf_of=entry.on_behalf_of,
        actor_level=entry.actor_level,
        reason=entry.reason,
        detail=entry.detail,
        guards=entry.guards,
        policy_version=entry.policy_version,
        changed=entry.changed,
        said=entry.said.id if entry.said else None,
        said_hash=said_hash(entry.said) if entry.said else None,
        messages=len(entry.messages),
        request_id=request_id,
        command=command,
        prev=prev or GENESIS,
    )
    text = canonical(record)
    return record, text, hashlib.sha256(text).hexdigest()


def digest(record: Record) -> str:
    """The hash that a stored record must have."""
    return hashlib.sha256(canonical(record)).hexdigest()


def fold(records: Iterable[tuple[Record, str]]) -> Escalation:
    """The escalation that these rows, oldest first and with their hashes, tell of."""
    row: dict[str, Any] = {}
    for record, hash_ in records:
        row |= record.changed
        row |= {"version": record.version, "updated_at": record.at, "head": hash_}
    return msgspec.convert(msgspec.to_builtins(row), Escalation, strict=False)


def fold_changes(changed: str, version: int, at: datetime, head: str) -> Escalation:
    """The same of what the rows set alone, a JSON list of each one's `changed`, and the version, instant and hash of
    the last: what was set again later is never read."""
    row: dict[str, Any] = {}
    for each in _decode_changes(changed):
        row |= each
    return _decode_row(_encode(row | {"version": version, "updated_at": at, "head": head}))


_decode_changes = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_decode_row = msgspec.json.Decoder(Escalation).decode
