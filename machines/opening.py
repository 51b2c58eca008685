"""Opening: which situations may begin or be added, and what they ask for, a level and a deadline.

The document's "Escalation Criteria"; `domain.md`, "Situations, target and time".
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import asdict

from machines.case import Case, always, guard, roles_from
from machines.outcome import Outcome, owner_told
from machines.values import Escalation, Situation, State

# Guards -----------------------------------------------------------------------------------------------------------


@guard(422)
def ticket_known(case: Case) -> bool:
    """No such ticket was reported yet: `PUT /v1/tickets/{id}` first."""
    return case.facts.ticket is not None and case.facts.ticket.revision > 0


@guard(422)
def situation_known(case: Case) -> bool:
    """The policy has no such situation for this tier: see `GET /v1/policies`."""
    return bool(case.fields["row"])


@guard(403, lambda _: roles_from(0))
def channel_allowed(case: Case) -> bool:
    """The customer's tier has no escalation over this channel in this case."""
    channel, customer, e = case.fields.get("channel"), case.facts.customer, case.escalation
    if channel is None:
        return True
    tiers = case.policy.document.channels.get(channel, ())
    flagged = e.version > 0 and any(s.situation == "security_flag" for s in e.situations)
    flagged = flagged or bool(case.fields["new"].detail.get("words"))
    fits = channel != "emergency" or (case.ticket.priority == "p0" and flagged)
    return customer is not None and customer.tier in tiers and fits


@guard(422, of_fields=always)
def situation_present(case: Case) -> bool:
    """The escalation has no such situation."""
    return any(s.situation == case.fields.get("situation") for s in case.escalation.situations)


# What situations ask for ------------------------------------------------------------------------------------------


def wanted(situations: tuple[Situation, ...], level: int) -> tuple[int, datetime | None]:
    """The highest row above this level (0: none) and the earliest deadline among those; not what is settled."""
    higher = [s for s in situations if s.level > level and not s.settled]
    due = [s.due_at for s in higher if s.due_at is not None]
    return max((s.level for s in higher), default=0), min(due, default=None)


def rearmed(e: Escalation, situations: tuple[Situation, ...]) -> dict[str, Any]:
    """The target and deadline that these situations ask for. While open every row counts, else those above."""
    highest, due = wanted(situations, e.level)
    target = highest or (1 if e.state == State.OPEN else min(e.target_level, e.level))
    return {"situations": situations, "target_level": target, "engage_by": due}


# Effects ----------------------------------------------------------------------------------------------------------


def opened(case: Case) -> Outcome:
    """It exists: everything that its draft says is set."""
    e = case.escalation
    drafted = {name: getattr(e, name) for name in e.__struct_fields__ if name not in ("version", "head", "updated_at")}
    return _added(case, drafted, told=True)


def add_situation(case: Case) -> Outcome:
    """One more reason; a higher row raises the target and arms its own deadline."""
    e = case.escalation
    return _added(case, rearmed(e, (*e.situations, case.fields["new"])))


def _added(case: Case, changes: dict[str, Any], *, told: bool = False) -> Outcome:
    new = case.fields["new"]
    assert isinstance(new, Situation)
    said = {"reason": case.fields["reason"]} if case.fields.get("reason") else {}
    if case.brief:
        said["brief"] = asdict(case.brief)
    detail = {"situation": new.situation, "level": new.level}
    return Outcome(changes, new.situation, detail, said, (owner_told(case, "opened"),) if told else ())


def dismiss_situation(case: Case) -> Outcome:
    """A false alarm: what it asked for is no longer due, what was done stays done."""
    e, kind = case.escalation, case.fields["situation"]
    left = tuple(s for s in e.situations if s.situation != kind)
    words = [word for s in e.situations if s.situation == kind for word in s.detail.get("words", ())]
    # So that measures can tell which list raises false alarms, and by which word.
    detail = {"words": words} if words else {}
    return Outcome(rearmed(e, left), f"dismissed_{kind}", detail, said={"reason": case.fields["reason"]})
