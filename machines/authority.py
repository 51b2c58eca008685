"""Guards: who may. Relations of an actor to an escalation, authority, and reach (the document's "Levels")."""

from __future__ import annotations

from machines.case import Case, Guard, Relation, always, guard, never, roles_from

NEVER_FOR_PEOPLE = ("act", "de_escalate", "close")
"""What no service may do on a person's behalf, whatever its key lists."""

# Relations --------------------------------------------------------------------------------------------------------


def _named(*ids: str | None) -> tuple[str, ...]:
    return tuple(i for i in ids if i)


owner = Relation(
    "owner",
    "the owner",
    lambda case: case.actor.person and case.actor.id == case.escalation.owner,
    lambda case: _named(case.escalation.owner),
)
engaged = Relation(
    "engaged",
    "anyone engaged",
    lambda case: case.actor.person and case.actor.id in case.escalation.engaged,
    lambda case: case.escalation.engaged,
)
level_here = Relation(
    "level_here",
    "a person of the level where it stands or above",
    lambda case: case.actor.person and case.actor.level >= case.escalation.level,
    lambda case: roles_from(case.escalation.level),
)
level_asked = Relation(
    "level_asked",
    "a person of the level asked for or above",
    lambda case: case.actor.person and case.actor.level >= case.level,
    lambda case: roles_from(case.level),
)
level_one = Relation(
    "level_one",
    "a person of level 1 or above",
    lambda case: case.actor.person and case.actor.level >= 1,
    lambda _: roles_from(1),
)
agent = Relation("agent", "an agent or a person of a level", lambda case: case.actor.person, lambda _: roles_from(0))
service = Relation("service", "a service", lambda case: case.actor.role == "service", lambda _: ("service",))
clock = Relation("clock", "the clock", lambda case: case.actor.clock, lambda _: ("clock",))
admin = Relation("admin", "an admin", lambda case: case.actor.role == "admin", lambda _: ("admin",))
requesting_service = Relation(
    "requesting_service",
    "a service that reports a customer's request",
    lambda case: case.actor.role == "service" and _requested(case),
    lambda case: ("service",) if _requested(case) else (),
)
offered = Relation(
    "offered",
    "the person it is offered to",
    lambda case: case.actor.person and case.actor.id == _offered_to(case),
    lambda case: _named(_offered_to(case)) or roles_from(case.escalation.level),
)
themselves = Relation(
    "themselves",
    "that person",
    lambda case: case.actor.person and subject(case) == case.actor.id,
    lambda case: _named(subject(case)),
)
themselves_of_level_one = Relation(
    "themselves_of_level_one",
    "a person of level 1 or above for themselves",
    lambda case: themselves.holds(case) and case.actor.level >= 1,
    lambda _: roles_from(1),
)
reporter = Relation(
    "reporter",
    "who reported it",
    lambda case: case.actor.id in _reporters(case),
    lambda case: _reporters(case),
)


def _requested(case: Case) -> bool:
    return any(s.origin == "customer" for s in case.escalation.situations)


def _offered_to(case: Case) -> str | None:
    handoff = case.escalation.handoff
    return handoff.to if handoff else None


def _reporters(case: Case) -> tuple[str, ...]:
    """Who reported the situation named; before one is named: any of them."""
    named = case.fields.get("situation")
    return tuple(dict.fromkeys(s.by for s in case.escalation.situations if named in (None, s.situation)))


def subject(case: Case) -> str:
    """Whom `join` and `disengage` are about: the person named, else the caller."""
    return case.fields.get("person") or case.actor.id


def who_may(*relations: Relation) -> Guard:
    """The guard that one of these relations holds."""

    def check(case: Case) -> bool:
        return any(relation.holds(case) for relation in relations)

    def who(case: Case) -> tuple[str, ...]:
        could = dict.fromkeys(name for relation in relations for name in relation.people(case))
        return tuple(could) or roles_from(case.escalation.level)

    phrases = [relation.phrase for relation in relations]
    listed = " or ".join([", ".join(phrases[:-1]), phrases[-1]] if len(phrases) > 1 else phrases)
    name = "_or_".join(relation.name for relation in relations)
    return Guard(name, f"Only {listed} may do this.", 403, check, who, never, relations)


# Authority --------------------------------------------------------------------------------------------------------


def _holders(case: Case) -> tuple[str, ...]:
    return roles_from(case.policy.lowest_holder.get(str(case.fields.get("authority")), 4))


def _holds(case: Case, level: int) -> bool:
    """Whether a level holds the authority asked for; before one is named: whether it holds any."""
    authority = case.fields.get("authority")
    return level >= 1 if authority is None else case.policy.holds(level, authority)


@guard(403, _holders)
def actor_holds_authority(case: Case) -> bool:
    """This authority is held by a higher level than the caller's."""
    return case.actor.person and _holds(case, case.actor.level)


@guard(403, _holders)
def level_holds_authority(case: Case) -> bool:
    """The escalation stands below the level that holds this authority: escalate first."""
    return _holds(case, case.escalation.level)


# Reach ------------------------------------------------------------------------------------------------------------


@guard(403, lambda case: roles_from(case.level - 1), of_fields=lambda case: case.actor.role == "service")
def within_reach(case: Case) -> bool:
    """One may escalate to the next level, to what the matrix says, or one above one's own level."""
    actor, asked = case.actor, case.level
    if actor.clock or any(s.level == asked for s in case.escalation.situations):
        return True
    return actor.person and (asked == case.escalation.level + 1 or actor.level >= asked - 1)


@guard(403, lambda case: roles_from(case.level - 1))
def opening_within_reach(case: Case) -> bool:
    """One may engage the level that the matrix says, the next, or one above one's own; never a lower one."""
    actor, asked = case.actor, case.level
    row = case.fields.get("row", case.escalation.target_level)
    if asked == row:
        return True
    return row < asked <= 4 and actor.person and (asked == row + 1 or actor.level >= asked - 1)


@guard(403, lambda _: roles_from(1), of_fields=always)
def withdrawing_level(case: Case) -> bool:
    """While open, this criterion needs a person of level 1 or above in place of the act."""
    needs = case.fields.get("criterion") in ("workaround_accepted", "priority_lowered")
    return not needs or (case.actor.person and case.actor.level >= 1)


@guard(403, lambda case: (case.actor.id,))
def delegation_granted(case: Case) -> bool:
    """This key may not do this for a person: an admin lists what it may, and never act, de_escalate or close."""
    actor = case.actor
    if actor.through is None:
        return True
    asked = "open" if case.trigger == "add_situation" else case.trigger
    return asked in (actor.granted or ()) and case.trigger not in NEVER_FOR_PEOPLE
