"""De-escalation: the document's four criteria, each with its evidence, and its five steps, in their order."""

from __future__ import annotations

from typing import Any, get_args

from msgspec.structs import replace

from machines.case import Case, always, given, guard
from machines.decided import Message
from machines.outcome import Outcome, customer_told
from machines.values import State, Step, StepDone

STEPS: tuple[Step, ...] = get_args(Step)

# Criteria ---------------------------------------------------------------------------------------------------------


def holds(case: Case, criterion: str | None, evidence: str | None) -> bool:
    """Whether this criterion's evidence stands. A withdrawal has a person's level in place of the act."""
    e, ticket = case.escalation, case.ticket
    match criterion:
        case "issue_resolved":
            return ticket.solved
        case "workaround_accepted":
            return _acted(case, "approve_standard_workaround") and _customer_said(case, evidence)
        case "priority_lowered":
            ranks = _priorities_since_opening(case)
            return _acted(case, "reprioritize_ticket") and ticket.priority > min(ranks)
        case "request_withdrawn":
            return not e.situations or _customer_said(case, evidence)
        case _:
            return False


def _acted(case: Case, authority: str) -> bool:
    return case.trigger == "withdraw" or any(act.authority == authority for act in case.escalation.acts)


def _customer_said(case: Case, evidence: str | None) -> bool:
    """The evidence is a contact by the customer, on this ticket, after the opening."""
    e = case.escalation
    contact = case.facts.contacts.get(evidence or "")
    return (
        contact is not None
        and contact.ticket_id == e.ticket_id
        and contact.author_role == "customer"
        and contact.revision > e.opened_revision
        and contact.at >= e.opened_at
    )


def _priorities_since_opening(case: Case) -> list[str]:
    """The ticket's priorities from the one that stood when the escalation was opened; p0 sorts lowest."""
    opened = case.escalation.opened_revision
    changes = case.ticket.priorities
    before = [c for c in changes if c.revision <= opened][-1:]
    return [c.priority for c in (*before, *(c for c in changes if c.revision > opened))] or [case.ticket.priority]


# Guards -----------------------------------------------------------------------------------------------------------


@guard(422, of_fields=always)
def criterion_evidenced(case: Case) -> bool:
    """The criterion lacks its evidence: a solved ticket (issue_resolved); an approved workaround and a customer's
    contact that confirms it (workaround_accepted); a reprioritization and a lower priority (priority_lowered); a
    customer's contact, or no situation left (request_withdrawn)."""
    return holds(case, case.fields.get("criterion"), case.fields.get("evidence"))


@guard(422)
def evidence_still_holds(case: Case) -> bool:
    """The evidence of the criterion no longer holds: resume, or de-escalate with a criterion that does."""
    return holds(case, case.escalation.criterion, case.escalation.evidence)


@guard(422)
def steps_done(case: Case) -> bool:
    """Before closing, all steps must be done: confirm_with_customer, update_ticket, notify_chain, document_lessons."""
    return all(step in case.escalation.steps for step in STEPS)


@guard(422, of_fields=always)
def step_before_done(case: Case) -> bool:
    """The step before this one is not done: confirm_with_customer, update_ticket, notify_chain, document_lessons."""
    before = STEPS.index(case.fields["step"])
    return before == 0 or STEPS[before - 1] in case.escalation.steps


@guard(422, of_fields=always)
def step_proved(case: Case) -> bool:
    """The step lacks its proof: the confirmation's reference (confirm_with_customer); the ticket solved, lowered or
    reported since de-escalating (update_ticket); what was learned (document_lessons)."""
    e, ticket = case.escalation, case.ticket
    match case.fields["step"]:
        case "update_ticket" if e.criterion == "issue_resolved":
            return ticket.solved
        case "update_ticket" if e.criterion == "priority_lowered":
            return ticket.priority > min(_priorities_since_opening(case))
        case "update_ticket":
            return ticket.reported > e.de_escalated_revision
        case "notify_chain":
            return True  # its messages are planned in this very transition, or were
        case _:
            return given(case.fields.get("detail"))


