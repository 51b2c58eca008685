"""The real incidents that the demo replays: bare facts, shipped beside this file (`README.md` says whose they are).

What the log does not have is derived by a rule, never invented per incident: the tier from the location, the status
of a ticket from the incident's state, the instant of the first response from the first change that left `New`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from msgspec import Struct

from machines.values import Priority, Status, Tier
from service.replay.lines import Event
from service.replay.servicenow import PRIORITY, SOLVED, customer, slug, tier_of

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
_STEP = re.compile(r"(\d+)([NAUPVERC])([1-4])")


class Change(Struct, frozen=True):
    """The incident from `at` on."""

    at: datetime
    status: Status
    priority: Priority

    @property
    def solved(self) -> bool:
        """Solved or closed."""
        return self.status in SOLVED


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
        return tier_of(self.place)

    @property
    def place(self) -> str:
        """The location as it stands in the log."""
        return f"Location {self.location}" if self.location != "?" else "?"

    @property
    def highest(self) -> Priority:
        """The most urgent priority that it ever had."""
        return min(change.priority for change in self.trail)


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
        Change(opened + timedelta(minutes=int(step[1])), _STATUS[step[2]], PRIORITY[step[3]]) for step in steps if step
    )
    if len(trail) != len(steps) or list(trail) != sorted(trail, key=lambda change: change.at):
        raise ValueError(f"{where}: not a trail like `13N3 903A3`: {line['trail']}")
    return Incident(line["number"], opened, line["location"], line["issue"], trail)


# As a file of ticket events would tell them -------------------------------------------------------------------------


def events(incidents: Iterable[Incident], until: datetime) -> list[Event]:
    """The incidents' events up to an instant, customers first; those of one minute in the order of numbers."""
    told = [
        (change.at, incident.number, facts)
        for incident in incidents
        for change, facts in zip(incident.trail, _facts(incident), strict=True)
        if change.at <= until
    ]
    told.sort(key=lambda each: each[:2])
    line = count(1)
    places = sorted({incident.place for incident in incidents})
    customers = [Event(next(line), told[0][0], "customer", *customer(place)) for place in places]
    return customers + [Event(next(line), at, "ticket", number, facts) for at, number, facts in told]


def _facts(incident: Incident) -> Iterator[dict[str, Any]]:
    """All facts of the ticket after each change."""
    responded: datetime | None = None
    resolved: datetime | None = None
    _, category, subcategory, symptom = incident.issue.split("/")
    named = {"Category": category, "Subcategory": subcategory, "Symptom": symptom}
    subject = ", ".join(f"{name} {number}" for name, number in named.items() if number != "?")
    for change in incident.trail:
        if change.status != "new":
            responded = responded or change.at
        resolved = (resolved or change.at) if change.solved else None
        facts = {
            "customer_id": slug(incident.place),
            "priority": change.priority,
            "status": change.status,
            "subject": subject or "No category",
            "opened_at": incident.opened_at,
            "first_responded_at": responded,
            "resolved_at": resolved,
            "issue_key": incident.issue,
            "product": f"category-{category}",
        }
        yield {name: value for name, value in facts.items() if value is not None}
