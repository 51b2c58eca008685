"""What a situation begins: an escalation is opened, or it is added to the one that is not closed; the matrix acts.

Sources: `domain.md`, "Situations, target and time"; the document's "Escalation Criteria".
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from machines.asked import Actor, BriefText, FieldProblem, Request
from machines.case import whole
from machines.decided import Refusal
from machines.document import AUTOMATIC, SITUATIONS
from machines.story import Story, clock_does, perform
from machines.values import Channel, Escalation, Situation, State


class Asked(Struct, frozen=True):
    """A situation that a caller or a fact brings, before the matrix was asked where it leads.

    `key` is what makes it the same fact: once begun, it does not begin again on this ticket.
    """

    situation: str
    at: datetime
    key: str | None = None
    reason: str | None = None
    brief: BriefText | None = None
    level: int | None = None
    channel: Channel | None = None
    detail: dict[str, Any] = {}


def invalid(*problems: FieldProblem) -> Refusal:
    """422: fields, all of them."""
    return Refusal(422, "invalid_fields", "; ".join(f"{p.field}: {p.message}" for p in problems), problems=problems)


def request(story: Story, ask: Request, actor: Actor) -> Refusal | None:
    """`POST /v1/escalations`: a manual reason, or a customer's request."""
    if ask.situation in AUTOMATIC:
        message = f"{ask.situation} begins by itself, from the facts of the ticket; report those"
        return invalid(FieldProblem("situation", message))
    asked = Asked(ask.situation, story.now, reason=ask.reason, brief=ask.brief, level=ask.level)
    return begin(story, actor, asked)


def begin(story: Story, actor: Actor, asked: Asked) -> Refusal | None:
    """A situation begins: it opens an escalation, or is added to the one that is not closed; then the matrix acts."""
    facts, policy, live = story.facts, story.policy, story.live
    ticket, customer = facts.ticket, facts.customer
    cell = kind = None
    if customer is not None and asked.situation in SITUATIONS:
        cell = policy.cell(asked.situation, customer.tier, emergency=asked.channel == "emergency")
        kind = policy.kind(asked.situation)
    row = cell.level if cell else 0
    situation = Situation(
        situation=asked.situation,
        at=asked.at,
        origin=kind or "manual",
        level=max(row, asked.level or row),
        by=actor.id,
        due_at=asked.at + cell.within if cell and cell.within is not None else None,
        detail=asked.detail,
    )
    values = {
        "row": row,
        "new": situation,
        "level": asked.level,
        "reason": asked.reason,
        "brief": asked.brief,
        "channel": asked.channel,
    }
    if live is None:
        facts.escalation = _draft(story, actor, situation)
    if refused := perform(story, "add_situation" if live else "open", actor, values):
        facts.escalation = live
        return refused
    story.situations.append(situation)
    if ticket is not None and asked.key:
        facts.ticket = replace(ticket, begun=(*ticket.begun, asked.key)[-200:])
    _act_on(story, actor, situation, at_once=cell is not None and cell.at_once, brief=asked.brief)
    return None


def _draft(story: Story, actor: Actor, situation: Situation) -> Escalation:
    """The escalation as `open` will make it; version 0 says that it does not exist yet."""
    facts, now = story.facts, story.now
    ticket, customer = facts.ticket, facts.customer
    first = _first_owner(story, actor)
    engaged = (first,) if first else ()
    return Escalation(
        id=facts.mint.uuid7(now),
        ticket_id=ticket.id if ticket else "",
        customer_id=customer.id if customer else "",
        tier=customer.tier if customer else "starter",
        state=State.OPEN,
        level=0,
        target_level=situation.level,
        owner=first,
        opened_at=now,
        opened_by=actor.id,
        policy_version=story.policy.version,
        situations=(situation,),
        engaged=engaged,
        chain=engaged,
        engage_by=situation.due_at,
        follows=facts.follows,
        opened_revision=ticket.revision if ticket else 0,
    )


def _first_owner(story: Story, actor: Actor) -> str | None:
    """The agent who opened it; for machines the ticket's assignee, else the agent on duty, else nobody."""
    if actor.person:
        return actor.id
    roster, ticket = story.facts.roster, story.facts.ticket
    if ticket and ticket.assignee in roster:
        return ticket.assignee
    agents = [p for p in roster.values() if p.level == 0 and p.on_duty]
    return min(agents, key=lambda p: (p.held, p.id)).id if agents else None


def _act_on(story: Story, actor: Actor, situation: Situation, *, at_once: bool, brief: BriefText | None) -> None:
    """What the matrix does about a situation that has just begun: at once, or when its deadline comes."""
    if _stands(story).state == State.DE_ESCALATING:
        clock_does(story, "resume", reason=situation.situation)
    e = _stands(story)
    if not at_once or e.level >= situation.level:
        return
    given = {"brief": brief, "writer": actor.id} if whole(brief) else {}
    trigger = "engage" if e.state == State.OPEN else "escalate"
    clock_does(story, trigger, level=e.target_level, reason=situation.situation, **given)


def _stands(story: Story) -> Escalation:
    assert story.facts.escalation is not None
    return story.facts.escalation
