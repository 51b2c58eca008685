"""What a story consists of, and how its parts follow from rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from machines.case import BRIEF
from machines.matrix import Policy
from machines.retold import Change, Moved, Offer, Standing
from machines.values import HandoffStatus
from service import answers
from service.routes.clocks import ClockAnswer
from service.routes.deliveries import DeliveryAnswer
from service.routes.denials import DenialAnswer

Version = Annotated[int, Meta(description="Of the transition by which it happened.")]
Part = Literal["transitions", "denials", "messages"]


class StoryTransition(answers.TransitionAnswer, frozen=True):
    """A transition, and with which authority: the actor's level then, what else they had to do with the escalation
    before it (none of it: their level or role alone let them), and what came of it, field by field."""

    actor_level: int
    standing: tuple[Standing, ...]
    changes: tuple[Change, ...]


class StoryBrief(Struct, frozen=True):
    """The newest brief of an offer: who wrote it and what it says; texts are null where they were erased."""

    by: str
    issue: str | None
    reason: str | None
    current_status: str | None
    needed: str | None


class StoryHandoff(Struct, frozen=True):
    """One movement of ownership, from its offer (`offered`) to its end (`ended`, null while it waits)."""

    level: int
    kind: Literal["level", "reassign"]
    to: str | None
    status: HandoffStatus
    offered: Version
    offered_at: datetime
    briefed_at: datetime | None
    brief: StoryBrief | None
    ended: Version | None
    ended_at: datetime | None


class StoryAct(Struct, frozen=True):
    """A decision: with which authority, from which level up the policy of then gives it (`held_from`), of which level
    the actor was, where the escalation stood, and what was decided (null where it was erased)."""

    version: Version
    at: datetime
    authority: str
    held_from: int
    actor: str
    on_behalf_of: str | None
    actor_level: int
    level: int
    policy_version: int
    detail: str | None


class StoryAnswer(Struct, frozen=True):
    """Everything that is known of one escalation, as of one moment (`told_at`).

    `messages` and `denials` are null for roles that may not read them; `withheld` names those. `left_off` names parts
    of which there is more than a story tells: transitions and messages are then the oldest, denials the newest, and
    the lists by `escalation_id` have all. `clocks` are those of its ticket, `people` the names of its people.
    """

    escalation: answers.EscalationAnswer
    subject: str
    customer: str
    told_at: datetime
    people: dict[str, str]
    transitions: list[StoryTransition]
    handoffs: list[StoryHandoff]
    acts: list[StoryAct]
    messages: list[DeliveryAnswer] | None
    denials: list[DenialAnswer] | None
    clocks: list[ClockAnswer]
    withheld: tuple[Part, ...]
    left_off: tuple[Part, ...]


def transition(moved: Moved, kept: answers.Kept) -> StoryTransition:
    """A row of history, as it is told."""
    row = answers.transition(kept, kept.hash, kept.text)
    told = {name: getattr(row, name) for name in row.__struct_fields__}
    return StoryTransition(**told, actor_level=kept.actor_level, standing=moved.standing, changes=moved.changes)


def handoffs(offers: Iterable[Offer], texts: answers.Texts) -> list[StoryHandoff]:
    """Every offer with its newest brief."""
    return [
        StoryHandoff(
            level=o.level,
            kind=o.kind,
            to=o.to,
            status=o.status,
            offered=o.offered,
            offered_at=o.offered_at,
            briefed_at=o.briefed_at,
            brief=_brief(o.brief_by, texts.get(o.brief or "", {})) if o.brief_by else None,
            ended=o.ended,
            ended_at=o.ended_at,
        )
        for o in offers
    ]


def _brief(by: str, said: Mapping[str, Any]) -> StoryBrief:
    """By itself, inside another trigger, or the clock's."""
    within = next((said[name] for name in ("brief", "clock_brief") if isinstance(said.get(name), dict)), said)
    return StoryBrief(by, *(within.get(name) for name in BRIEF))


def acts(records: Iterable[answers.Kept], policies: Mapping[int, Policy]) -> list[StoryAct]:
    """Every decision, with the authority that the policy of its row says it took."""
    return [
        StoryAct(
            version=r.version,
            at=r.at,
            authority=str(r.detail.get("authority")),
            held_from=policies[r.policy_version].lowest_holder.get(str(r.detail.get("authority")), 4),
            actor=r.actor,
            on_behalf_of=r.on_behalf_of,
            actor_level=r.actor_level,
            level=r.level,
            policy_version=r.policy_version,
            detail=str(r.text["detail"]) if r.text and "detail" in r.text else None,
        )
        for r in records
        if r.trigger == "act"
    ]
