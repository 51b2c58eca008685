"""What the cast says. None of it is from the log, which has no texts; it is only there to be read."""

from __future__ import annotations

from random import Random

Brief = dict[str, str]

MANUAL = {
    "blocking_business_process": (
        "Month-end closing stands still until this works",
        "The warehouse can't ship anything while this is down",
        "Nobody at this location can log in to the order system",
    ),
    "workaround_unacceptable": (
        "Exporting by hand takes them two hours a day",
        "The workaround breaks again after every restart",
        "They tried our workaround twice and lost data once",
    ),
    "priority_disagreement": (
        "They say that it stops a whole department; we filed it as moderate",
        "It was lowered without asking them",
    ),
    "executive_visibility": (
        "Their managing director asks every morning",
        "It came up in the steering committee",
    ),
    "regulatory_compliance": (
        "The audit log has a gap, and the regulator was told a date",
        "Retention of personal data can't be shown while this is open",
    ),
}
TRIED = (
    "Restarted the service, cleared the cache; no change",
    "Reproduced on our side; logs sent to the product team",
    "Rolled the last change back: half of the users can work again",
    "Vendor case opened; no answer yet",
    "Waiting for a trace from the customer since this morning",
)
NEEDED = (
    "Somebody who may take people off other work",
    "A decision: repair in place, or move them to the old system",
    "A person whom the customer can call",
    "An engineer who knows this component",
    "Agreement on the priority, today",
)
FURTHER = {
    2: ("technical_complexity", "resource_needs"),
    3: ("customer_satisfaction_risk", "extended_outage"),
    4: ("major_incident", "legal_pr_implications"),
}
WHY_FURTHER = (
    "We don't understand it, and time runs",
    "It needs people whom I can't assign",
    "The customer speaks of leaving",
    "It comes back every day",
)
DECISIONS: dict[int, dict[str, tuple[str, ...]]] = {  # by the level that holds the authority
    1: {
        "reprioritize_ticket": ("Less of it is affected than we thought: lower the priority",),
        "assign_resources": ("Two more agents for this until tomorrow", "Petr stays on this alone"),
        "approve_standard_workaround": ("The standard workaround will do until the repair: article 1143",),
    },
    2: {
        "pull_engineers": ("Two engineers of the storage team leave their sprint for this",),
        "approve_emergency_deployment": ("The fix goes out tonight, outside of the window",),
        "coordinate_teams": ("Network and database teams on one call at three",),
    },
    3: {
        "approve_service_credit": ("Five days of service credited",),
        "communicate_with_customer": ("I call their head of IT myself at four",),
        "engage_vendor": ("Vendor's premium support called in, severity 1",),
    },
    4: {
        "communicate_externally": ("A word on the status page, signed by us",),
        "modify_contract": ("Exit clause suspended for this quarter, in writing",),
    },
}
UPDATES = (
    "We know the cause now; the repair is being tested",
    "Two engineers work on it; we call again within the hour",
    "No news yet, and we haven't stopped",
)
WORKAROUND = "Use the web client for now: it goes around the broken part"
PASSED_ON = ("Knows this product best", "I am in a customer's meeting all afternoon", "Has the engineers next door")
DECLINES = (
    "On a call with another customer until the evening",
    "I know too little of this product: not me",
    "About to leave for today",
)
LESSONS = {
    "pattern": "The third one after a Tuesday change: look at the change calendar first",
    "training": "The agent could have told from the first log line: add it to the course",
    "documentation_gap": "The runbook stops where this begins",
}
NOTES = ("Trace attached to the ticket", "Customer's own change was the night before", "Same picture as last month")
OBJECTION = "It is back since an hour ago, exactly as before"
CONFIRMED = ("Works again for us, thank you", "Yes, that will do for now", "Never mind, it was our own proxy")


def brief(rng: Random, subject: str, reason: str) -> Brief:
    """The document's template, filled in."""
    return {"issue": subject, "reason": reason, "current_status": rng.choice(TRIED), "needed": rng.choice(NEEDED)}
