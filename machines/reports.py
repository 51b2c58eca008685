"""What is heard: a ticket's facts and a customer's words, and which situations are in them.

A situation begins when its fact begins; the same fact again, also after a close, adds nothing (`ticket.begun`).
Sources: `domain.md`, "Situations, target and time" and "Channels".
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from machines import asking, sla
from machines.asked import THE_CLOCK, Actor, FieldProblem, Heard, Report
from machines.case import roles_from
from machines.decided import Decision, Failure, Refusal, Said
from machines.flags import flag, flag_emergency
from machines.repeats import repeat, reported
from machines.situations import Asked, begin, invalid
from machines.story import Story, clock_does
from machines.values import Contact, Escalation, PriorityChange, Reported, State, Ticket, Tier
from machines.waiting import timers, too_old


def _may_report(actor: Actor) -> Refusal | None:
    """Tickets and contacts come from services, agents and above, and admins; an auditor changes nothing."""
    if actor.through is None and (actor.person or actor.role in ("service", "admin")):
        return None
    message = "Only services, admins, agents and people of a level may report tickets and contacts."
    return Refusal(403, "not_permitted", message, (Failure("may_report", message, ("service", *roles_from(0))),))


def _opener(actor: Actor) -> Actor:
    """Who opens for a fact. An admin who reports it has no part in the escalation: the clock opens it."""
    return THE_CLOCK if actor.role == "admin" else actor


def _told(story: Story, **more: Any) -> Decision:
    facts = story.facts
    return Decision(
        entries=tuple(story.entries),
        escalation=facts.escalation,
        ticket=facts.ticket,
        situations=tuple(story.situations),
        timers=timers(story),
        **more,
    )


# Tickets ----------------------------------------------------------------------------------------------------------


def report(story: Story, ask: Report, actor: Actor, ask_id: str) -> Refusal | Decision:
    """`PUT /v1/tickets/{id}`: all facts of a ticket as of its `updated_at`; older ones are kept and change nothing."""
    facts = story.facts
    if refused := _may_report(actor):
        return refused
    if ask.ticket.merged_into == ask.ticket.id:
        return invalid(FieldProblem("merged_into", "must be another ticket than this one"))
    if facts.customer is None:
        message = f"no such customer: PUT /v1/customers/{ask.ticket.customer_id} first"
        return invalid(FieldProblem("customer_id", message))
    at = ask.ticket.updated_at or story.now
    before = facts.ticket or Ticket(ask.ticket.id)
    if before.updated_at and at < before.updated_at:
        return Decision(escalation=facts.escalation, ticket=before, stale=True)
    ticket = facts.ticket = _followed(
        story, _carried(before, ask.ticket, at, tier=facts.customer.tier), facts.customer.tier
    )
    opened = ticket.opened_at
    assert opened is not None
    live = story.live
    if live and ticket.over and not before.over:
        _solved(story, live, at)
    elif live and before.solved and not ticket.solved:
        _reopened(story, live)
    if story.live and ticket.merged_into not in (None, before.merged_into):
        clock_does(story, "remind", reason="ticket_merged", merged_into=ticket.merged_into)
    since = ticket.p0_since
    if since and not ticket.solved and not too_old(story.policy, since):
        key = f"p0_outage@{since.isoformat()}"
        if key not in ticket.begun and story.policy.cell("p0_outage", facts.customer.tier).level:
            asked = Asked("p0_outage", since, key, detail={"priority": ticket.priority})
            refused = begin(story, _opener(actor), asked)
            assert refused is None, f"a fact's own situation was refused: {refused}"
    said_at = opened if before.revision == 0 else at
    if not ticket.solved and not too_old(story.policy, said_at):
        flag(story, _opener(actor), ask.found, said_at, {})
        if before.revision == 0:
            new = reported(story, ask_id, said_at, ask.gist)
            return _told(story, **_repeats(story, _opener(actor), new))
    return _told(story)


def _repeats(story: Story, actor: Actor, new: Reported | None) -> dict[str, Any]:
    """What a decision tells of a report that may repeat others."""
    return {"reported": new, "counted": repeat(story, actor, new)} if new else {}


def _followed(story: Story, ticket: Ticket, tier: Tier) -> Ticket:
    """The facts with the phases that SLA clocks are read from; what was reported before there were any begins them."""
    before = story.facts.ticket
    assert ticket.updated_at is not None
    phases = ticket.phases
    if not phases and before is not None and before.updated_at is not None:
        phases = sla.followed((), before, tier, before.updated_at)
    ticket = replace(ticket, phases=sla.followed(phases, ticket, tier, ticket.updated_at))
    return replace(ticket, phases=sla.folded(ticket, story.policy))


def _carried(before: Ticket, told: Ticket, at: datetime, *, tier: Tier) -> Ticket:
    """The reported facts with what we keep beside them: since when it is what it is, and what has begun.

    Closing a ticket by merging it solves nothing; one that was solved before it was merged stays so.
    """
    ends = told.solved and (before.solved_since is not None or told.merged_into is None)
    revision = before.revision + 1
    first = told.opened_at if before.revision == 0 else at
    outage = told.priority == "p0" and (tier == "enterprise" or told.outage is not False)
    pressing = told.priority == "p1" or (told.priority == "p0" and not outage)

    def since(now: bool, before_since: datetime | None) -> datetime | None:
        if not now:
            return None
        return before_since if before_since or told.solved else first

    # Only solving, or an outage with its own row, ends what a P1 began: a lowered priority stops no clock.
    p1_runs_on = before.p1_since is not None and not ends and not outage
    changed = not before.priorities or before.priorities[-1].priority != told.priority
    change = (PriorityChange(revision, told.priority),) if changed else ()
    return replace(
        told,
        updated_at=at,
        revision=revision,
        reported=revision,
        priorities=(*before.priorities, *change)[-200:],
        p0_since=since(outage, before.p0_since),
        p1_since=since(pressing or p1_runs_on, before.p1_since),
        solved_since=(before.solved_since or at) if ends else None,
        begun=before.begun,
        phases=before.phases,
        warned=before.warned,
    )


def _solved(story: Story, live: Escalation, at: datetime) -> None:
    """Solved while open: the clock withdraws it. At a level: the owner is told; people de-escalate, not the clock.

    An unanswered level is neither paged again nor raised; a `reassign` lapses as ever, for its level was accepted.
    """
    if live.state == State.OPEN:
        if at >= max((s.at for s in live.situations), default=live.opened_at):
            clock_does(story, "withdraw", criterion="issue_resolved")
    elif live.state != State.DE_ESCALATING:
        quiet = {"page_by": None} if live.handoff and live.handoff.unanswered_level else {}
        clock_does(story, "remind", reason="ticket_solved", changes=quiet)


def _reopened(story: Story, live: Escalation) -> None:
    """Reopened while de-escalating: back to its level. An unanswered level is answered for again."""
    if live.state == State.DE_ESCALATING:
        clock_does(story, "resume", reason="ticket_reopened")
    elif live.handoff and live.handoff.unanswered_level and live.page_by is None:
        assert live.respond_by is not None, "an unanswered level is due"
        page_by = max(live.respond_by, story.now)
        clock_does(story, "remind", reason="ticket_reopened", changes={"page_by": page_by})


# Contacts ---------------------------------------------------------------------------------------------------------


def heard(story: Story, ask: Heard, actor: Actor) -> Refusal | Decision:
    """`POST /v1/tickets/{id}/contacts`: what was said counts as a report; some channels ask for an escalation."""
    facts, ticket, customer = story.facts, story.facts.ticket, story.facts.customer
    if refused := _may_report(actor):
        return refused
    assert ticket is not None
    assert customer is not None
    if known := facts.contacts.get(ask.id):
        return Decision(escalation=facts.escalation, ticket=ticket, contact=known, stale=True)
    revision, at = ticket.revision + 1, ask.at or story.now
    facts.ticket = replace(ticket, revision=revision)
    said = {name: text for name, text in (("subject", ask.subject), ("body", ask.body)) if text}
    text = Said(facts.mint.uuid7(story.now), customer.id, facts.mint.salt(), said) if said else None
    verified = ask.sender.strip().casefold() in customer.contacts
    word = asking.word_in(ask.subject, story.policy) if ask.channel == "reply" else None
    said_it = verified and word is not None and not word.look_alike
    requests = (
        ask.author_role == "customer" and ask.request is not False and (ask.channel in asking.IN_ITSELF or said_it)
    )
    contact = Contact(
        id=ask.id,
        ticket_id=ticket.id,
        customer_id=customer.id,
        revision=revision,
        at=at,
        received_at=story.now,
        channel=ask.channel,
        sender=ask.sender,
        author_role=ask.author_role,
        verified=verified,
        request=requests,
        said=text.id if text else None,
        word=word,
    )
    lacks: tuple[Failure, ...] = ()
    if not too_old(story.policy, at):
        lacks = _speaks(story, ask, _opener(actor), contact)
    new = None
    if contact.verified and contact.author_role == "customer" and not too_old(story.policy, at):
        new = reported(story, contact.id, at, ask.gist, contact.sender)
    repeats = _repeats(story, _opener(actor), new)
    return _told(story, contact=contact, texts=(text,) if text else (), refused=lacks, **repeats)


def _speaks(story: Story, ask: Heard, actor: Actor, contact: Contact) -> tuple[Failure, ...]:
    """What a contact begins: by its words, and by the request that its channel is; why the tier lacks that channel."""
    detail: dict[str, Any] = {"contact": contact.id}
    refused = None
    if contact.request and ask.channel == "emergency":
        refused = flag_emergency(story, actor, ask.found, contact.at, detail)
    flag(story, actor, ask.found, contact.at, detail)
    if contact.request and ask.channel != "emergency":
        key = f"customer_request@{contact.id}"
        if contact.word is not None:
            detail |= {"word": contact.word.word, "place": contact.word.place}
        refused = begin(story, actor, Asked("customer_request", contact.at, key, channel=ask.channel, detail=detail))
    return refused.failed if refused else ()
