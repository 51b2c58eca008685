"""Calendars that others keep (iCalendar, RFC 5545), read as spans of duty with the names and addresses in them. Pure.

Whoever publishes a calendar is not trusted: how much there may be of anything is bounded, and it is read in a process
of its own (`python -m service.rotas.feed`), which ends when it has had its time: there are rules that repeat never, and
look for it for minutes. Whole days, and times without a zone, are those of the rota's time zone.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from dateutil.rrule import rrulestr
from icalendar import Calendar, Event
from msgspec import Struct

MOST_BYTES, MOST_EVENTS, MOST_OCCURRENCES, MOST_SPANS = 1024 * 1024, 5000, 200_000, 10_000
READ_WITHIN, MEMORY = 5, 512 * 1024 * 1024
"""Seconds of a processor, and bytes, that reading one may take."""
LONGEST = timedelta(days=62)
"""A span of duty that is longer is a slip of the pen."""
_FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
_DAY = timedelta(days=1)


class FeedError(ValueError):
    """It is no calendar that can be read; the message says why, without what stands in it."""


class Span(Struct, frozen=True):
    """Somebody's duty, as the calendar tells it: what it is called, and the addresses of who is invited."""

    summary: str
    addresses: tuple[str, ...]
    since: datetime
    until: datetime


class Question(Struct, frozen=True):
    """What the process is asked: a line before the calendar."""

    zone: str
    begin: datetime
    end: datetime
    within: int = READ_WITHIN


class Reading(Struct, frozen=True):
    """What it answers; `error` where it is no calendar that can be read."""

    spans: list[Span] = []
    error: str | None = None


def read(body: bytes, zone: tzinfo, begin: datetime, end: datetime) -> list[Span]:
    """The spans of a calendar that touch `begin` to `end`. Raises FeedError."""
    if len(body) > MOST_BYTES:
        raise FeedError(f"it is longer than {MOST_BYTES} bytes")
    try:
        events = [each for each in Calendar.from_ical(body).walk("VEVENT") if isinstance(each, Event)]
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FeedError(f"it is no iCalendar: {type(error).__name__}") from None
    if len(events) > MOST_EVENTS:
        raise FeedError(f"it has more than {MOST_EVENTS} events")
    moved = {(str(e.get("UID")), _instant(_value(e, "RECURRENCE-ID"), zone)) for e in events if "RECURRENCE-ID" in e}
    spans, left = list[Span](), MOST_OCCURRENCES
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        try:
            for since, ends in _occurrences(event, zone, end):
                left -= 1
                if left < 0:
                    raise FeedError("it repeats too often")
                if "RECURRENCE-ID" not in event and (str(event.get("UID")), since) in moved:
                    continue
                if since < end and ends > begin:
                    spans.append(Span(_summary(event), _addresses(event), since, ends))
        except FeedError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise FeedError(f"an event of it can't be read: {type(error).__name__}") from None
        if len(spans) > MOST_SPANS:
            raise FeedError(f"it has more than {MOST_SPANS} spans of duty in the weeks to come")
    return spans


