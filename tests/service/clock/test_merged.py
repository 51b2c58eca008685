"""Merged tickets: closed by it, and not solved by it. What is escalated on one runs its course; nothing gets lost."""

from __future__ import annotations

from tests.service.clock.conftest import HOUR, MOMENT, START, Town, text

MERGED = {"status": "closed", "merged_into": "T-2", "opened_at": text(START)}


async def test_a_ticket_says_into_which_it_was_merged_and_never_into_itself(town: Town):
    assert (await town.report("T-1", **MERGED))["ticket"]["merged_into"] == "T-2"
    facts = {"customer_id": "acme", "priority": "p2", "subject": "s", **MERGED, "merged_into": "T-1"}
    assert (await town.service.call("desk", "PUT", "/v1/tickets/T-1", facts)).fields() == {"merged_into"}


async def test_a_request_on_a_ticket_that_is_merged_stands_at_its_level_in_its_time(town: Town):
    await town.report("T-1", assignee="ann")
    e = (await town.asks("T-1", "customer_request", "desk"))["id"]
    await town.report("T-1", assignee="ann", **MERGED)
    row = (await town.rows(e))[-1]
    assert (row["trigger"], row["actor"], row["reason"]) == ("remind", "clock", "ticket_merged")
    assert row["detail"] == {"merged_into": "T-2"}
    told = (await town.service.call("aud", "GET", f"/v1/deliveries?escalation_id={e}")).ok()["items"]
    assert ("ann", "ticket_merged") in [(item["recipient"], item["template"]) for item in told]
    await town.at(START + HOUR - MOMENT)
    assert (await town.stands(e))["state"] == "open"
    await town.at(START + HOUR)
    assert (await town.stands(e))["state"] == "l2"


async def test_the_ticket_it_was_merged_into_has_an_escalation_of_its_own(town: Town):
    e = (await town.report("T-1", priority="p0"))["escalation"]["id"]
    await town.report("T-2")
    await town.report("T-1", priority="p0", **MERGED)
    other = await town.asks("T-2", "customer_request", "desk")
    assert other["id"] != e
    assert (await town.stands(e))["state"] == "l3"


async def test_people_end_it_and_the_duplicates_state_is_their_evidence(town: Town):
    e = (await town.report("T-1", priority="p0"))["escalation"]["id"]
    await town.act("dan", e, "accept")
    await town.report("T-1", priority="p0", **MERGED)
    assert (await town.act("dan", e, "de_escalate", criterion="issue_resolved"))["state"] == "de_escalating"
