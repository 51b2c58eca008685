"""Who comes and goes: offers pass on, owners are reminded, and whoever comes finds what waits for nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.service.clock.conftest import DAY, HOUR, MINUTE, MOMENT, START, Town, text


def window(since: datetime, until: datetime) -> dict[str, str]:
    """A span of duty."""
    return {"from": text(since), "until": text(until)}


async def at_l2(town: Town, ticket: str = "T-1") -> Any:
    """An escalation at L2, offered; mia is the first of the two managers."""
    await town.report(ticket)
    return await town.asks(ticket, "blocking_business_process")


async def last(town: Town, escalation: str) -> tuple[str, str]:
    """What happened last, and why."""
    row = (await town.rows(escalation))[-1]
    return row["trigger"], row["reason"]


async def test_going_off_duty_passes_an_open_offer_on_as_a_decline_would(town: Town):
    e = await at_l2(town)
    assert e["handoff"]["to"] == "mia"
    await town.off("mia")
    stands = await town.stands(e["id"])
    assert (stands["state"], stands["handoff"]["to"]) == ("l2", "mo")
    assert stands["respond_by"] == e["respond_by"], "the level's clock runs on"
    assert await last(town, e["id"]) == ("decline", "went_off_duty")


async def test_with_nobody_left_at_the_level_it_goes_to_the_next_that_has_someone(town: Town):
    e = await at_l2(town)
    await town.off("mo", "mia")
    stands, row = await town.stands(e["id"]), (await town.rows(e["id"]))[-1]
    assert (stands["state"], stands["handoff"]["to"], stands["target_level"]) == ("l3", "dan", 2)
    assert row["detail"]["coverage_gap"] == [2]


async def test_an_owner_whose_shift_ends_is_reminded_once_and_stays_accountable(town: Town):
    e = (await at_l2(town))["id"]
    await town.act("mia", e, "accept")
    await town.off("mia")
    await town.person("mia", on_duty=False, name="Mia")
    assert [row["reason"] for row in await town.rows(e)].count("shift_ended") == 1
    assert (await town.stands(e))["owner"] == "mia"


async def test_whoever_is_retired_passes_on_their_offers_and_what_they_own_is_reminded(town: Town):
    owned = (await at_l2(town))["id"]
    await town.act("mia", owned, "accept")
    await town.off("mo")
    offered = (await at_l2(town, "T-2"))["id"]
    assert (await town.stands(offered))["handoff"]["to"] == "mia"
    await town.off("mia")
    await town.person("mia", on_duty=True)
    await town.person("mia", active=False)
    assert (await last(town, owned))[0] == "remind"
    assert (await town.stands(offered))["handoff"]["to"] != "mia"


async def test_somebody_who_was_off_duty_already_and_is_retired_leaves_nothing_untold(town: Town):
    e = (await at_l2(town))["id"]
    await town.act("mia", e, "accept")
    await town.off("mia")
    await town.person("mia", on_duty=False, active=False)
    assert [row["reason"] for row in await town.rows(e)].count("shift_ended") == 2


async def test_a_lowered_level_passes_on_what_is_above_it(town: Town):
    e = (await at_l2(town))["id"]
    await town.person("mia", level=1)
    assert (await town.stands(e))["handoff"]["to"] == "mo"


async def test_an_offer_to_somebody_who_was_off_duty_when_named_waits_until_they_leave(town: Town):
    e = (await at_l2(town))["id"]
    await town.act("mia", e, "accept")
    await town.off("mo")
    await town.act("mia", e, "reassign", to="mo", reason="Knows it best")
    await town.person("mo", on_duty=False, email="mo@desk.example")
    assert (await town.stands(e))["handoff"]["status"] == "briefed", "nothing changed for it"
    await town.person("mo")
    await town.off("mo")
    assert await last(town, e) == ("decline", "went_off_duty")
    assert (await town.stands(e))["owner"] == "mia"


async def test_an_offer_that_was_not_passed_on_by_a_call_that_died_is_by_the_next(town: Town):
    """As after a kill between the roster's change and what it asks for."""
    e = (await at_l2(town))["id"]
    await town.service.db.execute("UPDATE person SET on_duty = false WHERE id = 'mia'")
    await town.off("mia")
    assert (await town.stands(e))["handoff"]["to"] == "mo"


