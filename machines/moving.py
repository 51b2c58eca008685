"""Moving a running escalation to another version of the policy: what it is called for, and each deadline that changes.

A deadline is counted anew from where it began; one that has passed by the new version is due now, never in the past.
A level where it stands already is kept: it falls only by people's de-escalation. What the new version has no row for
keeps the level and the deadline that it had: no running escalation is stranded.
Source: `domain.md`, "The default policy": "an audited command with a preview of every deadline that changes".
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from machines.asked import Actor, MovePolicy
from machines.decided import Refusal
from machines.matrix import Policy
from machines.opening import rearmed
from machines.story import Story, perform
from machines.values import Escalation, Situation, TimerKind
from machines.waiting import timers

DEADLINES = ("target_level", "engage_by", "respond_by", "page_by", "next_update_by")


class Moved(Struct, frozen=True):
    """What changes with the version: a deadline, or `target_level`. Those of the ticket's own clocks are when the clock
    acts on them next."""

    name: str
    before: datetime | int | None
    after: datetime | int | None


def move(story: Story, ask: MovePolicy, actor: Actor) -> tuple[dict[TimerKind, datetime | None], Refusal | None]:
    """Move it, and answer the timers of the ticket's own that this moves. Where it stands under that version already,
    nothing changes."""
    e, to = story.live, ask.policy
    assert e is not None
    assert to is not None, "the door knows the version"
    if e.policy_version == to.version:
        return {}, None
    changes = changed(e, story.policy, to, story.now)
    own = _own(story, to)
    told = [Moved(name, getattr(e, name), changes[name]) for name in DEADLINES if name in changes]
    told = [each for each in told if each.before != each.after]
    told += [Moved(kind, story.facts.waiting.get(kind), due) for kind, due in own.items()]
    values = {
        "policy_version": to.version,
        "from_version": e.policy_version,
        "moved": [asdict(each) for each in told],
        "changes": changes,
    }
    if refused := perform(story, "move_policy", actor, values):
        return {}, refused
    story.policy = to
    return own, None


def _own(story: Story, to: Policy) -> dict[TimerKind, datetime | None]:
    due = timers(replace(story, policy=to))
    return {kind: at for kind, at in due.items() if at != story.facts.waiting.get(kind)}


def changed(e: Escalation, was: Policy, to: Policy, now: datetime) -> dict[str, Any]:
    """Every field of the row that is another under the new version."""
    changes: dict[str, Any] = {}
    situations = tuple(_situation(e, begun, was, to, now) for begun in e.situations)
    if situations != e.situations:
        changes |= rearmed(e, situations)
    changes |= _response(e, was, to, now)
    every = to.update_every(e.tier) - was.update_every(e.tier)
    if e.next_update_by is not None and every:
        changes["next_update_by"] = max(e.next_update_by + every, now)
    return {name: value for name, value in changes.items() if getattr(e, name) != value}


def _situation(e: Escalation, begun: Situation, was: Policy, to: Policy, now: datetime) -> Situation:
    """What a situation asks for now: its level, unless somebody asked for a higher one, and by when."""
    of, before = was.cell_behind(begun, e.tier)
    after = to.cell(begun.situation, e.tier, emergency=of == "emergency")
    if begun.settled or after.level == 0 or (before.level, before.within) == (after.level, after.within):
        return begun
    level = after.level if begun.level == before.level else max(begun.level, after.level)
    due = begun.at + after.within if after.within is not None else None
    if due is not None and level > e.level:
        due = max(due, now)
    return replace(begun, level=level, due_at=due)


def _response(e: Escalation, was: Policy, to: Policy, now: datetime) -> dict[str, datetime]:
    """When the level that nobody answered, or who it was passed to, is late, and when the clock acts on that."""
    if e.respond_by is None:
        return {}
    before, after = was.respond_within(e.level), to.respond_within(e.level)
    entered, found = e.respond_by - before, dict[str, datetime]()
    if before != after:
        found["respond_by"] = entered + after
        if e.level < 4 and e.page_by is not None:
            found["page_by"] = max(entered + after, now)
    if e.level == 4 and e.page_by is not None and was.document.repage != to.document.repage:
        found["page_by"] = to.page_after(entered, now)
    return found
