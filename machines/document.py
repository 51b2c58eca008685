"""The policy file as it is written: the document's numbers, levels and words as data."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from machines.messages import MessageText
from machines.values import Priority, Tier

Origin = Literal["document", "default"]
TIERS: tuple[Tier, ...] = get_args(Tier)
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
AUTOMATIC = ("p0_outage", "p1_unresolved", "sla_breach", "repeated_contact", "security_flag", "revenue_impact")
MANUAL = (
    "blocking_business_process",
    "workaround_unacceptable",
    "priority_disagreement",
    "executive_visibility",
    "regulatory_compliance",
)
WORDED = ("security_flag", "revenue_impact")
"""Situations that are found in what a customer writes."""
CUSTOMER = "customer_request"
SITUATIONS = (*AUTOMATIC, CUSTOMER, *MANUAL)
CHANNELS = ("reply", "call", "account_manager", "emergency")
KIND: dict[str, Literal["automatic", "manual", "customer"]] = {
    **dict.fromkeys(AUTOMATIC, "automatic"),
    CUSTOMER: "customer",
    **dict.fromkeys(MANUAL, "manual"),
}
"""Who brings a situation: the facts, a person with a reason, or the customer."""


class Cell(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a situation leads for a tier. `level` 0: nowhere; `within` None: no promise of time."""

    level: int
    origin: Origin
    within: timedelta | None = None
    after: timedelta = timedelta(0)

    @property
    def at_once(self) -> bool:
        """Opens and engages in one transaction."""
        return self.within == timedelta(0)


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """One situation's cells by tier; `emergency` overrides them for a P0 told through the emergency contact."""

    kind: Literal["automatic", "manual", "customer"]
    enterprise: Cell
    professional: Cell
    starter: Cell
    emergency: Cell | None = None

    def cell(self, tier: Tier) -> Cell:
        """The cell of a tier."""
        return getattr(self, tier)  # type: ignore[no-any-return]  # a Tier is a field's name


class Level(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a level calls, within what span they answer, and which decisions it adds to those below."""

    name: str
    respond_within: timedelta
    authority: tuple[str, ...]
    codes: tuple[str, ...]
    origin: Origin


class Repage(Struct, frozen=True, forbid_unknown_fields=True):
    """An unanswered L4 is paged `every` so often, `until` so long after it was entered (None: for good)."""

    every: timedelta
    until: timedelta | None = None


class Updates(Struct, frozen=True, forbid_unknown_fields=True):
    """How often a tier's customers hear from us."""

    every: timedelta
    origin: Origin


class Target(Struct, frozen=True, forbid_unknown_fields=True):
    """The SLA of a tier and priority, measured from the ticket's opening."""

    first_response: timedelta
    resolution: timedelta
    origin: Origin


class Repeats(Struct, frozen=True, forbid_unknown_fields=True):
    """How many reports of one issue within which span are a repeated contact."""

    reports: int
    within: timedelta


class WordList(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of one language that make a situation where a customer writes them, whole and in any case.

    Each item of `words` is one thing to say, in all its forms. The list speaks where `needs` different ones are there,
    no further apart than `near` characters (None: in one text). `read`: where they count. Inside a phrase of `unless`
    none of them does.
    """

    name: str
    situation: str
    language: str
    words: tuple[tuple[str, ...], ...]
    origin: Origin
    unless: tuple[str, ...] = ()
    read: Literal["anywhere", "subject"] = "anywhere"
    needs: int = 1
    near: int | None = None


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """The policy file as it is written."""

    name: str
    levels: dict[str, Level]
    repage: tuple[Repage, ...]
    matrix: dict[str, Row]
    updates: dict[Tier, Updates]
    channels: dict[Literal["reply", "call", "account_manager", "emergency"], tuple[Tier, ...]]
    sla: dict[Tier, dict[Priority, Target]]
    repeats: Repeats
    words: tuple[WordList, ...] = ()
    language: str = "en"
    messages: dict[str, dict[str, MessageText]] = {}
    live_since: Annotated[datetime, Meta(tz=True)] | None = None
