"""`domain.md`, "Situations, target and time", over HTTP: a sentence, a test. The cells are in `test_document.py`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.service.clock.conftest import CUSTOMER, DAY, HOUR, MINUTE, MOMENT, START, Town, text
from tests.service.conftest import BRIEF

OPENED = {"opened_at": text(START)}


async def waits(town: Town, tier: str = "professional", **facts: Any) -> str:
    """An escalation that is open: a P0 of somebody's who is not called at once."""
    return str((await town.report("T-1", tier, priority="p0", assignee="ann", **facts))["escalation"]["id"])


async def reasons(town: Town, escalation: str) -> list[str]:
    """Why each of its rows is there."""
    return [row["reason"] for row in await town.rows(escalation)]


async def test_the_same_fact_again_adds_nothing_also_after_close(town: Town):
    e = await waits(town)
    again = await town.report("T-1", "professional", priority="p0", assignee="ann", subject="Still", **OPENED)
    assert (again["situations"], again["escalation"]["id"], again["escalation"]["version"]) == ([], e, 1)
    await town.act("ann", e, "withdraw", criterion="request_withdrawn", evidence=await says(town, "T-1"))
    told = await town.report("T-1", "professional", priority="p0", assignee="ann", **OPENED)
    assert (told["situations"], told["escalation"]) == ([], None)


async def says(town: Town, ticket: str) -> str:
    """The customer said something; the contact's id."""
    body = {"channel": "portal", "sender": "boss@beta.example", "author_role": "customer", "body": "Never mind"}
    return str(
        (await town.service.call("desk", "POST", f"/v1/tickets/{ticket}/contacts", body)).ok(201)["contact"]["id"]
    )


@pytest.mark.parametrize("status", ["solved", "closed"])
async def test_tickets_that_arrive_already_solved_begin_none(town: Town, status: str):
    for priority in ("p0", "p1"):
        told = await town.report(f"T-{priority}", priority=priority, status=status)
        assert (told["situations"], told["escalation"]) == ([], None)
    assert await town.at(START + DAY) == 0


async def test_in_open_the_target_is_the_highest_level_and_engage_by_the_earliest_deadline(town: Town):
    """A professional's P0, L2 within 1 h, and their request, L1 within 4 h: then the other way round."""
    e = await waits(town)
    told = await town.asks("T-1", "customer_request", "desk")
    assert (told["id"], told["target_level"], told["engage_by"]) == (e, 2, text(START + HOUR))
    await town.report("T-2", "professional")
    await town.asks("T-2", "customer_request", "desk")
    await town.at(START + HOUR)
    facts = {"priority": "p0", "opened_at": text(START)}
    told = (await town.report("T-2", "professional", **facts))["escalation"]
    assert (told["target_level"], told["engage_by"]) == (2, text(START + 2 * HOUR))
    assert [s["situation"] for s in told["situations"]] == ["customer_request", "p0_outage"]


async def test_a_lower_row_changes_nothing(town: Town):
    await town.report("T-1", "professional")
    e = (await town.asks("T-1", "blocking_business_process"))["id"]
    before = await town.stands(e)
    told = await town.asks("T-1", "customer_request", "desk")
    names = ("state", "target_level", "engage_by", "respond_by", "handoff")
    assert [told[name] for name in names] == [before[name] for name in names]


async def test_a_lowered_priority_never_silently_stops_a_running_clock(town: Town):
    e = await waits(town)
    await town.at(START + HOUR / 2)
    told = (await town.report("T-1", "professional", priority="p3", assignee="ann", **OPENED))["escalation"]
    assert (told["state"], told["engage_by"]) == ("open", text(START + HOUR))
    await town.at(START + HOUR)
    assert (await town.stands(e))["state"] == "l2"


async def test_the_tier_is_kept_as_opened_and_situations_that_begin_later_use_the_tier_of_then(town: Town):
    e = await waits(town, "starter")
    customer = {"name": "Solo", "tier": "enterprise"}
    (await town.service.call("root", "PUT", f"/v1/customers/{CUSTOMER['starter']}", customer)).ok()
    told = await town.asks("T-1", "customer_request", "desk")
    assert (told["id"], told["tier"], told["target_level"]) == (e, "starter", 2)
    assert told["engage_by"] == text(START + HOUR), "an enterprise's request, L2 within 1 h"


async def test_until_the_deadline_it_is_open_and_an_agent_may_engage_it_sooner(town: Town):
    e = await waits(town)
    await town.at(START + 20 * MINUTE)
    told = await town.act("ann", e, "engage", brief=BRIEF)
    assert (told["state"], told["engage_by"], told["respond_by"]) == ("l2", None, text(START + 2 * HOUR + 20 * MINUTE))
    assert told["next_update_by"] == text(START + 4 * HOUR + 20 * MINUTE), "the first notice is the first update"


async def test_a_p0_begins_when_the_ticket_became_one(town: Town):
    await town.report("T-1", "professional")
    await town.at(START + 2 * HOUR)
    told = await town.report("T-1", "professional", priority="p0", updated_at=text(START + HOUR), **OPENED)
    assert told["situations"][0]["at"] == text(START + HOUR)
    assert told["escalation"]["state"] == "l2", "its hour was over when it was told"


