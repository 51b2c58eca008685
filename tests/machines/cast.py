"""The cast of the golden table: who asks, and an escalation made ready for each trigger.

Rows are written down, not played: a golden case must not depend on the guards of the triggers before it.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from msgspec.structs import replace

from machines.asked import THE_CLOCK, Actor, BriefText
from machines.case import Facts, Mint
from machines.matrix import default_text, parse
from machines.values import (
    LEVEL_ROLE,
    Brief,
    Contact,
    Customer,
    Escalation,
    Handoff,
    Person,
    PriorityChange,
    Situation,
    State,
    StepDone,
    Ticket,
)

POLICY = parse(default_text(), 1)
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
OPENED = NOW - HOUR
STATES = tuple(map(str, State))
LEVEL_OF = {"l1": 1, "l2": 2, "l3": 3, "l4": 4}
TEXT = BriefText(issue="Checkout is down", reason="No orders", current_status="Restarted twice", needed="An engineer")
ACME = Customer("acme", "Acme", "enterprise", "max", ("kim@acme.example",))


def mint() -> Mint:
    """Ids and salts that are the same each time: a decision is a function of its arguments."""
    drawn = count()
    return Mint(lambda n: hashlib.sha256(b"%d" % next(drawn)).digest()[:n])


def person(name: str, level: int, **more: Any) -> Actor:
    """Somebody with the level's role."""
    return Actor(name, LEVEL_ROLE[level], level, **more)


# The owner and the engaged are agents, so that only what they are to the escalation lets them pass.
OWNER, ENGAGED = person("own", 0), person("eng", 0)
STRANGERS = tuple(person(f"stranger{level}", level) for level in range(5))
SERVICE, AUDITOR, ADMIN = Actor("desk", "service"), Actor("eye", "auditor"), Actor("root", "admin")
ACTORS: dict[str, Actor] = {
    "owner": OWNER,
    "engaged": ENGAGED,
    **{actor.id: actor for actor in STRANGERS},
    "service": SERVICE,
    "auditor": AUDITOR,
    "admin": ADMIN,
    "clock": THE_CLOCK,
}
"""Everybody who may ask, by what they are to the escalation. `offered` is made per level."""

ROSTER = {
    p.id: p
    for p in (
        Person("own", "Own", 0),
        Person("eng", "Eng", 0),
        *(Person(f"duty{level}", f"Duty {level}", level, on_duty=True) for level in range(1, 5)),
        *(Person(f"stranger{level}", f"Stranger {level}", level) for level in range(5)),
        *(Person(f"offered{level}", f"Offered {level}", level) for level in range(1, 5)),
    )
}
SAID = Contact("said", "T-1", "acme", 5, NOW, NOW, "portal", "kim@acme.example", "customer", verified=True)
CONTACTS = {
    "said": SAID,
    "elsewhere": replace(SAID, id="elsewhere", ticket_id="T-2"),
    "by_an_agent": replace(SAID, id="by_an_agent", author_role="agent"),
    "by_the_system": replace(SAID, id="by_the_system", author_role="system"),
    "before_opening": replace(SAID, id="before_opening", revision=1),
    "dated_before_opening": replace(SAID, id="dated_before_opening", at=OPENED - MINUTE),
}


def ticket(**facts: Any) -> Ticket:
    """A P1 ticket, reported four times: opened with revision 2, de-escalated at revision 3."""
    told = {
        "revision": 5,
        "reported": 4,
        "customer_id": "acme",
        "priority": "p1",
        "status": "open",
        "subject": "Checkout is down",
        "opened_at": OPENED,
        "updated_at": OPENED,
        "priorities": (PriorityChange(1, "p1"),),
        **facts,
    }
    return Ticket("T-1", **told)


SOLVED = ticket(status="solved")
LOWERED = ticket(priority="p2", priorities=(PriorityChange(1, "p1"), PriorityChange(4, "p2")))


def situation(kind: str, level: int, **more: Any) -> Situation:
    """A situation of this level that `desk` reported."""
    told = {"origin": "manual", "by": "desk", "due_at": OPENED, **more}
    return Situation(kind, OPENED, level=level, **told)


REQUEST = "customer_request"


def escalation(state: str, level: int | None = None, **more: Any) -> Escalation:
    """An escalation in this state. Its level was accepted; a customer's request wants the next one.

    The owner is not among the engaged, which never happens (the schema forbids it): each relation stands alone.
    """
    n = LEVEL_OF.get(state, level if level is not None else 0 if state == "open" else 2)
    accepted = Handoff(
        "accepted", "own", n, OPENED, briefed_at=OPENED, accepted_at=OPENED, brief=Brief("eng", "own", "s")
    )
    told: dict[str, Any] = {
        "target_level": max(n, 1),
        "owner": "own",
        "engaged": ("eng",),
        "chain": ("own", "eng"),
        "situations": (situation(REQUEST, min(n + 1, 4), origin="customer"),),
        "handoff": accepted if n else None,
        "version": 4,
        "opened_revision": 2,
        "closed_at": OPENED if state == "closed" else None,
        "updated_at": OPENED,
        **more,
    }
    return Escalation(
        "E-1", "T-1", "acme", "enterprise", State(state), n, opened_at=OPENED, opened_by="own", policy_version=1, **told
    )


def offered(level: int) -> Actor:
    """The person that a pending handoff is offered to."""
    return person(f"offered{level}", level)


def pending(
    state: str, level: int | None = None, *, by: str | None = "eng", due: timedelta = HOUR, **more: Any
) -> Escalation:
    """Its handoff is offered, and briefed by this person; it is due so much later than now."""
    e = escalation(state, level, **more)
    to = f"offered{e.level}"
    brief = Brief(by, to, "s") if by else None
    h = Handoff("briefed" if by else "offered", to, e.level, OPENED, briefed_at=OPENED if by else None, brief=brief)
    return replace(e, handoff=more.get("handoff", h), respond_by=NOW + due, page_by=NOW + due)


ALL_STEPS = ("confirm_with_customer", "update_ticket", "notify_chain", "document_lessons")


def steps(*done: str) -> dict[str, StepDone]:
    """These steps are done."""
    return {name: StepDone(OPENED, "own") for name in done}


def ending(criterion: str = "issue_resolved", level: int = 2, done: tuple[str, ...] = (), **more: Any) -> Escalation:
    """De-escalating from this level, for this criterion, with these steps done."""
    told = {"criterion": criterion, "steps": steps(*done), "de_escalated_revision": 3, **more}
    return escalation("de_escalating", level, **told)


def facts(actor: Actor, e: Escalation | None, t: Ticket | None, **more: Any) -> Facts:
    """What is known about this escalation and its ticket."""
    known: dict[str, Any] = {"customer": ACME, "roster": ROSTER, "contacts": CONTACTS, "mint": mint(), **more}
    return Facts(actor, e, t, **known)
