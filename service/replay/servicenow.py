"""The event log of a real IT department's ServiceNow as a ticket-event file.

    python -m service.replay.servicenow servicenow-2016-03.csv.gz > events.ndjson

Every row of the log becomes one event: the incident's facts as they stood after it. What the log lacks is derived by
a rule and never invented for one incident:

- *Instants.* `D/M/YYYY H:MM`, read as UTC; the log names no zone. Rows are put in the order of `sys_updated_at`, and
  those of one minute keep the log's order, so an incident that stands out of time order finds its place.
- *Customers* are locations, by the one under which an incident was first entered: a ticket stays its customer's where
  the log corrects it later. `?` is a customer of its own, `location-unknown`. The tier: the first 8 hex digits of
  SHA-256 of the location as it stands in the log, as a number mod 100: below 20 enterprise, below 60 professional, else
  starter. An enterprise customer has an account manager, and each a verified contact, at addresses that reach nobody.
- *Status.* New → new, Active → open, Awaiting User Info → pending, Awaiting Problem/Vendor/Evidence → on_hold,
  Resolved → solved, Closed → closed. State `-100` says nothing: the status stays as it was.
- *Priority.* Critical, High, Moderate, Low → p0 to p3. The log does not say what is an outage.
- *First response* is the first row that is no longer New; *resolved* the first since the last reopening that is
  Resolved or Closed. The log's own `resolved_at`, `closed_at` and `made_sla` stand on every row of an incident as they
  were in the end, which nobody knew then: they are not used.
- *Issue key*: caller, category, subcategory and symptom; the same four are the same issue. None where all are `?`.
- *Assignee* is the resolver; nobody of the replay's cast.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machines.values import Priority, Status, Tier
from service.replay import lines

STATUS: dict[str, Status] = {
    "New": "new",
    "Active": "open",
    "Awaiting User Info": "pending",
    "Awaiting Problem": "on_hold",
    "Awaiting Vendor": "on_hold",
    "Awaiting Evidence": "on_hold",
    "Resolved": "solved",
    "Closed": "closed",
}
NO_STATE = "-100"
PRIORITY: dict[str, Priority] = {"1": "p0", "2": "p1", "3": "p2", "4": "p3"}
SOLVED = ("solved", "closed")
COLUMNS = (
    *("number", "incident_state", "caller_id", "opened_at", "sys_updated_at", "location"),
    *("category", "subcategory", "u_symptom", "priority", "assigned_to"),
)
UNKNOWN = "?"

Row = Mapping[str, str]


class LogError(ValueError):
    """A log that isn't one: the row, and what is wrong with it."""


def tier_of(location: str) -> Tier:
    """A location's tier: the first 8 hex digits of its SHA-256, as a number mod 100 (20 : 40 : 40 of locations)."""
    share = int(hashlib.sha256(location.encode()).hexdigest()[:8], 16) % 100
    return "enterprise" if share < 20 else "professional" if share < 60 else "starter"


def instant(text: str) -> datetime:
    """`1/3/2016 01:22` is the first of March."""
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC)


def slug(text: str) -> str:
    """`Location 143` → `location-143`; what is not known is `location-unknown`."""
    return "location-unknown" if text == UNKNOWN else text.lower().replace(" ", "-")


def customer(location: str) -> tuple[str, dict[str, Any]]:
    """The customer that a location is. Addresses end in `.example`: they reach nobody, by RFC 2606."""
    name, tier = slug(location), tier_of(location)
    manager = {"account_manager": f"am-{name}"} if tier == "enterprise" else {}
    told = location if location != UNKNOWN else "Location unknown"
    return name, {"name": told, "tier": tier, "contacts": [f"it@{name}.example"], **manager}


def subject(row: Row) -> str:
    """One line about the incident, of what the log says."""
    known = [row[name] for name in ("category", "subcategory", "u_symptom") if row[name] != UNKNOWN]
    return ", ".join(known) or "No category"


class Incident:
    """One incident as it stands after the rows so far."""

    def __init__(self, location: str) -> None:
        self.location = location
        self._status: Status = "new"
        self._responded: datetime | None = None
        self._resolved: datetime | None = None

    def facts(self, row: Row) -> dict[str, Any]:
        """All facts of the ticket after this row."""
        at, state = instant(row["sys_updated_at"]), row["incident_state"]
        status = self._status if state == NO_STATE else STATUS[state]
        self._status = status
        if status != "new":
            self._responded = self._responded or at
        self._resolved = (self._resolved or at) if status in SOLVED else None
        key = [row[name].rsplit(" ", 1)[-1] for name in ("caller_id", "category", "subcategory", "u_symptom")]
        facts: dict[str, Any] = {
            "customer_id": slug(self.location),
            "priority": PRIORITY[row["priority"][0]],
            "status": status,
            "subject": subject(row),
            "opened_at": instant(row["opened_at"]),
            "first_responded_at": self._responded,
            "resolved_at": self._resolved,
            "assignee": slug(row["assigned_to"]) if row["assigned_to"] != UNKNOWN else None,
            "issue_key": "/".join(key) if set(key) != {UNKNOWN} else None,
            "product": slug(row["category"]) if row["category"] != UNKNOWN else None,
        }
        return {name: value for name, value in facts.items() if value is not None}


def events(log: Iterable[Row]) -> Iterator[bytes]:
    """The log's events as the lines of a file, customers first. Raises LogError."""
    rows: list[tuple[datetime, Row]] = []
    for number, row in enumerate(log, 2):
        try:
            rows.append((_sound(row), row))
        except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
            raise LogError(f"row {number}: {error}") from None
    rows.sort(key=lambda each: each[0])  # stable: what happened in one minute keeps the log's order
    incidents: dict[str, Incident] = {}
    for _, row in rows:
        incidents.setdefault(row["number"], Incident(row["location"]))
    for location in sorted({incident.location for incident in incidents.values()}):
        yield lines.write(rows[0][0], "customer", *customer(location))
    for at, row in rows:
        yield lines.write(at, "ticket", row["number"], incidents[row["number"]].facts(row))


def _sound(row: Row) -> datetime:
    """When it happened; raises what says that this is no row of such a log."""
    if missing := [name for name in COLUMNS if row.get(name) is None]:
        raise ValueError(f"has no {', '.join(missing)}")
    if row["incident_state"] not in STATUS and row["incident_state"] != NO_STATE:
        raise ValueError(f"incident_state {row['incident_state']!r} is none of {', '.join(STATUS)}")
    if row["priority"][:1] not in PRIORITY:
        raise ValueError(f"priority {row['priority']!r} is none of 1 to 4")
    instant(row["opened_at"])
    return instant(row["sys_updated_at"])


def read(path: Path) -> Iterator[Row]:
    """The rows of a log, packed or not."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
        yield from csv.DictReader(file)


def main(path: Path) -> None:
    """Write the file to stdout."""
    try:
        sys.stdout.buffer.writelines(events(read(path)))
    except (LogError, OSError) as error:
        raise SystemExit(f"{path}: {error}") from None


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m service.replay.servicenow FILE.csv.gz > events.ndjson")
    main(Path(sys.argv[1]))
