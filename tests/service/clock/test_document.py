"""The document's tables, row by row, over HTTP: the instant before, the instant, and the level that is called."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.service.clock.conftest import CUSTOMER, DAY, HOUR, MINUTE, MOMENT, START, Town, text

P0 = [("enterprise", 3, timedelta(0)), ("professional", 2, HOUR), ("starter", 1, 2 * HOUR)]
RESPONSE = {1: HOUR, 2: 2 * HOUR, 3: 4 * HOUR}
"""The document's "Response Time"; level 4 answers immediately."""
MANUAL = {
    1: "workaround_unacceptable",
    2: "blocking_business_process",
    3: "executive_visibility",
    4: "regulatory_compliance",
}
"""A reason that calls this level at once."""


async def call_it(town: Town, level: int) -> str:
    """An escalation that stands at this level, offered and not answered."""
    await town.report("T-1")
    e = await town.asks("T-1", MANUAL[level])
    assert (e["state"], e["handoff"]["status"]) == (f"l{level}", "briefed")
    return str(e["id"])


@pytest.mark.parametrize(("tier", "level", "within"), P0, ids=[row[0] for row in P0])
async def test_p0_outage(town: Town, tier: str, level: int, within: timedelta):
    e = (await town.report("T-1", tier, priority="p0"))["escalation"]
    if within:
        assert (e["state"], e["target_level"], e["engage_by"]) == ("open", level, text(START + within))
        await town.at(START + within - MOMENT)
        assert (await town.stands(e["id"]))["state"] == "open"
        assert await town.at(START + within) == 1
    stands = await town.stands(e["id"])
    assert (stands["state"], stands["respond_by"]) == (f"l{level}", text(START + within + RESPONSE[level]))
    assert await town.told(e["id"]) == [("open", "open", text(START)), ("engage", f"l{level}", text(START + within))]


@pytest.mark.parametrize(("tier", "span"), [("enterprise", 4 * HOUR), ("professional", 8 * HOUR)])
async def test_p1_unresolved(town: Town, tier: str, span: timedelta):
    await town.report("T-1", tier, priority="p1")
    await town.at(START + span - MOMENT)
    assert await town.ticket("T-1") is None, "nothing is open before"
    assert await town.at(START + span) == 1
    e = await town.ticket("T-1")
    assert (e["state"], e["situations"][0]["at"], e["opened_at"]) == ("l2", text(START + span), text(START + span))


async def test_p1_of_a_starter_and_p1_that_is_solved_in_time_are_no_situation(town: Town):
    await town.report("T-1", "starter", priority="p1")
    await town.report("T-2", priority="p1")
    await town.at(START + 4 * HOUR - MOMENT)
    await town.report("T-2", priority="p1", status="solved", opened_at=text(START))
    assert await town.at(START + 2 * DAY) == 0
    assert [await town.ticket(ticket) for ticket in ("T-1", "T-2")] == [None, None]


async def test_p1_counts_from_when_it_became_one_and_a_lowered_priority_stops_no_clock(town: Town):
    await town.report("T-1", priority="p3")
    await town.at(START + HOUR)
    await town.report("T-1", priority="p1", opened_at=text(START))
    await town.at(START + 2 * HOUR)
    await town.report("T-1", priority="p2", opened_at=text(START))
    await town.at(START + 5 * HOUR - MOMENT)
    assert await town.ticket("T-1") is None
    assert await town.at(START + 5 * HOUR) == 1
    assert (await town.ticket("T-1"))["state"] == "l2"


@pytest.mark.parametrize(
    ("since", "to", "due"),
    [
        ("starter", "enterprise", 4),
        ("professional", "starter", None),
        ("enterprise", "professional", 8),
        ("professional", "enterprise", 5),
    ],
)
async def test_a_p1_that_waits_goes_by_the_tier_of_then(town: Town, since: str, to: str, due: int | None):
    await town.report("T-1", since, priority="p1")
    await town.at(START + (3 if due != 5 else 5) * HOUR)
    customer = {"name": "Acme", "tier": to}
    (await town.service.call("root", "PUT", f"/v1/customers/{CUSTOMER[since]}", customer)).ok()
    await town.at(START + DAY)
    e = await town.ticket("T-1")
    assert (e and e["opened_at"]) == (due and text(START + due * HOUR))


