"""The cast's shifts: the same for a seed, with gaps now and then, and somebody always at the top."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.replay.cast.members import PEOPLE, at_level
from service.replay.cast.shifts import DAY, Shifts, midnight

FIRST = datetime(2016, 3, 1, 13, 7, tzinfo=UTC)
TENS = [midnight(FIRST) + timedelta(minutes=10 * n) for n in range(60 * 24 * 6)]
"""Sixty days, every ten minutes."""


def without_anybody(shifts: Shifts, level: int) -> float:
    """For which share of the time nobody of a level is on duty."""
    return sum(not any(shifts.on_duty(who, at) for who in at_level(level)) for at in TENS) / len(TENS)


def test_a_seed_has_its_shifts_and_another_has_others():
    drawn = [[list(Shifts(seed).windows(member.id, FIRST, 60)) for member in PEOPLE] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_shifts_of_a_day_are_the_same_whenever_they_are_asked_for():
    shifts = Shifts(1)
    week = list(shifts.windows("lead-chen", FIRST, 7))
    assert [window for n in range(7) for window in shifts.windows("lead-chen", FIRST + n * DAY, 1)] == week
    assert all(since < until and until - since < DAY for since, until in week)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_a_level_has_gaps_now_and_then(level: int):
    assert 0 < without_anybody(Shifts(1), level) < 0.1


def test_at_the_top_somebody_is_always_there():
    assert without_anybody(Shifts(1), 4) == 0


def test_on_duty_is_what_the_windows_say_at_their_very_edges():
    shifts = Shifts(1)
    ((since, until),) = shifts.windows("vp-jamal", FIRST, 1)
    edges = (since - timedelta(microseconds=1), since, until - timedelta(microseconds=1), until)
    assert [shifts.on_duty("vp-jamal", at) for at in edges] == [False, True, True, False]


def test_who_is_there_are_all_of_the_level_where_nobody_is():
    shifts = Shifts(1)
    at = next(at for at in TENS if not any(shifts.on_duty(who, at) for who in at_level(3)))
    assert shifts.there(3, at) == at_level(3)
