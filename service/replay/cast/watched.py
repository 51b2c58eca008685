"""A ticket as the cast knows it: its facts as last reported, its escalation as last answered, and its history."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

from msgspec import Struct

from machines.values import Tier
from service.replay.cast.members import at_level
from service.replay.cast.shifts import Shifts

NO_WORK = ("update_customer", "add_situation")
"""What is no piece of an owner's work by itself."""
EVIDENCE = "the contact just reported"
"""Stands in a step for the id of the contact that a step before it reported."""


class Step(Struct, frozen=True):
    """One call of somebody's. `status` is what must be answered, `guard` which refusal must be among those told.

    `stale` names the version before the newest: 412. `channel_refused`: a contact whose channel the tier lacks.
    """

    who: str
    kind: Literal["transition", "contact", "ask"]
    body: dict[str, Any]
    status: int = 201
    guard: str | None = None
    stale: bool = False
    channel_refused: bool = False


class Turn(Struct, frozen=True):
    """What the cast does next with one ticket, and when. A turn is dropped when what it was drawn from has changed."""

    at: datetime
    steps: tuple[Step, ...]


def do(who: str, trigger: str, **fields: Any) -> Step:
    """A trigger that must be allowed."""
    return Step(who, "transition", {"trigger": trigger, **fields})


def refused(who: str, status: int, guard: str | None, trigger: str, **fields: Any) -> Step:
    """A trigger that must be refused, and change nothing."""
    return Step(who, "transition", {"trigger": trigger, **fields}, status, guard)


class Watched:
    """One ticket on stage.

    `log` holds the rows of its escalation's history, in order, from version 1 on, `told` when its help desk reported it
    and with which priority, `wish` when somebody wants it escalated. Everything else is read from these.
    """

    def __init__(self, ticket: str, seed: int, shifts: Shifts) -> None:
        self.ticket = ticket
        self.seed = seed
        self.shifts = shifts
        self.tier: Tier = "starter"
        self.sender = ""
        self.facts: dict[str, Any] = {}
        self.told: list[tuple[datetime, str]] = []
        self.escalation: dict[str, Any] | None = None
        self.log: list[dict[str, Any]] = []
        self.wish: datetime | None = None
        self.token = 0

    # What stands -----------------------------------------------------------------------------------------------

    @property
    def live(self) -> dict[str, Any]:
        """The escalation; only to be asked for where there is one."""
        assert self.escalation is not None
        return self.escalation

    @property
    def state(self) -> str:
        """Where it stands; `none` where nothing was ever opened, or it was withdrawn unseen."""
        return str(self.escalation["state"]) if self.escalation else "none"

    @property
    def level(self) -> int:
        """The level where it stands, 0 while open."""
        return int(self.live["level"])

    @property
    def owner(self) -> str:
        """Who is accountable now; where nobody is yet, whom it is offered to acts, or somebody of its level."""
        h = self.live["handoff"]
        return str(self.live["owner"] or (h and h["to"]) or at_level(self.level)[0])

    @property
    def offered_to(self) -> str | None:
        """Whom a pending handoff waits for."""
        h = self.live["handoff"]
        return h["to"] if h and h["status"] in ("offered", "briefed") else None

    @property
    def pending(self) -> bool:
        """A handoff waits for its answer."""
        h = self.live["handoff"]
        return h is not None and h["status"] in ("offered", "briefed")

    @property
    def solved(self) -> bool:
        """Solved or closed in its help desk."""
        return self.facts.get("status") in ("solved", "closed")

    @property
    def event_at(self) -> datetime:
        """When it was reported last."""
        return self.told[-1][0]

    @property
    def highest(self) -> str:
        """The most urgent priority since the escalation was opened."""
        opened = instant(self.live["opened_at"])
        before = [priority for at, priority in self.told if at <= opened]
        return min((*before[-1:], *(priority for at, priority in self.told if at > opened)))

    @property
    def lowered(self) -> bool:
        """Less urgent than it was at some time since the escalation was opened."""
        return str(self.facts["priority"]) > self.highest

    @property
    def heard(self) -> int:
        """How often it was reported since it began to de-escalate."""
        begun = next(instant(row["at"]) for row in reversed(self.log) if row["trigger"] == "de_escalate")
        return sum(at > begun for at, _ in self.told)

    @property
    def since(self) -> datetime:
        """When the newest transition happened."""
        return instant(self.log[-1]["at"])

    @property
    def subject(self) -> str:
        """The ticket's one line."""
        return str(self.facts["subject"])

    def entered(self) -> list[dict[str, Any]]:
        """The rows since the level where it stands was entered, that one included."""
        for n in range(len(self.log) - 1, -1, -1):
            if self.log[n]["trigger"] in ("engage", "escalate", "step_down"):
                return self.log[n:]
        return self.log

    # Chance ----------------------------------------------------------------------------------------------------

    def rng(self, *about: object) -> Random:
        """Chance that is the same in every run and after every interruption: drawn from the ticket and its state."""
        told = " ".join(map(str, (self.seed, self.ticket, *about)))
        return Random(told)  # noqa: S311  # chance on a stage, no secret

    def rng_now(self) -> Random:
        """Chance of this version of this escalation."""
        return self.rng(self.live["opened_at"], self.live["version"])

    # What is done of an owner's work -----------------------------------------------------------------------------

    def phase(self) -> list[dict[str, Any]]:
        """The rows since the level was entered, or an offer answered: from there on its owner works."""
        for n in range(len(self.log) - 1, -1, -1):
            if self.log[n]["trigger"] in ("accept", "decline", "engage", "escalate", "step_down"):
                return self.log[n:]
        return self.log

    def played(self) -> int:
        """How many turns of work there were in this phase; all rows of a turn have its instant."""
        first, *rows = self.phase()
        work = [row for row in rows if row["actor"] != "clock" and row["trigger"] not in NO_WORK]
        return len({row["at"] for row in work if row["at"] > first["at"]})


def instant(text: str) -> datetime:
    """An instant as the service tells it."""
    return datetime.fromisoformat(text)


def after(rng: Random, low: float, high: float) -> timedelta:
    """A while between so many minutes and so many, in whole seconds."""
    return timedelta(seconds=rng.randint(int(low * 60), int(high * 60)))
