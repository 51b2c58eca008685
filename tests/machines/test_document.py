"""The document's "Escalation by Customer Tier", row by row: the instant before, the instant, the level."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.machines.cast import HOUR, NOW
from tests.machines.play import Play

MOMENT = timedelta(microseconds=1)
BREACH = timedelta(minutes=90)
"""When the clock of the service level is breached, or the third report comes, in these tests."""
ROWS = """
Enterprise   | P0 Outage              | Level 3 | Immediate
Enterprise   | P1 Not Resolved in 4hr | Level 2 | 4 hours
Enterprise   | Any SLA Breach         | Level 2 | At breach
Enterprise   | Customer Requests      | Level 2 | 1 hour
Professional | P0 Outage              | Level 2 | 1 hour
Professional | P1 Not Resolved in 8hr | Level 2 | 8 hours
Professional | SLA Breach             | Level 1 | At breach
Professional | Customer Requests      | Level 1 | 4 hours
Starter      | P0 Outage              | Level 1 | 2 hours
Starter      | Repeated Issues        | Level 1 | On 3rd report
Starter      | SLA Breach             | Level 1 | At breach
""".strip().splitlines()
SPANS = {"Immediate": timedelta(0), "At breach": BREACH, "On 3rd report": BREACH}


def happens(play: Play, situation: str) -> None:
    """What the row is about comes to pass, or begins to count."""
    match situation.split():
        case ["P0", *_]:
            play.report(priority="p0")
        case ["P1", *_]:
            play.report(priority="p1")
        case ["Customer", "Requests"]:
            play.report()
            play.request("customer_request")
        case _:
            play.report()


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row.replace("|", ",").split()) for row in ROWS])
def test_a_row_of_the_document(row: str):
    tier, situation, level, timeline = (cell.strip() for cell in row.split("|"))
    number, _, unit = timeline.partition(" ")
    due = NOW + (SPANS[timeline] if timeline in SPANS else int(number) * HOUR)
    assert timeline in SPANS or unit.startswith("hour")
    play = Play(tier.lower())
    if due > NOW:
        happens(play, situation)
        play.until(due - MOMENT)
        assert play.e is None or (play.stands.state, play.stands.engage_by) == ("open", due), "nobody is called yet"
    play.until(due)
    if due == NOW:
        happens(play, situation)
    if "SLA" in situation or situation == "Repeated Issues":  # the fact comes about at this instant
        play.begins("sla_breach" if "SLA" in situation else "repeated_contact")
    assert (play.stands.state, play.entries[-1].at) == (f"l{level[-1]}", due)


def test_starter_has_no_row_for_p1_and_no_promise_of_time_for_a_request():
    play = Play("starter")
    play.report(priority="p1")
    play.request("customer_request")
    assert play.until(timedelta(days=30)) == []
    assert play.stands.state == "open"
