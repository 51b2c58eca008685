"""The policy: the document, checked to be total, and the questions that the machine asks of it.

A policy version is immutable; an escalation keeps the version that it was opened under.
"""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec

from machines.document import TIERS, Cell, Clock, Hours, Level
from machines.document import Document as Document
from machines.totality import findings, misshapen
from machines.values import Situation, Tier


class PolicyError(ValueError):
    """The policy is not whole: `findings` lists everything that is wrong or missing, a sentence each."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


class Policy:
    """A checked policy of one version, and the questions that the machine asks of it."""

    def __init__(self, document: Document, version: int = 0) -> None:
        self.document = document
        self.version = version

    def cell(self, situation: str, tier: Tier, *, emergency: bool = False) -> Cell:
        """Where this situation leads for this tier (`emergency`: a P0 through the emergency contact)."""
        row = self.document.matrix[situation]
        return row.emergency if emergency and row.emergency else row.cell(tier)

    def cell_behind(self, begun: Situation, tier: Tier) -> tuple[str, Cell]:
        """The cell by which a situation stands where it does, and its name in the row."""
        row = self.document.matrix[begun.situation]
        e = row.emergency
        if e is not None and e.within is not None and (begun.level, begun.due_at) == (e.level, begun.at + e.within):
            return "emergency", e
        return tier, row.cell(tier)

    def kind(self, situation: str) -> Literal["automatic", "manual", "customer"]:
        """Who brings this situation."""
        return self.document.matrix[situation].kind

    def level(self, n: int) -> Level:
        """The level 1 to 4."""
        return self._levels[n]

    def respond_within(self, n: int) -> timedelta:
        """The document's response time of level n."""
        return self._levels[n].respond_within

    def update_every(self, tier: Tier) -> timedelta:
        """The longest span without a word to a customer of this tier."""
        return self.document.updates[tier].every

    def page_after(self, entered: datetime, last: datetime) -> datetime:
        """When an unanswered L4, entered then and last paged then, is paged again."""
        for band in self.document.repage:
            if band.until is None or last - entered < band.until:
                return last + band.every
        return last + self.document.repage[-1].every

    def holds(self, level: int, authority: str) -> bool:
        """A level holds what the document lists for it, and all that lower levels hold; L4 holds everything."""
        return self.lowest_holder.get(authority, 4) <= level

    @cached_property
    def lowest_holder(self) -> dict[str, int]:
        """Each authority and the lowest level that holds it."""
        return {name: n for n, level in sorted(self._levels.items(), reverse=True) for name in level.authority}

    @cached_property
    def _levels(self) -> dict[int, Level]:
        return {int(n): level for n, level in self.document.levels.items()}

    @cached_property
    def codes(self) -> frozenset[str]:
        """Every reason code that an `escalate` may name."""
        return frozenset(code for level in self._levels.values() for code in level.codes)

    def defaults(self) -> list[str]:
        """The cells that the document leaves open and we filled: dotted paths with what they say."""
        found = []
        for situation, row in self.document.matrix.items():
            cells: list[tuple[str, Cell | None]] = [(tier, row.cell(tier)) for tier in TIERS]
            cells.append(("emergency", row.emergency))
            found += [
                f"matrix.{situation}.{name}: {_tell(cell)}"
                for name, cell in cells
                if cell is not None and cell.origin == "default"
            ]
        found += [
            f"updates.{tier}: every {updates.every}"
            for tier, updates in self.document.updates.items()
            if updates.origin == "default"
        ]
        found += [
            f"sla.{tier}.{priority}: first response {target.first_response}, resolution {target.resolution}"
            for tier, row in self.document.sla.items()
            for priority, target in row.items()
            if target.origin == "default"
        ]
        found += [
            f"words.{each.name}: {len(each.words)} words of {each.language} for {each.situation}"
            for each in self.document.words
            if each.origin == "default"
        ]
        found += [
            f"calendars.{tier}: {_when(hours)}"
            for tier, hours in self.document.calendars.items()
            if hours.origin == "default"
        ]
        found += [
            f"clocks.{name}: paused in {', '.join(clock.paused_in) or 'no status'}, warns at {_percents(clock)}"
            for name, clock in self.document.clocks.items()
            if clock.origin == "default"
        ]
        return found


def _tell(cell: Cell) -> str:
    if cell.level == 0:
        return "none"
    when = "no promise of time" if cell.within is None else "at once" if cell.at_once else f"within {cell.within}"
    return f"L{cell.level} {when}"


def _when(hours: Hours) -> str:
    if hours.hours is None:
        return "always"
    days = [f"{day} {', '.join(periods)}" for day, periods in hours.hours.items()]
    return f"{'; '.join(days)} in {hours.zone}, but for {len(hours.holidays)} holidays"


def _percents(clock: Clock) -> str:
    return ", ".join(f"{percent} %" for percent in clock.warns_at) or "no percent"


def default_text() -> str:
    """The policy that the software ships with, as TOML: the matrix, and the messages."""
    here = Path(__file__).parent
    return "".join((here / name).read_text(encoding="utf-8") for name in ("default.toml", "messages.toml"))


def parse(text: str, version: int = 0) -> Policy:
    """Read a policy from TOML. Raises `PolicyError` with everything that is wrong, not the first thing."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError([f"not TOML: {error}"]) from error
    return of(raw, version)


def of(raw: Any, version: int = 0) -> Policy:
    """The policy of a document's tables, as a file or a call brings them. Raises as `parse`."""
    if not isinstance(raw, dict):
        raise PolicyError(["must be a document, an object of tables"])
    if found := list(misshapen(raw, Document)):
        raise PolicyError(found)
    return check(msgspec.convert(raw, Document, strict=False), version)


def load(document: bytes | str, version: int) -> Policy:
    """Read a published policy back from its JSON. It was checked when it was published, by the rules of then."""
    return Policy(msgspec.json.decode(document, type=Document), version)


def dump(policy: Policy) -> str:
    """The policy as JSON, as it is published and answered."""
    return msgspec.json.encode(policy.document).decode()


def check(document: Document, version: int = 0) -> Policy:
    """The policy of a document that is total. Raises `PolicyError` with everything that is not."""
    if found := findings(document):
        raise PolicyError(found)
    return Policy(document, version)
