"""THE table: every state, every trigger, who may, what must be there, where it leads. And the one machine.

Each `Rule` is a row that a reviewer reads: a trigger, the moves it makes, its guards, its effect. The machine is
built from it once, with `transitions` as a synchronous rulebook; `story.perform` asks it, nothing else moves a state.
Everything else that shows the machine (README, diagrams, `allowed_move` in the database) is generated from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import transitions
from msgspec import Struct

from machines import authority as may
from machines import deescalation as ends
from machines import effects, offers
from machines import fields as given
from machines import handoff as passes
from machines import opening as opens
from machines.case import Case, Guard
from machines.outcome import Outcome
from machines.values import LEVELS, LIVE, Escalation, State

Moves = dict[str, tuple[State, ...]]
NONE: Literal["none"] = "none"
"""Where an escalation is before it is opened."""

L1, L2, L3, L4 = LEVELS
DE = State.DE_ESCALATING
ENTERED = (*LEVELS, DE)


def _stay(*states: State) -> Moves:
    return {state: (state,) for state in states}


def _rise(*states: State) -> Moves:
    return {state: tuple(level for level in LEVELS if level > state) for state in states}


class Rule(Struct, frozen=True):
    """One trigger. `moves` maps each source to its destinations; `fields` is what a caller may give (None: fired only
    by the service itself); `level` says which level is asked for, where the trigger leads to one."""

    trigger: str
    moves: Moves
    guards: tuple[Guard, ...]
    effect: Callable[[Case], Outcome]
    fields: type[given.Fields] | None
    level: Callable[[Case], int] | None = None


def _level_or(default: Callable[[Escalation], int]) -> Callable[[Case], int]:
    return lambda case: case.fields.get("level") or default(case.escalation)


# fmt: off
def _rules() -> Iterator[Rule]:
    owner, engaged, here, clock = may.owner, may.engaged, may.level_here, may.clock
    who = may.who_may

    # Triggers that change the state
    yield Rule("open", {NONE: (State.OPEN,)},
               (who(may.agent, may.service, clock), opens.ticket_known, opens.situation_known, opens.channel_allowed,
                may.opening_within_reach), opens.opened, None, _level_or(lambda e: e.target_level))
    yield Rule("engage", {State.OPEN: LEVELS},
               (who(may.agent, clock), passes.brief_complete, may.opening_within_reach),
               offers.engage, given.Engage, _level_or(lambda e: e.target_level))
    yield Rule("withdraw", {State.OPEN: (State.CLOSED,)},
               (who(may.agent, clock), may.withdrawing_level, ends.criterion_evidenced),
               ends.withdraw, given.WithCriterion)
    yield Rule("escalate", _rise(L1, L2, L3),
               (who(owner, engaged, may.level_asked, may.requesting_service, clock), passes.level_rises,
                may.within_reach, passes.brief_complete, passes.code_known, passes.handoff_settled),
               offers.escalate, given.Escalate, _level_or(lambda e: e.level + 1))
    yield Rule("de_escalate", dict.fromkeys(LEVELS, (DE,)),
               (who(owner, here), passes.handoff_answered, ends.criterion_evidenced),
               ends.de_escalate, given.WithCriterion)
    yield Rule("resume", {DE: LEVELS},
               (who(owner, engaged, here, may.service, clock), passes.reason_given),
               offers.resume, given.WithReason, lambda case: case.escalation.level)
    yield Rule("step_down", {DE: (L1, L2, L3)},
               (who(owner, here), ends.priority_was_lowered, passes.brief_complete, ends.level_falls),
               offers.step_down, given.StepDown, lambda case: case.fields.get("level") or 1)
    yield Rule("close", {DE: (State.CLOSED,)},
               (who(owner, here), ends.steps_done, ends.evidence_still_holds), ends.close, given.Nothing)

    # Triggers that leave the state as it is
    yield Rule("brief", _stay(*LEVELS),
               (who(owner, engaged, clock), passes.handoff_pending, passes.brief_addressed_to_offered,
                passes.brief_complete), offers.brief, given.Brief)
    yield Rule("accept", _stay(*LEVELS),
               (who(may.offered), passes.briefed_by_another, passes.handoff_pending, passes.briefed),
               offers.accept, given.Nothing)
    yield Rule("decline", _stay(*LEVELS),
               (who(may.offered, clock), passes.handoff_pending, passes.reason_given),
               offers.decline, given.WithReason)
    yield Rule("reassign", _stay(*LEVELS),
               (who(owner, here), passes.successor_on_roster, passes.successor_not_owner, passes.reason_given),
               offers.reassign, given.Reassign)
    yield Rule("join", _stay(*ENTERED),
               (who(may.themselves_of_level_one, owner), passes.person_on_roster, passes.not_engaged,
                passes.reason_given), effects.join, given.Join)
    yield Rule("disengage", _stay(*ENTERED),
               (who(may.themselves, owner), passes.is_engaged, passes.not_owner), effects.disengage, given.Disengage)
    yield Rule("act", _stay(*ENTERED),
               (who(owner, engaged), may.actor_holds_authority, may.level_holds_authority), effects.act,
               given.ActFields)
    yield Rule("complete_step", _stay(DE),
               (who(owner, engaged, here, clock), ends.step_before_done, ends.step_proved), ends.complete_step,
               given.CompleteStep)
    yield Rule("update_customer", _stay(*LIVE), (who(owner, engaged), passes.text_given), effects.update_customer,
               given.UpdateCustomer)
    yield Rule("add_situation", _stay(*LIVE),
               (who(may.agent, may.service, clock), opens.ticket_known, opens.situation_known, opens.channel_allowed,
                may.opening_within_reach), opens.add_situation, None,
               lambda case: case.fields.get("level") or case.fields["row"])
    yield Rule("dismiss_situation", _stay(*LIVE),
               (who(may.reporter, owner, may.level_one), opens.situation_present, passes.reason_given),
               opens.dismiss_situation, given.DismissSituation)
    yield Rule("note", _stay(*LIVE), (who(may.agent, may.service), passes.text_given), effects.note, given.Note)

    # Fired only by the service itself
    yield Rule("repage", _stay(L4), (who(clock), passes.handoff_pending), offers.repage, None)
    yield Rule("remind", _stay(*LIVE), (who(clock),), effects.remind, None)
    yield Rule("rate", _stay(State.CLOSED), (who(clock), ends.not_rated), effects.rate, None)
    yield Rule("move_policy", _stay(*LIVE), (who(may.admin),), effects.move_policy, None)
# fmt: on


RULES = {rule.trigger: rule for rule in _rules()}
"""The table by trigger."""


def moves() -> Iterator[tuple[str, str | None, str]]:
    """Every allowed move as (trigger, source or None before opening, dest), in the table's order."""
    for rule in RULES.values():
        for source, dests in rule.moves.items():
            for dest in dests:
                yield rule.trigger, None if source == NONE else str(source), str(dest)


