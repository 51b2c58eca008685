"""The fields of each trigger, as a caller gives them. The door checks them; `/openapi.json` is made from them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from machines.asked import BriefText
from machines.values import Criterion, Step, Text

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Level = Annotated[int, Meta(ge=1, le=4)]
Word = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,63}$")]


class Fields(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a trigger is called with; `None` means that the field was not given."""


class Nothing(Fields, frozen=True):
    """No fields."""


class Engage(Fields, frozen=True):
    """`level`: where to, if not where the matrix says."""

    level: Level | None = None
    brief: BriefText | None = None


class Escalate(Fields, frozen=True):
    """`level`: where to, if not the next; `code`: a reason code of the policy's levels."""

    reason: Text
    brief: BriefText
    level: Level | None = None
    code: Word | None = None


class WithCriterion(Fields, frozen=True):
    """`evidence`: the id of a customer's contact on the ticket, after opening."""

    criterion: Criterion
    evidence: Id | None = None


class WithReason(Fields, frozen=True):
    """Say why."""

    reason: Text


class StepDown(Fields, frozen=True):
    """`level`: a lower one than where it stood."""

    level: Level
    brief: BriefText


class Brief(Fields, frozen=True):
    """The document's template, addressed to the person that the handoff is offered to."""

    to: Id
    issue: Text
    reason: Text
    current_status: Text
    needed: Text


class Reassign(Fields, frozen=True):
    """`to`: somebody on the roster, of the level where it stands or above."""

    to: Id
    reason: Text


class Join(Fields, frozen=True):
    """`person`: who joins, if not the caller."""

    reason: Text
    person: Id | None = None


class Disengage(Fields, frozen=True):
    """`person`: who leaves, if not the caller."""

    person: Id | None = None


class DismissSituation(Fields, frozen=True):
    """A false alarm, or a reason that no longer stands."""

    situation: Word
    reason: Text


class ActFields(Fields, frozen=True):
    """`authority`: one that the policy lists for a level; `detail`: what was decided."""

    authority: Word
    detail: Text


class CompleteStep(Fields, frozen=True):
    """`tags`: what kind of lesson it was (document_lessons)."""

    step: Step
    detail: Text = ""
    tags: Annotated[tuple[Literal["pattern", "training", "documentation_gap"], ...], Meta(max_length=3)] = ()


class UpdateCustomer(Fields, frozen=True):
    """What the customer is told, and how to get by meanwhile."""

    text: Text
    workaround: Text | None = None


class Note(Fields, frozen=True):
    """Anything worth keeping."""

    text: Text


class Rating(Fields, frozen=True):
    """The survey's answer: `score` from 1 to 5. Not a field of any trigger that people call."""

    score: Annotated[int, Meta(ge=1, le=5)]
    text: Text | None = None