@guard(422)
def priority_was_lowered(case: Case) -> bool:
    """Only an escalation that de-escalates for a lowered priority can step down."""
    return case.escalation.criterion == "priority_lowered"


@guard(422, of_fields=always)
def level_falls(case: Case) -> bool:
    """Stepping down goes to a level below the one where it stood, and not below 1."""
    return 1 <= case.level < case.escalation.level


@guard(422)
def not_rated(case: Case) -> bool:
    """The survey was answered already."""
    return case.escalation.csat is None


# Effects ----------------------------------------------------------------------------------------------------------


def _answered_for(case: Case) -> dict[str, Any]:
    """A pending handoff ends, and with it the response clock."""
    h = case.escalation.handoff
    superseded = {"handoff": replace(h, status="superseded")} if h and h.pending else {}
    return {**superseded, "respond_by": None, "page_by": None}


def de_escalate(case: Case) -> Outcome:
    """The criterion is met: the five steps begin, and everyone ever engaged hears it."""
    criterion = str(case.fields["criterion"])
    changes = {
        **_answered_for(case),
        "state": State.DE_ESCALATING,
        "criterion": criterion,
        "evidence": case.fields.get("evidence"),
        "steps": {},
        "de_escalated_revision": case.ticket.revision,
    }
    return Outcome(changes, criterion, messages=_chain_told(case, "de_escalating", criterion))


def _chain_told(case: Case, template: str, criterion: str | None) -> tuple[Message, ...]:
    """A message to each person ever engaged or offered, and to #escalations."""
    people = (Message("person", person, template, {"criterion": criterion}) for person in case.escalation.chain)
    return (*people, Message("escalations", "#escalations", template, {"criterion": criterion}))


def complete_step(case: Case) -> Outcome:
    """A step is done. After `update_ticket` the chain is notified by itself, once."""
    e, step, tags = case.escalation, str(case.fields["step"]), tuple(case.fields.get("tags") or ())
    text = case.fields.get("detail") or ""
    said = {"detail": text} if text else {}
    done = {"steps": {**e.steps, step: StepDone(case.now, case.actor.id, case.said if text else None, tags)}}
    if step == "notify_chain":
        return _notify_chain(case, done, said)
    begins = step == "update_ticket" and "notify_chain" not in e.steps and e.notifying is None
    return Outcome(done, step, said=said, then=(("complete_step", {"step": "notify_chain"}),) if begins else ())


def _notify_chain(case: Case, done: dict[str, Any], said: dict[str, Any]) -> Outcome:
    """Plan the messages, once; done when each has had its first try, which is at once where the inbox has them."""
    e, step = case.escalation, "notify_chain"
    if step in e.steps:
        return Outcome({}, step, said=said)
    if e.notifying is None:
        changes = done if case.facts.inbox_only else {"notifying": e.version + 1}
        return Outcome(changes, step, said=said, messages=_told_of_the_end(case))
    told = case.fields.get("planned") == e.notifying
    return Outcome({**done, "notifying": None} if told else {}, step, said=said)


def _told_of_the_end(case: Case) -> tuple[Message, ...]:
    """The chain, and the account manager."""
    told = _chain_told(case, "chain_notified", case.escalation.criterion)
    manager = case.facts.customer.account_manager if case.facts.customer else None
    if manager is None:
        return told
    return (*told, Message("account_manager", manager, "chain_notified", {"criterion": case.escalation.criterion}))


def _ended(case: Case) -> dict[str, Any]:
    gone = {"engage_by": None, "next_update_by": None}
    return {"state": State.CLOSED, "closed_at": case.now, **gone, **_answered_for(case)}


def withdraw(case: Case) -> Outcome:
    """It ends before a level was called."""
    criterion = str(case.fields["criterion"])
    changes = {**_ended(case), "criterion": criterion, "evidence": case.fields.get("evidence")}
    return Outcome(changes, criterion, messages=(Message("escalations", "#escalations", "withdrawn"),))


def close(case: Case) -> Outcome:
    """It ends; the customer is asked how it was."""
    told = customer_told(case, "survey", closed=True)
    return Outcome(_ended(case), str(case.escalation.criterion), messages=(told,))
