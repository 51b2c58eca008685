"""The importer: every row of the real log is an event, in the order of time; its oddities have one reading each."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.replay import lines, servicenow
from service.replay.servicenow import LogError, events, tier_of

LOG = Path(__file__).parents[4] / "shared" / "data" / "servicenow-2016-03.csv.gz"
ROW = {
    "number": "INC1",
    "incident_state": "New",
    "caller_id": "Caller 7",
    "opened_at": "2/3/2016 08:00",
    "sys_updated_at": "2/3/2016 08:05",
    "location": "Location 143",
    "category": "Category 37",
    "subcategory": "Subcategory 123",
    "u_symptom": "?",
    "priority": "3 - Moderate",
    "assigned_to": "?",
}


def told(*changes: Mapping[str, str]) -> list[dict[str, Any]]:
    """The ticket events of these rows."""
    log: Iterable[Mapping[str, str]] = [{**ROW, **change} for change in changes]
    return [line for line in map(msgspec.json.decode, events(log)) if "ticket" in line]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not LOG.exists():
        pytest.skip(f"the event log is not here: {LOG.name} belongs in ../shared/data")
    made = tmp_path_factory.mktemp("replay") / "events.ndjson"
    made.write_bytes(b"".join(events(servicenow.read(LOG))))
    return made


# The real log -----------------------------------------------------------------------------------------------------


def test_every_row_is_an_event_and_the_file_is_sound(file: Path):
    count, first, last = lines.check(file)
    kinds = Counter(event.kind for event in lines.read(file))
    assert kinds == {"ticket": 58_012, "customer": 156}
    assert count == sum(kinds.values())
    assert len({event.id for event in lines.read(file) if event.kind == "ticket"}) == 8_995
    assert first == datetime(2016, 3, 1, 1, 35, tzinfo=UTC)
    assert last == datetime(2017, 2, 8, 18, 7, tzinfo=UTC)


def test_every_ticket_is_closed_in_the_end_and_knows_since_when_it_is_solved(file: Path):
    newest = {event.id: event for event in lines.read(file) if event.kind == "ticket"}
    assert {event.body["status"] for event in newest.values()} == {"closed"}
    assert all("resolved_at" in event.body for event in newest.values())
    assert all(event.body["opened_at"] <= event.body["resolved_at"] for event in newest.values())


def test_reopened_tickets_lose_their_resolution(file: Path):
    status: dict[str, str] = {}
    reopened = 0
    for event in lines.read(file):
        if event.kind == "ticket":
            before, now = status.get(event.id, "new"), event.body["status"]
            if before in servicenow.SOLVED and now not in servicenow.SOLVED:
                reopened += 1
                assert "resolved_at" not in event.body
            status[event.id] = now
    assert reopened == 158  # 151 + 2 from Resolved, 5 from Closed


def test_the_command_writes_the_same_file(file: Path, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "service.replay.servicenow", str(LOG)], capture_output=True, timeout=60, check=True
    )
    assert done.stdout == file.read_bytes()


# Its oddities, and those of the whole log that this month happens not to have -----------------------------------------


def test_days_come_before_months():
    (event,) = told({"sys_updated_at": "1/12/2016 09:30"})
    assert event["at"] == "2016-12-01T09:30:00Z"


def test_an_incident_out_of_time_order_finds_its_place():
    late, early = (
        {"sys_updated_at": "2/3/2016 12:00", "incident_state": "Resolved"},
        {"sys_updated_at": "2/3/2016 09:00"},
    )
    assert [(e["at"][11:16], e["facts"]["status"]) for e in told(late, early)] == [
        ("09:00", "new"),
        ("12:00", "solved"),
    ]
    assert [e["ticket"] for e in told({"number": "INC2"}, {"number": "INC1"})] == ["INC2", "INC1"]  # in one minute


def test_state_minus_100_leaves_the_status_as_it_was():
    states = ("-100", "Active", "-100", "Resolved", "-100")
    found = told(*({"incident_state": state, "sys_updated_at": f"2/3/2016 09:0{n}"} for n, state in enumerate(states)))
    assert [e["facts"]["status"] for e in found] == ["new", "open", "open", "solved", "solved"]
    assert found[4]["facts"]["resolved_at"] == "2016-03-02T09:03:00Z"


def test_what_is_not_known_is_absent_and_an_unknown_location_is_a_customer():
    unknown = dict.fromkeys(("caller_id", "category", "subcategory", "location"), "?")
    (event,) = told(unknown)
    assert event["facts"]["customer_id"] == "location-unknown"
    assert event["facts"].keys().isdisjoint(("issue_key", "product", "assignee"))
    first = msgspec.json.decode(next(iter(events([{**ROW, **unknown}]))))
    assert first["customer"] == "location-unknown"
    assert first["facts"]["tier"] == tier_of("?")


def test_a_ticket_stays_with_the_location_under_which_it_was_entered():
    found = told({}, {"location": "Location 9", "sys_updated_at": "2/3/2016 09:00"})
    assert {e["facts"]["customer_id"] for e in found} == {"location-143"}


def test_the_first_response_is_the_first_row_that_is_no_longer_new():
    times = ("New", "Awaiting User Info", "Active")
    found = told(*({"incident_state": s, "sys_updated_at": f"2/3/2016 09:0{n}"} for n, s in enumerate(times)))
    assert [e["facts"].get("first_responded_at") for e in found] == [None, *["2016-03-02T09:01:00Z"] * 2]
    assert [e["facts"]["status"] for e in found] == ["new", "pending", "open"]


def test_what_the_log_knew_only_in_the_end_is_not_used():
    (event,) = told({"resolved_at": "9/3/2016 10:00", "closed_at": "14/3/2016 10:00", "made_sla": "false"})
    assert "resolved_at" not in event["facts"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"incident_state": "Lost"}, "'Lost' is none of New"),
        ({"priority": "5 - Planning"}, "none of 1 to 4"),
        ({"sys_updated_at": "2016-03-02 08:05"}, "does not match"),
        ({"opened_at": "?"}, "does not match"),
    ],
)
def test_a_row_that_is_none_is_named(change: dict[str, str], what: str):
    with pytest.raises(LogError, match=f"row 3: .*{what}"):
        told({}, change)


def test_a_file_that_is_no_such_log_is_told_so():
    with pytest.raises(LogError, match="row 2: has no number"):
        list(events([{"a": "b"}]))
