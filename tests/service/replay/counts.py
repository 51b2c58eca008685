"""What a replay of the event log must find, counted straight from the log: P0s, P1s, repeats and SLA clocks, in a
few lines.

    python -m tests.service.replay.counts servicenow-2016-03.csv.gz postgres://…    # what a replay left there

It shares no line with the importer or the machine: it reads the rows, and counts.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from tests.service.replay.repeat_counts import CONTACTS, Spoken, repeats
from tests.service.replay.sla_counts import ALWAYS, breaches, minute

P1_AFTER = {"enterprise": timedelta(hours=4), "professional": timedelta(hours=8)}
FOUND = """
    SELECT h.detail ->> 'situation' AS situation, e.tier, count(*) AS n FROM history h
    JOIN escalation e ON e.id = h.escalation_id JOIN allowed_move m ON m.id = h.move
    WHERE m.trigger IN ('open', 'add_situation') AND h.detail ->> 'situation' IN
        ('p0_outage', 'p1_unresolved', 'repeated_contact')
    GROUP BY 1, 2"""
TICKETS = """
    SELECT 'tickets' AS situation, c.tier, count(*) AS n FROM ticket t JOIN customer c ON c.id = t.customer_id
    WHERE t.revision > 0 GROUP BY 2"""

SLA = """
    SELECT 'sla ' || split_part(path, '.', 4) || ' ' || split_part(path, '.', 3) AS situation,
        split_part(path, '.', 2) AS tier, count(*) AS n
    FROM history h JOIN allowed_move m ON m.id = h.move,
        LATERAL (SELECT h.changed -> 'situations' -> -1 -> 'detail' ->> 'row' AS path) AS newest
    WHERE m.trigger IN ('open', 'add_situation') AND h.detail ->> 'situation' = 'sla_breach' GROUP BY 1, 2"""
"""From history: one that was dismissed does not stand in its escalation any more."""


def rows(path: Path) -> list[dict[str, str]]:
    """The log."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _at(text: str) -> datetime:
    day, month, rest = text.split("/")
    year, clock = rest.split(" ")
    hour, minute = clock.split(":")
    return datetime(int(year), int(month), int(day), int(hour), int(minute))  # noqa: DTZ001  # all are of one zone


def _tier(location: str) -> str:
    share = int(hashlib.sha256(location.encode()).hexdigest()[:8], 16) % 100
    return "enterprise" if share < 20 else "professional" if share < 60 else "starter"


def wanted(
    log: Sequence[dict[str, str]], spoken: Iterable[Spoken] = (), worked: Sequence[int] = ALWAYS
) -> Counter[tuple[str, str]]:
    """Tickets by tier; how often one became a P0, or stayed a P1 for 4 or 8 hours, while it was not solved; how often a
    third report came, with what customers were heard to say; and which SLA clocks ran out until the last event, if
    these minutes count."""
    incidents: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in log:
        incidents[row["number"]].append(row)
    found: Counter[tuple[str, str]] = Counter()
    end = max(minute(row["sys_updated_at"]) for events in incidents.values() for row in events)
    for events in incidents.values():
        tier = _tier(events[0]["location"])
        found["tickets", tier] += 1
        events.sort(key=lambda row: _at(row["sys_updated_at"]))
        found["p0_outage", tier] += len(_p0s(events))
        found["p1_unresolved", tier] += len(_p1s(events, P1_AFTER.get(tier)))
        found.update(breaches(events, tier, worked, end))
    found.update(repeats(log, spoken, _at, _tier))
    return +found


def _p0s(events: list[dict[str, str]]) -> set[datetime]:
    """The instants at which it became an unsolved P0."""
    began, stands = set(), False
    for row in events:
        if row["priority"][0] != "1":
            stands = False
        elif not stands and row["incident_state"] not in ("Resolved", "Closed"):
            began.add(_at(row["sys_updated_at"]))
            stands = True
    return began


def _p1s(events: list[dict[str, str]], after: timedelta | None) -> set[datetime]:
    """The instants since which it was a P1 for too long. A lower priority doesn't stop that clock, a P0 has its own."""
    late: set[datetime] = set()
    since: datetime | None = None
    for n, row in enumerate(events):
        at, solved, priority = (
            _at(row["sys_updated_at"]),
            row["incident_state"] in ("Resolved", "Closed"),
            row["priority"],
        )
        if priority[0] == "1" or (solved and priority[0] != "2"):
            since = None
        elif priority[0] == "2" and not solved and since is None:
            since = _at(row["opened_at"]) if n == 0 else at
        if since is None or solved or after is None:
            continue
        next_at = _at(events[n + 1]["sys_updated_at"]) if n + 1 < len(events) else datetime.max  # noqa: DTZ901
        if since + after <= max(next_at, at):
            late.add(since)
    return late


async def heard(url: str) -> list[Spoken]:
    """What customers were heard to say, as it stands in a database."""
    conn = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await conn.fetch(CONTACTS)]  # its four columns
    finally:
        await conn.close()


async def found(url: str) -> Counter[tuple[str, str]]:
    """The same, as it stands in a database."""
    conn = await asyncpg.connect(url)
    try:
        told = [row for query in (FOUND, TICKETS, SLA) for row in await conn.fetch(query)]
    finally:
        await conn.close()
    return Counter({(row["situation"], row["tier"]): row["n"] for row in told})


def main(path: Path, url: str) -> None:
    """Print both; exit 1 where they differ."""
    must, is_ = wanted(rows(path), asyncio.run(heard(url))), asyncio.run(found(url))
    for key in sorted({*must, *is_}):
        differ = "" if must[key] == is_[key] else "  <<<"
        print(f"{key[0]:21} {key[1]:13} {must[key]:6} in the log, {is_[key]:6} found{differ}")
    if must != is_:
        raise SystemExit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
