"""What the clock does, and when. Sources: the document's "Response Time"; `domain.md`, "Handoff", "Default policy"."""

from __future__ import annotations

from datetime import timedelta

import pytest

from machines.decided import Decision
from tests.machines.cast import HOUR, MINUTE, NOW
from tests.machines.play import EVERYBODY, Play, at_level

MOMENT = timedelta(microseconds=1)
DAY = timedelta(days=1)


def unanswered(n: int, *people: str) -> Play:
    return at_level(n, people=("ann0", *(people or EVERYBODY[1:])), accepted=False)


# Nobody answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "span"), [(1, HOUR), (2, 2 * HOUR), (3, 4 * HOUR)])
def test_when_the_response_time_passes_unanswered_the_clock_escalates(n, span):
    play = unanswered(n)
    due = play.now + span
    play.until(due - MOMENT)
    assert play.stands.level == n
    seen = len(play.entries)
    assert f"escalate l{n + 1}" in play.until(due)
    entry = next(e for e in play.entries[seen:] if e.trigger == "escalate")
    assert (entry.at, entry.actor, entry.reason) == (due, "clock", "response_overdue")
    assert play.stands.owner == "ann0"


def test_unanswered_everywhere_it_climbs_to_l4_and_is_paged_there_for_as_long_as_it_takes():
    play = unanswered(1)
    climbs = [entry for entry in play.until(DAY) if not entry.startswith("remind")]
    assert climbs[:3] == ["escalate l2", "escalate l3", "escalate l4"]
    assert set(climbs[3:]) == {"repage l4"}
    l4 = next(e for e in play.entries if e.state == "l4")
    assert l4.at == NOW + 7 * HOUR
    assert play.stands.respond_by == l4.at, "late from the first second"


def test_an_unanswered_l4_is_paged_every_5_min_for_an_hour_15_min_for_an_hour_1_h_for_four_and_then_every_4_h():
    play = unanswered(4)
    play.until(2 * DAY)
    paged = [(e.at - NOW) for e in play.entries if e.trigger == "repage"]
    wanted = [5 * MINUTE * i for i in range(1, 13)]
    wanted += [HOUR + 15 * MINUTE * i for i in range(1, 5)]
    wanted += [2 * HOUR + HOUR * i for i in range(1, 5)]
    wanted += [6 * HOUR + 4 * HOUR * i for i in range(1, 100)]
    assert paged == [at for at in wanted if at <= 2 * DAY]
    assert {e.reason for e in play.entries if e.trigger == "repage"} == {"unanswered"}
    assert {m.to for e in play.entries if e.trigger == "repage" for m in e.messages} == {"vic4"}


def test_where_nobody_is_on_duty_at_l4_the_pages_go_to_escalations():
    play = unanswered(4, "lee1")
    play.until(5 * MINUTE)
    assert [(m.audience, m.to, m.template) for m in play.last.messages] == [
        ("escalations", "#escalations", "nobody_on_duty")
    ]


def test_a_decline_at_l4_does_not_start_the_pages_anew():
    play = unanswered(4, "vic4", "viv4")
    play.until(2 * HOUR)
    play.call("vic4", "decline")
    assert (play.offer[1], play.stands.page_by) == ("viv4", NOW + 3 * HOUR)


def test_accepting_stops_the_pages():
    play = unanswered(4)
    play.until(7 * MINUTE)
    play.call("vic4", "accept")
    assert "repage l4" not in play.until(2 * DAY)


def test_a_page_that_comes_late_counts_from_when_it_came():
    play = unanswered(4)
    due = play.timers["respond"]
    play.now = due + 3 * MINUTE
    play.fire("respond", due)
    assert play.stands.page_by == play.now + 5 * MINUTE


@pytest.mark.parametrize(
    ("people", "late"),
    [(("lee1", "mia2"), [("lee1", {"level": 2})]), (("lee1", "dan3"), [("lee1", {"level": 3})]), (("-lee1",), [])],
    ids=["the next level", "the one above, where somebody is", "nobody was there"],
)
def test_whoever_let_a_level_go_unanswered_hears_where_it_went(people, late):
    play = unanswered(1, *people)
    play.until(HOUR)
    risen = next(e for e in play.entries if e.reason == "response_overdue")
    assert [(m.to, m.payload) for m in risen.messages if m.template == "handoff_overdue"] == late
    assert all(m.to for m in risen.messages)


