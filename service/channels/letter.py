"""What a channel is given, what it may answer, and what it must be able to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, Protocol

from msgspec import Struct, field

from machines.messages import MessageText, Wording, fill
from machines.values import Tier

Audience = Literal["person", "escalations", "customer", "account_manager", "help_desk"]
WITHIN = 5.0
"""Seconds that a receiver has to take a letter, from the first look-up of its name on."""
PAGES = ("handoff_offered", "paged_again", "nobody_on_duty", "briefed")
"""Templates that call somebody, who is waited for."""
JOINED = ("handoff_offered", "paged_again")
"""Those of them that are told together with others to the same person for the same issue."""
Together = Literal["never", "collected", "amended"]
"""What a channel makes of such pages: a message each, where machines read them; or one, and what comes later is told in
one more when their time is over, or written into the one that was sent."""


class Address(Struct, frozen=True):
    """A recipient, and what is known of how to reach them. `recipient` is a person, a customer, a channel's name, a
    ticket, or an account manager: somebody on the roster, or an address."""

    audience: Audience
    recipient: str
    email: str | None = None
    slack: str | None = None
    contacts: tuple[str, ...] = ()

    @property
    def mailboxes(self) -> tuple[str, ...]:
        """The e-mail addresses that this recipient has."""
        if self.audience == "customer":
            return self.contacts
        if self.email is None and self.audience == "account_manager" and "@" in self.recipient:
            return (self.recipient,)
        return (self.email,) if self.email else ()


class Reached(Struct, frozen=True):
    """How somebody on the roster can be reached."""

    name: str
    email: str | None = None
    slack: str | None = None


class Stand(Struct, frozen=True):
    """The transition that planned the letter, and where the escalation stood after it."""

    trigger: str
    state: str
    level: int
    owner: str | None
    actor: str
    reason: str
    at: datetime
    detail: dict[str, Any] = field(default_factory=dict)


class Letter(Struct, frozen=True):
    """One row of the outbox with all that its message can tell: `stand` as of the transition, the rest as of now.

    `texts` holds what people wrote, by the id under which it lies; it lacks what was erased. `thread` is the receipt
    of the first letter on this escalation to the same recipient over the same target, `offer` the version at which what
    stood then was offered. `message` and `values` are what it says, as `service.outbox.words` puts it.

    `together` is the issue for which it may be told together with other pages; `pages` are then the rows of all that
    this letter tells of, and `amends` the receipt of the message that it is written into.
    """

    id: int
    escalation_id: str
    version: int
    ordinal: int
    ticket_id: str
    customer_id: str
    audience: Audience
    recipient: str
    template: str
    payload: dict[str, Any]
    planned_at: datetime
    attempts: int
    target: str
    now: datetime
    first_tried_at: datetime
    stand: Stand
    tier: Tier
    subject: str
    priority: str
    customer: str
    passed: tuple[str, ...] = ()
    next_update_by: datetime | None = None
    respond_by: datetime | None = None
    issue_key: str | None = None
    contacts: tuple[str, ...] = ()
    account_manager: str | None = None
    people: dict[str, Reached] = field(default_factory=dict)
    texts: dict[str, dict[str, Any]] = field(default_factory=dict)
    workaround: str | None = None
    thread: str | None = None
    offer: int | None = None
    policy_version: int = 0
    language: str | None = None
    message: MessageText = MessageText("{ticket}", "")
    values: dict[str, str] = field(default_factory=dict)
    together: str | None = None
    pages: tuple[int, ...] = ()
    amends: str | None = None

    def wording(self, escape: Callable[[str], str] = str) -> Wording:
        """What it says; `escape` makes what people wrote harmless where markup would be read in it."""
        return fill(self.message, self.values, escape)

    @property
    def key(self) -> str:
        """The delivery's id, the same at each try: a receiver that keeps it sees one message."""
        return f"{self.escalation_id}.{self.version}.{self.ordinal}"

    @property
    def level(self) -> int:
        """The level that it is about."""
        return int(self.payload.get("level") or self.stand.level)

    @property
    def address(self) -> Address:
        """Its recipient."""
        who = self.people.get(self.recipient)
        if who is None:
            return Address(self.audience, self.recipient, contacts=self.contacts)
        return Address(self.audience, self.recipient, who.email, who.slack, self.contacts)

    @property
    def urgent(self) -> bool:
        """A page for level 3 or above: it is sent over another channel where the first one fails."""
        return self.template in PAGES and self.level >= 3


class Refused(Exception):  # noqa: N818  # an answer, not an error of ours
    """The receiver will never take this letter, or must not be asked. The message says why, without its contents."""


class Later(Exception):  # noqa: N818  # as above
    """The receiver could not take it now. `after`: seconds for which it asks not to be asked again, for anything."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


class Channel(Protocol):
    """A way out that is set up. `name` is the target's; `slots`: how many letters it takes at once from one node."""

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""

    @property
    def name(self) -> str:
        """What deliveries call it."""

    @property
    def slots(self) -> int:
        """How many letters at once."""

    @property
    def together(self) -> Together:
        """What it makes of pages to one person for one issue."""

    def reaches(self, address: Address) -> bool:
        """Whether it can reach this recipient."""

    async def send(self, letter: Letter) -> str | None:
        """Hand it over; a receipt where the receiver gives one. Raises Refused, and Later. May be called again with a
        letter that was handed over before, where nobody lived to tell."""

    async def close(self) -> None:
        """Let go of what it holds."""