def _occurrences(event: Event, zone: tzinfo, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Every begin and end of an event up to `end`, the excepted ones left out. Counted on the wall of its own zone, so
    that a shift begins at the same time there all the year."""
    first = _value(event, "DTSTART")
    own = first.tzinfo if isinstance(first, datetime) and first.tzinfo else zone
    begins, lasts = _wall(first, own), _lasts(event, own)
    if not timedelta(0) < lasts <= LONGEST:
        return
    excepted = {_wall(at, own) for at in _dates(event, "EXDATE")}
    wall_end = end.astimezone(own).replace(tzinfo=None)
    rules = event.get("RRULE")
    found: Iterable[datetime] = [begins]
    if rules is not None:
        found = _ruled(rules if not isinstance(rules, list) else rules[0], begins, own)
    more = [_wall(at[0] if isinstance(at, tuple) else at, own) for at in _dates(event, "RDATE")]
    for at in (*more, *_until(found, wall_end)) if more else _until(found, wall_end):
        if at not in excepted:
            yield at.replace(tzinfo=own).astimezone(UTC), (at + lasts).replace(tzinfo=own).astimezone(UTC)


def _until(found: Iterable[datetime], end: datetime) -> Iterator[datetime]:
    for n, at in enumerate(found):
        if n > MOST_OCCURRENCES:
            raise FeedError("it repeats too often")
        if at >= end:
            return
        yield at


def _ruled(rule: Any, begins: datetime, own: tzinfo) -> Iterable[datetime]:
    parts = {str(name).upper(): value for name, value in rule.items()}
    if str(parts.get("FREQ", [""])[0]).upper() not in _FREQUENCIES:
        raise FeedError("an event of it repeats by the hour, the minute or the second")
    limit = parts.pop("UNTIL", [None])[0]
    text = ";".join(part for part in rule.to_ical().decode().split(";") if not part.upper().startswith("UNTIL="))
    every: Iterable[datetime] = rrulestr(text, dtstart=begins)
    if limit is None:
        return every
    last = _wall(limit, own) if isinstance(limit, datetime) else _wall(limit, own) + _DAY - timedelta(seconds=1)
    return (at for at in _until(every, last + timedelta(seconds=1)))


def _dates(event: Event, name: str) -> list[Any]:
    """The values of a list of dates, which may stand there several times."""
    held = event.get(name)
    lists = held if isinstance(held, list) else [held] if held is not None else []
    return [each.dt for one in lists for each in one.dts]


def _lasts(event: Event, own: tzinfo) -> timedelta:
    if "DTEND" in event:
        return _wall(_value(event, "DTEND"), own) - _wall(_value(event, "DTSTART"), own)
    if "DURATION" in event:
        lasts: timedelta = _value(event, "DURATION")
        return lasts
    return timedelta(0) if isinstance(_value(event, "DTSTART"), datetime) else _DAY


def _value(event: Event, name: str) -> Any:
    """A date, an instant or a span."""
    held: Any = event[name]
    return held.dt


def _wall(at: date | datetime, own: tzinfo) -> datetime:
    """What the wall there reads; a day begins at midnight."""
    if not isinstance(at, datetime):
        return datetime(at.year, at.month, at.day)  # noqa: DTZ001  # a wall has no zone
    return (at.astimezone(own) if at.tzinfo else at).replace(tzinfo=None)


def _instant(at: date | datetime, zone: tzinfo) -> datetime:
    if isinstance(at, datetime) and at.tzinfo:
        return at.astimezone(UTC)
    return _wall(at, zone).replace(tzinfo=zone).astimezone(UTC)


def _summary(event: Event) -> str:
    return str(event.get("SUMMARY", ""))[:200]


def _addresses(event: Event) -> tuple[str, ...]:
    held = event.get("ATTENDEE", [])
    every = held if isinstance(held, list) else [held]
    return tuple(str(each).casefold().removeprefix("mailto:")[:254] for each in every[:50])


def whose(span: Span, named: dict[str, str], by_email: dict[str, str]) -> tuple[str, ...]:
    """Whose duty it is: whom its words name (the longest of `named` that stands in its title), else whoever of the
    roster is invited."""
    title = span.summary.casefold()
    for words in sorted(named, key=lambda words: (-len(words), words)):
        if words.casefold() in title or words.casefold() in span.addresses:
            return (named[words],)
    return tuple(dict.fromkeys(by_email[address] for address in span.addresses if address in by_email))


def main() -> None:
    """Read one question and its calendar, answer it, and end."""
    question = msgspec.json.decode(sys.stdin.buffer.readline(), type=Question)
    resource.setrlimit(resource.RLIMIT_CPU, (question.within, question.within + 1))
    with suppress(ValueError, OSError):  # not every system keeps count of it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        found = read(sys.stdin.buffer.read(), ZoneInfo(question.zone), question.begin, question.end)
        told = Reading(found)
    except FeedError as error:
        told = Reading(error=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main()
