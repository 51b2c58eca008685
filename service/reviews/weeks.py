"""Weeks as ISO 8601 counts them, in UTC: from Monday 00:00 to the next."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from msgspec import Struct

BASELINE = 4
"""Weeks before one, against which it is read."""
FIRST, LAST = 1970, 2199
"""Years whose weeks there are."""
_NAME = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)


class Week(Struct, frozen=True, order=True):
    """One of them."""

    year: int
    number: int

    def __str__(self) -> str:
        """As in addresses: `2026-W02`."""
        return f"{self.year}-W{self.number:02}"

    @property
    def since(self) -> datetime:
        """Its first instant."""
        return datetime.combine(date.fromisocalendar(self.year, self.number, 1), time(), UTC)

    @property
    def until(self) -> datetime:
        """The first instant after it."""
        return self.since + timedelta(weeks=1)

    @property
    def baseline(self) -> datetime:
        """Since when it is compared: four weeks before it begins."""
        return self.since - timedelta(weeks=BASELINE)

    def after(self, weeks: int) -> Week:
        """The week so many later; earlier, where it is negative."""
        return of(self.since + timedelta(weeks=weeks))


def of(instant: datetime) -> Week:
    """The week in which an instant lies."""
    return Week(*instant.astimezone(UTC).isocalendar()[:2])


def parse(text: str) -> Week | None:
    """A week by its name; None where there is no such week."""
    match = _NAME.fullmatch(text)
    if match is None or not FIRST <= int(match[1]) <= LAST:
        return None
    try:
        date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError:
        return None
    return Week(int(match[1]), int(match[2]))
