"""Bodies as they may be sent: the examples of `/openapi.json`, which tests send as they stand."""

from __future__ import annotations

from typing import Any

BRIEF = {
    "issue": "Card payments fail at checkout since 08:40 UTC",
    "reason": "The connection pool of the payment service is exhausted; support can't change its size",
    "current_status": "Restarted twice, pool metrics and logs attached; the customer retries by hand",
    "needed": "Two engineers who know the payment service",
}

TRANSITIONS: dict[str, dict[str, Any]] = {
    "engage": {"trigger": "engage", "brief": BRIEF},
    "withdraw": {"trigger": "withdraw", "criterion": "issue_resolved"},
    "escalate": {"trigger": "escalate", "reason": "Needs engineers", "code": "technical_complexity", "brief": BRIEF},
    "de_escalate": {"trigger": "de_escalate", "criterion": "issue_resolved"},
    "resume": {"trigger": "resume", "reason": "The customer sees the error again"},
    "step_down": {"trigger": "step_down", "level": 1, "brief": BRIEF},
    "close": {"trigger": "close"},
    "brief": {"trigger": "brief", "to": "mia", **BRIEF},
    "accept": {"trigger": "accept"},
    "decline": {"trigger": "decline", "reason": "In surgery until noon"},
    "reassign": {"trigger": "reassign", "to": "mo", "reason": "End of my shift"},
    "join": {"trigger": "join", "reason": "I know this customer's setup"},
    "disengage": {"trigger": "disengage"},
    "dismiss_situation": {
        "trigger": "dismiss_situation",
        "situation": "security_flag",
        "reason": "The word is the name of their product",
    },
    "act": {
        "trigger": "act",
        "authority": "pull_engineers",
        "detail": "Two engineers of payments until Friday",
    },
    "complete_step": {
        "trigger": "complete_step",
        "step": "document_lessons",
        "detail": "The pool was sized for half of today's load",
        "tags": ["pattern"],
    },
    "update_customer": {
        "trigger": "update_customer",
        "text": "The cause is found, a fix is being tested",
        "workaround": "Retry after a minute",
    },
    "note": {"trigger": "note", "text": "Same stack trace as last month"},
}

BULK = [{"escalation_id": "019b76da-a800-7000-8000-000000000000", "trigger": "note", "text": "Looked at it"}]

TICKET = {
    "customer_id": "acme",
    "priority": "p1",
    "status": "open",
    "subject": "Card payments fail at checkout",
    "description": "Since this morning every third payment times out.",
    "opened_at": "2026-01-05T09:00:00Z",
    "updated_at": "2026-01-05T09:05:00Z",
    "assignee": "ann",
    "product": "payments",
    "tags": ["checkout"],
}
CONTACT = {
    "channel": "call",
    "sender": "ops@acme.example",
    "author_role": "customer",
    "at": "2026-01-05T10:00:00Z",
    "body": "We can't wait any longer, please escalate.",
}
REQUEST = {
    "ticket_id": "T-1",
    "situation": "blocking_business_process",
    "reason": "Their month-end closing can't start",
    "brief": BRIEF,
}
CUSTOMER = {
    "name": "Acme Ltd",
    "tier": "enterprise",
    "account_manager": "amy",
    "contacts": ["ops@acme.example", "cto@acme.example"],
}
PERSON = {
    "name": "Mia Manager",
    "level": 2,
    "email": "mia@support.example",
    "slack": "U024BE7LH",
    "on_duty": [{"from": "2026-01-05T08:00:00Z", "until": "2026-01-05T16:00:00Z"}],
}
MAIL = (
    "From: Olga Ops <ops@acme.example>\r\n"
    "To: support@help.example\r\n"
    "Subject: Re: [#T-1] Card payments fail at checkout: ESCALATE\r\n"
    "Message-ID: <4711@acme.example>\r\n"
    "\r\n"
    "We can't wait any longer.\r\n"
)
ZENDESK = {
    "type": "zen:event-type:ticket.priority_changed",
    "account_id": 12514403,
    "id": "2b24ef10-19d4-4740-93cf-8f98ec4776c0",
    "time": "2026-01-05T09:05:00Z",
    "zendesk_event_version": "2022-11-06",
    "subject": "zen:ticket:35436",
    "detail": {
        "id": "35436",
        "subject": "Card payments fail at checkout",
        "description": "Since this morning every third payment times out.",
        "priority": "HIGH",
        "status": "OPEN",
        "created_at": "2026-01-05T09:00:00Z",
        "updated_at": "2026-01-05T09:05:00Z",
        "organization_id": "acme",
        "requester_id": "20978392",
        "assignee_id": "235323",
        "tags": ["checkout"],
    },
    "event": {"current": "HIGH", "previous": "NORMAL"},
}
SLACK = {
    "command": "/escalate",
    "text": "T-1 executive_visibility Their board asks",
    "user_id": "U024BE7LH",
    "team_id": "T0001",
    "trigger_id": "13345224609.738474920.8088930838d88f008e0",
    "response_url": "https://hooks.slack.com/commands/T0001/1234/5678",
}

ROTA = {
    "name": "Support leads, Europe",
    "time_zone": "Europe/Berlin",
    "shifts": [{"person": "lee", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "until": "17:00"}],
    "feed": {"url": "https://calendar.example/leads.ics", "people": {"Lee Smith": "lee"}},
}
TRIAL = {
    "tier": "enterprise",
    "priority": "p1",
    "opened_at": "2026-01-05T09:00:00Z",
    "paused_at": "2026-01-05T10:00:00Z",
    "resumed_at": "2026-01-05T11:30:00Z",
}
MOVES = {"escalations": [{"id": "019b8ca1-6c40-7000-a000-000000000000", "version": 4}]}

MARKS = {"escalation_ids": ["019b76da-a800-7000-8000-000000000000"]}

REVIEW_NOTE = {"text": "Three of the four P0s came from one change on Tuesday night"}

ACTION = {"text": "Add the pool's size to the runbook of the payment service", "owner": "mia", "due": "2026-01-30"}
