"""Zammad: the payload of a webhook that a trigger sends, with its default body (ticket and article)."""

from __future__ import annotations

from typing import Any

from service.inbound.adapters.told import Told, at, given, instant, priority, text

_STATUS = {
    "new": "new",
    "open": "open",
    "pending reminder": "pending",
    "pending close": "pending",
    "closed": "closed",
    "merged": "closed",
    "removed": "closed",
}


def zammad(payload: dict[str, Any]) -> Told:
    """The ticket by its number, as agents and mails name it; its customer is the organization, by id or name."""
    ticket = payload["ticket"]
    state = at(ticket, "state")
    named = text(at(state, "name") if isinstance(state, dict) else state)
    facts = given(
        subject=text(ticket["title"]),
        priority=priority(at(ticket, "priority", "name")),
        status=_STATUS.get((named or "").lower(), "open"),
        opened_at=instant(ticket["created_at"]),
        updated_at=instant(at(ticket, "updated_at")),
        first_responded_at=instant(at(ticket, "first_response_at")),
        resolved_at=instant(at(ticket, "close_at")),
        assignee=text(at(ticket, "owner", "login")) if at(ticket, "owner_id") != 1 else None,  # 1 is nobody
        tags=at(ticket, "tags") or None,
    )
    organization = at(ticket, "organization")
    customers = tuple(c for c in (text(at(organization, "id")), text(at(organization, "name"))) if c)
    return Told(str(ticket["number"]), facts, customers, text(at(ticket, "customer", "email")))