def build(rules: Mapping[str, Rule]) -> transitions.Machine:
    """The machine of these rules, without a model: a case is moved through it, and thrown away.

    A trigger that leaves the state as it is is an internal transition: nothing is left or entered.
    """
    machine = transitions.Machine(
        model=None, states=[NONE, *map(str, State)], initial=NONE, auto_transitions=False, send_event=False
    )
    for rule in rules.values():
        for source, dests in rule.moves.items():
            for dest in dests:
                stays = dest == source
                level = LEVELS.index(dest) + 1 if dest in LEVELS and not stays else None
                machine.add_transition(
                    rule.trigger, str(source), None if stays else str(dest), conditions=_condition(rule.guards, level)
                )
    return machine


def _condition(guards: tuple[Guard, ...], level: int | None) -> Callable[[Case], bool]:
    """All guards of a move and, where a trigger has several, that this is the level where the case will stand."""
    checks = [guard.check for guard in guards]

    def holds(case: Case) -> bool:
        return (level is None or case.stands == level) and all(check(case) for check in checks)

    return holds


MACHINE = build(RULES)


def exists(rule: Rule | None, e: Escalation) -> bool:
    """Whether a caller's trigger exists from where the escalation stands."""
    return rule is not None and rule.fields is not None and e.state in rule.moves
