"""Working calendars: a minute counts if the wall clock then reads a worked one. Also on the nights when it jumps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machines.calendar import WEEKDAYS, Calendar, read
from tests.machines.cast import HOUR, MINUTE

DAY = timedelta(days=1)
LUNCH = ("09:00-12:30", "13:30-17:00")
BERLIN = Calendar("Europe/Berlin", dict.fromkeys(WEEKDAYS[:5], LUNCH), (date(2026, 5, 1),))
ZONES = (
    *("Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/St_Johns", "Australia/Lord_Howe"),
    *("Pacific/Apia", "Asia/Kolkata", "UTC"),
)
"""With an hour's summer time, one that began at midnight, one that ended a minute after it, so that two days took
turns, one of half an hour, one that left out a whole day, and none."""
NIGHTS = (
    datetime(2026, 3, 28, 20, tzinfo=UTC),
    datetime(2026, 10, 24, 20, tzinfo=UTC),
    datetime(2026, 3, 7, 20, tzinfo=UTC),
    datetime(2026, 10, 31, 20, tzinfo=UTC),
    datetime(2018, 11, 3, 20, tzinfo=UTC),
    datetime(2018, 2, 17, 20, tzinfo=UTC),
    datetime(2026, 4, 4, 10, tzinfo=UTC),
    datetime(2026, 10, 3, 10, tzinfo=UTC),
    datetime(2010, 11, 6, 20, tzinfo=UTC),
    datetime(2011, 12, 29, 20, tzinfo=UTC),
    datetime(2026, 5, 1, 0, tzinfo=UTC),
    datetime(2026, 12, 31, 20, tzinfo=UTC),
    datetime(2028, 2, 28, 20, tzinfo=UTC),
)
"""Evenings before a clock jumps in one of these zones, a holiday, and evenings before a year's and a leap day."""


