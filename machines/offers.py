"""Offers: what entering a level sets, and how ownership moves: offered, briefed, then accepted or passed on.

The document's "Escalation Communication" and "How to Escalate"; `domain.md`, "Handoff".
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec.structs import asdict, replace

from machines.asked import BriefText
from machines.case import BRIEF, Case, Placement
from machines.decided import Message
from machines.handoff import place
from machines.opening import wanted
from machines.outcome import Outcome, customer_told, joined, owner_told
from machines.values import CLOCK, LEVELS, Brief, Handoff

# Briefs and offers ------------------------------------------------------------------------------------------------


def clock_brief(case: Case, level: int) -> BriefText:
    """The brief that the clock fills in from ticket and history when nobody wrote one."""
    e, t = case.escalation, case.ticket
    kinds = ", ".join(dict.fromkeys(s.situation for s in e.situations)) or "no situation left"
    owner = e.owner or "nobody yet"
    return BriefText(
        issue=t.subject.strip() or f"Ticket {t.id}",
        reason=kinds,
        current_status=f"{t.priority.upper()}, {t.status}; owner {owner}; transitions so far: {e.version}",
        needed=f"{case.policy.level(level).name}: accept this handoff",
    )


def _offer(
    case: Case, *, kind: Literal["level", "reassign"] = "level", declined: tuple[str, ...] = ()
) -> tuple[Handoff, dict[str, Any]]:
    """The handoff to where the case was placed, and the text that its brief adds to what is said.

    A brief in the trigger is addressed to whoever is offered it; else the newest one follows the offer in its
    writer's name; else, or when its writer is the one left to take it, the clock's is filled in.
    """
    assert case.placement is not None
    to, level, by_clock = case.placement.to, case.placement.level, case.placement.clock_brief
    given, newest = case.brief, case.escalation.handoff and case.escalation.handoff.brief
    said: dict[str, Any] = {"brief": asdict(given)} if given else {}
    if given and not by_clock:
        brief = Brief(by=case.writer, to=to, said=case.said)
    elif newest and not by_clock and newest.by != CLOCK:
        brief = replace(newest, to=to)
    else:
        brief = Brief(by=CLOCK, to=to, said=case.said)
        said["clock_brief" if given else "brief"] = asdict(clock_brief(case, level))
    handoff = Handoff(
        status="briefed" if to else "offered",
        to=to,
        level=level,
        offered_at=case.now,
        kind=kind,
        briefed_at=case.now if to else None,
        brief=brief,
        declined=declined,
    )
    return handoff, said


def _offered(handoff: Handoff) -> Message:
    payload = {"level": handoff.level, "brief": handoff.brief.said if handoff.brief else None}
    if handoff.to is None:
        return Message("escalations", "#escalations", "nobody_on_duty", payload)
    return Message("person", handoff.to, "handoff_offered", payload)


def _called(case: Case, handoff: Handoff) -> tuple[Message, ...]:
    """Everyone who hears that a level is called."""
    level, brief = handoff.level, handoff.brief.said if handoff.brief else None
    return (
        Message("escalations", "#escalations", "escalation", {"level": level, "brief": brief}),
        _offered(handoff),
        customer_told(case, "escalated", level=level),
        _tagged(case, level),
    )


def _tagged(case: Case, level: int) -> Message:
    return Message("help_desk", case.escalation.ticket_id, "level_changed", {"tag": f"escalation-l{level}"})


NO_LONGER_ENDING: dict[str, Any] = {"criterion": None, "evidence": None, "steps": {}, "notifying": None}
"""What leaving de-escalation clears; history keeps it."""

# Entering a level -------------------------------------------------------------------------------------------------


def _enter(case: Case, target: int, *, declined: tuple[str, ...] = (), **more: Any) -> Outcome:
    """Stand at the level where the case was placed, offer the handoff there, and start its response clock."""
    e, placement = case.escalation, case.placement
    assert placement is not None
    handoff, said = _offer(case, declined=declined)
    level = placement.level
    respond_by = case.now + case.policy.respond_within(level)
    detail: dict[str, Any] = {"coverage_gap": list(placement.gap)} if placement.gap else {}
    if e.handoff is not None and e.handoff.pending:
        detail["superseded"] = e.handoff.to
    changes = {
        "state": LEVELS[level - 1],
        "level": level,
        "target_level": target,
        "handoff": handoff,
        "chain": joined(e.chain, handoff.to),
        "engage_by": wanted(e.situations, level)[1],
        "respond_by": respond_by,
        "page_by": _next_page(case) if level == 4 else respond_by,
        **more,
    }
    return Outcome(changes, _why(case, target), detail, said, _called(case, handoff))


def _next_page(case: Case) -> datetime | None:
    """L4 answers immediately: it is paged again from then on, but never once the ticket is solved."""
    return None if case.ticket.over else case.policy.page_after(case.now, case.now)


def _why(case: Case, target: int) -> str:
    """The situation that wants this level, else the newest; a fixed word where none is left."""
    situations = case.escalation.situations[::-1]
    wants = [s.situation for s in situations if s.level == target] or [s.situation for s in situations]
    return wants[0] if wants else "escalated"


def engage(case: Case) -> Outcome:
    """Call the level; the customer hears from now on."""
    e = case.escalation
    next_update_by = case.now + case.policy.update_every(e.tier)
    return _enter(case, max(e.target_level, case.level), next_update_by=next_update_by)


def escalate(case: Case) -> Outcome:
    """Call a higher level; whoever was offered the lower one is superseded."""
    e, passed = case.escalation, case.fields.get("passed")
    if passed:  # nobody was left at this level: where the situations want it stays
        outcome = _enter(case, e.target_level)
        gap = {"coverage_gap": [passed, *outcome.detail.get("coverage_gap", [])]}
        return replace(outcome, reason=str(case.fields["reason"]), detail={**outcome.detail, **gap})
    outcome = _enter(case, max(e.target_level, case.level))
    if case.actor.clock:
        reason, h = str(case.fields.get("reason") or outcome.reason), e.handoff
        late = (
            (Message("person", h.to, "handoff_overdue", {"level": outcome.changes["level"]}),)
            if (reason == "response_overdue" and h and h.to)
            else ()
        )
        return replace(outcome, reason=reason, messages=(*outcome.messages, *late))
    said = {"reason": case.fields["reason"], **outcome.said}
    return replace(outcome, reason=str(case.fields.get("code") or "escalated"), said=said)


def step_down(case: Case) -> Outcome:
    """Stand lower, because the priority was lowered; what wanted it higher is settled, its deadlines with it."""
    situations = tuple(replace(s, settled=True) if s.level > case.level else s for s in case.escalation.situations)
    outcome = _enter(case, case.level, situations=situations, **NO_LONGER_ENDING, engage_by=None)
    return replace(outcome, reason="priority_lowered")


def resume(case: Case) -> Outcome:
    """Back to the level it came from; a handoff only if none was accepted there."""
    e, h = case.escalation, case.escalation.handoff
    changes: dict[str, Any] = {"state": LEVELS[e.level - 1], **NO_LONGER_ENDING}
    said = {} if case.actor.clock else {"reason": case.fields["reason"]}
    reason = str(case.fields["reason"]) if case.actor.clock else "resumed"
    if h is not None and h.status == "superseded" and h.kind == "level":
        outcome = _enter(case, e.target_level, declined=h.declined, **changes)
        return replace(outcome, reason=reason, said={**said, **outcome.said})
    return Outcome(changes, reason, said=said, messages=(customer_told(case, "escalated"), _tagged(case, e.level)))


# Answering an offer -----------------------------------------------------------------------------------------------


def brief(case: Case) -> Outcome:
    """The incoming person knows what there is to know."""
    e, h = case.escalation, case.escalation.handoff
    assert h is not None
    assert h.to is not None
    newest = Brief(by=case.actor.id, to=h.to, said=case.said)
    changed = replace(h, status="briefed", briefed_at=case.now, brief=newest)
    said = {name: case.fields[name] for name in BRIEF}
    told = Message("person", h.to, "briefed", {"level": e.level, "brief": case.said})
    return Outcome({"handoff": changed}, "briefed", said=said, messages=(told,))


def accept(case: Case) -> Outcome:
    """Ownership moves; the outgoing owner stays engaged until they disengage."""
    e, h, who = case.escalation, case.escalation.handoff, case.actor.id
    assert h is not None
    changes: dict[str, Any] = {
        "owner": who,
        "engaged": joined(e.engaged, who),
        "chain": joined(e.chain, who),
        "handoff": replace(h, status="accepted", accepted_at=case.now),
        "respond_by": None,
        "page_by": None,
    }
    if e.next_update_by is None:
        changes["next_update_by"] = case.now + case.policy.update_every(e.tier)
    outgoing = (owner_told(case, "handoff_accepted", by=who),) if e.owner not in (None, who) else ()
    return Outcome(changes, "handoff_accepted", messages=(*outgoing, customer_told(case, "escalated", owner=who)))


def decline(case: Case) -> Outcome:
    """The offer passes on: at this level, else above; a declined `reassign` lapses and the owner stays."""
    e, h = case.escalation, case.escalation.handoff
    assert h is not None
    said = {} if case.actor.clock else {"reason": case.fields["reason"]}
    reason = str(case.fields["reason"]) if case.actor.clock else "handoff_declined"
    told = (owner_told(case, "handoff_declined", by=h.to),) if e.owner else ()
    if h.kind == "reassign":
        lapsed = {"handoff": replace(h, status="declined"), "respond_by": None, "page_by": None}
        return Outcome(lapsed, reason, said=said, messages=told)
    declined = joined(h.declined, h.to)
    case.placement = place(case, e.level, writer=h.brief.by if h.brief else None, declined=declined)
    if case.placement.level > e.level:  # nobody is left here: the clock takes it to who is there
        changes: dict[str, Any] = {"handoff": replace(h, status="declined", declined=declined)}
        then = (("escalate", {"level": e.level + 1, "passed": e.level, "reason": reason}),)
        return Outcome(changes, reason, said=said, messages=told, then=then)
    handoff, more = _offer(case, declined=declined)
    changes = {"handoff": handoff, "chain": joined(e.chain, handoff.to)}
    return Outcome(changes, reason, said={**said, **more}, messages=(*told, _offered(handoff)))


def reassign(case: Case) -> Outcome:
    """Offer it to somebody named. Before the level is accepted its clock runs on; after, a new one starts."""
    e, h, to = case.escalation, case.escalation.handoff, str(case.fields["to"])
    assert h is not None
    first = h.unanswered_level
    case.placement = Placement(e.level, to, clock_brief=h.brief is not None and h.brief.by == to)
    handoff, more = _offer(case, kind="level" if first else "reassign", declined=h.declined if first else ())
    changes: dict[str, Any] = {"handoff": handoff, "chain": joined(e.chain, to)}
    if not first:
        respond_by = case.now + case.policy.respond_within(e.level)
        lapses_at = case.policy.page_after(case.now, case.now) if e.level == 4 else respond_by
        changes |= {"respond_by": respond_by, "page_by": lapses_at}
    return Outcome(changes, "reassigned", said={"reason": case.fields["reason"], **more}, messages=(_offered(handoff),))


def repage(case: Case) -> Outcome:
    """Nobody answered at L4: page again, for as long as it takes."""
    h, e = case.escalation.handoff, case.escalation
    assert h is not None
    assert e.respond_by is not None
    entered = e.respond_by - case.policy.respond_within(4)
    paged = Message("escalations", "#escalations", "nobody_on_duty", {"level": e.level})
    if h.to:
        paged = Message("person", h.to, "paged_again", {"level": e.level})
    return Outcome({"page_by": case.policy.page_after(entered, case.now)}, "unanswered", messages=(paged,))
