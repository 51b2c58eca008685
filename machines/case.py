"""A case: one trigger, asked of one escalation, by one actor, with all facts at hand. Guards judge cases.

A guard is a pure predicate; its docstring is the sentence that a refused caller reads. Guards with status 403 say
who may (relation, authority, reach, channel) and must name who could; guards with 422 ask for what must be there.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import fields, replace

from machines.asked import Actor, BriefText, Command, Heard
from machines.decided import Failure
from machines.matrix import Policy
from machines.values import LEVEL_ROLE, Contact, Customer, Escalation, Person, Reported, State, Ticket, TimerKind

BRIEF = tuple(f.name for f in fields(BriefText))
"""The fields of a brief, in the order of the document's template."""


class Mint:
    """Fresh ids and salts. Injected, so that a decision is a function of its arguments."""

    def __init__(self, draw: Callable[[int], bytes] = os.urandom) -> None:
        self.draw = draw

    def uuid7(self, now: datetime) -> str:
        """A UUIDv7 of this instant (RFC 9562): months of ids are ranges, which history's partitions rely on."""
        at, drawn = f"{int(now.timestamp() * 1000):012x}", self.draw(10).hex()
        return f"{at[:8]}-{at[8:]}-7{drawn[:3]}-a{drawn[4:7]}-{drawn[8:]}"

    def salt(self) -> str:
        """128 bits, in hex."""
        return self.draw(16).hex()

    def for_command(self, number: int, request_id: str) -> Mint:
        """What mints for one command; `number` is its own, and that of no other whose ids were ever kept."""
        return self

    def named(self, command: Command) -> Command:
        """The command under the id by which it will be found again."""
        return command


class SeededMint(Mint):
    """For replays, on the virtual clock: all that a command mints follows from a seed, its number and its request.

    The numbers are those that history counts, so a service that is started again goes on where it was. A number comes
    to another request where the first one's batch was undone; whoever looks for the first must not find the other.
    """

    def __init__(self, seed: bytes, name: str = "") -> None:
        self._seed, self._name, self._drawn = seed, name, 0
        super().__init__(self._next)

    def _next(self, size: int) -> bytes:
        self._drawn += 1
        return hmac.digest(self._seed, f"{self._name}/{self._drawn}".encode(), "sha256")[:size]

    def for_command(self, number: int, request_id: str) -> Mint:
        """Another stream for each."""
        return SeededMint(self._seed, f"{number}/{request_id}")

    def named(self, command: Command) -> Command:
        """Its id, and that of a contact, are minted too: history tells of both."""
        ask = command.ask
        if isinstance(ask, Heard) and not ask.once:
            ask = replace(ask, id=self._uuid())
        return replace(command, id=self._uuid(), ask=ask)

    def _uuid(self) -> str:
        drawn = self.draw(16).hex()
        return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-a{drawn[17:20]}-{drawn[20:]}"


class Facts(Struct):
    """What is known when a command is decided, read under the ticket's lock.

    `roster` holds the active people, `contacts` those that a command or an escalation names as evidence,
    `follows` is the newest closed escalation of the ticket, `waiting` the instants for which timers
    of its own facts are armed (read where a command asks for them). `inbox_only`: no channel is set up, so that what
    is planned lies in the console's inbox, and has arrived.
    """

    actor: Actor
    escalation: Escalation | None = None
    ticket: Ticket | None = None
    customer: Customer | None = None
    roster: Mapping[str, Person] = {}
    contacts: Mapping[str, Contact] = {}
    follows: str | None = None
    mint: Mint = Mint()
    waiting: Mapping[TimerKind, datetime | None] = {}
    reports: tuple[Reported, ...] = ()
    inbox_only: bool = True


class Placement(Struct, frozen=True):
    """Where an escalation comes to stand, and to whom it is offered there (None: nobody is there up to L4).

    `gap` lists the levels skipped because nobody was on duty. `clock_brief`: the person was passed over for being
    the outgoing owner or the brief's writer, and takes it with the clock's brief because nobody else is left.
    """

    level: int
    to: str | None
    gap: tuple[int, ...] = ()
    clock_brief: bool = False


