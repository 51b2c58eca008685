"""SLA clocks over HTTP on the virtual clock: the instant before, the instant, and the level that is called.

Source: the document's "Any SLA Breach: at breach"; `domain.md`, "The default policy".
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.service.clock.conftest import CUSTOMER, DAY, HOUR, MINUTE, MOMENT, START, Town, text

LEVEL = {"enterprise": 2, "professional": 1, "starter": 1}
SLA = """
enterprise   15m/4h 1h/8h 4h/2d 8h/5d
professional 1h/8h 4h/1d 8h/3d 1d/7d
starter      4h/1d 8h/3d 1d/7d 2d/14d
"""
UNIT = {"m": MINUTE, "h": HOUR, "d": DAY}
CELLS = [
    (tier, f"p{n}", *(int(span[:-1]) * UNIT[span[-1]] for span in cell.split("/")))
    for tier, *cells in (row.split() for row in SLA.strip().splitlines())
    for n, cell in enumerate(cells)
]


async def clock(town: Town, which: str = "resolution", ticket: str = "T-1") -> Any:
    """One of the ticket's two clocks, explained. What is explained is what a timer is armed for: its next warning, else
    the deadline."""
    told = (await town.service.call("aud", "GET", f"/v1/tickets/{ticket}/clocks")).ok()
    clock = next(each for each in told["clocks"] if each["clock"] == which)
    said = max((mark["percent"] for mark in clock["warned"]), default=0)
    marks = [mark["at"] for mark in clock["warns"] if mark["percent"] > said]
    armed = await town.service.db.fetchval("SELECT due_at FROM timer WHERE ticket_id = $1 AND kind = $2", ticket, which)
    wanted = min([*marks, clock["due_at"]]) if clock["state"] == "running" else None
    assert (armed and text(armed)) == wanted
    return clock


async def breaches(town: Town, ticket: str = "T-1") -> list[tuple[str, str]]:
    """The breaches among the situations that stand: which clock, and when it began."""
    told = (await town.service.call("ann", "GET", f"/v1/tickets/{ticket}")).ok()
    return [(s["detail"]["clock"], s["at"]) for s in told["situations"] if s["situation"] == "sla_breach"]


@pytest.mark.parametrize(("tier", "priority", "first", "resolution"), CELLS, ids=[f"{c[0]}-{c[1]}" for c in CELLS])
async def test_a_breach_calls_its_level_at_that_instant(
    town: Town, tier: str, priority: str, first: timedelta, resolution: timedelta
):
    quiet: dict[str, Any] = {
        "outage": False,
        "first_responded_at": text(START + first),
    }  # at the last instant
    await town.report("T-1", tier, priority=priority, sla=None, **quiet)
    await town.at(START + resolution - MOMENT)
    assert await breaches(town) == []
    assert (await clock(town))["state"] == "running"
    await town.at(START + resolution)
    assert await breaches(town) == [("resolution", text(START + resolution))]
    e = await town.ticket("T-1")
    assert e["level"] >= LEVEL[tier]
    situation = next(s for s in e["situations"] if s["situation"] == "sla_breach")
    assert (situation["level"], situation["due_at"]) == (LEVEL[tier], text(START + resolution))
    assert (await clock(town, "first_response"))["state"] == "met"


@pytest.mark.parametrize("tier", CUSTOMER)
async def test_a_breach_of_the_first_response_opens_and_engages_at_once(town: Town, tier: str):
    first = {"enterprise": 4 * HOUR, "professional": 8 * HOUR, "starter": DAY}[tier]
    await town.report("T-1", tier, priority="p2", sla=None)
    await town.at(START + first - MOMENT)
    assert await town.ticket("T-1") is None
    await town.at(START + first)
    e = await town.ticket("T-1")
    assert (e["state"], e["opened_at"], e["tier"]) == (f"l{LEVEL[tier]}", text(START + first), tier)
    assert [row[0] for row in await town.told(e["id"])] == ["open", "engage"]
    assert await breaches(town) == [("first_response", text(START + first))]


async def test_each_clock_breaches_once_also_after_a_reopening(town: Town):
    await town.report("T-1", priority="p1", sla=None, opened_at=text(START))
    await town.at(START + DAY)
    assert [which for which, _ in await breaches(town)] == ["first_response", "resolution"]
    for hours, status in ((25, "solved"), (26, "open"), (60, "solved"), (61, "open")):
        await town.at(START + hours * HOUR)
        await town.report("T-1", priority="p1", sla=None, opened_at=text(START), status=status)
    await town.at(START + 9 * DAY)
    assert [which for which, _ in await breaches(town)] == ["first_response", "resolution"]
    assert (await clock(town))["state"] == "breached"


async def test_a_paused_clock_says_so_and_what_it_has_counted(town: Town):
    own: dict[str, Any] = {"sla": None, "priority": "p1", "opened_at": text(START), "first_responded_at": text(START)}
    await town.report("T-1", **own)
    await town.at(START + 3 * HOUR)
    await town.report("T-1", **own, status="pending")
    await town.at(START + 5 * HOUR)
    told = await clock(town)
    assert (told["state"], told["due_at"], told["left"]) == ("paused", None, "PT5H")
    await town.report("T-1", **own, status="open")
    told = await clock(town)
    assert (told["state"], told["due_at"]) == ("running", text(START + 10 * HOUR))
    assert [(s["paused"], s["status"], s["counted"], s["total"]) for s in told["spans"]] == [
        (False, "open", "PT3H", "PT3H"),
        (True, "pending", "PT0S", "PT3H"),
        (False, "open", "PT0S", "PT3H"),
    ]
    assert told["row"] == {
        "path": "sla.enterprise.p1.resolution",
        "target": "PT8H",
        "origin": "default",
        "policy_version": 1,
    }
    assert told["calendar"] == {"path": "calendars.enterprise", "zone": "UTC", "hours": None, "holidays": []}
    assert told["arithmetic"] == {
        "target": "PT8H",
        "counted": "PT3H",
        "left": "PT5H",
        "since": text(START + 5 * HOUR),
        "due_at": text(START + 10 * HOUR),
    }
    await town.at(START + 10 * HOUR - MOMENT)
    assert await breaches(town) == []
    await town.at(START + 10 * HOUR)
    assert await breaches(town) == [("resolution", text(START + 10 * HOUR))]


async def test_a_frozen_ticket_does_not_escalate_at_once_on_reopening(town: Town):
    own: dict[str, Any] = {"sla": None, "priority": "p2", "opened_at": text(START), "first_responded_at": text(START)}
    await town.report("T-1", **own)
    await town.at(START + 47 * HOUR)
    await town.report("T-1", **own, status="solved")
    assert (await clock(town))["state"] == "met"
    await town.at(START + 30 * DAY)
    told = await town.report("T-1", **own, status="open")
    assert told["escalation"] is None
    await town.at(START + 30 * DAY + HOUR - MOMENT)
    assert await breaches(town) == []
    await town.at(START + 30 * DAY + HOUR)
    assert await breaches(town) == [("resolution", text(START + 30 * DAY + HOUR))]


async def test_a_raised_priority_breaches_as_it_is_raised_in_the_same_answer(town: Town):
    own: dict[str, Any] = {"sla": None, "opened_at": text(START), "first_responded_at": text(START)}
    await town.report("T-1", "starter", priority="p3", **own)
    await town.at(START + 4 * DAY)
    told = await town.report("T-1", "starter", priority="p1", **own)
    assert told["escalation"]["state"] == "l1"
    assert await breaches(town) == [("resolution", text(START + 4 * DAY))]


async def test_another_tier_moves_the_deadline_at_once(town: Town):
    own: dict[str, Any] = {"sla": None, "opened_at": text(START), "first_responded_at": text(START)}
    await town.report("T-1", "starter", priority="p1", **own)
    await town.at(START + HOUR)
    assert (await clock(town))["due_at"] == text(START + 3 * DAY)
    (await town.service.call("root", "PUT", "/v1/customers/solo", {"name": "Solo", "tier": "enterprise"})).ok()
    told = await clock(town)
    assert told["due_at"] == text(START + 8 * HOUR)
    assert [span["tier"] for span in told["spans"]] == ["starter", "enterprise"]
    await town.at(START + 8 * HOUR)
    assert (await clock(town))["state"] == "breached"


async def test_another_tier_moves_the_deadline_of_a_ticket_that_was_only_merged_too(town: Town):
    """Closed as a duplicate, and not solved: its clocks run on."""
    own: dict[str, Any] = {"sla": None, "opened_at": text(START), "first_responded_at": text(START)}
    await town.report("T-1", "starter", priority="p1", status="closed", merged_into="T-2", **own)
    (await town.service.call("root", "PUT", "/v1/customers/solo", {"name": "Solo", "tier": "enterprise"})).ok()
    await town.at(START + 8 * HOUR)
    assert await breaches(town) == [("resolution", text(START + 8 * HOUR))]


async def test_an_own_instant_counts_as_it_stands(town: Town):
    await town.report("T-1", sla={"resolution_by": text(START + 90 * MINUTE)}, first_responded_at=text(START))
    told = await clock(town)
    assert (told["due_at"], told["row"]["path"], told["row"]["target"]) == (
        text(START + 90 * MINUTE),
        "ticket.sla.resolution_by",
        None,
    )
    await town.at(START + 90 * MINUTE - MOMENT)
    assert await breaches(town) == []
    await town.at(START + 90 * MINUTE)
    assert await breaches(town) == [("resolution", text(START + 90 * MINUTE))]


async def test_repeated_and_older_reports_move_nothing(town: Town):
    own: dict[str, Any] = {"sla": None, "priority": "p1", "opened_at": text(START), "first_responded_at": text(START)}
    await town.report("T-1", **own, updated_at=text(START))
    await town.at(START + 2 * HOUR)
    for _ in range(3):
        await town.report("T-1", **own, updated_at=text(START + HOUR), status="pending")
        await town.report("T-1", **own, updated_at=text(START + MINUTE), status="on_hold")
    await town.report("T-1", **own, updated_at=text(START + 2 * HOUR), status="open")
    assert (await clock(town))["due_at"] == text(START + 9 * HOUR)


async def test_warnings_are_kept_with_the_ticket_and_open_nothing(town: Town):
    await town.report("T-1", priority="p2", sla=None, first_responded_at=text(START))
    assert await town.at(START + DAY - MOMENT) == 0
    assert await town.at(START + DAY) == 1
    told = await clock(town)
    assert told["warned"] == [{"percent": 50, "at": text(START + DAY)}]
    assert told["warns"] == [
        {"percent": 50, "at": text(START + DAY)},
        {"percent": 75, "at": text(START + 36 * HOUR)},
        {"percent": 90, "at": text(START + 43.2 * HOUR)},
    ]
    assert await town.at(START + 2 * DAY - MOMENT) == 2
    assert await town.ticket("T-1") is None
    await town.at(START + 2 * DAY)
    assert [each["percent"] for each in (await clock(town))["warned"]] == [50, 75, 90, 100]


async def test_a_ticket_that_arrives_solved_begins_none_and_its_clocks_are_explained(town: Town):
    late: dict[str, Any] = {"opened_at": text(START - DAY), "resolved_at": text(START - HOUR), "status": "solved"}
    told = await town.report("T-1", sla=None, priority="p1", **late)
    assert (told["situations"], told["escalation"]) == ([], None)
    assert await town.at(START + 9 * DAY) == 0
    told = await clock(town)
    assert (told["state"], told["breached_at"]) == ("breached", text(START - 16 * HOUR))


async def test_who_is_unknown_or_asks_of_an_unknown_ticket_is_refused(town: Town):
    (await town.service.call("ann", "GET", "/v1/tickets/T-9/clocks")).problem(404, "not_found")
    (await town.service.call(None, "GET", "/v1/tickets/T-9/clocks")).problem(401, "no_key")
