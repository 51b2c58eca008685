"""What the triggers set that move neither level nor ownership: people, decisions, words, reminders."""

from __future__ import annotations

from machines.authority import subject
from machines.case import Case
from machines.decided import Message
from machines.outcome import Outcome, customer_told, joined, owner_told
from machines.values import Act, State


def join(case: Case) -> Outcome:
    """One more who is engaged."""
    e, who = case.escalation, subject(case)
    changes = {"engaged": joined(e.engaged, who), "chain": joined(e.chain, who)}
    told = (Message("person", who, "joined", {"by": case.actor.id}),) if who != case.actor.id else ()
    return Outcome(changes, "joined", said={"reason": case.fields["reason"]}, messages=told)


def disengage(case: Case) -> Outcome:
    """One less who is engaged; the chain remembers them."""
    who = subject(case)
    return Outcome({"engaged": tuple(i for i in case.escalation.engaged if i != who)}, "disengaged")


def act(case: Case) -> Outcome:
    """A decision is recorded; it changes no fact."""
    authority = str(case.fields["authority"])
    acts = (*case.escalation.acts, Act(authority, case.actor.id, case.now))
    return Outcome({"acts": acts}, authority, said={"detail": case.fields["detail"]})


def update_customer(case: Case) -> Outcome:
    """The customer hears, and the next update is due an interval later."""
    e = case.escalation
    said = {name: case.fields[name] for name in ("text", "workaround") if case.fields.get(name)}
    armed = {} if e.state == State.OPEN else {"next_update_by": case.now + case.policy.update_every(e.tier)}
    return Outcome(armed, "customer_updated", said=said, messages=(customer_told(case, "update", said=case.said),))


def note(case: Case) -> Outcome:
    """Kept, and nothing else."""
    return Outcome({}, "noted", said={"text": case.fields["text"]})


def remind(case: Case) -> Outcome:
    """The owner is told what waits for them: a missed update, a solved or merged ticket, the end of their shift."""
    reason, more = str(case.fields["reason"]), {k: v for k, v in case.fields.items() if k == "merged_into"}
    return Outcome(dict(case.fields.get("changes") or {}), reason, messages=(owner_told(case, reason, **more),))


def rate(case: Case) -> Outcome:
    """The customer's answer to the survey."""
    said = {"text": case.fields["text"]} if case.fields.get("text") else {}
    return Outcome({"csat": case.fields["score"]}, "rated", said=said)


def move_policy(case: Case) -> Outcome:
    """An admin moves a running escalation to another policy version."""
    return Outcome({"policy_version": case.fields["policy_version"], **case.fields["changes"]}, "policy_moved")
