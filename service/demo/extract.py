"""Makes `incidents.csv` from the event log: `python -m service.demo.extract ../shared/data/servicenow-2016-03.csv.gz`.

The slice is a day, and nothing is picked out of it: every incident opened on Wednesday, 2 March 2016. It is the only
day of that month that holds all twelve pairs of tier and (highest) priority, and it keeps the real mix, most of it
moderate, a few critical. Of each event only what the demo replays is kept: when the state or the priority changed.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

from service.demo.incidents import COLUMNS, EXTRACT

DAY = date(2016, 3, 2)
LARGEST = 200_000
"""Bytes: the product ships a small extract of bare facts, never the data set."""

_STATES = {
    "New": "N",
    "Active": "A",
    "Awaiting User Info": "U",
    "Awaiting Problem": "P",
    "Awaiting Vendor": "V",
    "Awaiting Evidence": "E",
    "Resolved": "R",
    "Closed": "C",
}


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M")  # noqa: DTZ007  # the log names no zone; it is read as UTC


def _number(text: str) -> str:
    """`Location 143` → `143`; what is not known stays `?`."""
    return text.rsplit(" ", 1)[-1]


def _trail(opened: datetime, events: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """`13N3`: 13 minutes after opening it was New and Moderate. The log's own oddities (state -100) are left out."""
    before = ""
    for event in events:
        state = _STATES.get(event["incident_state"])
        now = f"{state}{event['priority'][0]}"
        if state is not None and now != before:
            minutes = (_instant(event["sys_updated_at"]) - opened).total_seconds() // 60
            yield f"{max(0, int(minutes))}{now}"
            before = now


def rows(log: Iterable[Mapping[str, str]], day: date = DAY) -> list[tuple[str, ...]]:
    """The extract's rows, sorted by number: one incident each, with its trail of changes."""
    incidents: dict[str, list[Mapping[str, str]]] = {}
    for event in log:
        if _instant(event["opened_at"]).date() == day:
            incidents.setdefault(event["number"], []).append(event)
    found: list[tuple[str, ...]] = []
    for number, events in sorted(incidents.items()):
        first, opened = events[0], _instant(events[0]["opened_at"])
        ordered = sorted(events, key=lambda event: _instant(event["sys_updated_at"]))  # stable: ties keep their order
        issue = "/".join(_number(first[name]) for name in ("caller_id", "category", "subcategory", "u_symptom"))
        trail = " ".join(_trail(opened, ordered))
        found.append((number, opened.strftime("%Y-%m-%dT%H:%M"), _number(first["location"]), issue, trail))
    return found


def text(found: Iterable[tuple[str, ...]]) -> str:
    """The extract as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(found)
    return out.getvalue()


def main(log: Path, target: Path = EXTRACT) -> None:
    """Read the event log, write the extract."""
    with gzip.open(log, "rt", encoding="utf-8", newline="") as file:
        told = text(rows(csv.DictReader(file)))
    if len(told.encode()) > LARGEST:
        raise SystemExit(f"the extract would have {len(told):,} bytes: at most {LARGEST:,} are shipped")
    target.write_text(told, "utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m service.demo.extract servicenow-2016-03.csv.gz")
    main(Path(sys.argv[1]))
