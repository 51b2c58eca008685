"""Duty by the week: these people, on these days, from this time on the wall to that one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal

from msgspec import Meta, Struct

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WallTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="HH:MM on the wall.")]
DAY = timedelta(days=1)
Window = tuple[str, datetime, datetime]
"""A person, and since when until when they are on duty."""


class Shift(Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """A person's duty on some days of each week; one that ends when it begins, or before, ends on the next day."""

    person: Annotated[str, Meta(min_length=1, max_length=200)]
    days: Annotated[tuple[Day, ...], Meta(min_length=1, max_length=7)]
    since: WallTime
    until: WallTime


def windows(shifts: Iterable[Shift], zone: tzinfo, begin: datetime, end: datetime) -> Iterator[Window]:
    """The windows of these shifts that touch `begin` to `end`; a night on which clocks change is as long as it is."""
    first = begin.astimezone(zone).date() - DAY
    for shift in shifts:
        opens, closes = _time(shift.since), _time(shift.until)
        for n in range((end - begin).days + 3):
            date = first + n * DAY
            if DAYS[date.weekday()] not in shift.days:
                continue
            since = datetime.combine(date, opens, zone).astimezone(UTC)
            until = datetime.combine(date + DAY if closes <= opens else date, closes, zone).astimezone(UTC)
            if since < until and until > begin and since < end:
                yield shift.person, since, until


def _time(text: str) -> time:
    return time(int(text[:2]), int(text[3:]))
