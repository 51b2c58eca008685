"""Repeated contacts of a replay, counted from the log and from what customers were heard to say, in a few lines.

It shares no line with the importer or the machine. One issue is one location's ticket, or its caller, category,
subcategory and symptom; texts never tell, for subjects of this log have too few words. An opening and the first contact
on it are one report; the same words of a location within an hour are, too; what was counted once does not count again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

KEY = ("caller_id", "category", "subcategory", "u_symptom")
CONTACTS = """
    SELECT c.received_at AT TIME ZONE 'UTC' AS received, c.ticket_id AS ticket, c.at AT TIME ZONE 'UTC' AS at,
        s.text::text AS text
    FROM contact c LEFT JOIN said s ON s.id = c.said WHERE c.verified AND c.author_role = 'customer'"""
Spoken = tuple[datetime, str, datetime, str | None]
"""When it was received, on which ticket, when it was said, and what."""


@dataclass
class _Report:
    ticket: str
    key: tuple[str, ...] | None
    at: datetime
    text: str | None
    opens: bool
    counted: bool = False


def repeats(
    log: Iterable[dict[str, str]],
    spoken: Iterable[Spoken],
    at_of: Callable[[str], datetime],
    tier_of: Callable[[str], str],
) -> Counter[tuple[str, str]]:
    """How many third reports there are, by tier."""
    events = defaultdict[str, list[dict[str, str]]](list)
    for row in sorted(log, key=lambda row: at_of(row["sys_updated_at"])):
        events[row["number"]].append(row)
    firsts = {number: rows[0] for number, rows in events.items()}
    told: list[tuple[datetime, str, datetime, str | None, bool]] = [
        (at_of(row["sys_updated_at"]), number, at_of(row["opened_at"]), None, True)
        for number, row in firsts.items()
        if row["incident_state"] not in ("Resolved", "Closed")
    ]
    told += [(*each, False) for each in spoken]
    reports, found = defaultdict[str, list[_Report]](list), Counter[tuple[str, str]]()
    for received, ticket, at, text, opens in sorted(told, key=lambda each: (each[0], not each[4])):
        row = firsts[ticket]
        known = [row] if opens else [each for each in events[ticket] if at_of(each["sys_updated_at"]) <= received]
        keys = [_key(each) for each in known]
        new = _Report(ticket, next(filter(None, reversed(keys)), None), at, text, opens)
        mine = [r for r in reports[row["location"]] if not r.counted and _one_issue(r, new)]
        reports[row["location"]].append(new)
        distinct = _distinct([*mine, new])
        if len(distinct) >= 3 and any(r is new for r in distinct):
            found["repeated_contact", tier_of(row["location"])] += 1
            for r in (*mine, new):
                r.counted = True
    return found


def _key(row: dict[str, str]) -> tuple[str, ...] | None:
    """What issue an incident was then; an incident may be filed anew. What says nothing leaves what was known."""
    parts = tuple(row[name] for name in KEY)
    return parts if set(parts) != {"?"} else None


def _one_issue(one: _Report, other: _Report) -> bool:
    near = abs(one.at - other.at) < timedelta(days=30)
    return near and (one.ticket == other.ticket or (one.key is not None and one.key == other.key))


def _distinct(reports: list[_Report]) -> list[_Report]:
    kept: list[_Report] = []
    for r in sorted(reports, key=lambda r: (not r.opens, r.at)):
        if any(not k.opens and k.text == r.text and r.at - k.at < timedelta(hours=1) for k in kept if not r.opens):
            continue
        own = [k for k in kept if k.opens and k.ticket == r.ticket and not r.opens]
        kept = [k for k in kept if k not in own[:1]] + [r]
    return kept
