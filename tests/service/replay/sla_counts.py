"""SLA clocks that ran out, counted straight from the event log: whole minutes, a list of those worked, a subtraction.

It shares no line with the importer or the machine. An instant is a number of minutes; a calendar is the sorted minutes
that count, so that a deadline is looked up and nothing is computed by date.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

HOUR, DAY = 60, 24 * 60
TARGETS = {
    "enterprise": {"1": (15, 4 * HOUR), "2": (HOUR, 8 * HOUR), "3": (4 * HOUR, 2 * DAY), "4": (8 * HOUR, 5 * DAY)},
    "professional": {"1": (HOUR, 8 * HOUR), "2": (4 * HOUR, DAY), "3": (8 * HOUR, 3 * DAY), "4": (DAY, 7 * DAY)},
    "starter": {"1": (4 * HOUR, DAY), "2": (8 * HOUR, 3 * DAY), "3": (DAY, 7 * DAY), "4": (2 * DAY, 14 * DAY)},
}
"""Minutes until the first response and the resolution, by tier and the log's digit of a priority."""
CLOCKS = ("first_response", "resolution")
SOLVED = ("Resolved", "Closed")
WAITS = ("Awaiting User Info", "Awaiting Problem", "Awaiting Vendor", "Awaiting Evidence")
BEGIN = datetime(2016, 2, 1, tzinfo=UTC)
MINUTES = 500 * DAY
ALWAYS: Sequence[int] = range(MINUTES)
"""Every minute from `BEGIN` on counts."""


def worked(zone: str, periods: Sequence[tuple[str, str]], holidays: Sequence[str]) -> Sequence[int]:
    """The minutes of Monday to Friday that a wall clock there reads within these periods, holidays left out."""
    found, there = [], ZoneInfo(zone)
    for n in range(MINUTES):
        wall = (BEGIN + timedelta(minutes=n)).astimezone(there)
        if wall.weekday() < 5 and any(opens <= wall.strftime("%H:%M") < closes for opens, closes in periods):
            found.append((n, wall.strftime("%Y-%m-%d")))
    return [n for n, day in found if day not in holidays]


def minute(text: str) -> int:
    """`1/3/2016 01:22`: the first of March."""
    return int((datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC) - BEGIN).total_seconds()) // 60


def ran_out(events: Sequence[dict[str, str]], tier: str, clock: str, counts: Sequence[int], end: int) -> str | None:
    """The digit of the priority under which this clock of an incident ran out, if it did by the end.

    A clock comes to an instant before what happens at it, but for the first event, which tells how it was until then:
    what arrives solved begins nothing.
    """
    first, used, at = clock == "first_response", 0, minute(events[0]["opened_at"])
    states = _states(events)
    state, priority = states[0], events[0]["priority"][0]
    if state in SOLVED:
        state = "Active"
    for n, row in enumerate([*events, None]):
        then = minute(row["sys_updated_at"]) if row else end
        if state not in SOLVED and (first or state not in WAITS):
            left = TARGETS[tier][priority][not first] - used
            due = at if left <= 0 else counts[bisect_left(counts, at) + left - 1] + 1
            if due < then or (due == then and n > 0):
                return None if n == 0 and states[0] in SOLVED else priority
            used += bisect_left(counts, then) - bisect_left(counts, at)
        if row is None or (first and states[n] != "New"):
            return None
        at, state, priority = then, states[n], row["priority"][0]
    return None


def _states(events: Iterable[dict[str, str]]) -> list[str]:
    """The state after each event; `-100` says nothing."""
    found = ["New"]
    for row in events:
        found.append(found[-1] if row["incident_state"] == "-100" else row["incident_state"])
    return found[1:]


def breaches(events: Sequence[dict[str, str]], tier: str, counts: Sequence[int], end: int) -> Counter[tuple[str, str]]:
    """Of one incident, its events in their order: which clocks ran out, and under which priority."""
    found: Counter[tuple[str, str]] = Counter()
    for clock in CLOCKS:
        if digit := ran_out(events, tier, clock, counts, end):
            found[f"sla {clock} p{int(digit) - 1}", tier] += 1
    return found
