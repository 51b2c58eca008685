"""When each of the cast is on duty: everybody has their shift of the day, and the seed decides which are missed.

Support, leads and managers cover the day in three shifts, directors and VPs in two. A shift that is missed leaves its
level to those whose shifts overlap it, or to nobody: then what is offered there goes to the next level that has
someone. A VP is always there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from random import Random

from service.replay.cast.members import PEOPLE, at_level

Window = tuple[datetime, datetime]
"""From the one instant until before the other."""

DAY = timedelta(days=1)
_SHIFTS = {  # when it begins, and how many hours it lasts
    "ines": (6, 9),
    "jonas": (7, 9),
    "petr": (8, 9),
    "leila": (12, 9),
    "marco": (14, 9),
    "nadia": (22, 9),
    "lead-amir": (6, 9),
    "lead-birgit": (14, 9),
    "lead-chen": (22, 9),
    "manager-dora": (7, 9),
    "manager-emil": (11, 10),
    "manager-farah": (20, 12),
    "director-greta": (7, 12),
    "director-hugo": (18, 14),
    "vp-irina": (6, 14),
    "vp-jamal": (19, 13),
}
assert _SHIFTS.keys() == {member.id for member in PEOPLE}
_MISSED = 0.1
"""How many shifts are missed. Not those at the top: somebody must always be there."""
_KEPT = frozenset(at_level(4))
_LOOSE = 20
"""By how many minutes at most a shift begins and ends otherwise than on the hour."""


class Shifts:
    """The shifts of everybody, for ever, by a seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def _shift(self, person: str, day: datetime) -> Window | None:
        """The shift that begins on this day (its midnight), unless it is missed."""
        rng = Random(f"{self._seed} shift {person} {day:%F}")  # noqa: S311  # chance on a stage, no secret
        if rng.random() < _MISSED and person not in _KEPT:
            return None
        begins, hours = _SHIFTS[person]
        since = day + timedelta(hours=begins, minutes=rng.randint(-_LOOSE, _LOOSE))
        return since, day + timedelta(hours=begins + hours, minutes=rng.randint(-_LOOSE, _LOOSE))

    def windows(self, person: str, first: datetime, days: int) -> Iterator[Window]:
        """The shifts that begin on so many days from this one on."""
        day = midnight(first)
        for _ in range(days):
            if shift := self._shift(person, day):
                yield shift
            day += DAY

    def on_duty(self, person: str, at: datetime) -> bool:
        """Whether somebody is on duty at this instant."""
        return any(since <= at < until for since, until in self.windows(person, at - DAY, 2))

    def there(self, level: int, at: datetime) -> tuple[str, ...]:
        """Who of a level is on duty at this instant; all of them where nobody is."""
        return tuple(person for person in at_level(level) if self.on_duty(person, at)) or at_level(level)


def midnight(at: datetime) -> datetime:
    """When this day began, in UTC."""
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)
