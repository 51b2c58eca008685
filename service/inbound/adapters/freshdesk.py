"""Freshdesk: the default body of an automation rule's webhook. It tells no instants; what triggered it is not JSON."""

from __future__ import annotations

from typing import Any

from service.inbound.adapters.told import Told, at, given, priority, text
from service.inbound.html import seen

_STATUS = {
    "open": "open",
    "pending": "pending",
    "waiting on customer": "pending",
    "waiting on third party": "on_hold",
    "resolved": "solved",
    "closed": "closed",
}


def freshdesk(payload: dict[str, Any]) -> Told:
    """The ticket by its id; its customer is whoever the requester's address belongs to."""
    ticket = payload["freshdesk_webhook"]
    described = text(at(ticket, "ticket_description"))
    facts = given(
        subject=text(at(ticket, "ticket_subject")),
        description=seen(described) if described else None,
        priority=priority(at(ticket, "ticket_priority")),
        status=_STATUS.get(str(at(ticket, "ticket_status") or "").lower(), "open"),
    )
    company = text(at(ticket, "ticket_company_name"))
    return Told(str(ticket["ticket_id"]), facts, (company,) if company else (), text(at(ticket, "requester_email")))
