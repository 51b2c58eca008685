"""Is a policy total? Every situation × tier, every level and every span must be there and make sense.

All findings are told, not the first: a sentence each, with the path of what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from machines import messages
from machines.calendar import read, zone_known
from machines.document import (
    CHANNELS,
    CLOCKS,
    KIND,
    PRIORITIES,
    SITUATIONS,
    TIERS,
    WORDED,
    Cell,
    Document,
    Row,
    WordList,
)

NONE, LONGEST, MINUTE = timedelta(0), timedelta(days=366), timedelta(minutes=1)


def misshapen(value: Any, hint: Any, path: str = "") -> Iterator[str]:
    """Where a file's tables don't fit their types: what is missing, unknown, or another kind of value."""
    at = f"{path}." if path else ""
    if get_origin(hint) is UnionType:  # `Cell | None`
        if value is None and NoneType in get_args(hint):  # as JSON has it; a file leaves it out
            return
        hint = get_args(hint)[0]
    if isinstance(value, dict) and isinstance(hint, type) and issubclass(hint, Struct):
        hints, known = get_type_hints(hint, include_extras=True), {f.name: f for f in fields(hint)}
        yield from (f"{at}{name} is unknown" for name in value if name not in known)
        for name, field in known.items():
            if name in value:
                yield from misshapen(value[name], hints[name], f"{at}{name}")
            elif field.required:
                yield f"{at}{name} is missing"
    elif isinstance(value, dict) and get_origin(hint) is dict:
        key_hint, item_hint = get_args(hint)
        for key, item in value.items():
            yield from misshapen(key, key_hint, f"{at}{key}")
            yield from misshapen(item, item_hint, f"{at}{key}")
    elif isinstance(value, list) and get_origin(hint) is tuple:
        for i, item in enumerate(value):
            yield from misshapen(item, get_args(hint)[0], f"{at}{i}")
    else:
        try:
            msgspec.convert(value, hint, strict=False)
        except msgspec.ValidationError as error:
            yield f"{path}: {error}"


def findings(document: Document) -> list[str]:
    """Everything that is missing or wrong."""
    return [
        *_levels(document),
        *_matrix(document),
        *_updates(document),
        *_sla(document),
        *_calendars(document),
        *_clocks(document),
        *(f"channels.{channel} is missing" for channel in CHANNELS if channel not in document.channels),
        *_repage(document),
        *_repeats(document),
        *_words(document),
        *_asking(document),
        *messages.findings(document.messages, document.language),
    ]


def _levels(document: Document) -> Iterator[str]:
    yield from (f"levels.{n} is missing" for n in "1234" if n not in document.levels)
    held: dict[str, str] = {}
    for n, level in document.levels.items():
        if n not in tuple("1234"):
            yield f"levels.{n} is unknown: levels are 1 to 4"
        if not level.name.strip():
            yield f"levels.{n}.name is blank"
        if not NONE <= level.respond_within <= LONGEST:
            yield f"levels.{n}.respond_within must be between 0 and a year"
        if not level.authority:
            yield f"levels.{n}.authority is empty"
        for authority in level.authority:
            if held.setdefault(authority, n) != n:
                yield f"{authority} is listed at levels {held[authority]} and {n}: list it at the lower"


def _matrix(document: Document) -> Iterator[str]:
    yield from (f"matrix.{name} is missing" for name in SITUATIONS if name not in document.matrix)
    for name, row in document.matrix.items():
        if name not in SITUATIONS:
            yield f"matrix.{name} is not a situation"
        elif row.kind != KIND[name]:
            yield f"matrix.{name} is {KIND[name]}, not {row.kind}"
        for of, cell in _cells(row):
            yield from _cell(f"matrix.{name}.{of}", cell)
            if row.kind == "manual" and not cell.at_once:
                yield f"matrix.{name}.{of}.within must be PT0S: nobody waits for a manual reason"


def _cells(row: Row) -> Iterator[tuple[str, Cell]]:
    yield from ((tier, row.cell(tier)) for tier in TIERS)
    if row.emergency:
        yield "emergency", row.emergency


def _cell(path: str, cell: Cell) -> Iterator[str]:
    if not 0 <= cell.level <= 4:
        yield f"{path}.level must be 0 (none) to 4, not {cell.level}"
    if cell.within is not None and not NONE <= cell.within <= LONGEST:
        yield f"{path}.within must be between 0 and a year"
    if not NONE <= cell.after <= LONGEST:
        yield f"{path}.after must be between 0 and a year"
    if cell.level == 0 and cell.within is not None:
        yield f"{path} leads nowhere, so it can't promise a time"


def _updates(document: Document) -> Iterator[str]:
    yield from (f"updates.{tier} is missing" for tier in TIERS if tier not in document.updates)
    for tier, updates in document.updates.items():
        if not MINUTE <= updates.every <= LONGEST:
            yield f"updates.{tier}.every must be between a minute and a year"


def _sla(document: Document) -> Iterator[str]:
    for tier in TIERS:
        for priority in PRIORITIES:
            target = document.sla.get(tier, {}).get(priority)
            if target is None:
                yield f"sla.{tier}.{priority} is missing"
            elif not all(NONE < span <= LONGEST for span in (target.first_response, target.resolution)):
                yield f"sla.{tier}.{priority} must have spans above 0 and up to a year"
            elif target.first_response > target.resolution:
                yield f"sla.{tier}.{priority} wants the first response after the resolution"


def _calendars(document: Document) -> Iterator[str]:
    yield from (f"calendars.{tier} is missing" for tier in TIERS if tier not in document.calendars)
    for tier, calendar in document.calendars.items():
        if not zone_known(calendar.zone):
            yield f"calendars.{tier}.zone is no time zone that this machine knows: {calendar.zone}"
        if calendar.hours is None:
            continue
        if not any(calendar.hours.values()):
            yield f"calendars.{tier}.hours is empty: its clocks would never run; leave it out, and they always do"
        for day, periods in calendar.hours.items():
            ends = [end for period in periods for end in read(period)]
            if ends != sorted(set(ends)):
                yield f"calendars.{tier}.hours.{day} must be periods one after the other, with time between them"


def _clocks(document: Document) -> Iterator[str]:
    yield from (f"clocks.{clock} is missing" for clock in CLOCKS if clock not in document.clocks)
    for name, clock in document.clocks.items():
        marks = list(clock.warns_at)
        if marks != sorted(set(marks)) or not all(0 < mark < 100 for mark in marks):
            yield f"clocks.{name}.warns_at must rise, between 1 and 99 percent"
        if set(clock.paused_in) >= {"new", "open"}:
            yield f"clocks.{name}.paused_in has both new and open: the clock would never run"


def _repage(document: Document) -> Iterator[str]:
    bands = document.repage
    if not bands or bands[-1].until is not None:
        yield "repage must end with a band that has no `until`: an unanswered L4 is paged for good"
    ends = [band.until for band in bands[:-1]]
    if None in ends:
        yield "repage.until may be left out of the last band alone"
    elif ends != sorted(set(ends), key=lambda end: end or NONE):
        yield "repage.until must rise from band to band"
    if any(band.every < MINUTE for band in bands):
        yield "repage.every must be at least a minute"


def _repeats(document: Document) -> Iterator[str]:
    if document.repeats.reports < 2:
        yield "repeats.reports must be at least 2: one report is no repetition"
    if not NONE < document.repeats.within <= LONGEST:
        yield "repeats.within must be above 0 and up to a year"
    if not NONE <= document.repeats.apart <= document.repeats.within:
        yield "repeats.apart must be between 0 and repeats.within"
    if not 0.3 <= document.repeats.similar <= 1:
        yield "repeats.similar must be between 0.3 and 1: less is no similarity"


def _words(document: Document) -> Iterator[str]:
    spoken = {each.situation for each in document.words}
    yield from (f"words: none for {name}" for name in WORDED if name not in spoken)
    names = [each.name for each in document.words]
    for i, each in enumerate(document.words):
        path = f"words.{i} ({each.name})"
        if names.index(each.name) != i:
            yield f"{path} has the name of words.{names.index(each.name)}"
        yield from (f"{path} {wrong}" for wrong in _list(each))


def _list(each: WordList) -> Iterator[str]:
    if not each.name.strip() or not each.language.strip():
        yield "must have a name and a language"
    if each.situation not in WORDED:
        yield f"is for {each.situation}, which is not found in words: {' and '.join(WORDED)} are"
    if not 1 <= each.needs <= len(each.words):
        yield "must need at least one of its words, and no more than it has"
    if each.near is not None and each.near < 1:
        yield "must say by `near` how many characters apart, at least 1"
    seen: dict[str, int] = {}
    for i, forms in enumerate(each.words):
        for form in forms:
            if seen.setdefault(form.casefold(), i) != i:
                yield f"has {form!r} in two of its words"
    if not all(each.words) or any(len(form.strip()) < 2 for form in (*seen, *each.unless)):
        yield "has a word without forms, or a form of fewer than two characters"


def _asking(document: Document) -> Iterator[str]:
    if not document.asking.words:
        yield "asking.words is empty: no reply could ask for an escalation"
    for name in ("words", "undone_by"):
        for word in getattr(document.asking, name):
            if not (word.isascii() and word.isalpha() and word.islower()):
                yield f"asking.{name} must be words of small Latin letters, not {word!r}"
