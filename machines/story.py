"""A story: what one command does, transition by transition. Each is judged by the table and moves the machine.

`perform` is the only way that an escalation's row becomes another: it writes the history entry in the same breath.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from machines import authority as may
from machines import escalation as table
from machines import fields as given
from machines.asked import THE_CLOCK, Actor
from machines.case import BRIEF, Case, Facts, Guard, Placement, roles_from
from machines.decided import Entry, Failure, Refusal, Said
from machines.escalation import NONE, RULES, Rule, exists
from machines.handoff import place
from machines.matrix import Policy
from machines.outcome import Outcome
from machines.values import Escalation, Situation, State, Warned


class Story(Struct):
    """What one command does. `facts.escalation` is the row after the newest entry."""

    facts: Facts
    policy: Policy
    now: datetime
    entries: list[Entry] = []
    situations: list[Situation] = []
    warned: list[Warned] = []

    @property
    def live(self) -> Escalation | None:
        """The escalation, unless it is closed."""
        e = self.facts.escalation
        return e if e and e.state != State.CLOSED else None


def case_of(story: Story, rule: Rule, actor: Actor, values: dict[str, Any]) -> Case:
    """The case of this trigger: which level is asked for, and where the escalation would come to stand."""
    e = story.facts.escalation
    assert e is not None
    state: Any = NONE if e.version == 0 else str(e.state)
    case = Case(rule.trigger, story.facts, actor, values, story.policy, story.now, state)
    if rule.level is not None:
        case.level = case.stands = rule.level(case)
        if rule.trigger in ("engage", "escalate", "step_down", "resume") and 1 <= case.level <= 4:
            case.placement = _placed(case, e)
            case.stands = case.placement.level
    return case


def _placed(case: Case, e: Escalation) -> Placement:
    """Falling never stands higher than it may: `resume` at its own level, `step_down` below the one it had."""
    h, resumes = e.handoff, case.trigger == "resume"
    newest = h.brief.by if h and h.brief else None
    top = case.level if resumes else max(case.level, e.level - 1) if case.trigger == "step_down" else 4
    writer = case.writer if case.brief else newest
    return place(case, case.level, top=top, writer=writer, declined=h.declined if h and resumes else ())


def judge(case: Case, guards: tuple[Guard, ...]) -> tuple[Failure, ...]:
    """Every guard that fails, not the first."""
    return tuple(guard.failure(case) for guard in guards if not guard(case))


def guards_of(rule: Rule, actor: Actor) -> tuple[Guard, ...]:
    """The guards of a rule; before them, for a service that acts for a person, that it may."""
    return rule.guards if actor.through is None else (may.delegation_granted, *rule.guards)


def no_such_move(trigger: str, e: Escalation) -> Refusal:
    """409: the table has no such row."""
    could = sorted(r.trigger for r in RULES.values() if exists(r, e))
    message = f"From {e.state} there is no {trigger!r}. There is: {', '.join(could) or 'nothing, it is closed'}."
    return Refusal(409, "no_such_move", message, (Failure("move_exists", message, roles_from(0)),), escalation=e)


def refuse(failed: tuple[Failure, ...], guards: tuple[Guard, ...], e: Escalation | None) -> Refusal:
    """403 where somebody else could, 422 where something is missing; all failures are listed."""
    forbidden = {g.name for g in guards if g.status == 403}
    status, code = (403, "not_permitted") if any(f.guard in forbidden for f in failed) else (422, "guard_failed")
    return Refusal(status, code, " ".join(f.message for f in failed), failed, escalation=e)


def perform(story: Story, trigger: str, actor: Actor, values: dict[str, Any]) -> Refusal | None:
    """Judge one trigger and, if it may happen, move the machine and write its entry into the story.

    What the effect says comes right after (`then`) is performed by the clock, through the same guards.
    """
    rule = RULES[trigger]
    case, guards = case_of(story, rule, actor, values), guards_of(rule, actor)
    granted = actor.through is None or may.delegation_granted(case)
    if not granted or not table.MACHINE.events[trigger].trigger(case, case):
        failed = judge(case, guards)
        assert failed, f"{trigger} from {case.state} was refused by no guard"
        return refuse(failed, guards, story.facts.escalation)
    outcome = rule.effect(case)
    _write(story, case, guards, outcome)
    for follow_up, more in outcome.then:
        clock_does(story, follow_up, **more)
    return None


def clock_does(story: Story, trigger: str, **values: Any) -> None:
    """What the clock does by itself: no guard refuses it, or the table is wrong."""
    refused = perform(story, trigger, THE_CLOCK, values)
    assert refused is None, f"the clock's own {trigger} was refused: {refused}"


_TEXT = frozenset((*BRIEF, "brief", "text", "workaround", "detail", "new", "row", "changes", "passed", "writer"))
"""What `detail` leaves out: free text lies in `said`, the rest is what the service tells itself."""


def _write(story: Story, case: Case, guards: tuple[Guard, ...], outcome: Outcome) -> None:
    before = case.escalation
    changes = outcome.changes
    if before.version:
        changes = {name: value for name, value in changes.items() if getattr(before, name) != value}
    at = max(story.now, before.updated_at or story.now)
    after = replace(before, **changes, version=before.version + 1, updated_at=at)
    assert after.state == case.state, f"{case.trigger} set {after.state}, the machine says {case.state}"
    given_values = {k: v for k, v in case.fields.items() if k not in _TEXT and v is not None and v != ()}
    actor, said = case.actor, outcome.said
    story.entries.append(
        Entry(
            escalation_id=after.id,
            version=after.version,
            at=at,
            trigger=case.trigger,
            source=before.state if before.version else None,
            state=after.state,
            level=after.level,
            owner=after.owner,
            ticket_id=after.ticket_id,
            customer_id=after.customer_id,
            actor=actor.through or actor.id,
            on_behalf_of=actor.id if actor.through else None,
            actor_level=actor.level,
            reason=outcome.reason,
            detail={**given_values, **outcome.detail},
            guards=tuple(g.name for g in guards),
            policy_version=after.policy_version,
            changed=changes,
            said=Said(case.said, after.customer_id, story.facts.mint.salt(), said) if said else None,
            messages=outcome.messages,
        )
    )
    story.facts.escalation = after


def call(story: Story, trigger: str, fields: given.Fields, actor: Actor) -> Refusal | None:
    """A caller's trigger with its checked fields."""
    return perform(story, trigger, actor, {k: v for k, v in asdict(fields).items() if v is not None})
