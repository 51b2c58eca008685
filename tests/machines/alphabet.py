"""What a walk may say at a node: every command, by everybody for whom it could make a difference."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from machines.asked import THE_CLOCK, Actor, Ask, ChainTold, Duty, Fire, Heard, Rearm, Report, Request, Transition
from machines.escalation import RULES
from machines.values import LEVEL_ROLE, Contact, Escalation
from tests.machines.cast import TEXT

if TYPE_CHECKING:
    from tests.machines.walk import Node, Scope

DESK = Actor("desk", "service")
STEPS = ("confirm_with_customer", "update_ticket", "notify_chain", "document_lessons")
CRITERIA = ("issue_resolved", "workaround_accepted", "priority_lowered", "request_withdrawn")


@cache
def actor(who: str) -> Actor:
    """Somebody of the roster."""
    return Actor(who, LEVEL_ROLE[int(who[-1])], int(who[-1]))


def label(who: Actor, ask: Ask) -> tuple[Any, ...]:
    """What is asked, whatever the node's own ids and instants are."""
    match ask:
        case Transition():
            return who.id, ask.trigger, ask.fields
        case Fire():
            return who.id, "fire", ask.kind
        case Report():
            t = ask.ticket
            return who.id, "report", t.status, t.priority, t.merged_into, t.first_responded_at is not None
        case Request():
            return who.id, "request", ask.situation
        case Duty():
            return who.id, "duty", ask.person
        case _:
            return who.id, type(ask).__name__


def name(label: tuple[Any, ...]) -> str:
    """The trigger of a label, its timer, or its event."""
    return f"fire {label[2]}" if label[1] == "fire" else str(label[1])


def commands(scope: Scope, node: Node) -> Iterator[tuple[Actor, Ask]]:
    """Everything but timers that may be said at this node."""
    yield from _ticket_events(scope, node)
    yield from ((THE_CLOCK, Duty("T-1", name)) for name in scope.shifts)
    if scope.tiers:
        yield THE_CLOCK, Rearm("T-1")
    if node.open:
        assert node.e is not None
        if node.e.notifying is not None:
            yield THE_CLOCK, ChainTold("T-1", node.e.notifying)
        for who, trigger, fields in _calls(scope, node.e, node.said):
            kind = RULES[trigger].fields
            assert kind is not None
            if trigger in scope.words and node.e.state in RULES[trigger].moves:
                yield who, Transition(node.e.id, trigger, kind(**fields))


def _ticket_events(scope: Scope, node: Node) -> Iterator[tuple[Actor, Ask]]:
    e, t = node.e, node.ticket
    told = replace(t, revision=0, reported=0, priorities=(), begun=(), updated_at=None)
    if "solve" in scope.words:
        yield DESK, Report(replace(told, status="open" if t.solved else "solved", merged_into=None))
    if "merge" in scope.words and t.merged_into is None:
        yield DESK, Report(replace(told, status="closed", merged_into="T-2"))
    if "lower" in scope.words and t.priority < "p2":
        yield DESK, Report(replace(told, priority="p2"))
    if "raise" in scope.words and t.priority > "p0":
        yield DESK, Report(replace(told, priority="p1" if t.priority > "p1" else "p0"))
    if "pend" in scope.words and not t.solved:
        yield DESK, Report(replace(told, status="open" if t.status == "pending" else "pending"))
    if "answer" in scope.words and t.first_responded_at is None:
        yield DESK, Report(replace(told, first_responded_at=node.now))
    if "say" in scope.words and node.said is None and node.open:
        yield DESK, Heard("said", "T-1", None, "portal", "kim@acme.example", "customer")
    if e is not None and not node.open:
        return
    present = {s.situation for s in e.situations} if e else set()
    for situation in scope.situations:
        if situation not in present:
            yield (actor("ann0") if situation != "customer_request" else DESK), Request("T-1", situation, "because")


def _calls(scope: Scope, e: Escalation, said: Contact | None) -> Iterator[tuple[Actor, str, dict[str, Any]]]:
    top = actor(max(scope.people, key=lambda name: (int(name[-1]), name)))
    owner = actor(e.owner) if e.owner else top
    offered = actor(e.handoff.to) if e.handoff and e.handoff.to else None
    evidence = {"evidence": said.id} if said else {}
    because, brief = {"reason": "because"}, {"brief": TEXT}
    for who in dict.fromkeys((owner, top)):
        yield who, "engage", brief
        yield who, "escalate", {**because, **brief}
        yield who, "resume", because
    yield top, "escalate", {**because, **brief, "level": 4}
    yield DESK, "resume", because
    for level in {s.level for s in e.situations if s.origin == "customer"}:
        yield DESK, "escalate", {**because, **brief, "level": level}
    for criterion in CRITERIA:
        yield owner, "de_escalate", {"criterion": criterion, **evidence}
        yield top, "withdraw", {"criterion": criterion, **evidence}
    yield owner, "step_down", {**brief, "level": 1}
    yield owner, "close", {}
    for step in STEPS:
        yield owner, "complete_step", {"step": step, "detail": "Mail 7"}
    for authority, word in (("approve_standard_workaround", "say"), ("reprioritize_ticket", "lower")):
        if word in scope.words and authority not in {act.authority for act in e.acts}:  # else nothing comes of it
            yield owner, "act", {"authority": authority, "detail": "Yes"}
    for situation in dict.fromkeys(s.situation for s in e.situations):
        yield top, "dismiss_situation", {**because, "situation": situation}
    if offered is not None:
        written = {"to": offered.id, "issue": "i", "reason": "r", "current_status": "c", "needed": "n"}
        for who in dict.fromkeys((owner, offered)):
            yield who, "brief", written
        yield offered, "accept", {}
        yield offered, "decline", because
    for name in scope.people:
        if int(name[-1]) >= e.level:
            yield owner, "reassign", {**because, "to": name}
    yield top, "join", because
    yield owner, "disengage", {"person": top.id}
    yield owner, "update_customer", {"text": "We are on it"}
