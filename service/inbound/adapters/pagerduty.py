"""PagerDuty: V3 webhooks, of which those about an incident carry it whole."""

from __future__ import annotations

from typing import Any

from service.inbound.adapters.told import Told, at, given, instant, priority, text

_STATUS = {"triggered": "new", "acknowledged": "open", "resolved": "solved"}


def pagerduty(payload: dict[str, Any]) -> Told | None:
    """The incident by its id; its customer is its service, by id or name."""
    event = payload["event"]
    incident = event["data"]
    if not isinstance(incident, dict) or incident.get("type") != "incident":
        return None
    by_urgency = {"high": "p1", "low": "p3"}.get(str(at(incident, "urgency")))
    assignees = at(incident, "assignees") or [{}]
    status = _STATUS.get(str(at(incident, "status")), "open")
    occurred = instant(at(event, "occurred_at"))
    facts = given(
        subject=text(at(incident, "title")),
        priority=priority(at(incident, "priority", "summary")) or by_urgency,
        status=status,
        opened_at=instant(at(incident, "created_at")),
        updated_at=occurred,
        resolved_at=occurred if status == "solved" else None,
        assignee=text(at(assignees[0], "id")),
        issue_key=text(at(incident, "incident_key")),
        product=text(at(incident, "service", "summary")),
    )
    service = incident.get("service")
    return Told(str(incident["id"]), facts, tuple(c for c in (text(at(service, n)) for n in ("id", "summary")) if c))
