"""The matrix, row by row; what opens, what is added, what is dismissed.

Sources: the document's "Escalation by Customer Tier"; `domain.md`, "The default policy", "Situations, target and time".
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.machines.cast import HOUR, MINUTE, NOW, TEXT
from tests.machines.play import Play, at_level

ENTERPRISE, PROFESSIONAL, STARTER = TIERS = ("enterprise", "professional", "starter")
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)


def reported(tier: str, **facts) -> Play:
    play = Play(tier)
    play.report(**facts)
    return play


def stands_at_once(play: Play, level: int) -> None:
    """Two rows, one command."""
    assert play.story() == ["open open", f"engage l{level}"]
    assert (play.stands.level, play.stands.target_level, play.stands.engage_by) == (level, level, None)
    assert play.stands.situations[0].due_at == play.stands.situations[0].at


def stands_within(play: Play, level: int, span: timedelta) -> None:
    """Open until the latest instant, and not a microsecond less."""
    due = play.now + span
    assert (play.stands.state, play.stands.target_level, play.stands.engage_by) == ("open", level, due)
    assert play.until(due - MOMENT) == []
    assert play.until(due) == [f"engage l{level}"]
    assert (play.last.at, play.last.actor) == (due, "clock")


# The matrix -------------------------------------------------------------------------------------------------------


def test_enterprise_p0_outage_level_3_immediate():
    stands_at_once(reported(ENTERPRISE, priority="p0"), 3)


def test_professional_p0_outage_level_2_within_1_hour():
    stands_within(reported(PROFESSIONAL, priority="p0"), 2, HOUR)


def test_starter_p0_outage_level_1_within_2_hours():
    stands_within(reported(STARTER, priority="p0"), 1, 2 * HOUR)


@pytest.mark.parametrize(("tier", "hours"), [(ENTERPRISE, 4), (PROFESSIONAL, 8)])
def test_p1_not_resolved_in_4hr_or_8hr_level_2_after_them(tier, hours):
    play = reported(tier, priority="p1")
    assert play.until(NOW + hours * HOUR - MOMENT) == []
    assert play.e is None
    assert play.until(NOW + hours * HOUR) == ["open open", "engage l2"]
    assert [(s.situation, s.at) for s in play.stands.situations] == [("p1_unresolved", NOW + hours * HOUR)]


def test_starter_has_no_row_for_p1_not_resolved():
    play = reported(STARTER, priority="p1")
    assert play.until(30 * DAY) == []


def test_enterprise_customer_requests_level_2_within_1_hour():
    play = reported(ENTERPRISE)
    play.request("customer_request")
    stands_within(play, 2, HOUR)


def test_professional_customer_requests_level_1_within_4_hours():
    play = reported(PROFESSIONAL)
    play.request("customer_request")
    stands_within(play, 1, 4 * HOUR)


def test_starter_customer_requests_level_1_no_promise_of_time_an_agent_engages_it():
    play = reported(STARTER)
    play.request("customer_request")
    assert (play.stands.state, play.stands.target_level, play.stands.engage_by) == ("open", 1, None)
    assert play.until(30 * DAY) == []
    play.call("ann0", "engage")
    assert play.stands.state == "l1"


AUTOMATIC = [
    ("sla_breach", ENTERPRISE, 2, None),
    ("sla_breach", PROFESSIONAL, 1, None),
    ("sla_breach", STARTER, 1, None),
    ("repeated_contact", ENTERPRISE, 2, None),
    ("repeated_contact", PROFESSIONAL, 1, None),
    ("repeated_contact", STARTER, 1, None),
    ("security_flag", ENTERPRISE, 2, 15 * MINUTE),
    ("security_flag", PROFESSIONAL, 2, 15 * MINUTE),
    ("security_flag", STARTER, 2, 15 * MINUTE),
    ("revenue_impact", ENTERPRISE, 3, 15 * MINUTE),
    ("revenue_impact", PROFESSIONAL, 2, 15 * MINUTE),
    ("revenue_impact", STARTER, 1, 15 * MINUTE),
]


@pytest.mark.parametrize(("situation", "tier", "level", "within"), AUTOMATIC)
def test_sla_breach_repeated_contact_security_flag_and_revenue_impact_as_the_matrix_says(
    situation, tier, level, within
):
    play = reported(tier)
    play.begins(situation)
    if within is None:
        stands_at_once(play, level)
    else:
        stands_within(play, level, within)


@pytest.mark.parametrize("tier", TIERS)
def test_security_flag_of_a_p0_through_the_emergency_contact_level_3_at_once(tier):
    play = reported(tier)
    play.begins("security_flag")
    play.contact("emergency")
    assert play.stands.state == "open", "only a P0: refused, and the report still counts"
    play.report(priority="p0", outage=False)
    if tier != ENTERPRISE:
        play.contact("emergency")
    assert play.last.state == "l3"


MANUAL = {
    "blocking_business_process": 2,
    "workaround_unacceptable": 1,
    "priority_disagreement": 1,
    "executive_visibility": 3,
    "regulatory_compliance": 4,
}


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("reason", MANUAL)
def test_a_manual_reason_stands_at_its_level_at_once(reason, tier):
    play = reported(tier)
    play.request(reason, "ann0")
    stands_at_once(play, MANUAL[reason])


# Opening ----------------------------------------------------------------------------------------------------------


def test_opening_tells_its_draft_and_engaging_is_a_row_of_its_own():
    play = reported(ENTERPRISE)
    got = play.request("executive_visibility", "ann0", TEXT)
    opened, engaged = got.entries
    assert (opened.trigger, opened.source, opened.actor, opened.version, opened.level) == ("open", None, "ann0", 1, 0)
    assert (engaged.trigger, engaged.source, engaged.actor, engaged.version) == ("engage", "open", "clock", 2)
    assert opened.reason == engaged.reason == "executive_visibility"
    assert got.situations == play.stands.situations


def test_a_brief_given_when_opening_is_the_handoffs_in_its_writers_name():
    play = reported(ENTERPRISE)
    play.request("executive_visibility", "mia2", TEXT)
    assert play.offer == ("briefed", "dan3", "mia2")
    assert play.last.said
    assert play.last.said.text["brief"]["issue"] == TEXT.issue


def test_a_brief_of_a_service_is_its_own():
    play = reported(ENTERPRISE)
    play.request("executive_visibility", "desk", TEXT)
    assert play.offer == ("briefed", "dan3", "desk")


def test_a_blank_brief_is_kept_and_the_clock_writes_one():
    play = reported(ENTERPRISE)
    play.request("executive_visibility", "ann0", type(TEXT)("", "", "", ""))
    assert play.offer == ("briefed", "dan3", "clock")


def test_a_level_asked_for_above_the_row_is_the_situations_level():
    play = reported(ENTERPRISE)
    play.request("workaround_unacceptable", "ann0", level=2)
    stands_at_once(play, 2)


@pytest.mark.parametrize(
    ("assignee", "people", "owner"),
    [
        ("lee1", ("ann0", "bob0", "lee1"), "lee1"),  # the ticket's assignee
        ("stranger", ("ann0+1", "bob0", "lee1"), "bob0"),  # else the agent on duty, who holds fewest
        (None, ("bob0", "ann0", "lee1"), "ann0"),  # then by id
        (None, ("-ann0", "lee1"), None),  # else nobody until the first accept
    ],
)
def test_for_machines_the_first_owner_is_the_assignee_else_the_agent_on_duty_else_nobody(assignee, people, owner):
    play = Play(ENTERPRISE, people)
    play.report(assignee=assignee)
    play.request("customer_request")
    assert play.stands.owner == owner
    assert play.stands.engaged == play.stands.chain == ((owner,) if owner else ())


def test_the_first_owner_is_the_agent_who_opened_it():
    play = reported(ENTERPRISE, assignee="lee1")
    play.request("customer_request", "bob0")
    assert (play.stands.owner, play.stands.engaged, play.stands.opened_by) == ("bob0", ("bob0",), "bob0")


# Adding -----------------------------------------------------------------------------------------------------------


def test_in_open_the_target_is_the_highest_level_and_the_deadline_the_earliest():
    play = reported(PROFESSIONAL)
    play.request("customer_request")  # L1 within 4 h
    play.begins("revenue_impact")  # L2 within 15 min
    assert (play.stands.target_level, play.stands.engage_by) == (2, NOW + 15 * MINUTE)
    play = reported(PROFESSIONAL)
    play.begins("security_flag")  # L2 within 15 min
    play.until(MINUTE)
    play.request("customer_request")  # L1, later
    assert (play.stands.target_level, play.stands.engage_by) == (2, NOW + 15 * MINUTE)
    assert play.until(DAY)[0] == "engage l2"


def test_at_once_in_open_engages_where_the_highest_wants_it():
    play = reported(ENTERPRISE)
    play.begins("revenue_impact")  # L3 within 15 min
    play.request("priority_disagreement", "ann0")  # L1 at once
    assert play.story() == ["open open", "add_situation open", "engage l3"]


def test_at_a_level_a_higher_row_raises_the_target_and_arms_its_own_deadline_at_which_the_clock_escalates():
    play = at_level(1)
    play.request("customer_request")
    assert (play.stands.state, play.stands.target_level, play.stands.engage_by) == ("l1", 2, NOW + HOUR)
    assert play.until(HOUR - MOMENT) == []
    seen = len(play.entries)
    assert play.until(MOMENT)[0] == "escalate l2"
    assert (play.stands.level, play.stands.engage_by) == (2, None)
    assert (play.entries[seen].reason, play.entries[seen].actor) == ("customer_request", "clock")


def test_standing_there_sooner_clears_the_deadline():
    play = at_level(1)
    play.request("customer_request")
    play.call("lee1", "escalate")
    assert (play.stands.level, play.stands.engage_by) == (2, None)


def test_standing_below_the_higher_row_keeps_its_deadline():
    play = at_level(1)
    play.begins("revenue_impact")  # L3
    play.call("lee1", "escalate")
    assert (play.stands.level, play.stands.target_level, play.stands.engage_by) == (2, 3, NOW + 15 * MINUTE)
    assert play.until(15 * MINUTE)[0] == "escalate l3"


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_lower_row_changes_nothing(n):
    play = at_level(n)
    before = play.stands
    play.request("workaround_unacceptable", "ann0")
    after = play.stands
    assert len(after.situations) == len(before.situations) + 1
    same = ("state", "level", "target_level", "engage_by", "respond_by", "handoff", "owner")
    assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]


def test_at_once_at_a_level_escalates_in_the_same_command():
    play = at_level(1)
    seen = len(play.entries)
    play.request("executive_visibility", "ann0", TEXT)
    assert play.story(seen) == ["add_situation l1", "escalate l3"]
    assert play.offer == ("briefed", "dan3", "ann0")


def test_a_situation_resumes_what_is_de_escalating_and_escalates_if_its_row_is_higher():
    for reason, then in (("workaround_unacceptable", []), ("executive_visibility", ["escalate l3"])):
        play = at_level(2)
        play.report(status="solved")
        play.call("mia2", "de_escalate", criterion="issue_resolved")
        seen = len(play.entries)
        play.request(reason, "ann0")
        assert play.story(seen) == ["add_situation de_escalating", "resume l2", *then]


def test_the_tier_is_kept_as_opened_and_later_situations_use_the_tier_of_then():
    play = reported(ENTERPRISE)
    play.request("customer_request")
    play.customer = Play(STARTER).customer
    play.until(MINUTE)
    play.begins("revenue_impact")
    assert (play.stands.tier, play.stands.situations[-1].level) == (ENTERPRISE, 1)


def test_what_follows_a_closed_escalation_opens_a_new_one_that_names_it():
    play = at_level(1)
    first = play.stands.id
    play.report(status="solved")
    play.call("lee1", "de_escalate", criterion="issue_resolved")
    for step in ("confirm_with_customer", "update_ticket", "document_lessons"):
        play.call("lee1", "complete_step", step=step, detail="x")
    play.call("lee1", "close")
    play.until(MINUTE)
    play.contact("call")
    assert play.stands.id != first
    assert (play.stands.state, play.stands.follows, play.stands.version) == ("open", first, 1)


# Dismissing -------------------------------------------------------------------------------------------------------


def test_dismissing_in_open_recomputes_target_and_deadline():
    play = reported(PROFESSIONAL)
    play.begins("security_flag")
    play.request("customer_request")
    play.call("lee1", "dismiss_situation", situation="security_flag")
    assert (play.stands.target_level, play.stands.engage_by) == (1, NOW + 4 * HOUR)


def test_dismissing_at_a_level_disarms_the_higher_row_and_moves_nothing():
    play = at_level(1)
    play.request("customer_request")
    play.call("lee1", "dismiss_situation", situation="customer_request")
    assert (play.stands.state, play.stands.target_level, play.stands.engage_by) == ("l1", 1, None)
    assert play.last.reason == "dismissed_customer_request"


def test_dismissing_the_last_situation_is_evidence_for_request_withdrawn():
    play = reported(ENTERPRISE)
    play.request("customer_request", "ann0")
    assert play.refused("ann0", "withdraw", criterion="request_withdrawn") == (422, ["criterion_evidenced"])
    play.call("ann0", "dismiss_situation", situation="customer_request")
    assert (play.stands.state, play.stands.engage_by, play.stands.target_level) == ("open", None, 1)
    play.call("ann0", "withdraw", criterion="request_withdrawn")
    assert play.stands.state == "closed"


def test_dismissing_one_of_two_keeps_the_others_deadline():
    play = at_level(1)
    play.request("customer_request")
    play.until(MINUTE)
    play.begins("revenue_impact")
    play.call("lee1", "dismiss_situation", situation="revenue_impact")
    assert (play.stands.target_level, play.stands.engage_by) == (2, NOW + HOUR)
