"""De-escalation: from the criterion to the close, back up and down. Source: the document's "De-escalation"."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from machines.asked import ChainTold, Transition
from machines.decided import Decision, Refusal
from machines.fields import Rating
from tests.machines.cast import HOUR, MINUTE, NOW
from tests.machines.play import Play, at_level
from tests.machines.told import whole_life

STEPS = ("confirm_with_customer", "update_ticket", "notify_chain", "document_lessons")


def ending(n: int = 2, criterion: str = "issue_resolved", *, accepted: bool = True) -> Play:
    """De-escalating from this level, by its owner."""
    play = at_level(n, accepted=accepted)
    owner = str(play.stands.owner)
    match criterion:
        case "issue_resolved":
            play.report(status="solved")
        case "workaround_accepted":
            play.call(owner, "act", authority="approve_standard_workaround", detail="Use the old page")
            play.contact("portal")
        case "priority_lowered":
            play.call(owner, "act", authority="reprioritize_ticket", detail="P3")
            play.report(priority="p3")
        case "request_withdrawn":
            play.contact("portal")
    evidence = {"evidence": "k0"} if criterion in ("workaround_accepted", "request_withdrawn") else {}
    play.call(owner, "de_escalate", criterion=criterion, **evidence)
    return play


# The whole way ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "criterion", ["issue_resolved", "workaround_accepted", "priority_lowered", "request_withdrawn"]
)
def test_each_criterion_is_a_way_to_the_close(criterion):
    play = ending(criterion=criterion)
    assert (play.stands.state, play.stands.level, play.stands.criterion) == ("de_escalating", 2, criterion)
    assert play.last.reason == criterion
    play.call("mia2", "complete_step", step="confirm_with_customer", detail="Mail 7")
    if criterion in ("workaround_accepted", "request_withdrawn"):
        got = play.refused("mia2", "complete_step", step="update_ticket")
        assert got == (422, ["step_proved"]), "any ticket event since de_escalate"
        play.report()
    play.call("mia2", "complete_step", step="update_ticket")
    play.call("mia2", "complete_step", step="document_lessons", detail="Restart less", tags=("training",))
    play.call("mia2", "close")
    e = play.stands
    assert (e.state, e.level, e.closed_at, e.owner) == ("closed", 2, play.now, "mia2")
    assert tuple(e.steps) == STEPS
    assert e.steps["document_lessons"].tags == ("training",)
    assert (play.last.reason, play.last.messages[0].template) == (criterion, "survey")
    assert {k: v for k, v in play.timers.items() if k != "p1"} == {}


def test_the_chain_is_notified_by_itself_after_update_ticket_and_asking_again_tells_nobody_twice():
    play = ending()
    play.call("mia2", "complete_step", step="confirm_with_customer", detail="Mail 7")
    got = play.call("mia2", "complete_step", step="update_ticket")
    assert [(e.trigger, e.actor, e.reason) for e in got.entries] == [
        ("complete_step", "mia2", "update_ticket"),
        ("complete_step", "clock", "notify_chain"),
    ]
    assert [(m.audience, m.to) for m in play.last.messages] == [
        ("person", "ann0"),
        ("person", "mia2"),
        ("escalations", "#escalations"),
        ("account_manager", "max"),
    ]
    done = play.stands.steps["notify_chain"]
    play.until(MINUTE)
    again = play.call("ann0", "complete_step", step="notify_chain")
    assert (again.entries[0].reason, again.entries[0].messages) == ("notify_chain", ())
    assert play.stands.steps["notify_chain"] == done
    again = play.call("mia2", "complete_step", step="update_ticket")
    assert len(again.entries) == 1


def notifying() -> tuple[Play, int]:
    """With a channel, after `update_ticket`; and the version that planned what the chain is told."""
    play = ending()
    play.inbox_only = False
    play.call("mia2", "complete_step", step="confirm_with_customer", detail="Mail 7")
    play.call("mia2", "complete_step", step="update_ticket")
    return play, play.last.version


def test_with_a_channel_the_chain_is_notified_once_each_message_was_tried():
    play, planned = notifying()
    assert (play.last.reason, len(play.last.messages)) == ("notify_chain", 4)
    assert (play.stands.notifying, "notify_chain" in play.stands.steps) == (planned, False)
    lessons = {"step": "document_lessons", "detail": "Restart less"}
    assert play.refused("mia2", "complete_step", **lessons) == (422, ["step_before_done"])
    play.until(MINUTE)
    got = play.did("clock", ChainTold("T-1", planned))
    assert [(e.actor, e.reason, e.detail, e.messages) for e in got.entries] == [
        ("clock", "notify_chain", {"step": "notify_chain", "planned": planned}, ())
    ]
    done = play.stands.steps["notify_chain"]
    assert (play.stands.notifying, done.done_at, done.by) == (None, play.now, "clock")
    play.call("mia2", "complete_step", **lessons)
    play.call("mia2", "close")


def test_asking_for_it_while_it_waits_tells_nobody_twice_and_does_not_shorten_the_wait():
    play, planned = notifying()
    for step in ("notify_chain", "update_ticket"):
        again = play.call("ann0", "complete_step", step=step)
        assert [(e.reason, e.messages) for e in again.entries] == [(step, ())]
    assert (play.stands.notifying, "notify_chain" in play.stands.steps) == (planned, False)


def test_what_was_told_of_another_time_does_not_count():
    play, planned = notifying()
    play.call("mia2", "resume")
    assert play.stands.notifying is None
    play.call("mia2", "de_escalate", criterion="issue_resolved")
    assert not play.did("clock", ChainTold("T-1", planned)).entries
    play.call("mia2", "complete_step", step="confirm_with_customer", detail="Mail 8")
    play.call("mia2", "complete_step", step="update_ticket")
    assert not play.did("clock", ChainTold("T-1", planned)).entries, "they are told anew"
    assert play.did("clock", ChainTold("T-1", play.last.version)).entries
    assert not play.did("clock", ChainTold("T-1", play.last.version)).entries, "two nodes see it"


def test_a_customer_without_an_account_manager_has_none_told():
    play = ending()
    play.customer = type(play.customer)("acme", "Acme", "enterprise")
    play.call("mia2", "complete_step", step="confirm_with_customer", detail="Mail 7")
    play.call("mia2", "complete_step", step="update_ticket")
    assert "account_manager" not in {m.audience for m in play.last.messages}


def test_everyone_ever_engaged_or_offered_is_of_the_chain():
    play = at_level(2)
    play.call("mia2", "reassign", to="dan3")
    play.call("dan3", "decline")
    play.report(status="solved")
    play.call("mia2", "de_escalate", criterion="issue_resolved")
    assert [m.to for m in play.last.messages] == ["ann0", "mia2", "dan3", "#escalations"]


def test_what_was_said_at_a_step_lies_in_said():
    play = ending()
    play.call("mia2", "complete_step", step="confirm_with_customer", detail="Mail 7")
    assert play.last.said
    assert play.stands.steps["confirm_with_customer"].said == play.last.said.id
    assert play.last.said.text == {"detail": "Mail 7"}
    assert play.last.detail == {"step": "confirm_with_customer"}
    play.call("mia2", "complete_step", step="update_ticket")
    assert play.stands.steps["update_ticket"].said is None
    assert play.entries[-2].said is None


def test_a_pending_handoff_ends_with_the_issue():
    play = ending(accepted=False)
    assert (play.offer[0], play.stands.respond_by, play.stands.page_by) == ("superseded", None, None)
    assert "respond" not in play.timers


# Withdrawing ------------------------------------------------------------------------------------------------------


def test_a_ticket_solved_while_open_withdraws_it():
    play = Play()
    play.report()
    play.request("customer_request")
    play.report(status="solved")
    assert (play.stands.state, play.stands.level, play.stands.criterion) == ("closed", 0, "issue_resolved")
    assert (play.last.trigger, play.last.actor, play.last.reason) == ("withdraw", "clock", "issue_resolved")
    assert play.timers.get("engage") is None


def test_a_ticket_solved_before_the_newest_situation_began_does_not():
    play = Play()
    play.report()
    play.request("customer_request")
    play.report(status="solved", updated_at=NOW)
    assert play.stands.state == "closed", "solved at the very instant counts as after"
    play = Play()
    play.report(updated_at=NOW - HOUR)
    play.request("customer_request")
    play.report(status="solved", updated_at=NOW - MINUTE)
    assert play.stands.state == "open"


def test_a_withdrawal_says_why_and_clears_its_clock():
    play = Play()
    play.report()
    play.request("customer_request", "ann0")
    play.contact("portal")
    play.call("ann0", "withdraw", criterion="request_withdrawn", evidence="k0")
    e = play.stands
    assert (e.state, e.criterion, e.evidence, e.engage_by, e.closed_at) == (
        "closed",
        "request_withdrawn",
        "k0",
        None,
        NOW,
    )


# Resuming ---------------------------------------------------------------------------------------------------------


def test_resume_keeps_owner_and_engaged_opens_no_handoff_and_clears_criterion_and_steps():
    play = ending()
    play.call("mia2", "complete_step", step="confirm_with_customer", detail="Mail 7")
    before = play.stands
    play.call("ann0", "resume")
    e = play.stands
    assert (e.state, e.level, e.criterion, e.evidence, e.steps) == ("l2", 2, None, None, {})
    assert (e.owner, e.engaged, e.handoff) == (before.owner, before.engaged, before.handoff)
    assert (e.respond_by, play.last.reason) == (None, "resumed")
    assert [m.audience for m in play.last.messages] == ["customer", "help_desk"]


def test_resume_opens_a_handoff_if_none_was_accepted_at_that_level():
    play = ending(accepted=False)
    play.until(MINUTE)
    play.call("ann0", "resume")
    assert (play.stands.state, play.offer) == ("l2", ("briefed", "mia2", "clock"))
    assert play.stands.respond_by == play.stands.page_by == play.now + 2 * HOUR


def test_resume_does_not_offer_it_to_who_declined_that_level():
    play = at_level(2, people=("ann0", "bea2", "mia2"), accepted=False)
    play.call("bea2", "decline")
    play.report(status="solved")
    play.call("ann0", "de_escalate", criterion="issue_resolved")
    play.call("ann0", "resume")
    assert play.offer[1] == "mia2"


def test_resume_stands_where_it_came_from_even_if_nobody_is_left_there():
    play = ending(accepted=False)
    play.people["mia2"] = type(play.people["mia2"])("mia2", "Mia", 2)
    play.call("ann0", "resume")
    assert (play.stands.state, play.offer[:2]) == ("l2", ("offered", None))


def test_a_superseded_reassign_leaves_the_level_accepted():
    play = at_level(2)
    play.call("mia2", "reassign", to="dan3")
    play.report(status="solved")
    play.call("mia2", "de_escalate", criterion="issue_resolved")
    assert play.offer[0] == "superseded"
    play.call("mia2", "resume")
    assert (play.stands.owner, play.offer[0], play.stands.respond_by) == ("mia2", "superseded", None)


def test_a_reopened_ticket_resumes():
    play = ending()
    play.report(status="open")
    assert (play.stands.state, play.last.trigger, play.last.actor, play.last.reason) == (
        "l2",
        "resume",
        "clock",
        "ticket_reopened",
    )


def test_a_service_that_reports_the_customers_objection_resumes():
    play = ending()
    play.call("desk", "resume", reason="The customer says it is not fixed")
    assert (play.stands.state, play.last.actor) == ("l2", "desk")


# Stepping down ----------------------------------------------------------------------------------------------------


def test_step_down_sets_the_target_clears_criterion_steps_and_deadlines_and_starts_that_levels_clock():
    play = ending(3, "priority_lowered")
    play.call("dan3", "complete_step", step="confirm_with_customer", detail="Mail 7")
    play.until(MINUTE)
    play.call("dan3", "step_down", level=1)
    e = play.stands
    assert (e.state, e.level, e.target_level) == ("l1", 1, 1)
    assert (e.criterion, e.steps, e.engage_by) == (None, {}, None)
    assert e.respond_by == e.page_by == play.now + HOUR
    assert (play.offer, e.owner) == (("briefed", "lee1", "dan3"), "dan3")
    assert play.last.reason == "priority_lowered"
    play.call("lee1", "accept")
    assert (play.stands.owner, play.stands.engaged) == ("lee1", ("ann0", "dan3", "lee1"))


def test_after_a_step_down_older_rows_ask_for_nothing_but_new_ones_do():
    play = at_level(1)
    play.begins("revenue_impact")  # L3 within 15 min
    play.call("lee1", "escalate")
    play.call("mia2", "accept")
    play.call("mia2", "act", authority="reprioritize_ticket", detail="P3")
    play.report(priority="p3")
    play.call("mia2", "de_escalate", criterion="priority_lowered")
    play.call("mia2", "step_down", level=1)
    assert (play.stands.target_level, play.stands.engage_by) == (1, None)
    settled = {s.situation: s.settled for s in play.stands.situations}
    assert settled == {"workaround_unacceptable": False, "revenue_impact": True}
    play.request("workaround_unacceptable")
    assert (play.stands.target_level, play.stands.engage_by) == (1, None), "a lower row changes nothing"
    play.call("mia2", "dismiss_situation", situation="workaround_unacceptable")
    assert (play.stands.target_level, play.stands.engage_by) == (1, None)
    play.request("customer_request")  # L2 within 1 h
    assert (play.stands.target_level, play.stands.engage_by) == (2, play.now + HOUR)
    play.call("mia2", "dismiss_situation", situation="customer_request")
    assert (play.stands.target_level, play.stands.engage_by) == (1, None)


@pytest.mark.parametrize(
    ("people", "stands"),
    [
        (("ann0", "lee1", "mia2", "dan3", "vic4"), ("l1", "lee1")),
        (("ann0", "mia2", "dan3", "vic4"), ("l2", "mia2")),  # nobody there: the next level that has someone
        (("ann0", "dan3", "vic4"), ("l3", "dan3")),
        (("ann0", "vic4"), ("l1", None)),  # L4 is where it stood
    ],
)
def test_step_down_never_stands_as_high_as_before(people, stands):
    play = ending(4, "priority_lowered")
    play.people = {name: p for name, p in play.people.items() if name in people}
    play.call("vic4", "step_down", level=1)
    assert (play.stands.state, play.offer[1]) == stands


def test_step_down_to_nobody_stays_at_the_level_asked_for():
    play = ending(2, "priority_lowered")
    play.people = {name: p for name, p in play.people.items() if name in ("ann0", "mia2", "dan3")}
    play.call("mia2", "step_down", level=1)
    assert (play.stands.state, play.offer[:2]) == ("l1", ("offered", None))


# Closed -----------------------------------------------------------------------------------------------------------


def test_closed_is_terminal():
    play = ending()
    for step in ("confirm_with_customer", "update_ticket", "document_lessons"):
        play.call("mia2", "complete_step", step=step, detail="x")
    play.call("mia2", "close")
    closed = play.stands
    for trigger, fields in (("resume", {}), ("note", {"text": "x"}), ("close", {}), ("update_customer", {"text": "x"})):
        assert play.refused("mia2", trigger, **fields) == (409, ["move_exists"])
    got = play.report(status="open")
    assert isinstance(got, Decision)
    assert (got.entries, play.stands) == ((), closed)


def test_the_survey_is_answered_once_and_by_nobody_who_calls_it() -> None:
    play = whole_life()
    asked = Transition(play.stands.id, "rate", Rating(score=4, text="Kind"))
    for who in ("vic4", "ann0", "desk", "root"):
        refused = play.does(who, asked)
        assert isinstance(refused, Refusal)
        assert (refused.status, refused.code, play.stands.csat) == (409, "no_such_move", None)
    assert play.did("clock", asked).entries[0].trigger == "rate"
    assert (play.stands.csat, play.stands.state) == (4, "closed")
    assert play.last.said
    assert play.last.said.text == {"text": "Kind"}
    again = play.does("clock", replace(asked, fields=Rating(score=1)))
    assert isinstance(again, Refusal)
    assert (again.status, play.stands.csat) == (422, 4)
    play = whole_life()
    assert (
        play.did("clock", replace(asked, escalation_id=play.stands.id, fields=Rating(score=1))).entries[0].said is None
    )


def test_an_answer_to_the_survey_of_what_is_not_closed_yet_is_refused() -> None:
    for play in (at_level(2), ending()):
        refused = play.does("clock", Transition(play.stands.id, "rate", Rating(score=4)))
        assert isinstance(refused, Refusal)
        assert (refused.status, refused.code, play.stands.csat) == (409, "no_such_move", None)


def test_the_contact_that_asked_for_it_does_not_withdraw_it() -> None:
    play = Play()
    play.report()
    play.contact("call")
    withdrawal = {"criterion": "request_withdrawn", "evidence": "k0"}
    assert play.refused("ann0", "withdraw", **withdrawal) == (422, ["criterion_evidenced"])
    play.contact("portal")
    play.call("ann0", "withdraw", **{**withdrawal, "evidence": "k1"})


@pytest.mark.parametrize(("named", "told"), [(0, "version 0"), (9, "version 9"), (-1, "no version of it")])
def test_who_has_seen_another_version_is_told_which_they_named(named: int, told: str) -> None:
    play = at_level(2)
    refused = play.does("mia2", Transition(play.stands.id, "note", if_match=named))
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.code) == (412, "stale_version")
    assert f"If-Match names {told}; it is at {play.stands.version}." in str(refused.detail)
