"""The policy file as it is written: the document's numbers, levels and words as data."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct, field

from machines.calendar import Calendar
from machines.messages import MessageText
from machines.values import ClockName, Priority, Tier

Origin = Literal["document", "default"]
TIERS: tuple[Tier, ...] = get_args(Tier)
CLOCKS: tuple[ClockName, ...] = get_args(ClockName)
Running = Literal["new", "open", "pending", "on_hold"]
"""The statuses of a ticket that is not solved."""
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


class Hours(Calendar, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When the SLA clocks of a tier run."""

    origin: Origin


class Clock(Struct, frozen=True, forbid_unknown_fields=True):
    """What an SLA clock does besides running: it stands still in these statuses, and warns at these percents."""

    paused_in: tuple[Running, ...]
    warns_at: tuple[int, ...]
    origin: Origin


def _always() -> dict[Tier, Hours]:
    """A policy that was published before it could say when clocks run: always."""
    return {tier: Hours(origin="default") for tier in TIERS}


def _clocks() -> dict[ClockName, Clock]:
    """A policy that was published before it could say what pauses a clock."""
    marks = (50, 75, 90)
    return {
        "first_response": Clock((), marks, "default"),
        "resolution": Clock(("pending", "on_hold"), marks, "default"),
    }


class Repeats(Struct, frozen=True, forbid_unknown_fields=True):
    """How many reports of one issue within which span are a repeated contact.

    The same text by the same sender counts again only `apart` after the last. Tickets of one customer are similar,
    and so one issue, where at least this share of the different words that opened them is the same.
    """

    reports: int
    within: timedelta
    apart: timedelta = timedelta(hours=1)
    similar: float = 0.6


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


class Asking(Struct, frozen=True, forbid_unknown_fields=True):
    """The words by which a reply's subject asks for an escalation, and what undoes them, put before with a dash."""

    words: tuple[str, ...] = ("escalate",)
    undone_by: tuple[str, ...] = ("de",)


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
    calendars: dict[Tier, Hours] = field(default_factory=_always)
    clocks: dict[ClockName, Clock] = field(default_factory=_clocks)
    words: tuple[WordList, ...] = ()
    # Policies that were published before they named these words are as immutable as others: hence the defaults.
    asking: Asking = Asking()
    language: str = "en"
    messages: dict[str, dict[str, MessageText]] = {}
    live_since: Annotated[datetime, Meta(tz=True)] | None = None