@pytest.mark.parametrize(
    ("tier", "level", "within"), [("enterprise", 2, HOUR), ("professional", 1, 4 * HOUR), ("starter", 1, None)]
)
async def test_customer_request(town: Town, tier: str, level: int, within: timedelta | None):
    await town.report("T-1", tier)
    e = await town.asks("T-1", "customer_request", "desk")
    assert (e["state"], e["target_level"]) == ("open", level)
    if within is None:
        assert e["engage_by"] is None, "no promise of time: an agent engages it"
        assert await town.at(START + 30 * DAY) == 0
        assert (await town.stands(e["id"]))["state"] == "open"
        return
    await town.at(START + within - MOMENT)
    assert (await town.stands(e["id"]))["state"] == "open"
    await town.at(START + within)
    assert (await town.stands(e["id"]))["state"] == f"l{level}"


@pytest.mark.parametrize("tier", CUSTOMER)
@pytest.mark.parametrize(("situation", "level"), [(v, k) for k, v in MANUAL.items()] + [("priority_disagreement", 1)])
async def test_nobody_waits_for_a_manual_reason(town: Town, tier: str, situation: str, level: int):
    await town.report("T-1", tier)
    e = await town.asks("T-1", situation)
    assert (e["state"], e["engage_by"]) == (f"l{level}", None)
    assert await town.told(e["id"]) == [("open", "open", text(START)), ("engage", f"l{level}", text(START))]


@pytest.mark.parametrize("level", [1, 2, 3])
async def test_an_unanswered_level_is_raised_when_its_response_time_is_over(town: Town, level: int):
    e = await call_it(town, level)
    due = START + RESPONSE[level]
    await town.at(due - MOMENT)
    stands = await town.stands(e)
    assert (stands["state"], stands["respond_by"]) == (f"l{level}", text(due))
    await town.at(due)
    stands = await town.stands(e)
    (row,) = (row for row in await town.rows(e) if row["trigger"] == "escalate")
    assert (stands["state"], stands["owner"]) == (f"l{level + 1}", "ann")
    assert (row["trigger"], row["actor"], row["reason"], row["at"]) == (
        "escalate",
        "clock",
        "response_overdue",
        text(due),
    )
    assert row["detail"]["due_at"] == text(due)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
async def test_an_accepted_level_is_not(town: Town, level: int):
    e = await call_it(town, level)
    due = START + RESPONSE.get(level, 5 * MINUTE)
    await town.at(due - MOMENT)
    to = (await town.stands(e))["handoff"]["to"]
    await town.act(to, e, "accept")
    await town.act(to, e, "update_customer", text="We are on it")
    await town.at(due + MINUTE)
    stands = await town.stands(e)
    assert (stands["state"], stands["owner"], stands["respond_by"]) == (f"l{level}", to, None)


async def test_unanswered_everywhere_it_climbs_to_l4_and_is_paged_in_the_documents_cadence(town: Town):
    e = await call_it(town, 1)
    entered = START + 7 * HOUR
    await town.at(entered + DAY)
    told = await town.told(e)
    climbs = [(to, at) for trigger, to, at in told if trigger == "escalate"]
    assert climbs == [("l2", text(START + HOUR)), ("l3", text(START + 3 * HOUR)), ("l4", text(entered))]
    stands = await town.stands(e)
    assert (stands["state"], stands["respond_by"]) == ("l4", text(entered)), "late from the first second"
    pages = [at for trigger, _, at in told if trigger == "repage"]
    spans = [*(5 * MINUTE * n for n in range(1, 13)), *(HOUR + 15 * MINUTE * n for n in range(1, 5))]
    spans += [*(2 * HOUR + HOUR * n for n in range(1, 5)), *(6 * HOUR + 4 * HOUR * n for n in range(1, 5))]
    assert pages == [text(entered + span) for span in spans]


async def test_solved_it_is_never_paged_again_and_reopened_it_is(town: Town):
    e = await call_it(town, 4)
    await town.at(START + 6 * MINUTE)
    await town.report("T-1", status="solved", opened_at=text(START))
    await town.at(START + 40 * MINUTE)
    assert [trigger for trigger, _, _ in await town.told(e)] == ["open", "engage", "repage", "remind"]
    told = (await town.report("T-1", status="open", opened_at=text(START)))["escalation"]
    assert [trigger for trigger, _, _ in await town.told(e)][-2:] == ["remind", "repage"], "it is paged at once"
    assert told["version"] == 6, "before the report is answered"


