"""Rotas as they are read: by the week in a time zone, and from calendars that others keep. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from service.rotas import feed
from service.rotas.feed import FeedError, Question, Span, read, whose
from service.rotas.keep import read_apart
from service.rotas.weekly import Shift, windows
from tests.service.rotas.calendars import calendar, event

BERLIN = ZoneInfo("Europe/Berlin")
MARCH = datetime(2026, 3, 23, tzinfo=UTC)
"""A Monday; clocks go forward on Sunday, the 29th."""
TWO_WEEKS = timedelta(days=14)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")


def text(at: datetime) -> str:
    return f"{at:%a %d %H:%M}"


def spans(body: bytes, begin: datetime = MARCH, ahead: timedelta = TWO_WEEKS) -> list[str]:
    return [f"{text(each.since)} - {text(each.until)}" for each in read(body, BERLIN, begin, begin + ahead)]


# By the week ------------------------------------------------------------------------------------------------------


def test_a_shift_begins_at_the_same_time_on_the_wall_all_the_year() -> None:
    found = windows([Shift("lee", ("fri", "mon"), "09:00", "17:00")], BERLIN, MARCH, MARCH + timedelta(days=8))
    told = [f"{who} {text(since)} - {text(until)}" for who, since, until in found]
    assert told == [
        "lee Mon 23 08:00 - Mon 23 16:00",
        "lee Fri 27 08:00 - Fri 27 16:00",
        "lee Mon 30 07:00 - Mon 30 15:00",
    ]


def test_a_night_shift_ends_on_the_next_day_and_is_an_hour_shorter_when_clocks_go_forward() -> None:
    found = list(windows([Shift("lee", ("sat",), "22:00", "06:00")], BERLIN, MARCH, MARCH + timedelta(days=7)))
    assert [until - since for _, since, until in found] == [timedelta(hours=7)]
    whole = list(windows([Shift("lee", ("tue",), "00:00", "00:00")], BERLIN, MARCH, MARCH + timedelta(days=7)))
    assert [until - since for _, since, until in whole] == [timedelta(days=1)]


def test_a_shift_that_has_begun_is_there() -> None:
    begin = datetime(2026, 3, 24, 1, tzinfo=UTC)
    found = windows([Shift("lee", ("mon",), "22:00", "06:00")], BERLIN, begin, begin + timedelta(hours=1))
    assert [text(since) for _, since, _ in found] == ["Mon 23 21:00"]


# Calendars --------------------------------------------------------------------------------------------------------


def test_events_repeat_on_the_wall_of_their_own_zone_without_the_excepted_and_with_the_moved_ones() -> None:
    lee = event(
        ";TZID=Europe/Berlin:20260323T090000", ";TZID=Europe/Berlin:20260323T170000", "Lee",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE;UNTIL=20260401T220000Z", "EXDATE;TZID=Europe/Berlin:20260324T090000",
    )  # fmt: skip
    moved = event(
        ";TZID=Europe/Berlin:20260331T120000", ";TZID=Europe/Berlin:20260331T130000", "Lee",
        "RECURRENCE-ID;TZID=Europe/Berlin:20260331T090000",
    )  # fmt: skip
    assert spans(calendar(lee, moved)) == [
        "Mon 23 08:00 - Mon 23 16:00",
        "Wed 25 08:00 - Wed 25 16:00",
        "Mon 30 07:00 - Mon 30 15:00",
        "Wed 01 07:00 - Wed 01 15:00",
        "Tue 31 10:00 - Tue 31 11:00",
    ]


def test_whole_days_and_times_without_a_zone_are_those_of_the_rota() -> None:
    day = "UID:1\nDTSTART;VALUE=DATE:20260325\nSUMMARY:Lee"
    floating = event(":20260326T090000", ":20260326T100000")
    assert spans(calendar(day, floating)) == ["Tue 24 23:00 - Wed 25 23:00", "Thu 26 08:00 - Thu 26 09:00"]


def test_what_is_cancelled_over_or_far_ahead_is_no_duty() -> None:
    cancelled = event(":20260325T090000Z", ":20260325T100000Z", "Lee", "STATUS:CANCELLED")
    past, ahead = event(":20250325T090000Z", ":20250325T100000Z"), event(":20270325T090000Z", ":20270325T100000Z")
    backwards, endless = (
        event(":20260325T100000Z", ":20260325T090000Z"),
        event(":20260101T000000Z", ":20270101T000000Z"),
    )
    assert spans(calendar(cancelled, past, ahead, backwards, endless)) == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no iCalendar"),
        (b"<html>Sign in</html>", "no iCalendar"),
        (b"\xff\xfe\x00", "no iCalendar"),
        (calendar("SUMMARY:no begin"), "can't be read"),
        (calendar(event(":20260325T090000Z", ":20260325T100000Z", "x", "RRULE:FREQ=SECONDLY")), "by the hour"),
        (b"x" * (feed.MOST_BYTES + 1), "longer than"),
    ],
)
def test_what_is_no_calendar_is_an_error_that_says_why(body: bytes, why: str) -> None:
    with pytest.raises(FeedError, match=why):
        spans(body)


def test_there_are_limits_on_events_spans_and_repetitions(monkeypatch: pytest.MonkeyPatch) -> None:
    one = event(":20260325T090000Z", ":20260325T100000Z")
    for name, body in (
        ("MOST_EVENTS", calendar(*[one] * 4)),
        ("MOST_SPANS", calendar(*[one] * 4)),
        ("MOST_OCCURRENCES", calendar(event(":20260101T090000Z", ":20260101T100000Z", "x", "RRULE:FREQ=DAILY"))),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(feed, name, 3)
            with pytest.raises(FeedError):
                spans(body)


async def test_a_calendar_is_read_by_a_process_of_its_own_which_ends_when_it_has_had_its_time() -> None:
    asked = Question("Europe/Berlin", MARCH, MARCH + TWO_WEEKS, within=1)
    one = event(":20260325T090000Z", ":20260325T100000Z")
    assert len(await read_apart(calendar(one), replace(asked, within=5))) == 1
    with pytest.raises(FeedError, match="no iCalendar"):
        await read_apart(b"<html>", replace(asked, within=5))
    never = event(":20260325T090000Z", ":20260325T100000Z", "x", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")
    with pytest.raises(FeedError, match="too long"):
        await read_apart(calendar(never), asked)


def test_whose_it_is_says_the_title_as_the_rota_names_it_else_who_is_invited() -> None:
    named, by_email = {"Lee": "lee", "Lee-Ann": "lea"}, {"mia@x.example": "mia", "mo@x.example": "mo"}
    span = Span("On call: LEE", ("mia@x.example",), MARCH, MARCH)
    assert whose(span, named, by_email) == ("lee",)
    assert whose(Span("on call: lee-ann", (), MARCH, MARCH), named, by_email) == ("lea",), "the longest name counts"
    assert whose(Span("Nights", ("mia@x.example", "x@x", "mo@x.example"), MARCH, MARCH), named, by_email) == (
        "mia",
        "mo",
    )
    assert whose(Span("Nights", ("boss@x.example",), MARCH, MARCH), {"boss@x.example": "vic"}, {}) == ("vic",)
    assert whose(Span("Nights", (), MARCH, MARCH), named, by_email) == ()
