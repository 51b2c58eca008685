"""What one transition does: what it sets, what it says, whom it tells, and what the clock does right after it.

Effects are pure: a judged case in, an outcome out. They never ask whether they may: the table's guards did.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from machines.case import Case
from machines.decided import Message


class Outcome(Struct, frozen=True):
    """What one transition does. `said` is its free text, `then` what the clock does right after, in this order."""

    changes: dict[str, Any]
    reason: str
    detail: dict[str, Any] = {}
    said: dict[str, Any] = {}
    messages: tuple[Message, ...] = ()
    then: tuple[tuple[str, dict[str, Any]], ...] = ()


def joined(ids: tuple[str, ...], *more: str | None) -> tuple[str, ...]:
    """These ids and more, each once, in the order in which they came."""
    return tuple(dict.fromkeys((*ids, *(i for i in more if i))))


def customer_told(case: Case, template: str, **payload: Any) -> Message:
    """A notice to the customer, the account manager in copy: the document's "Customer Communication"."""
    e, customer = case.escalation, case.facts.customer
    copy = customer.account_manager if customer else None
    about = {"level": e.level, "owner": e.owner, "copy": copy, **payload}
    return Message("customer", e.customer_id, template, about)


def owner_told(case: Case, template: str, **payload: Any) -> Message:
    """A word to the owner; to #escalations while there is none."""
    if owner := case.escalation.owner:
        return Message("person", owner, template, payload)
    return Message("escalations", "#escalations", template, payload)
