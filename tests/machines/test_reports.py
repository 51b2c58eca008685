"""What tickets and contacts begin. Source: `domain.md`, "Situations, target and time" and "Channels"."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from machines.asked import THE_CLOCK, Command, Fire, Rearm, Report
from machines.case import Facts
from machines.decide import decide
from machines.decided import Decision, Refusal
from machines.matrix import Policy
from machines.values import Phase, Ticket
from tests.machines.cast import ACME, HOUR, MINUTE, NOW, POLICY
from tests.machines.play import Play, at_level

DAY = timedelta(days=1)
TIERS = ("enterprise", "professional", "starter")
FOLLOWED = Ticket("T-1", opened_at=NOW, phases=(Phase(NOW, "enterprise", "p1", "open"),))
"""One whose SLA clocks run."""


def situations(play: Play) -> list[tuple[str, object]]:
    return [(s.situation, s.at) for s in play.stands.situations]


# p0_outage --------------------------------------------------------------------------------------------------------


def test_p0_outage_begins_when_the_ticket_became_p0_opened_at_if_first_seen_so():
    play = Play("professional")
    play.report(priority="p0", opened_at=NOW - 10 * MINUTE, updated_at=NOW - 5 * MINUTE)
    assert situations(play) == [("p0_outage", NOW - 10 * MINUTE)]
    assert play.stands.engage_by == NOW + 50 * MINUTE
    play = Play("professional")
    play.report(priority="p2", opened_at=NOW - HOUR, updated_at=NOW - HOUR)
    play.report(priority="p0", updated_at=NOW - MINUTE)
    assert situations(play) == [("p0_outage", NOW - MINUTE)]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("outage", [True, False, None])
def test_a_p0_counts_as_an_outage_unless_the_ticket_says_so_an_enterprise_p0_always(tier, outage):
    play = Play(tier)
    play.report(priority="p0", outage=outage)
    assert (play.e is not None) == (tier == "enterprise" or outage is not False)


def test_a_p0_that_is_no_outage_is_a_p1_until_it_is_one():
    play = Play("professional")
    play.report(priority="p0", outage=False)
    assert play.timers == {"p1": NOW + 8 * HOUR}
    play.until(HOUR)
    play.report(outage=True)
    assert situations(play) == [("p0_outage", NOW + HOUR)]
    assert "p1" not in play.timers


def test_the_same_fact_again_adds_nothing_also_after_close():
    play = Play("professional")
    play.report(priority="p0")
    play.report(priority="p0", subject="Checkout is still down")
    assert len(play.stands.situations) == 1
    play.report(status="solved")
    assert play.stands.state == "closed"
    closed = play.stands.id
    play.until(MINUTE)
    play.report(status="open")
    assert play.stands.id == closed
    play.report(priority="p1")
    play.report(priority="p0")
    assert play.stands.id != closed, "it became P0 anew"
    assert play.stands.follows == closed


def test_tickets_that_arrive_already_solved_begin_none():
    for priority in ("p0", "p1"):
        play = Play()
        play.report(priority=priority, status="closed")
        assert (play.e, play.timers) == (None, {})
    play.until(HOUR)
    play.report(priority="p0", status="open")
    assert situations(play) == [("p0_outage", NOW + HOUR)], "reopened, it is one"


def since(instant) -> Policy:
    return Policy(replace(POLICY.document, live_since=instant), 1)


@pytest.mark.parametrize(("instant", "opens"), [(NOW - MINUTE, True), (NOW, True), (NOW + MINUTE, False)])
def test_what_began_before_live_since_is_recorded_and_opens_nothing(instant, opens):
    play = Play("professional", policy=since(instant))
    play.report(priority="p0")
    assert play.ticket
    assert (play.e is not None, play.ticket.p0_since) == (opens, NOW)
    play = Play(policy=since(instant + 4 * HOUR))
    play.report(priority="p1")
    assert ("p1" in play.timers) is opens
    play = Play(policy=since(instant))
    play.report()
    play.contact("call", at=NOW)
    assert (play.e is not None, len(play.contacts)) == (opens, 1)


def test_an_outage_begins_nothing_where_the_policy_has_no_level_for_it():
    row = POLICY.document.matrix["p0_outage"]
    none = replace(row, starter=replace(row.cell("starter"), level=0, within=None))
    matrix = {**POLICY.document.matrix, "p0_outage": none}
    play = Play("starter", policy=Policy(replace(POLICY.document, matrix=matrix), 1))
    play.report(priority="p0")
    assert (play.e, play.ticket is not None and play.ticket.begun) == (None, ())
    play.customer = replace(play.customer, tier="enterprise")
    play.report(priority="p0", status="solved")
    assert play.e is None, "nor where a contract changed, once it is solved"
    play.report(priority="p0", status="open")
    assert situations(play) == [("p0_outage", NOW)]


# p1_unresolved ----------------------------------------------------------------------------------------------------


def test_p1_unresolved_counts_from_when_the_ticket_became_p1():
    play = Play()
    play.report(priority="p3", opened_at=NOW - DAY, updated_at=NOW - DAY)
    play.report(priority="p1", updated_at=NOW - HOUR)
    assert play.timers == {"p1": NOW + 3 * HOUR}
    play.report(priority="p1")
    assert play.timers == {"p1": NOW + 3 * HOUR}, "the same fact again"
    assert play.until(3 * HOUR) == ["open open", "engage l2"]
    assert situations(play) == [("p1_unresolved", NOW + 3 * HOUR)]
    play.report(priority="p1")
    assert len(play.stands.situations) == 1
    assert "p1" not in play.timers


def test_solving_ends_it_before_it_begins():
    play = Play()
    play.report(priority="p1")
    play.until(3 * HOUR)
    play.report(status="solved")
    assert (play.timers, play.until(DAY)) == ({}, [])


def test_a_lowered_priority_stops_no_running_clock():
    play = Play()
    play.report(priority="p1")
    play.until(HOUR)
    play.report(priority="p3")
    assert play.until(3 * HOUR) == ["open open", "engage l2"]
    play = Play("professional")
    play.report(priority="p0")
    play.report(priority="p3")
    assert (play.stands.engage_by, play.stands.target_level) == (NOW + HOUR, 2)
    assert play.until(HOUR) == ["engage l2"]
    play.report(priority="p3", outage=False)
    assert play.stands.respond_by


@pytest.mark.parametrize(
    ("ticket", "customer"),
    [(None, None), (None, ACME), (Ticket("T-1"), None), (Ticket("T-1"), ACME), (FOLLOWED, None)],
    ids=["none", "no ticket", "one without a customer", "one that was only named", "a customer who is not known"],
)
def test_a_timer_of_a_ticket_that_nobody_reported_or_whose_customer_is_not_known_changes_nothing(ticket, customer):
    known = Facts(THE_CLOCK, ticket=ticket, customer=customer, waiting={"p1": NOW})
    for ask in (Rearm("T-1"), Fire("T-1", "p1", NOW)):
        got = decide(known, Command("c", ask, "r"), POLICY, NOW)
        assert isinstance(got, Decision)
        assert (got.entries, got.escalation) == ((), None)


def test_solving_ends_the_clock_of_a_p1_that_was_lowered_and_reopening_starts_none():
    play = Play("professional")
    play.report(priority="p1")
    play.report(priority="p2")
    assert "p1" in play.timers
    play.report(priority="p2", status="solved")
    play.report(priority="p2", status="open")
    assert (play.ticket is not None and play.ticket.p1_since, play.until(DAY)) == (None, [])


def test_what_arrives_solved_becomes_pressing_when_it_is_reopened():
    play = Play("professional")
    play.report(priority="p0", status="solved", opened_at=NOW - HOUR)
    assert play.ticket is not None
    assert play.ticket.p0_since is None
    play.until(MINUTE)
    play.report(priority="p0", status="open")
    assert situations(play) == [("p0_outage", NOW + MINUTE)]


def test_a_lowered_outage_is_a_p1_from_then_on():
    play = Play("professional")
    play.report(priority="p0")
    play.until(MINUTE)
    play.report(priority="p1")
    assert play.timers["p1"] == NOW + MINUTE + 8 * HOUR


def test_p1_unresolved_is_added_to_what_is_open_and_raises_it():
    play = Play()
    play.report(priority="p1")
    play.request("workaround_unacceptable", "ann0")
    play.call("lee1", "accept")
    seen = len(play.entries)
    play.until(4 * HOUR)
    assert [s for s in play.story(seen) if not s.startswith("remind")] == ["add_situation l1", "escalate l2"]


def test_p1_unresolved_resumes_what_is_de_escalating():
    play = Play()
    play.report(priority="p1")
    play.request("workaround_unacceptable", "ann0")
    play.call("lee1", "accept")
    play.contact("portal")
    play.call("lee1", "de_escalate", criterion="request_withdrawn", evidence="k0")
    seen = len(play.entries)
    play.until(4 * HOUR)
    assert play.story(seen)[-3:] == ["add_situation de_escalating", "resume l1", "escalate l2"]


def test_a_policy_that_moved_the_span_meanwhile_moves_the_timer():
    play = Play()
    play.report(priority="p1")
    due = play.timers["p1"]
    row = play.policy.document.matrix["p1_unresolved"]
    later = replace(row, enterprise=replace(row.enterprise, after=6 * HOUR))
    play.policy = Policy(
        replace(play.policy.document, matrix={**play.policy.document.matrix, "p1_unresolved": later}), 2
    )
    play.now = due
    assert play.fire("p1", due).entries == ()
    assert play.timers == {"p1": NOW + 6 * HOUR}


# Reports ----------------------------------------------------------------------------------------------------------


def test_older_facts_are_kept_and_change_nothing():
    play = Play()
    play.report(priority="p2", updated_at=NOW)
    before = play.ticket
    got = play.report(priority="p0", updated_at=NOW - MINUTE)
    assert (got.stale, got.entries, got.timers, play.ticket) == (True, (), {}, before)


def test_a_report_counts_its_revision_and_keeps_its_priorities():
    play = Play()
    play.report(priority="p2")
    play.report(priority="p2")
    play.contact("portal")
    play.report(priority="p1")
    t = play.ticket
    assert t
    assert (t.revision, t.reported, [(c.revision, c.priority) for c in t.priorities]) == (4, 4, [(1, "p2"), (4, "p1")])


def test_solved_since_is_kept_until_reopened():
    play = Play()
    play.report(status="solved", updated_at=NOW)
    play.until(HOUR)
    play.report(status="closed")
    assert play.ticket
    assert play.ticket.solved_since == NOW
    play.report(status="open")
    assert play.ticket.solved_since is None


def test_the_owner_is_told_once_that_it_is_solved():
    play = at_level(2)
    play.report(status="solved")
    assert play.last.reason == "ticket_solved"
    assert play.report(status="closed").entries == ()


@pytest.mark.parametrize(
    ("who", "opened_by", "owner"),
    [("desk", "desk", "ann0"), ("root", "clock", "ann0"), ("bob0", "bob0", "bob0")],
)
def test_who_reports_opens_it_but_an_admin_has_no_part_in_an_escalation(who, opened_by, owner):
    play = Play("professional")
    play.report(who, priority="p0")
    assert (play.stands.opened_by, play.stands.owner) == (opened_by, owner)
    play = Play()
    play.report()
    play.contact("call", who)
    assert (play.stands.opened_by, play.stands.owner) == (opened_by, owner)


# Contacts ---------------------------------------------------------------------------------------------------------

REQUESTS = """
enterprise call x · enterprise account_manager x · enterprise reply . · enterprise portal .
enterprise emergency refused · professional emergency refused
professional call refused · professional account_manager refused · professional reply . · professional portal .
starter call refused · starter account_manager refused · starter reply . · starter portal . · starter emergency refused
"""


@pytest.mark.parametrize("row", [row.strip() for row in REQUESTS.replace("\n", " · ").split(" · ") if row.strip()])
def test_which_channel_of_which_tier_is_a_customer_request(row):
    tier, channel, what = row.split()
    play = Play(tier)
    play.report()
    got = play.contact(channel, body="Help")
    assert (play.e is not None) == (what == "x")
    assert [f.guard for f in got.refused] == (["channel_allowed"] if what == "refused" else [])
    assert got.contact, "the report still counts"
    assert got.contact.request == (channel not in ("reply", "portal"))
    assert play.ticket
    assert play.ticket.revision == 2
    if what == "x":
        assert situations(play) == [("customer_request", NOW)]
        assert play.stands.situations[0].detail == {"contact": got.contact.id}


@pytest.mark.parametrize("more", [{"request": False}, {"author_role": "agent"}, {"author_role": "system"}])
def test_a_call_is_a_request_in_itself_unless_it_says_otherwise_or_the_desk_wrote_it(more):
    play = Play()
    play.report()
    play.contact("call", **more)
    assert play.e is None


def test_a_request_begins_when_it_was_said():
    play = Play()
    play.report()
    play.contact("call", at=NOW - 30 * MINUTE)
    assert play.stands.engage_by == NOW + 30 * MINUTE
    play = Play()
    play.report()
    play.contact("call", at=NOW - 2 * HOUR)
    assert play.until(timedelta(0)) == ["engage l2"]


def test_a_contact_is_verified_by_the_customers_addresses_and_its_words_are_kept_apart():
    play = Play()
    play.report()
    got = play.contact("portal", sender=" Kim@ACME.example ", subject="Help", body="It is down")
    assert got.contact
    assert (got.contact.verified, got.contact.said) == (True, got.texts[0].id)
    assert got.texts[0].text == {"subject": "Help", "body": "It is down"}
    got = play.contact("portal", sender="kim@elsewhere.example")
    assert got.contact
    assert (got.contact.verified, got.contact.said, got.texts) == (False, None, ())


def test_a_customers_objection_resumes_what_is_de_escalating():
    play = at_level(2)
    play.report(status="solved")
    play.call("mia2", "de_escalate", criterion="issue_resolved")
    seen = len(play.entries)
    play.contact("call")
    assert play.story(seen) == ["add_situation de_escalating", "resume l2"]


def test_a_customers_objection_after_closing_opens_a_new_escalation_that_names_the_one_it_follows():
    play = Play()
    play.report()
    play.contact("call")
    play.report(status="solved")
    first = play.stands
    assert first.state == "closed"
    play.contact("call")
    assert (play.stands.state, play.stands.follows) == ("open", first.id)
    assert play.until(HOUR) == ["engage l2"]


# Merged -----------------------------------------------------------------------------------------------------------

DUPLICATE = {"status": "closed", "merged_into": "T-2"}


def test_being_merged_solves_nothing_an_escalation_that_is_open_runs_its_course_and_its_owner_is_told():
    play = Play("professional")
    play.report(assignee="ann0")
    play.request("customer_request", "ann0")
    play.report(**DUPLICATE)
    assert (play.stands.state, play.timers) == ("open", {"engage": NOW + 4 * HOUR})
    assert (play.last.reason, play.last.detail["merged_into"]) == ("ticket_merged", "T-2")
    assert [(m.to, m.payload) for m in play.told("person")] == [("ann0", {"merged_into": "T-2"})]
    assert play.until(4 * HOUR) == ["engage l1"]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_an_unanswered_level_of_a_merged_ticket_is_raised_and_l4_is_paged(n):
    play = at_level(n, accepted=False)
    play.report(**DUPLICATE)
    assert play.stands.page_by == play.stands.respond_by
    play.until(8 * HOUR)
    assert (play.stands.state, play.last.trigger) == ("l4", "repage")


def test_people_end_the_escalation_of_a_ticket_that_was_closed_by_merging_it():
    play = at_level(2)
    play.report(**DUPLICATE)
    play.call("mia2", "de_escalate", criterion="issue_resolved")
    assert play.stands.state == "de_escalating"
    play.report(**DUPLICATE)
    assert [e.reason for e in play.entries].count("ticket_merged") == 1, "the same merge again is nothing"


def test_a_p1_that_is_merged_has_waited_as_long_as_before():
    play = Play()
    play.report(priority="p1")
    play.until(3 * HOUR)
    play.report(**DUPLICATE)
    assert play.timers == {"p1": NOW + 4 * HOUR}
    play.report(priority="p3", **DUPLICATE)
    assert play.until(HOUR) == ["open open", "engage l2"]


def test_what_was_solved_before_it_was_merged_stays_solved():
    play = Play()
    play.report(priority="p1")
    play.until(3 * HOUR)
    play.report(status="solved")
    play.report(**DUPLICATE)
    assert (play.timers, play.until(DAY), play.e) == ({}, [], None)
    play = at_level(4, accepted=False)
    play.report(status="solved")
    play.report(**DUPLICATE)
    assert play.stands.page_by is None


def test_one_that_is_closed_and_no_longer_merged_is_solved():
    play = Play("professional")
    play.report(priority="p0")
    play.report(**DUPLICATE)
    assert play.stands.state == "open"
    play.report(status="closed")
    assert (play.stands.state, play.stands.criterion) == ("closed", "issue_resolved")


def test_a_ticket_that_arrives_merged_and_closed_begins_nothing():
    play = Play()
    play.report(priority="p1", **DUPLICATE)
    assert (play.e, play.timers) == (None, {})


def test_what_a_customer_asks_for_on_a_merged_ticket_is_heard():
    play = Play()
    play.report(**DUPLICATE)
    play.contact("call")
    assert (play.stands.target_level, play.timers) == (2, {"engage": NOW + HOUR})


def test_a_ticket_is_not_merged_into_itself():
    told = Ticket("T-1", customer_id="acme", merged_into="T-1")
    got = Play().does("desk", Report(told))
    assert isinstance(got, Refusal)
    assert (got.status, [p.field for p in got.problems]) == (422, ["merged_into"])
