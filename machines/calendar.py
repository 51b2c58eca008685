"""Working calendars: which instants count for an SLA clock. A minute counts if the wall clock then reads a worked one.

That sentence is the whole rule, also on the two nights a year on which a wall clock jumps: an hour that is skipped
counts nothing, one that is read twice counts twice. A night shift is two periods, up to 24:00 and from 00:00.

These are our own hundred lines, not `workclock` and `holidays`: what is counted must be shared with pauses and be
explained span by span, and a published policy is immutable, so a holiday is a date in it. A library's next release
would move deadlines that are running.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = r"([01]\d|2[0-3]):[0-5]\d"
Period = Annotated[str, Meta(pattern=f"^{_TIME}-({_TIME}|24:00)$")]
"""Wall-clock times of one day, like 09:00-12:30: its first minute and the one after its last; 24:00 ends a day."""
Stretch = tuple[datetime, datetime]
"""From an instant up to another."""

DAY, SECOND, NONE = timedelta(days=1), timedelta(seconds=1), timedelta(0)
AHEAD = 3653 * DAY
"""How far a calendar looks for working time. Whatever is due later than in ten years is due never."""
LAST = datetime.max.replace(tzinfo=UTC) - 2 * DAY
FIRST = datetime.min.replace(tzinfo=UTC) + 2 * DAY
"""Beyond these an instant has no wall clock in every time zone."""


class Calendar(Struct, frozen=True, forbid_unknown_fields=True):
    """When clocks run. No `hours`: always. Else in the periods of each weekday of the time zone `zone` (IANA's name),
    but for `holidays`; a weekday that is not listed is free."""

    zone: str = "UTC"
    hours: dict[Weekday, tuple[Period, ...]] | None = None
    holidays: tuple[date, ...] = ()

    def worked(self, since: datetime, until: datetime) -> Iterator[Stretch]:
        """The stretches of working time between two instants, oldest first, in UTC; at most `AHEAD` long."""
        if self.hours is None:
            if since < until:
                yield since, until
            return
        since, until = max(since, FIRST), min(until, since_plus(since, AHEAD), LAST)
        first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
        for day in (first + n * DAY for n in range((last - first).days + 1)):
            around = tuple(self._periods(self.hours, day + n * DAY) for n in (-1, 0, 1))
            for begin, end in _worked_on(self.zone, around, day):
                if max(begin, since) < min(end, until):
                    yield max(begin, since), min(end, until)

    def counted(self, since: datetime, until: datetime) -> timedelta:
        """How much working time lies between two instants."""
        return sum((end - begin for begin, end in self.worked(since, until)), NONE)

    def after(self, since: datetime, span: timedelta) -> datetime | None:
        """The first instant at which so much working time has passed; None: not within `AHEAD`.

        What ends with a period is due at its end, not when the next one begins.
        """
        if span <= NONE:
            return since
        for begin, end in self.worked(since, since_plus(since, AHEAD)):
            if span <= end - begin:
                return begin + span
            span -= end - begin
        return None

    def _periods(self, hours: dict[Weekday, tuple[Period, ...]], day: date) -> tuple[Period, ...]:
        return () if day in self.holidays else hours.get(WEEKDAYS[day.weekday()], ())


@lru_cache(maxsize=1024)
def read(period: str) -> tuple[timedelta, timedelta]:
    """A period's begin and end as spans since midnight."""
    begin, end = (timedelta(hours=int(at[:2]), minutes=int(at[3:])) for at in period.split("-"))
    return begin, end


@lru_cache(maxsize=16_384)
def _worked_on(zone: str, around: tuple[tuple[Period, ...], ...], day: date) -> tuple[Stretch, ...]:
    """The stretches of a day of UTC in which the wall clock reads a period of the day before, of this one, or the next;
    where it reads none of one, they end before they begin.

    By days of UTC, for those of a wall clock may take turns: one that is put back just after midnight. Kept, for a
    clock of two weeks looks at sixty days, several times, at each report.
    """
    found = []
    midnight = datetime.combine(day, time())
    begins = midnight.replace(tzinfo=UTC)
    for begin, end, offset in _offsets(_zone(zone), begins, begins + DAY):
        wall_begin, wall_end = (at.replace(tzinfo=None) + offset for at in (begin, end))
        for n, periods in enumerate(around, -1):
            for opens, closes in map(read, periods):
                first = max(wall_begin, midnight + n * DAY + opens)
                last = min(wall_end, midnight + n * DAY + closes)
                found.append(((first - offset).replace(tzinfo=UTC), (last - offset).replace(tzinfo=UTC)))
    return tuple(found)


def zone_known(name: str) -> bool:
    """Whether there is a time zone of this name; UTC needs no list of them."""
    try:
        return bool(_zone(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def since_plus(since: datetime, span: timedelta) -> datetime:
    """That much later, or the last instant that there is."""
    return since + min(span, max(LAST - since, NONE))


def _offsets(zone: tzinfo, begin: datetime, until: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The stretches of a day in which the zone's offset from UTC stays the same."""
    while begin < until:
        offset = _offset(zone, begin)
        end = _jump(zone, begin, until, offset)
        yield begin, end, offset
        begin = end


def _jump(zone: tzinfo, begin: datetime, until: datetime, offset: timedelta) -> datetime:
    """The first second with another offset than this one, which it has at `begin`; `until` if there is none."""
    seconds = range((until - begin) // SECOND)
    return begin + SECOND * bisect(seconds, False, key=lambda n: _offset(zone, begin + n * SECOND) != offset)


def _offset(zone: tzinfo, at: datetime) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None, "a time zone has an offset at every instant"
    return offset