async def test_an_owner_who_was_not_reminded_by_a_call_that_died_is_by_the_next(town: Town):
    e = (await at_l2(town))["id"]
    await town.act("mia", e, "accept")
    await town.at(START + MINUTE)
    await town.service.db.execute("UPDATE person SET on_duty = false, left_at = service_now() WHERE id = 'mia'")
    await town.person("mia", on_duty=False)
    await town.person("mia", on_duty=False)
    assert [row["reason"] for row in await town.rows(e)].count("shift_ended") == 1


@pytest.mark.parametrize("active", [True, False])
async def test_what_a_call_that_died_left_untold_any_node_tells(town: Town, active: bool):
    owned = (await at_l2(town))["id"]
    await town.act("mia", owned, "accept")
    await town.off("mo")
    offered = (await at_l2(town, "T-2"))["id"]
    assert (await town.stands(offered))["handoff"]["to"] == "mia"
    await town.person("lee", on_duty=[window(START, START + HOUR)])
    await town.at(START + MINUTE)
    left = "UPDATE person SET on_duty = false, active = $1, left_at = service_now() WHERE id = 'mia'"
    await town.service.db.execute(left, active)
    await town.at(START + 3 * HOUR)
    assert [row["reason"] for row in await town.rows(owned)].count("shift_ended") == 1
    assert "went_off_duty" in [row["reason"] for row in await town.rows(offered)]


async def test_with_nobody_at_all_it_fails_closed_and_whoever_comes_is_offered_it(town: Town):
    await town.off("lee", "mia", "mo", "dan", "vic", "ann")
    await town.report("T-1", priority="p0")
    e = await town.ticket("T-1")
    assert (e["state"], e["handoff"]["to"], e["owner"]) == ("l3", None, None)
    await town.person("mia", on_duty=True)
    assert (await town.stands(e["id"]))["handoff"]["to"] is None, "she is below its level"
    await town.person("mia", on_duty=True, level=3)
    assert (await town.stands(e["id"]))["handoff"]["to"] == "mia"
    assert await last(town, e["id"]) == ("decline", "came_on_duty")


async def test_nobody_at_all_up_to_l4_is_paged_to_escalations(town: Town):
    await town.off("lee", "mia", "mo", "dan", "vic", "ann")
    await town.report("T-1")
    e = (await town.asks("T-1", "regulatory_compliance", "desk"))["id"]
    await town.at(START + 5 * MINUTE)
    assert await last(town, e) == ("repage", "unanswered")
    messages = await town.service.db.fetch("SELECT audience, recipient FROM outbox WHERE version = 3")
    assert [(row["audience"], row["recipient"]) for row in messages] == [("escalations", "#escalations")]
    await town.person("vic")
    assert (await town.stands(e))["handoff"]["to"] == "vic"


async def test_who_declined_it_there_is_not_offered_it_again_by_coming_back(town: Town):
    await town.off("dan", "vic", "mo", "lee", "ann")
    await town.report("T-1")
    e = (await town.asks("T-1", "blocking_business_process", "desk"))["id"]
    (await town.service.act("mia", e, "decline", reason="No time")).ok(201)
    assert (await town.stands(e))["handoff"]["to"] is None
    before = len(await town.rows(e))
    await town.off("mia")
    await town.person("mia")
    assert len(await town.rows(e)) == before


# Windows ----------------------------------------------------------------------------------------------------------


async def test_a_window_begins_and_ends_at_its_very_edges(town: Town):
    await town.off("mo")
    await town.person("mia", on_duty=[window(START + HOUR, START + 2 * HOUR)])
    e = (await at_l2(town))["id"]
    assert (await town.stands(e))["state"] == "l3", "she is not there yet"
    await town.at(START + HOUR)
    two = (await at_l2(town, "T-2"))["id"]
    assert (await town.stands(two))["handoff"]["to"] == "mia"
    await town.at(START + 2 * HOUR - MOMENT)
    assert (await town.stands(two))["handoff"]["to"] == "mia"
    await town.at(START + 2 * HOUR)
    (row,) = (row for row in await town.rows(two) if row["trigger"] == "decline")
    assert (row["reason"], row["at"]) == ("went_off_duty", text(START + 2 * HOUR))
    assert (await town.stands(two))["handoff"]["to"] == "dan"