def berlin(day: int, month: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


def works(calendar: Calendar, at: datetime) -> bool:
    """The naive reading: look at the wall clock."""
    if calendar.hours is None:
        return True
    wall = at.astimezone(ZoneInfo(calendar.zone))
    if wall.date() in calendar.holidays:
        return False
    now = wall.hour * 60 + wall.minute
    for period in calendar.hours.get(WEEKDAYS[wall.weekday()], ()):
        (h, m), (h2, m2) = (map(int, part.split(":")) for part in period.split("-"))
        if h * 60 + m <= now < h2 * 60 + m2:
            return True
    return False


def minutes(since: datetime, until: datetime) -> Iterator[datetime]:
    while since < until:
        yield since
        since += MINUTE


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Any calendar: some weekdays, up to three periods each, night shifts and odd minutes, some holidays."""
    if draw(st.integers(0, 5)) == 0:
        return Calendar()
    edge = st.sampled_from((0, 60, 90, 119, 120, 150, 179, 180, 540, 750, 810, 1020, 1380, 1440))
    hours = {}
    for day in WEEKDAYS:
        ends = sorted(draw(st.sets(edge, max_size=6)))
        pairs = list(zip(ends[::2], ends[1::2], strict=False))
        hours[day] = tuple(f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in pairs)
    if not any(hours.values()):
        hours["monday"] = ("00:00-24:00",)
    some = draw(st.sets(st.sampled_from([night.date() + DAY for night in NIGHTS]), max_size=3))
    return Calendar(draw(st.sampled_from(ZONES)), hours, tuple(some))


instants = st.builds(lambda night, offset: night + offset * MINUTE, st.sampled_from(NIGHTS), st.integers(-600, 1200))


@settings(max_examples=40, deadline=None)
@given(calendars(), instants, st.integers(0, 3000))
def test_what_is_counted_are_the_minutes_that_the_wall_clock_reads_as_worked(calendar, since, length):
    until = since + length * MINUTE
    assert calendar.counted(since, until) == sum(works(calendar, at) for at in minutes(since, until)) * MINUTE


@settings(max_examples=40, deadline=None)
@given(calendars(), instants, st.integers(1, 1500))
def test_after_is_the_first_instant_at_which_so_much_was_counted(calendar, since, span):
    due = calendar.after(since, span * MINUTE)
    assert due is not None
    assert calendar.counted(since, due) == span * MINUTE
    assert calendar.counted(since, due - MINUTE) == (span - 1) * MINUTE
    assert works(calendar, due - MINUTE)


@settings(max_examples=40, deadline=None)
@given(calendars(), instants, st.integers(0, 10**11), st.integers(0, 10**11))
def test_two_spans_are_counted_as_one_also_by_the_microsecond(calendar, since, one, two):
    middle = since + timedelta(microseconds=one)
    until = middle + timedelta(microseconds=two)
    assert calendar.counted(since, middle) + calendar.counted(middle, until) == calendar.counted(since, until)


@settings(max_examples=40, deadline=None)
@given(calendars(), instants, st.integers(0, 3000))
def test_stretches_are_in_order_and_within_what_was_asked(calendar, since, length):
    ends = [at for stretch in calendar.worked(since, since + length * MINUTE) for at in stretch]
    assert ends == sorted(ends)
    assert all(since <= at <= since + length * MINUTE for at in ends)


def test_lunch_breaks_weekends_and_holidays_count_nothing():
    thursday = berlin(30, 4, 12)
    assert BERLIN.after(thursday, HOUR) == berlin(30, 4, 14), "half an hour before lunch, half an hour after"
    assert BERLIN.after(thursday, 5 * HOUR) == berlin(4, 5, 9, 0) + HOUR, "the first of May and a weekend between"


def test_what_ends_with_a_period_is_due_at_its_end_not_when_the_next_begins():
    assert BERLIN.after(berlin(30, 4, 16), HOUR) == berlin(30, 4, 17)
    assert BERLIN.after(berlin(30, 4, 9), 7 * HOUR / 2) == berlin(30, 4, 12, 30)


def test_what_begins_outside_is_counted_from_the_next_period():
    assert BERLIN.after(berlin(3, 5, 3), MINUTE) == berlin(4, 5, 9, 1)


NIGHT = Calendar("Europe/Berlin", {"saturday": ("22:00-24:00",), "sunday": ("00:00-06:00",)})


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 28, 7), (10, 24, 9), (6, 20, 8)])
def test_a_night_shift_is_as_long_as_it_was(month, day, hours):
    evening = datetime.combine(date(2026, month, day), time(12), UTC)
    assert NIGHT.counted(evening, evening + DAY) == hours * HOUR


def test_days_that_take_turns_are_counted_in_the_order_of_instants():
    """St. John's put its clocks back a minute after midnight: Sunday for a minute, Saturday for an hour, Sunday."""
    zone = ZoneInfo("America/St_Johns")
    midnight = datetime(2010, 11, 7, tzinfo=zone).astimezone(UTC)
    late = Calendar("America/St_Johns", {"saturday": ("23:30-24:00",), "sunday": ("00:00-00:01",)})
    assert list(late.worked(midnight - HOUR, midnight + 2 * HOUR)) == [
        (midnight - HOUR / 2, midnight),
        (midnight, midnight + MINUTE),
        (midnight + HOUR / 2, midnight + HOUR),
        (midnight + HOUR, midnight + HOUR + MINUTE),
    ]


def test_without_hours_a_clock_always_runs():
    assert Calendar().after(berlin(28, 3, 12), DAY) == berlin(28, 3, 12) + DAY
    assert list(Calendar().worked(berlin(1, 1, 1), berlin(1, 1, 1))) == []


def test_what_is_due_in_more_than_ten_years_or_after_the_last_instant_is_due_never():
    once_a_year = Calendar("UTC", {"monday": ("09:00-09:01",)}, ())
    assert once_a_year.after(berlin(1, 1, 1), 30 * DAY) is None
    last = datetime.max.replace(tzinfo=UTC)
    for calendar in (Calendar(), BERLIN):
        assert calendar.after(last - HOUR, 2 * HOUR) is None
        assert calendar.counted(last - HOUR, last) <= HOUR
        first = datetime.min.replace(tzinfo=UTC)
        assert calendar.after(first, HOUR) is not None


def test_no_stretch_is_empty_where_one_ends_or_begins_with_what_was_asked_or_with_a_day():
    assert list(BERLIN.worked(berlin(30, 4, 12, 30), berlin(30, 4, 13, 30))) == []
    assert list(BERLIN.worked(berlin(30, 4, 10), berlin(30, 4, 10))) == []
    assert list(BERLIN.worked(berlin(30, 4, 11), berlin(30, 4, 10))) == []
    early, monday = Calendar("UTC", {"monday": ("00:00-01:00",)}), datetime(2026, 5, 4, tzinfo=UTC)
    assert list(early.worked(monday - DAY, monday + DAY)) == [(monday, monday + HOUR)]


def test_nothing_is_due_at_once():
    assert BERLIN.after(berlin(3, 5, 3), timedelta(0)) == berlin(3, 5, 3)


def test_a_period_is_read_as_spans_since_midnight():
    assert read("09:30-24:00") == (timedelta(hours=9, minutes=30), DAY)
