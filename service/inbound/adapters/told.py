"""What an adapter tells of a ticket, and the words that help desks have in common."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from machines.values import Priority


class Told(Struct, frozen=True):
    """The facts that a payload tells, by our names; what it does not tell stays as it is known.

    `customers` are ids by which the help desk may know the customer, the likeliest first; where none is one of ours,
    it is the customer whose verified contact `requester` is.
    """

    id: str
    facts: dict[str, Any]
    customers: tuple[str, ...] = ()
    requester: str | None = None


_PRIORITIES: dict[str, Priority] = {
    **dict.fromkeys(("urgent", "critical", "highest", "blocker", "p1"), "p0"),
    **dict.fromkeys(("high", "major", "p2"), "p1"),
    **dict.fromkeys(("normal", "medium", "moderate", "p3"), "p2"),
    **dict.fromkeys(("low", "lowest", "minor", "trivial", "p4", "p5"), "p3"),
}


def priority(word: Any) -> Priority | None:
    """Ours for a help desk's, whose highest is p0 whatever it calls it: `urgent`, `2 normal`, `P1`."""
    return _PRIORITIES.get(re.sub(r"^\d+\s+", "", str(word or "")).strip().lower())


def instant(value: Any) -> str | None:
    """RFC 3339 for what is nearly that (`+1100`), and for milliseconds since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1000, UTC).isoformat()
    return re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", value) if isinstance(value, str) and value else None


def given(**facts: Any) -> dict[str, Any]:
    """Those facts that are told at all."""
    return {name: value for name, value in facts.items() if value is not None}


def at(payload: Any, *path: str) -> Any:
    """What stands there, None where nothing does."""
    for name in path:
        payload = payload.get(name) if isinstance(payload, dict) else None
    return payload


def text(value: Any) -> str | None:
    """An id or a word as text; None for what is nothing."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and str(value) != "" else None