class Case(Struct):
    """One trigger under judgement. `state` is what the machine moves; `level` is the level asked for.

    `stands` is the level where the escalation will stand (above `level` where nobody is on duty there), `placement`
    whom it is offered to there.
    """

    trigger: str
    facts: Facts
    actor: Actor
    fields: Mapping[str, Any]
    policy: Policy
    now: datetime
    state: State | Literal["none"]
    level: int = 0
    stands: int = 0
    placement: Placement | None = None
    spoken: str = ""

    @property
    def escalation(self) -> Escalation:
        """The escalation as it stands before this trigger."""
        assert self.facts.escalation is not None
        return self.facts.escalation

    @property
    def said(self) -> str:
        """The id under which this trigger's free text will lie; minted when something is said."""
        if not self.spoken:
            self.spoken = self.facts.mint.uuid7(self.now)
        return self.spoken

    @property
    def ticket(self) -> Ticket:
        """The ticket it is about."""
        assert self.facts.ticket is not None
        return self.facts.ticket

    @property
    def brief(self) -> BriefText | None:
        """The brief given with this trigger, as its field `brief` or, by the trigger `brief`, as its fields."""
        if self.trigger == "brief":
            return BriefText(**{name: self.fields.get(name, "") for name in BRIEF})
        return self.fields.get("brief")

    @property
    def writer(self) -> str:
        """Whose the brief given with this trigger is: the caller's, or theirs for whom the clock acts at once."""
        return str(self.fields.get("writer") or self.actor.id)


class Relation(Struct, frozen=True):
    """What an actor can be to an escalation. `phrase` completes "Only … may do this.", `people` says who they are."""

    name: str
    phrase: str
    holds: Callable[[Case], bool]
    people: Callable[[Case], tuple[str, ...]]


class Guard(Struct, frozen=True):
    """A named predicate with its sentence; `status` is 403 where it says who may, else 422.

    `of_fields` says for a case whether the guard judges what the caller gives, so that it can't be told before there
    is an attempt. `relations`: the guard holds where one of these does.
    """

    name: str
    sentence: str
    status: int
    check: Callable[[Case], bool]
    who: Callable[[Case], tuple[str, ...]]
    of_fields: Callable[[Case], bool]
    relations: tuple[Relation, ...] = ()

    def __call__(self, case: Case) -> bool:
        """Whether it holds."""
        return self.check(case)

    def failure(self, case: Case) -> Failure:
        """How a refusal tells that this guard failed."""
        return Failure(self.name, self.sentence, self.who(case))


def nobody(_: Case) -> tuple[str, ...]:
    """For guards that ask for something, not for somebody."""
    return ()


def always(_: Case) -> bool:
    """For guards that judge fields, whoever gives them."""
    return True


def never(_: Case) -> bool:
    """For guards that judge facts alone."""
    return False


def guard(
    status: int,
    who: Callable[[Case], tuple[str, ...]] = nobody,
    *,
    of_fields: Callable[[Case], bool] = never,
) -> Callable[[Callable[[Case], bool]], Guard]:
    """Make a predicate a guard: its name and docstring are what a refused caller is told."""

    def make(check: Callable[[Case], bool]) -> Guard:
        assert check.__doc__, f"{check.__name__} needs the sentence that a refused caller reads"
        return Guard(check.__name__, " ".join(check.__doc__.split()), status, check, who, of_fields)

    return make


def roles_from(level: int) -> tuple[str, ...]:
    """The roles of this level and above."""
    return tuple(LEVEL_ROLE[n] for n in range(min(level, 4), 5))


def given(text: Any) -> bool:
    """Text that says something: not absent, not blank."""
    return isinstance(text, str) and bool(text.strip())


def whole(brief: BriefText | None) -> bool:
    """A brief without a blank field."""
    return brief is not None and all(given(getattr(brief, name)) for name in BRIEF)
