"""To whom a level is offered, and what going on and off duty does. Source: `domain.md`, "Handoff"."""

from __future__ import annotations

import pytest

from machines.asked import Duty
from machines.values import Person
from tests.machines.cast import HOUR, NOW, TEXT
from tests.machines.play import Play, at_level, offered

# To whom ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "to"),
    [
        (("mia2+2", "bea2+1", "cat2+1"), "bea2"),  # fewest held or offered
        (("mia2", "bea2", "cat2"), "bea2"),  # then by id
        (("-bea2", "mia2+5"), "mia2"),  # on duty there
        (("mia2", "dan3"), "mia2"),  # not above, while somebody is there
        (("lee1", "mia2"), "mia2"),  # never below
    ],
)
def test_entering_a_level_offers_it_to_the_person_on_duty_there_fewest_held_then_by_id(people, to):
    play = offered(*people)
    assert (play.stands.state, play.offer) == ("l2", ("briefed", to, "clock"))


def test_the_outgoing_owner_is_passed_over():
    play = at_level(2, people=("ann0", "bea2", "mia2"))
    assert play.stands.owner == "bea2"
    play.report(status="solved")
    play.call("bea2", "de_escalate", criterion="issue_resolved")
    play.call("bea2", "resume")
    assert play.stands.owner == "bea2"
    play = Play(people=("bea2", "mia2"))
    play.report()
    play.request("blocking_business_process", "bea2")
    assert play.offer == ("briefed", "mia2", "clock")


def test_the_briefs_writer_is_passed_over():
    play = at_level(1, people=("ann0", "lee1", "bea2", "mia2"))
    play.call("bea2", "escalate")
    assert play.offer == ("briefed", "mia2", "bea2")


def test_where_nobody_is_left_it_stands_at_the_next_level_that_has_someone_and_the_target_stays():
    play = at_level(1, people=("ann0", "lee1", "vic4"))
    play.call("lee1", "escalate")
    assert (play.stands.state, play.stands.target_level) == ("l4", 2)
    assert play.last.detail["coverage_gap"] == [2, 3]
    assert play.offer == ("briefed", "vic4", "lee1")
    play = offered("dan3", n=2)
    assert (play.stands.state, play.stands.target_level) == ("l3", 2)
    assert play.last.detail["coverage_gap"] == [2]
    assert play.stands.respond_by == NOW + 4 * HOUR, "the response clock is that of the level where it stands"


def test_if_nobody_else_is_left_above_either_it_goes_to_the_one_passed_over_with_the_clocks_brief():
    play = at_level(1, people=("ann0", "lee1", "mia2"))
    play.call("mia2", "escalate")
    assert play.offer == ("briefed", "mia2", "clock")
    assert play.last.said
    assert play.last.said.text["brief"]["needed"] == TEXT.needed, "what was written is kept"
    assert play.last.said.text["clock_brief"]["needed"] == "Engineering Manager: accept this handoff"
    play.call("mia2", "accept")
    assert play.stands.owner == "mia2"


def test_the_opener_on_duty_alone_takes_it_with_the_clocks_brief():
    play = Play(people=("mia2",))
    play.report()
    play.request("blocking_business_process", "mia2", TEXT)
    assert play.offer == ("briefed", "mia2", "clock")
    play.call("mia2", "accept")
    assert (play.stands.owner, play.stands.engaged) == ("mia2", ("mia2",))


def test_somebody_else_above_is_asked_before_the_one_passed_over():
    play = at_level(1, people=("ann0", "lee1", "mia2", "vic4"))
    play.call("mia2", "escalate")
    assert (play.stands.state, play.offer) == ("l4", ("briefed", "vic4", "mia2"))


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_if_there_is_nobody_at_all_up_to_l4_it_stands_where_it_was_to_go_and_is_offered_to_nobody(n):
    play = offered(n=n)
    assert (play.stands.state, play.stands.level, play.offer) == (f"l{n}", n, ("offered", None, "clock"))
    assert [m.template for m in play.told("escalations")] == ["escalation", "nobody_on_duty"]
    assert play.stands.page_by is not None
    assert play.refused("ann0", "accept")[0] == 403


def test_whoever_comes_on_duty_at_that_level_or_above_is_offered_it():
    play = offered("-lee1", "-mia2", "-dan3", n=2)
    play.duty("lee1", on=True)
    assert play.offer[1] is None, "below"
    respond_by = play.stands.respond_by
    play.duty("mia2", on=True)
    assert (play.stands.state, play.offer, play.stands.respond_by) == ("l2", ("briefed", "mia2", "clock"), respond_by)
    play = offered("-dan3", n=2)
    seen = len(play.entries)
    play.duty("dan3", on=True)
    assert play.story(seen) == ["decline l2", "escalate l3"]
    assert (play.offer[1], play.last.detail["coverage_gap"]) == ("dan3", [2])


def test_going_off_duty_passes_an_open_offer_on_as_a_decline_would():
    play = offered("bea2", "mia2")
    play.duty("bea2", on=False)
    assert (play.offer, play.last.reason, play.last.actor) == (("briefed", "mia2", "clock"), "went_off_duty", "clock")
    seen = len(play.entries)
    play.duty("bea2", on=True)
    assert play.story(seen) == [], "the offer is somebody's already"


def test_who_declined_a_level_may_be_offered_a_higher_one():
    play = offered("mia2", "dan3")
    play.call("ann0", "reassign", to="dan3")
    play.call("dan3", "decline")
    play.call("mia2", "decline")
    assert (play.stands.level, play.offer[1]) == (3, "dan3")
    declined = next(e for e in play.entries[::-1] if e.trigger == "decline")
    h = declined.changed["handoff"]
    assert (h.status, h.declined) == ("declined", ("dan3", "mia2"))
    assert "superseded" not in play.last.detail, "it was answered"


def test_an_offer_to_somebody_who_is_retired_or_no_longer_of_the_level_passes_on_as_well():
    for gone in (None, Person("bea2", "Bea", 1, on_duty=True)):
        play = offered("bea2", "mia2")
        play.people.pop("bea2")
        play.people |= {"bea2": gone} if gone else {}
        play.did("clock", Duty("T-1", "bea2"))
        assert (play.offer[1], play.last.trigger) == ("mia2", "decline")


def test_at_the_end_of_an_owners_shift_they_are_reminded_and_stay_accountable():
    play = at_level(2)
    play.duty("mia2", on=False)
    assert (play.last.trigger, play.last.reason, play.stands.owner) == ("remind", "shift_ended", "mia2")
    assert [m.to for m in play.last.messages] == ["mia2"]


def test_a_change_of_duty_that_concerns_nobody_here_changes_nothing():
    play = at_level(2)
    before, seen = play.stands, len(play.entries)
    for who in ("dan3", "lee1"):
        play.duty(who, on=False)
        play.duty(who, on=True)
    assert (play.stands, len(play.entries)) == (before, seen)
