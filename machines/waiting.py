"""What waits on a ticket by itself, before there is an escalation: a P1 that is to be solved, and its SLA clocks.

Timers follow from the ticket's facts as others do from the escalation's row: `waits` derives them, so that none can be
forgotten, and the verifier can say which must be there.
Sources: the document's "P1 Not Resolved", "Any SLA Breach: at breach"; `domain.md`, "Situations, target and time".
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from machines import sla
from machines.asked import THE_CLOCK, Fire
from machines.matrix import Policy
from machines.situations import Asked, begin
from machines.story import Story
from machines.values import ClockName, Ticket, Tier, TimerKind, Warned


def too_old(policy: Policy, at: datetime) -> bool:
    """`live_since`: what began before it is recorded and opens nothing."""
    since = policy.document.live_since
    return since is not None and at < since


def waits(ticket: Ticket, tier: Tier, policy: Policy) -> dict[TimerKind, datetime | None]:
    """When the clock acts next on this ticket of a customer of this tier, by kind of timer; None: not at all."""
    return {"p1": _p1_by(ticket, tier, policy), **sla.armed(ticket, policy)}


def timers(story: Story) -> dict[TimerKind, datetime | None]:
    """What waits on the story's ticket, as its facts are now."""
    ticket, customer = story.facts.ticket, story.facts.customer
    if ticket is None or customer is None:
        return {}
    return waits(ticket, customer.tier, story.policy)


def rearm(story: Story) -> dict[TimerKind, datetime | None]:
    """The customer's tier is another: its clocks go by that from now on. Answers the timers that this moves."""
    ticket, customer = story.facts.ticket, story.facts.customer
    if ticket is not None and customer is not None and ticket.phases and not ticket.over:
        followed = replace(ticket, phases=sla.followed(ticket.phases, ticket, customer.tier, story.now))
        if followed != ticket:
            story.facts.ticket = followed
    return {kind: due for kind, due in timers(story).items() if due != story.facts.waiting.get(kind)}


def fire(story: Story, ask: Fire) -> dict[TimerKind, datetime | None]:
    """Act on a due timer of the ticket's own, and answer what becomes of it.

    Policy or tier may have moved it since it was armed: then it is armed anew, and fires in its turn.
    """
    if story.facts.waiting.get(ask.kind) != ask.due_at:
        return {}
    if timers(story).get(ask.kind) == ask.due_at:
        if ask.kind in ("first_response", "resolution"):
            _clock_due(story, ask.kind)
        else:
            _p1_due(story, ask.due_at)
    return {kind: due for kind, due in timers(story).items() if kind == ask.kind}


def _p1_by(ticket: Ticket, tier: Tier, policy: Policy) -> datetime | None:
    """`p1_unresolved` begins at its 4 h / 8 h: until then nothing is open, and a timer waits."""
    cell = policy.cell("p1_unresolved", tier)
    if ticket.p1_since is None or ticket.over or cell.level == 0 or _p1_key(ticket.p1_since) in ticket.begun:
        return None
    due = ticket.p1_since + cell.after
    return None if too_old(policy, due) else due


def _p1_key(since: datetime) -> str:
    """What makes a P1 the same fact: the instant it became one."""
    return f"p1_unresolved@{since.isoformat()}"


def _p1_due(story: Story, due: datetime) -> None:
    """A P1 was not resolved in its time: the situation begins at that instant."""
    ticket = story.facts.ticket
    assert ticket is not None
    assert ticket.p1_since is not None
    _begin(story, Asked("p1_unresolved", due, _p1_key(ticket.p1_since)))


def _clock_due(story: Story, clock: ClockName) -> None:
    """An SLA clock has breached: the situation begins at that instant, once. Before that it warns."""
    facts = story.facts
    assert facts.ticket is not None
    assert facts.customer is not None
    reading = sla.read(clock, facts.ticket, story.policy)
    breach = reading.breaches_at
    assert breach is not None
    if breach > story.now:
        warned = sla.warning(clock, facts.ticket, story.policy, story.now)
        assert warned is not None
    else:
        warned = Warned(clock, 100, breach)
        if story.policy.cell("sla_breach", facts.customer.tier).level:
            _begin(story, Asked("sla_breach", breach, detail={"clock": clock, "row": reading.spans[-1].row}))
    facts.ticket = replace(facts.ticket, warned=(*facts.ticket.warned, warned))
    story.warned.append(warned)


def _begin(story: Story, asked: Asked) -> None:
    refused = begin(story, THE_CLOCK, asked)
    assert refused is None, f"a fact's own situation was refused: {refused}"
