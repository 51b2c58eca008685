"""`domain.md`, "Handoff: remain engaged until it is complete", over HTTP, by sentence; shifts are in `test_duty.py`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.clock.conftest import DAY, HOUR, MINUTE, START, Town, text
from tests.service.clock.test_document import MANUAL
from tests.service.conftest import BRIEF

OPENED = {"opened_at": text(START)}


async def called(town: Town, level: int = 2, ticket: str = "T-1", who: str = "ann") -> Any:
    """An escalation that stands at this level, offered."""
    await town.report(ticket)
    return await town.asks(ticket, MANUAL[level], who)


# The first owner --------------------------------------------------------------------------------------------------


async def test_the_first_owner_is_the_agent_who_opened_it(town: Town):
    assert (await called(town))["owner"] == "ann"


@pytest.mark.parametrize(("assignee", "owner"), [("lee", "lee"), ("nobody-here", "ann"), (None, "ann")])
async def test_for_machines_it_is_the_tickets_assignee_else_the_agent_on_duty(
    town: Town, assignee: str | None, owner: str
):
    told = await town.report("T-1", priority="p0", assignee=assignee)
    assert told["escalation"]["owner"] == owner


async def test_else_it_is_nobody_until_the_first_accept_and_from_then_on_exactly_one(town: Town):
    await town.off("ann")
    e = (await town.report("T-1", priority="p0"))["escalation"]
    assert (e["owner"], e["engaged"]) == (None, [])
    assert (await town.act("dan", e["id"], "accept"))["owner"] == "dan"
    await town.act("dan", e["id"], "reassign", to="vic", reason="r")
    assert [row["owner"] for row in await town.rows(e["id"])] == [None, None, "dan", "dan"]


# To whom it is offered --------------------------------------------------------------------------------------------


async def test_it_is_offered_to_who_holds_or_is_offered_fewest_then_by_id(town: Town):
    told = [(await called(town, ticket=f"T-{n}"))["handoff"]["to"] for n in range(4)]
    assert told == ["mia", "mo", "mia", "mo"]


async def test_an_offer_passes_over_the_outgoing_owner_and_the_briefs_writer(town: Town):
    assert (await called(town, who="mia"))["handoff"]["to"] == "mo"
    await town.report("T-2")
    body = {"ticket_id": "T-2", "situation": MANUAL[2], "reason": "r", "brief": BRIEF}
    e = (await town.service.call("mo", "POST", "/v1/escalations", body)).ok(201)["escalation"]
    assert e["handoff"]["to"] == "mia"


async def test_if_nobody_else_is_left_it_goes_to_the_one_passed_over_with_the_clocks_brief(town: Town):
    await town.off("mo", "dan", "vic")
    e = await called(town, who="mia")
    assert e["handoff"]["to"] == "mia"
    assert (await town.act("mia", e["id"], "accept"))["handoff"]["status"] == "accepted", "it is not her own brief"


async def test_it_fails_closed_nothing_is_ever_approved_by_time_alone(town: Town):
    e = (await called(town, 1))["id"]
    await town.at(START + 90 * DAY)
    rows = [row for row in await town.rows(e) if row["actor"] == "clock"]
    assert {row["trigger"] for row in rows} == {"engage", "escalate", "repage", "remind"}
    stands = await town.stands(e)
    assert (stands["state"], stands["owner"], stands["handoff"]["accepted_at"]) == ("l4", "ann", None)


# Until it is accepted ---------------------------------------------------------------------------------------------


async def test_the_outgoing_owner_stays_accountable_until_the_accept_and_engaged_until_they_disengage(town: Town):
    e = (await called(town))["id"]
    (await town.service.act("ann", e, "disengage")).problem(422, "guard_failed")
    stands = await town.act("mia", e, "accept")
    assert (stands["owner"], stands["engaged"]) == ("mia", ["ann", "mia"])
    assert (await town.act("ann", e, "disengage"))["engaged"] == ["mia"]


async def test_respond_by_is_not_moved_by_brief_decline_or_reassign(town: Town):
    e = await called(town)
    due = text(START + 2 * HOUR)
    steps = (
        ("ann", "brief", {"to": "mia", **BRIEF}),
        ("mia", "decline", {"reason": "No time"}),
        ("ann", "reassign", {"to": "dan", "reason": "Knows it"}),
    )
    for n, (who, trigger, fields) in enumerate(steps, 1):
        await town.at(START + n * MINUTE)
        assert (await town.act(who, e["id"], trigger, **fields))["respond_by"] == due
    await town.at(START + 2 * HOUR)
    row = (await town.rows(e["id"]))[-1]
    assert (row["trigger"], row["at"], row["detail"]["superseded"]) == ("escalate", due, "dan")
    assert (await town.stands(e["id"]))["respond_by"] == text(START + 6 * HOUR), "entering L3 sets it anew"


async def test_a_superseded_offer_can_no_longer_be_accepted(town: Town):
    e = (await called(town))["id"]
    await town.at(START + 2 * HOUR)
    refused = (await town.service.act("mia", e, "accept")).problem(403, "not_permitted")
    assert refused["failed"][0]["who_could"] == ["dan"]


async def test_a_reassign_after_the_accept_has_the_levels_response_time_and_declined_it_lapses(town: Town):
    e = (await called(town))["id"]
    await town.act("mia", e, "accept")
    await town.at(START + HOUR)
    assert (await town.act("mia", e, "reassign", to="mo", reason="r"))["respond_by"] == text(START + 3 * HOUR)
    stands = await town.act("mo", e, "decline", reason="No time")
    assert (stands["owner"], stands["handoff"]["status"], stands["respond_by"]) == ("mia", "declined", None)
    assert await town.at(START + DAY) == 0, "no offer is left to wait for"


async def test_reassigning_to_somebody_below_the_level_or_not_on_the_roster_is_refused(town: Town):
    e = (await called(town))["id"]
    for to in ("lee", "nobody-here"):
        refused = (await town.service.act("ann", e, "reassign", to=to, reason="r")).problem(422, "guard_failed")
        assert [failed["guard"] for failed in refused["failed"]] == ["successor_on_roster"]


# Briefs -----------------------------------------------------------------------------------------------------------


async def test_inside_another_trigger_a_brief_is_addressed_to_whoever_is_offered_it_and_follows_the_offer(town: Town):
    e = (await called(town, 1))["id"]
    await town.act("lee", e, "accept")
    told = await town.act("lee", e, "escalate", reason="Needs engineers", brief=BRIEF)
    assert told["handoff"]["to"] == "mia"
    assert (await town.act("mia", e, "decline", reason="No time"))["handoff"]["to"] == "mo"
    (await town.service.act("mia", e, "accept")).problem(403, "not_permitted")
    assert (await town.act("mo", e, "accept"))["owner"] == "mo", "lee's brief is now addressed to him"


async def test_nobody_both_briefs_and_accepts_the_same_handoff(town: Town):
    e = (await called(town))["id"]
    await town.act("mia", e, "join", reason="Looking in")
    await town.act("mia", e, "brief", to="mia", **BRIEF)
    refused = (await town.service.act("mia", e, "accept")).problem(403, "not_permitted")
    assert [failed["guard"] for failed in refused["failed"]] == ["briefed_by_another"]
    await town.act("ann", e, "brief", to="mia", **BRIEF)
    assert (await town.act("mia", e, "accept"))["owner"] == "mia"


# Coming back and going down ---------------------------------------------------------------------------------------


async def lowered(town: Town, level: int = 3) -> str:
    """One that de-escalates from this level because its priority was lowered."""
    await town.report("T-1", priority="p1")
    e = await town.asks("T-1", MANUAL[level])
    to = e["handoff"]["to"]
    await town.act(to, e["id"], "accept")
    await town.act(to, e["id"], "act", authority="reprioritize_ticket", detail="P3")
    await town.report("T-1", priority="p3", **OPENED)
    await town.act(to, e["id"], "de_escalate", criterion="priority_lowered")
    return str(e["id"])


async def test_resume_keeps_owner_and_engaged_opens_no_handoff_and_clears_criterion_and_steps(town: Town):
    e = await lowered(town)
    before = await town.act("dan", e, "complete_step", step="confirm_with_customer", detail="Mail 7")
    stands = await town.act("ann", e, "resume", reason="It is back")
    assert (stands["state"], stands["criterion"], stands["steps"]) == ("l3", None, {})
    assert [stands[name] for name in ("owner", "engaged", "handoff", "respond_by")] == [
        *(before[name] for name in ("owner", "engaged", "handoff")),
        None,
    ]
    assert (await town.rows(e))[-2]["detail"]["step"] == "confirm_with_customer", "history keeps them"


async def test_resume_opens_a_handoff_where_none_was_accepted_at_that_level(town: Town):
    e = (await called(town))["id"]
    await town.report("T-1", status="solved", **OPENED)
    await town.act("ann", e, "de_escalate", criterion="issue_resolved")
    await town.at(START + HOUR)
    stands = await town.act("ann", e, "resume", reason="It is back")
    assert (stands["handoff"]["status"], stands["respond_by"]) == ("briefed", text(START + 3 * HOUR))


async def test_step_down_sets_the_target_clears_what_was_and_starts_that_levels_response_clock(town: Town):
    e = await lowered(town)
    await town.asks("T-1", "customer_request", "desk")  # L2 within 1 h: below, and no deadline of it counts
    await town.at(START + 10 * MINUTE)
    await town.act("dan", e, "de_escalate", criterion="priority_lowered")
    stands = await town.act("dan", e, "step_down", level=1, brief=BRIEF)
    assert [stands[name] for name in ("state", "level", "target_level", "criterion", "steps", "engage_by")] == [
        *("l1", 1, 1, None, {}, None)
    ]
    assert (stands["handoff"]["to"], stands["owner"]) == ("lee", "dan")
    assert stands["respond_by"] == text(START + HOUR + 10 * MINUTE)
    await town.at(START + HOUR + 10 * MINUTE)
    assert (await town.stands(e))["state"] == "l2", "unanswered, it rises again"


async def test_it_is_de_escalated_by_its_criterion_in_the_documents_steps_and_no_timer_is_left(town: Town):
    e = await lowered(town)
    for step in ("confirm_with_customer", "update_ticket", "document_lessons"):
        await town.act(
            "dan", e, "complete_step", step=step, detail="d", **({"tags": ["pattern"]} if "less" in step else {})
        )
    stands = await town.act("dan", e, "close")
    assert (stands["state"], list(stands["steps"])) == (
        "closed",
        ["confirm_with_customer", "update_ticket", "notify_chain", "document_lessons"],
    )
    assert (
        await town.service.db.fetchval("SELECT count(*) FROM timer WHERE kind IN ('engage', 'respond', 'update')") == 0
    )