async def test_an_edge_that_is_passed_on_the_way_is_an_instant_of_its_own(town: Town):
    e = (await at_l2(town))["id"]
    await town.act("mia", e, "accept")
    await town.person("mia", on_duty=[window(START, START + 30 * MINUTE), window(START + DAY, START + DAY + HOUR)])
    await town.act("mia", e, "note", text="On it")
    await town.at(START + 3 * DAY)
    ended = [row["at"] for row in await town.rows(e) if row["reason"] == "shift_ended"]
    assert ended == [text(START + 30 * MINUTE), text(START + DAY + HOUR)], "one reminder for each end"


async def test_whoever_accepts_off_duty_is_not_reminded_of_a_shift_that_was_over(town: Town):
    await town.person("mia", on_duty=[window(START, START + HOUR)])
    await town.off("mo")
    e = (await at_l2(town))["id"]
    await town.act("mia", e, "accept")
    await town.at(START + 2 * HOUR)
    two = (await at_l2(town, "T-2"))["id"]
    await town.act("dan", two, "accept")
    await town.act("dan", two, "reassign", to="vic", reason="r")
    await town.act("vic", two, "accept")
    await town.at(START + 3 * HOUR)
    reasons = [row["reason"] for each in (e, two) for row in await town.rows(each)]
    assert reasons.count("shift_ended") == 1


async def test_an_offer_to_nobody_finds_whoever_begins_a_shift(town: Town):
    await town.off("lee", "mia", "mo", "dan", "ann")
    await town.person("vic", on_duty=[window(START + 20 * MINUTE, START + DAY)])
    await town.report("T-1", priority="p0")
    e = (await town.ticket("T-1"))["id"]
    assert (await town.stands(e))["handoff"]["to"] is None
    await town.at(START + 20 * MINUTE)
    row = (await town.rows(e))[-1]
    assert (await town.stands(e))["handoff"]["to"] == "vic"
    assert (row["at"], row["detail"]["coverage_gap"]) == (text(START + 20 * MINUTE), [3])


async def test_windows_that_meet_are_one_shift(town: Town):
    noon = START + 3 * HOUR
    await town.person("mia", on_duty=[window(START, noon), window(noon, START + DAY)])
    e = (await at_l2(town))["id"]
    await town.act("mia", e, "accept")
    await town.at(noon + HOUR)
    assert "shift_ended" not in [row["reason"] for row in await town.rows(e)]


async def test_owner_and_offered_who_leave_at_once_are_both_told_at_that_instant(town: Town):
    e = (await town.asks((await town.report("T-1"))["ticket"]["id"], "workaround_unacceptable"))["id"]
    await town.act("lee", e, "accept")
    brief = {"issue": "i", "reason": "r", "current_status": "c", "needed": "n"}
    assert (await town.act("lee", e, "escalate", reason="r", brief=brief))["handoff"]["to"] == "mia"
    edge = START + 20 * MINUTE
    for who in ("lee", "mia"):
        await town.person(who, on_duty=[window(START, edge)])
    await town.at(START + 30 * MINUTE)
    told = [(row["reason"], row["at"]) for row in (await town.rows(e))[-2:]]
    assert sorted(told) == [("shift_ended", text(edge)), ("went_off_duty", text(edge))]
    assert (await town.stands(e))["handoff"]["to"] == "mo"


@pytest.mark.parametrize("hours", [1, 5])
async def test_the_same_edges_again_change_nothing(town: Town, hours: int):
    e = (await at_l2(town))["id"]
    await town.act("mia", e, "accept")
    await town.person("mia", on_duty=[window(START, START + HOUR)])
    await town.at(START + hours * HOUR)
    before = len(await town.rows(e))
    await town.at(START + hours * HOUR)
    assert len(await town.rows(e)) == before


async def test_a_rotas_shift_ends_at_its_own_instant_and_months_are_no_end_of_it(town: Town):
    await town.off("mia", "mo")
    shift = {"person": "mia", "days": ["mon"], "from": "09:00", "until": "17:00"}
    rota = {"name": "Managers", "time_zone": "Europe/Berlin", "shifts": [shift]}
    (await town.service.call("root", "PUT", "/v1/rotas/managers", rota)).ok()
    e = (await at_l2(town))["id"]
    await town.act("mia", e, "accept")
    await town.at(START + DAY)
    assert [row["at"] for row in await town.rows(e) if row["reason"] == "shift_ended"] == ["2026-01-05T16:00:00Z"]
    await town.at(datetime(2026, 7, 6, 9, tzinfo=UTC))  # half a year in one call, in summer time
    later = await at_l2(town, "T-2")
    assert later["handoff"]["to"] == "mia"
