"""Opsgenie: what a webhook integration sends for each action on an alert."""

from __future__ import annotations

from typing import Any

from service.inbound.adapters.told import Told, at, given, instant, priority, text

_STATUS = {"Create": "new", "Acknowledge": "open", "UnAcknowledge": "new", "Close": "solved", "Delete": "closed"}


def opsgenie(payload: dict[str, Any]) -> Told:
    """The alert by its id; its customer is named in its details (`customer`), else its entity."""
    alert = payload["alert"]
    facts = given(
        subject=text(at(alert, "message")),
        description=text(at(alert, "description")),
        priority=priority(at(alert, "priority")),
        status=_STATUS.get(str(payload["action"])),
        opened_at=instant(at(alert, "createdAt")),
        assignee=text(at(alert, "owner")),
        issue_key=text(at(alert, "alias")),
        product=text(at(alert, "entity")),
        tags=at(alert, "tags") or None,
    )
    customers = (text(at(alert, "details", "customer")), text(at(alert, "entity")))
    return Told(str(alert["alertId"]), facts, tuple(c for c in customers if c))
