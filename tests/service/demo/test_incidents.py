"""The extract: real facts, whole, and small; its tier rule is the one that the data's README states."""

from __future__ import annotations

import csv
import gzip
import hashlib
from datetime import UTC, datetime
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.demo import extract
from service.demo.incidents import COLUMNS, EXTRACT, events, load
from service.replay import servicenow
from service.replay.servicenow import tier_of

LOG = Path(__file__).parents[4] / "shared" / "data" / "servicenow-2016-03.csv.gz"


@pytest.fixture(scope="module")
def log():
    if not LOG.exists():
        pytest.skip(f"the event log is not here: {LOG.name} belongs in ../shared/data")
    with gzip.open(LOG, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_extract_is_a_whole_day_and_small():
    incidents = load()
    assert len(incidents) == 465
    assert {incident.opened_at.date() for incident in incidents} == {extract.DAY}
    assert [incident.number for incident in incidents] == sorted({incident.number for incident in incidents})
    assert EXTRACT.stat().st_size < 40_000


def test_every_pair_of_tier_and_priority_occurs():
    tiers = ("enterprise", "professional", "starter")
    pairs = {(incident.tier, incident.highest) for incident in load()}
    assert pairs == set(product(tiers, ("p0", "p1", "p2", "p3")))


def test_it_holds_priorities_that_fall_and_tickets_that_are_reopened():
    trails = [incident.trail for incident in load()]
    steps = [(a, b) for trail in trails for a, b in pairwise(trail)]
    assert any(b.priority > a.priority and not b.solved for a, b in steps)
    assert any(a.solved and not b.solved for a, b in steps)
    assert all(trail[-1].status == "closed" for trail in trails)


def test_a_line_that_is_no_incident_is_named(tmp_path: Path):
    file = tmp_path / "incidents.csv"
    file.write_text(f"{','.join(COLUMNS)}\nINC1,2016-03-02T08:00,143,1/2/3/?,5N3 4A3\n", "utf-8")
    with pytest.raises(ValueError, match=r"incidents\.csv, line 2: not a trail"):
        load(file)
    file.write_text("number,trail\n", "utf-8")
    with pytest.raises(ValueError, match="the columns are number, opened_at"):
        load(file)


def test_the_attribution_is_shipped_beside_it():
    readme = EXTRACT.with_name("README.md").read_text("utf-8")
    for words in ("Incident management process enriched event log", "UCI", "CC BY 4.0", "Changed:"):
        assert words in readme


def test_the_extract_is_what_its_script_makes_of_the_log(log):
    assert EXTRACT.read_text("utf-8") == extract.text(extract.rows(log))


def test_the_tier_of_each_incident_follows_the_rule_as_the_readme_states_it(log):
    # "first 8 hex digits of SHA-256 of `location` (as in the file) taken as a number mod 100:
    # < 20 enterprise, < 60 professional, else starter"
    location = {row["number"]: row["location"] for row in reversed(log)}  # the first: a few are corrected later
    for incident in load():
        share = int(hashlib.sha256(location[incident.number].encode()).hexdigest()[:8], 16) % 100
        wanted = "enterprise" if share < 20 else "professional" if share < 60 else "starter"
        assert incident.tier == wanted, incident.number


def test_the_day_is_the_only_one_of_its_month_with_every_pair(log):
    highest: dict[str, tuple[str, str, str]] = {}
    for row in log:
        day = row["opened_at"].split(" ")[0]
        before = highest.get(row["number"], (day, tier_of(row["location"]), "9"))
        highest[row["number"]] = (day, before[1], min(before[2], row["priority"][0]))
    pairs: dict[str, set[tuple[str, str]]] = {}
    for day, tier, priority in highest.values():
        pairs.setdefault(day, set()).add((tier, priority))
    assert [day for day, found in pairs.items() if len(found) == 12] == ["2/3/2016"]


DECIDES = ("status", "priority", "first_responded_at", "resolved_at")


def _changes(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where status or priority change, and what of a ticket decides."""
    found: list[dict[str, Any]] = []
    for line in lines:
        told = {"at": line["at"], **{name: line["facts"].get(name) for name in DECIDES}}
        if not found or any(told[name] != found[-1][name] for name in ("status", "priority")):
            found.append(told)
    return found


def test_its_events_are_those_that_the_importer_makes_of_the_log(log):
    numbers = {incident.number for incident in load()}
    imported: dict[str, list[dict[str, Any]]] = {}
    for line in map(msgspec.json.decode, servicenow.events(row for row in log if row["number"] in numbers)):
        if "ticket" in line:
            imported.setdefault(line["ticket"], []).append(line)
    told: dict[str, list[dict[str, Any]]] = {}
    for event in events(load(), datetime(2018, 1, 1, tzinfo=UTC)):
        if event.kind == "ticket":
            told.setdefault(event.id, []).append(msgspec.to_builtins({"at": event.at, "facts": event.body}))
    assert told.keys() == imported.keys()
    for number in told:
        assert _changes(told[number]) == _changes(imported[number]), number