def test_whoever_was_still_in_time_is_not_told_that_they_were_late():
    play = unanswered(1)
    play.request("executive_visibility", "ann0")
    assert (play.stands.state, play.last.reason) == ("l3", "executive_visibility")
    assert play.last.detail["superseded"] == "lee1"
    assert [m.to for m in play.told("person")] == ["dan3"]


# Solved -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_solved_at_a_level_the_owner_is_told_and_an_unanswered_offer_is_neither_paged_nor_raised(n):
    play = unanswered(n)
    play.report(status="solved")
    assert (play.last.trigger, play.last.reason) == ("remind", "ticket_solved")
    assert [m.to for m in play.last.messages] == ["ann0"]
    assert {entry.split()[0] for entry in play.until(3 * DAY)} <= {"remind"}
    assert (play.stands.level, play.offer[0]) == (n, "briefed")
    assert play.stands.respond_by, "the response is late all the same"


@pytest.mark.parametrize("n", [1, 4])
def test_reopened_it_is_answered_for_again(n):
    play = unanswered(n)
    play.report(status="solved")
    play.until(DAY)
    play.report(status="open")
    assert (play.last.trigger, play.last.reason) == ("remind", "ticket_reopened")
    assert (f"escalate l{n + 1}" if n < 4 else "repage l4") in play.until(timedelta(0))


def test_l4_on_a_solved_ticket_is_never_paged():
    play = Play()
    play.report(status="solved")
    play.request("regulatory_compliance", "ann0")
    assert (play.stands.state, play.stands.page_by) == ("l4", None)
    assert "repage l4" not in play.until(DAY)


def test_a_request_on_a_solved_ticket_runs_its_course():
    play = Play("professional")
    play.report(status="solved")
    play.contact("portal")
    play.request("customer_request")
    assert play.until(4 * HOUR) == ["engage l1"]
    assert play.until(HOUR)[0] == "escalate l2"


def test_a_reassign_on_a_solved_ticket_lapses_as_ever():
    play = at_level(2)
    play.call("mia2", "reassign", to="dan3")
    play.report(status="solved")
    assert "decline l2" in play.until(2 * HOUR)


# Customer updates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tier", "span"), [("enterprise", HOUR), ("professional", 4 * HOUR), ("starter", DAY)])
def test_customer_updates_enterprise_1_h_professional_4_h_starter_24_h(tier, span):
    play = Play(tier)
    play.report()
    play.request("customer_request")
    assert play.stands.next_update_by is None, "never in open"
    play.call("ann0", "engage")
    assert play.stands.next_update_by == play.now + span, "the first notice is the first update"
    play.call(str(play.offer[1]), "accept")
    assert play.stands.next_update_by == NOW + span, "an accept does not move it"
    play.until(span - MINUTE)
    play.call("ann0", "update_customer", text="We found it")
    due = play.now + span
    assert play.stands.next_update_by == due
    assert play.until(due - MOMENT) == []
    assert play.until(due) == [f"remind {play.stands.state}"]
    assert (play.last.reason, play.last.at) == ("update_missed", due)
    assert play.until(10 * DAY) == [], "one remind, counted once"
    play.call("ann0", "update_customer", text="We fixed it", workaround="Reload")
    assert play.stands.next_update_by == play.now + span, "armed again by the next update"


def test_a_missed_update_is_armed_again_by_the_next_owner():
    play = at_level(2)
    play.until(HOUR)
    assert play.stands.next_update_by is None
    play.call("mia2", "reassign", to="dan3")
    play.call("dan3", "accept")
    assert play.stands.next_update_by == play.now + HOUR


def test_updates_run_while_de_escalating_and_end_with_closing():
    play = at_level(2)
    play.report(status="solved")
    play.call("mia2", "de_escalate", criterion="issue_resolved")
    assert play.until(HOUR) == ["remind de_escalating"]
    play.call("mia2", "update_customer", text="Please confirm")
    for step in ("confirm_with_customer", "update_ticket", "document_lessons"):
        play.call("mia2", "complete_step", step=step, detail="x")
    play.call("mia2", "close")
    assert play.timers == {}


