"""Handoff: what must be passed on, to whom it is offered, and what entering a level sets.

The document's "Brief incoming escalation owner" and "Remain engaged until handoff complete".
"""

from __future__ import annotations

from machines.authority import owner, subject
from machines.case import Case, Placement, always, given, guard, roles_from, whole
from machines.values import Person

# Guards -----------------------------------------------------------------------------------------------------------


@guard(422, of_fields=always)
def reason_given(case: Case) -> bool:
    """Say why: `reason` is blank."""
    return given(case.fields.get("reason"))


@guard(422, of_fields=always)
def text_given(case: Case) -> bool:
    """Say something: `text` is blank."""
    return given(case.fields.get("text"))


@guard(422, of_fields=always)
def brief_complete(case: Case) -> bool:
    """The brief must say issue, reason, current status and what is needed, none of them blank."""
    return case.actor.clock or whole(case.brief)


@guard(422, of_fields=always)
def level_rises(case: Case) -> bool:
    """An escalation goes to a level above the one where it stands."""
    return case.escalation.level < case.level <= 4


@guard(422, of_fields=always)
def code_known(case: Case) -> bool:
    """The policy has no such reason code at any of its levels: see `GET /v1/policies`."""
    return case.fields.get("code") in (None, *case.policy.codes)


@guard(422)
def handoff_settled(case: Case) -> bool:
    """A handoff is pending and not yet overdue: wait for its answer, or reassign it."""
    e = case.escalation
    return case.actor.clock or not e.pending or (e.respond_by is not None and e.respond_by <= case.now)


@guard(422, of_fields=always)
def handoff_answered(case: Case) -> bool:
    """A handoff is pending: it must be accepted or declined first, unless the issue is resolved."""
    return not case.escalation.pending or case.fields.get("criterion") == "issue_resolved"


@guard(422)
def handoff_pending(case: Case) -> bool:
    """No handoff is pending."""
    return case.escalation.pending


@guard(422, of_fields=always)
def brief_addressed_to_offered(case: Case) -> bool:
    """A brief is addressed to the person that the handoff is offered to."""
    h = case.escalation.handoff
    return h is not None and h.to == case.fields.get("to")


@guard(422)
def briefed(case: Case) -> bool:
    """There is no brief addressed to the caller yet: the owner or anyone engaged must write it."""
    h = case.escalation.handoff
    return h is not None and h.brief is not None and h.brief.to == case.actor.id


@guard(403, lambda case: roles_from(case.escalation.level))
def briefed_by_another(case: Case) -> bool:
    """Nobody both briefs and accepts the same handoff: somebody else must write the brief or take it."""
    h = case.escalation.handoff
    return h is None or h.brief is None or h.brief.by != case.actor.id


@guard(422, of_fields=always)
def successor_on_roster(case: Case) -> bool:
    """`to` must be an active person on the roster, of the level where it stands or above."""
    person = case.facts.roster.get(case.fields["to"])
    return person is not None and person.level >= case.escalation.level


@guard(422, of_fields=always)
def successor_not_owner(case: Case) -> bool:
    """`to` is the owner already."""
    return bool(case.fields["to"] != case.escalation.owner)


@guard(422, of_fields=always)
def person_on_roster(case: Case) -> bool:
    """`person` must be an active person on the roster."""
    return subject(case) == case.actor.id or subject(case) in case.facts.roster


@guard(422, of_fields=owner.holds)
def not_engaged(case: Case) -> bool:
    """That person is engaged already."""
    return subject(case) not in case.escalation.engaged


@guard(422, of_fields=owner.holds)
def is_engaged(case: Case) -> bool:
    """That person is not engaged."""
    return subject(case) in case.escalation.engaged


@guard(422, of_fields=owner.holds)
def not_owner(case: Case) -> bool:
    """The owner stays engaged until somebody else has accepted: reassign first."""
    return subject(case) != case.escalation.owner


# Placement --------------------------------------------------------------------------------------------------------


def place(
    case: Case, level: int, *, top: int = 4, writer: str | None = None, declined: tuple[str, ...] = ()
) -> Placement:
    """Find who is offered the handoff at `level`, else at the next level up to `top` that has someone.

    Order: fewest held or offered, then id. `declined` are not offered this level again. Source: `domain.md`,
    "Handoff"; it fails closed: with nobody there it is offered to nobody, and paged to #escalations.
    """
    passed_over = {case.escalation.owner, writer}
    on_duty = [p for p in case.facts.roster.values() if p.on_duty and level <= p.level <= top]
    on_duty = [p for p in on_duty if not (p.level == level and p.id in declined)]
    for others in (True, False):
        left = [p for p in on_duty if (p.id not in passed_over) == others]
        if left:
            person = min(left, key=_order)
            return Placement(person.level, person.id, tuple(range(level, person.level)), clock_brief=not others)
    return Placement(level, None)


def _order(person: Person) -> tuple[int, int, str]:
    return person.level, person.held, person.id