@pytest.mark.parametrize(
    ("tier", "outage", "begins"),
    [("enterprise", False, True), ("professional", False, False), ("starter", False, False), ("starter", None, True)],
)
async def test_a_p0_counts_as_an_outage_unless_the_ticket_says_so_an_enterprise_p0_always(
    town: Town, tier: str, outage: bool | None, begins: bool
):
    told = await town.report("T-1", tier, priority="p0", outage=outage)
    assert [s["situation"] for s in told["situations"]] == (["p0_outage"] if begins else [])


async def test_a_p0_that_is_no_outage_is_a_p1_that_waits(town: Town):
    await town.report("T-1", "professional", priority="p0", outage=False)
    await town.at(START + 8 * HOUR - MOMENT)
    assert await town.ticket("T-1") is None
    await town.at(START + 8 * HOUR)
    assert [s["situation"] for s in (await town.ticket("T-1"))["situations"]] == ["p1_unresolved"]


async def test_spans_are_plain_elapsed_time_on_a_sunday_night_and_when_clocks_change(town: Town):
    """25 October 2026, 01:00 UTC: in most of Europe an hour comes twice."""
    night = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    await town.at(night)
    e = await waits(town)
    await town.at(night + HOUR)
    stands = await town.stands(e)
    assert (stands["state"], stands["respond_by"]) == ("l2", text(night + 3 * HOUR))
    assert stands["next_update_by"] == text(night + 5 * HOUR)


async def test_solved_before_its_newest_situation_began_it_is_not_withdrawn(town: Town):
    e = await waits(town, "starter")
    await town.at(START + HOUR)
    await town.asks("T-1", "customer_request", "desk")
    solved = {"priority": "p0", "status": "solved", "assignee": "ann", "updated_at": text(START + HOUR / 2), **OPENED}
    told = await town.report("T-1", "starter", **solved)
    assert (told["escalation"]["id"], told["escalation"]["state"]) == (e, "open")


async def test_a_request_on_a_solved_ticket_runs_its_course(town: Town):
    await town.report("T-1", status="solved")
    e = (await town.asks("T-1", "customer_request", "desk"))["id"]
    await town.at(START + HOUR)
    assert (await town.stands(e))["state"] == "l2"
    await town.at(START + 3 * HOUR)
    assert (await town.stands(e))["state"] == "l3"


@pytest.mark.parametrize("situation", ["workaround_unacceptable", "blocking_business_process", "executive_visibility"])
async def test_solved_at_a_level_the_owner_is_told_nothing_is_raised_and_the_clock_ends_nothing(
    town: Town, situation: str
):
    await town.report("T-1")
    e = await town.asks("T-1", situation)
    await town.report("T-1", status="solved", **OPENED)
    await town.at(START + 60 * DAY)
    stands = await town.stands(e["id"])
    assert (stands["state"], stands["handoff"]["status"]) == (e["state"], "briefed")
    assert (await reasons(town, e["id"]))[2:] == ["ticket_solved", "update_missed"]
    assert (await town.act("ann", e["id"], "de_escalate", criterion="issue_resolved"))["state"] == "de_escalating"


async def test_dismissing_the_last_situation_is_evidence_for_request_withdrawn(town: Town):
    e = await waits(town)
    (await town.service.act("ann", e, "withdraw", criterion="request_withdrawn")).problem(422, "guard_failed")
    told = await town.act("ann", e, "dismiss_situation", situation="p0_outage", reason="A test")
    assert (told["situations"], told["engage_by"]) == ([], None)
    assert (await town.act("ann", e, "withdraw", criterion="request_withdrawn"))["state"] == "closed"


@pytest.mark.parametrize("criterion", ["workaround_accepted", "priority_lowered"])
async def test_while_open_these_need_a_withdrawing_person_of_level_1_in_place_of_the_act(town: Town, criterion: str):
    e = await waits(town)
    fields: dict[str, Any] = {"criterion": criterion}
    if criterion == "priority_lowered":
        await town.report("T-1", "professional", priority="p2", assignee="ann", **OPENED)
    else:
        fields["evidence"] = await says(town, "T-1")
    refused = (await town.service.act("ann", e, "withdraw", **fields)).problem(403, "not_permitted")
    assert [failed["guard"] for failed in refused["failed"]] == ["withdrawing_level"]
    assert (await town.act("lee", e, "withdraw", **fields))["state"] == "closed"


async def test_a_closed_one_is_followed_by_another_that_names_it(town: Town):
    e = await waits(town)
    await town.report("T-1", "professional", priority="p0", status="solved", assignee="ann", **OPENED)
    assert (await town.stands(e))["state"] == "closed"
    await town.at(START + MINUTE)
    other = await town.asks("T-1", "workaround_unacceptable")
    assert (other["follows"], other["id"] != e) == (e, True)


async def test_every_row_that_a_deadline_makes_names_the_instant_for_which_it_was_armed(town: Town):
    e = await waits(town)
    await town.at(START + timedelta(hours=3))
    due = [row["detail"]["due_at"] for row in await town.rows(e) if row["actor"] == "clock"]
    assert due == [row["at"] for row in await town.rows(e) if row["actor"] == "clock"] != []
