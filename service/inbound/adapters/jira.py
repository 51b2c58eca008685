"""Jira Service Management: `jira:issue_created` and `jira:issue_updated`, as Jira's own webhooks send them."""

from __future__ import annotations

from typing import Any

from service.inbound.adapters.told import Told, at, given, instant, priority, text

_CATEGORY = {"new": "new", "indeterminate": "open", "done": "solved"}
_WAITING = {
    "waiting for customer": "pending",
    "pending": "pending",
    "waiting for support": "open",
    "on hold": "on_hold",
}


def jira(payload: dict[str, Any]) -> Told | None:
    """The issue by its key; its customer is the reporter's address, else the project, by its key."""
    if not str(payload["webhookEvent"]).startswith("jira:issue_"):
        return None
    issue = payload["issue"]
    fields = issue["fields"]
    named = str(at(fields, "status", "name") or "").lower()
    category = str(at(fields, "status", "statusCategory", "key"))
    described = at(fields, "description")
    facts = given(
        subject=text(at(fields, "summary")),
        description=described if isinstance(described, str) else None,
        priority=priority(at(fields, "priority", "name")),
        status="closed" if named == "closed" else _WAITING.get(named) or _CATEGORY.get(category, "open"),
        opened_at=instant(at(fields, "created")),
        updated_at=instant(at(fields, "updated")),
        resolved_at=instant(at(fields, "resolutiondate")),
        assignee=text(at(fields, "assignee", "accountId") or at(fields, "assignee", "name")),
        product=text(at(fields, "project", "name")),
        tags=at(fields, "labels") or None,
    )
    project = text(at(fields, "project", "key"))
    return Told(str(issue["key"]), facts, (project,) if project else (), text(at(fields, "reporter", "emailAddress")))
