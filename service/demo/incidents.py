"""The real incidents that the demo replays: bare facts, shipped beside this file (`README.md` says whose they are).

What the log does not have is derived by a rule, never invented per incident: the tier from the location, the status
of a ticket from the incident's state, the instant of the first response from the first change that left `New`.
"""

from __future__ import annotations

import csv
import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from machines.values import Priority, Status, Tier

COLUMNS = ("number", "opened_at", "location", "issue", "trail")
EXTRACT = Path(__file__).with_name("incidents.csv")

_STATUS: dict[str, Status] = {
    "N": "new",
    "A": "open",
    "U": "pending",
    "P": "on_hold",
    "V": "on_hold",
    "E": "on_hold",
    "R": "solved",
    "C": "closed",
}
_PRIORITY: dict[str, Priority] = {"1": "p0", "2": "p1", "3": "p2", "4": "p3"}
_STEP = re.compile(r"(\d+)([NAUPVERC])([1-4])")


class Change(Struct, frozen=True):
    """The incident from `at` on."""

    at: datetime
    status: Status
    priority: Priority

    @property
    def solved(self) -> bool:
        """Solved or closed."""
        return self.status in ("solved", "closed")


class Incident(Struct, frozen=True):
    """One real incident; `trail` has at least one change, in the order of their instants."""

    number: str
    opened_at: datetime
    location: str
    issue: str
    trail: tuple[Change, ...]

    @property
    def tier(self) -> Tier:
        """By the rule, from the location: the log has no such column."""
        return tier_of(f"Location {self.location}" if self.location != "?" else "?")

    @property
    def highest(self) -> Priority:
        """The most urgent priority that it ever had."""
        return min(change.priority for change in self.trail)

    @property
    def lowered(self) -> int | None:
        """The place in the trail where the priority first fell, unsolved; None where it never did."""
        steps = zip(self.trail, self.trail[1:], strict=False)
        return next((i for i, (a, b) in enumerate(steps, 1) if b.priority > a.priority and not b.solved), None)


def tier_of(location: str) -> Tier:
    """A location's tier: the first 8 hex digits of its SHA-256, as a number mod 100 (20 : 40 : 40 of locations)."""
    share = int(hashlib.sha256(location.encode()).hexdigest()[:8], 16) % 100
    return "enterprise" if share < 20 else "professional" if share < 60 else "starter"


def load(path: Path = EXTRACT) -> tuple[Incident, ...]:
    """Every incident of the extract, by number. Raises ValueError that names the line which is not one."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file, strict=True)
        if tuple(lines.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{path.name}: the columns are {', '.join(COLUMNS)}")
        return tuple(_incident(line, f"{path.name}, line {lines.line_num}") for line in lines)


def _incident(line: dict[str, str], where: str) -> Incident:
    opened = datetime.fromisoformat(line["opened_at"]).replace(tzinfo=UTC)
    steps = [_STEP.fullmatch(step) for step in line["trail"].split(" ")]
    trail = tuple(
        Change(opened + timedelta(minutes=int(step[1])), _STATUS[step[2]], _PRIORITY[step[3]]) for step in steps if step
    )
    if len(trail) != len(steps) or list(trail) != sorted(trail, key=lambda change: change.at):
        raise ValueError(f"{where}: not a trail like `13N3 903A3`: {line['trail']}")
    return Incident(line["number"], opened, line["location"], line["issue"], trail)