@pytest.mark.parametrize(("tier", "every"), [("enterprise", HOUR), ("professional", 4 * HOUR), ("starter", 24 * HOUR)])
async def test_a_missed_update_is_one_reminder_until_the_next_update(town: Town, tier: str, every: timedelta):
    await town.report("T-1", tier)
    e = (await town.asks("T-1", "workaround_unacceptable"))["id"]
    await town.act("lee", e, "accept")
    await town.at(START + every - MOMENT)
    assert await missed(town, e) == []
    await town.at(START + every)
    assert await missed(town, e) == [START + every]
    await town.at(START + 10 * every)
    assert len(await missed(town, e)) == 1
    assert (await town.act("lee", e, "update_customer", text="Soon"))["next_update_by"] == text(START + 11 * every)
    await town.at(START + 12 * every)
    assert await missed(town, e) == [START + every, START + 11 * every]


async def missed(town: Town, escalation: str) -> list[datetime]:
    """When the owner was reminded of a missed update."""
    rows = await town.rows(escalation)
    return [datetime.fromisoformat(row["at"]) for row in rows if row["reason"] == "update_missed"]


async def test_a_higher_row_at_a_level_raises_it_at_its_own_deadline(town: Town):
    """An accepted L1, and a customer's request on it: within 1 h it stands at L2."""
    e = await call_it(town, 1)
    await town.act("lee", e, "accept")
    told = await town.asks("T-1", "customer_request", "desk")
    assert (told["state"], told["target_level"], told["engage_by"]) == ("l1", 2, text(START + HOUR))
    await town.at(START + HOUR - MOMENT)
    assert (await town.stands(e))["state"] == "l1"
    await town.at(START + HOUR)
    stands = await town.stands(e)
    assert (stands["state"], stands["engage_by"], stands["owner"]) == ("l2", None, "lee")


async def test_standing_there_sooner_clears_the_deadline_of_a_higher_row(town: Town):
    e = await call_it(town, 1)
    await town.act("lee", e, "accept")
    await town.asks("T-1", "customer_request", "desk")
    brief = {"issue": "i", "reason": "r", "current_status": "c", "needed": "n"}
    assert (await town.act("lee", e, "escalate", reason="Sooner", brief=brief))["engage_by"] is None
    assert await town.at(START + HOUR + MINUTE) == 1, "the update that was missed"
    assert (await town.stands(e))["state"] == "l2"


async def test_a_row_that_is_due_while_de_escalating_resumes_and_raises(town: Town):
    e = await call_it(town, 1)
    await town.act("lee", e, "accept")
    await town.asks("T-1", "customer_request", "desk")
    await town.report("T-1", status="solved", opened_at=text(START))
    assert (await town.act("lee", e, "de_escalate", criterion="issue_resolved"))["state"] == "de_escalating"
    await town.at(START + HOUR)
    rows = [(row["trigger"], row["to"], row["detail"].get("due_at")) for row in (await town.rows(e))[-3:]]
    due = text(START + HOUR)
    assert ("resume", "l1", due) in rows
    assert ("escalate", "l2", due) in rows


async def test_a_reassign_that_nobody_answers_lapses_and_the_owner_stays(town: Town):
    e = await call_it(town, 2)
    await town.act("mia", e, "accept")
    told = await town.act("mia", e, "reassign", to="mo", reason="Shift ends")
    assert told["respond_by"] == text(START + 2 * HOUR)
    await town.at(START + 2 * HOUR - MOMENT)
    assert (await town.stands(e))["handoff"]["to"] == "mo"
    await town.at(START + 2 * HOUR)
    stands = await town.stands(e)
    assert (stands["state"], stands["owner"], stands["handoff"]["status"]) == ("l2", "mia", "declined")


async def test_reopened_while_de_escalating_it_is_back_at_its_level(town: Town):
    e = await call_it(town, 2)
    await town.act("mia", e, "accept")
    await town.report("T-1", status="solved", opened_at=text(START))
    await town.act("mia", e, "de_escalate", criterion="issue_resolved")
    assert (await town.report("T-1", status="open", opened_at=text(START)))["escalation"]["state"] == "l2"


async def test_solved_while_open_it_is_withdrawn_and_no_timer_is_left(town: Town):
    e = (await town.report("T-1", "starter", priority="p0"))["escalation"]["id"]
    await town.at(START + HOUR)
    await town.report("T-1", "starter", priority="p0", status="solved", opened_at=text(START))
    assert (await town.stands(e))["state"] == "closed"
    assert await town.service.db.fetchval("SELECT count(*) FROM timer") == 0