def test_an_update_in_open_is_history_and_arms_nothing():
    play = Play()
    play.report()
    play.request("customer_request", "ann0")
    play.call("ann0", "update_customer", text="We look at it")
    assert play.stands.next_update_by is None
    assert play.last.messages[0].audience == "customer"


# Stale and early --------------------------------------------------------------------------------------------------


def test_a_stale_timer_changes_nothing():
    play = unanswered(2)
    armed = dict(play.timers)
    play.call("mia2", "accept")
    before, seen = play.stands, len(play.entries)
    for kind, due in (*armed.items(), ("engage", NOW), ("update", NOW), ("p1", NOW)):
        if play.timers.get(kind) != due:
            play.now = max(play.now, due)
            got = play.fire(kind, due)  # type: ignore[arg-type]
            assert (got.entries, got.timers) == ((), {}), kind
    assert (play.stands, len(play.entries)) == (before, seen)


def test_a_timer_that_was_moved_does_not_fire_at_its_old_instant():
    play = at_level(2)
    old = play.timers["update"]
    play.until(MINUTE)
    play.call("mia2", "update_customer", text="x")
    play.now = old
    assert play.fire("update", old).entries == ()


def test_a_timer_does_not_fire_before_its_instant():
    play = unanswered(2)
    due = play.timers["respond"]
    assert play.fire("respond", due).entries == ()


def test_a_timer_fires_once():
    play = unanswered(2)
    due = play.timers["respond"]
    play.now = due
    assert [e.trigger for e in play.fire("respond", due).entries] == ["escalate"]
    assert play.fire("respond", due).entries == ()


def test_a_timer_of_a_closed_escalation_changes_nothing():
    play = Play()
    play.report()
    play.request("customer_request", "ann0")
    due = play.timers["engage"]
    play.report(status="solved")
    assert play.stands.state == "closed"
    play.now = due
    assert play.fire("engage", due).entries == ()


@pytest.mark.parametrize("accepts_first", [True, False])
def test_firing_and_accepting_never_both_win(accepts_first):
    play = unanswered(2)
    due = play.timers["respond"]
    play.now = due
    if accepts_first:
        play.call("mia2", "accept")
        assert play.fire("respond", due).entries == ()
        assert (play.stands.level, play.stands.owner) == (2, "mia2")
    else:
        play.fire("respond", due)
        assert play.refused("mia2", "accept")[0] == 403
        assert (play.stands.level, play.stands.owner) == (3, "ann0")


def test_the_higher_row_and_the_response_time_due_at_one_instant_raise_it_once():
    play = unanswered(1)
    play.request("customer_request")  # L2 within an hour, and L1 answers within an hour
    play.now = NOW + HOUR
    play.fire("engage", play.now)
    assert play.fire("respond", play.now).entries == ()
    assert play.stands.level == 2


def test_a_row_is_never_dated_before_the_one_before_it():
    play = at_level(1)
    play.now -= HOUR  # a database whose clock was set back
    got = play.call("lee1", "note", text="x")
    assert isinstance(got, Decision)
    assert got.entries[0].at == NOW


def test_where_the_clock_takes_it_is_told_with_its_row():
    play = at_level(1)
    play.begins("revenue_impact")
    assert "escalate l3" in play.until(15 * MINUTE), "past the next level, to what the matrix says"
    assert play.last.detail == {"level": 3, "due_at": play.now}
    play = unanswered(1)
    play.until(HOUR)
    risen = next(e for e in play.entries if e.trigger == "escalate")
    assert risen.detail == {"level": 2, "superseded": "lee1", "due_at": play.now}


# While de-escalating ----------------------------------------------------------------------------------------------


def test_a_higher_row_that_comes_due_while_de_escalating_resumes_and_escalates():
    play = at_level(1)
    play.contact("portal")
    play.call("lee1", "act", authority="approve_standard_workaround", detail="Use the old page")
    play.contact("portal", body="fine")
    play.request("customer_request")
    play.call("lee1", "de_escalate", criterion="workaround_accepted", evidence="k1")
    assert play.until(HOUR) == ["resume l1", "escalate l2", "remind l2"]
    assert [e.reason for e in play.entries[-3:]] == ["higher_row_due", "customer_request", "update_missed"]
