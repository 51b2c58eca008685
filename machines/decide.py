"""`decide(facts, command, policy, now)`: the only way a command becomes a decision. Pure.

The order of refusals is the contract's: 404, 412, 422 for fields, 409, 403, 422 for guards.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, structs

from machines import fields as given
from machines.asked import ChainTold, Command, Duty, Fire, Heard, MovePolicy, Rearm, Report, Request, Transition
from machines.case import Facts
from machines.clock import armed, chain_told, fire, on_duty_changed
from machines.decided import Decision, Failure, Refusal
from machines.escalation import RULES, exists
from machines.matrix import Policy
from machines.moving import move
from machines.reports import heard, report
from machines.situations import invalid, request
from machines.story import Story, call, case_of, guards_of, judge, no_such_move
from machines.values import Escalation, State, TimerKind
from machines.waiting import rearm


def decide(facts: Facts, command: Command, policy: Policy, now: datetime) -> Decision | Refusal:
    """Decide one command on these facts. Neither changes: what will be is in the decision.

    `facts` must be those of the command's ticket: its escalation that is not closed (for a transition: the one
    named), its customer, the active roster. Raises nothing for a caller's mistake: that is a `Refusal`.
    """
    story = Story(structs.replace(facts), policy, now)
    before, ask = facts.escalation, command.ask
    timers: dict[TimerKind, datetime | None] = {}
    match ask:
        case Transition():
            refused = _transition(story, ask, command)
        case Request():
            refused = invalid(*command.problems) if command.problems else request(story, ask, facts.actor)
        case Fire():
            timers, refused = fire(story, ask), None
        case Rearm():
            timers, refused = rearm(story), None
        case Duty():
            on_duty_changed(story, ask)
            refused = None
        case ChainTold():
            chain_told(story, ask)
            refused = None
        case MovePolicy():
            if problem := _unlike(before, ask):
                return problem
            timers, refused = move(story, ask, facts.actor)
        case Report() | Heard():
            if isinstance(ask, Heard) and not (facts.ticket and facts.ticket.revision):
                return not_found("ticket", ask.ticket_id)
            if command.problems:
                return invalid(*command.problems)
            told = (
                report(story, ask, facts.actor, command.id)
                if isinstance(ask, Report)
                else heard(story, ask, facts.actor)
            )
            if isinstance(told, Refusal):
                return told
            return structs.replace(told, timers={**told.timers, **_changed_timers(before, told.escalation)})
    if refused is not None:
        return refused
    after = story.facts.escalation
    return Decision(
        entries=tuple(story.entries),
        escalation=after,
        ticket=story.facts.ticket if timers or story.facts.ticket is not facts.ticket else None,
        timers={**timers, **_changed_timers(before, after)},
        situations=tuple(story.situations),
        warned=tuple(story.warned),
    )


def _changed_timers(before: Escalation | None, after: Escalation | None) -> dict[TimerKind, datetime | None]:
    """Only what a decision arms anew or clears; timers follow the row, so none can be forgotten."""
    was, now = armed(before), armed(after)
    return {kind: due for kind, due in now.items() if due != was[kind]}


def not_found(what: str, which: str) -> Refusal:
    """404: no such thing."""
    return Refusal(404, "not_found", f"There is no {what} {which!r}.")


def _unlike(e: Escalation | None, ask: MovePolicy) -> Refusal | None:
    """404 where it is not the ticket's running escalation any more, 412 where it has changed."""
    if e is None or e.id != ask.escalation_id:
        return not_found("running escalation", ask.escalation_id)
    return _stale(e, ask.if_match)


def _stale(e: Escalation, if_match: int | None) -> Refusal | None:
    if if_match is None or if_match == e.version:
        return None
    seen = f"version {if_match}" if if_match >= 0 else "no version of it"
    message = f"If-Match names {seen}; it is at {e.version}. Look again, then decide."
    return Refusal(412, "stale_version", message, escalation=e)


def _transition(story: Story, ask: Transition, command: Command) -> Refusal | None:
    e = story.facts.escalation
    if e is None:
        return not_found("escalation", ask.escalation_id)
    if stale := _stale(e, ask.if_match):
        return stale
    if command.problems:
        return structs.replace(invalid(*command.problems), escalation=e)
    rule = RULES.get(ask.trigger)
    # The survey's answer is the one call of the clock's own that comes this way.
    rated = story.facts.actor.clock and isinstance(ask.fields, given.Rating) and e.state == State.CLOSED
    if rule is None or not (rated or exists(rule, e)):
        return no_such_move(ask.trigger, e)
    assert isinstance(ask.fields, given.Fields), "the door checks a known trigger's fields"
    return call(story, ask.trigger, ask.fields, story.facts.actor)


class Possible(Struct, frozen=True):
    """Whether a trigger may be called now; `failed` are guards that fail whatever fields it is called with."""

    trigger: str
    allowed: bool
    failed: tuple[Failure, ...]
    fields: tuple[str, ...]


def possible(facts: Facts, policy: Policy, now: datetime) -> list[Possible]:
    """What this actor may do now with this escalation, every trigger that exists from its state.

    Guards that look at the fields can't be judged before there are fields: they are left to the attempt.
    """
    e, actor = facts.escalation, facts.actor
    assert e is not None
    story = Story(facts, policy, now)
    found = []
    for rule in RULES.values():
        if not exists(rule, e) or rule.fields is None:
            continue
        case = case_of(story, rule, actor, {})
        failed = judge(case, tuple(g for g in guards_of(rule, actor) if not g.of_fields(case)))
        found.append(Possible(rule.trigger, not failed, failed, rule.fields.__struct_fields__))
    return found
