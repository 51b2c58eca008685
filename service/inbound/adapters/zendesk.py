"""Zendesk: ticket events, whose `detail` holds the whole ticket, whatever it was that changed."""

from __future__ import annotations

from typing import Any

from service.inbound.adapters.told import Told, at, given, instant, priority, text

_STATUS = {
    "hold": "on_hold",
    "new": "new",
    "open": "open",
    "pending": "pending",
    "solved": "solved",
    "closed": "closed",
}


def zendesk(payload: dict[str, Any]) -> Told | None:
    """The ticket by its id; its customer is the organization, by id, else the account of the requester."""
    if not str(payload["type"]).startswith("zen:event-type:ticket."):
        return None
    ticket = payload["detail"]
    organization, requester = text(at(ticket, "organization_id")), text(at(ticket, "requester_id"))
    into = at(payload, "event", "target_ticket_id") if str(payload["type"]).endswith("ticket.merged") else None
    facts = given(
        subject=text(at(ticket, "subject")),
        description=text(at(ticket, "description")),
        priority=priority(at(ticket, "priority")),
        status=_STATUS.get(str(at(ticket, "status") or "").lower(), "open"),
        opened_at=instant(at(ticket, "created_at")),
        updated_at=instant(at(ticket, "updated_at")),
        assignee=text(at(ticket, "assignee_id")),
        tags=at(ticket, "tags") or None,
        merged_into=text(into),
    )
    return Told(str(ticket["id"]), facts, tuple(c for c in (organization, requester) if c and c != "0"))
