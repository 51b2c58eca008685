"""Remain engaged until it is complete: brief, accept, decline, reassign, join, disengage.

Sources: the document's "How to Escalate" and "Escalation Communication"; `domain.md`, "Handoff".
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from machines import fields as given
from machines.asked import Command, Transition
from machines.decide import decide
from machines.decided import Decision
from tests.machines.cast import HOUR, MINUTE, NOW, OWNER, POLICY, facts, pending, ticket
from tests.machines.play import EVERYBODY, Play, at_level, offered

MOMENT = timedelta(microseconds=1)
RESPONSE = {1: HOUR, 2: 2 * HOUR, 3: 4 * HOUR, 4: timedelta(0)}

# Who answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", RESPONSE)
def test_each_levels_response_time(n):
    play = offered(*EVERYBODY[1:], n=n)
    assert play.stands.respond_by == NOW + RESPONSE[n]


def test_the_first_owner_stays_accountable_until_the_accept_and_engaged_after_it():
    play = offered("mia2")
    assert play.stands.owner == "ann0"
    assert play.refused("ann0", "disengage") == (422, ["not_owner"])
    play.call("mia2", "accept")
    assert (play.stands.owner, play.stands.engaged) == ("mia2", ("ann0", "mia2"))
    assert (play.stands.respond_by, play.stands.page_by) == (None, None), "accepting stops the response clock"
    play.call("ann0", "disengage")
    assert (play.stands.engaged, play.stands.chain) == (("mia2",), ("ann0", "mia2"))


def test_nobody_owns_it_until_the_first_accept_where_a_machine_opened_it_and_no_agent_is_on_duty():
    play = Play(people=("mia2",))
    play.report()
    play.request("blocking_business_process", "desk")
    assert (play.stands.owner, play.stands.engaged) == (None, ())
    play.call("mia2", "accept")
    assert (play.stands.owner, play.stands.engaged) == ("mia2", ("mia2",))


def test_a_better_brief_replaces_the_clocks_and_is_addressed_to_the_person():
    play = offered("mia2")
    assert play.refused("ann0", "brief", to="dan3") == (422, ["brief_addressed_to_offered"])
    respond_by = play.stands.respond_by
    play.until(MINUTE)
    play.call("ann0", "brief")
    assert (play.offer, play.stands.respond_by) == (("briefed", "mia2", "ann0"), respond_by)
    assert [(m.audience, m.to, m.template) for m in play.last.messages] == [("person", "mia2", "briefed")]
    play.call("mia2", "accept")
    h = play.stands.handoff
    assert h
    assert (h.offered_at, h.briefed_at, h.accepted_at) == (NOW, NOW + MINUTE, NOW + MINUTE)


def test_nobody_both_briefs_and_accepts():
    play = offered("mia2")
    play.call("ann0", "join", person="mia2")
    play.call("mia2", "brief")
    assert play.refused("mia2", "accept") == (403, ["briefed_by_another"])
    play.call("ann0", "brief")
    play.call("mia2", "accept")


def test_accepting_tells_the_outgoing_owner_and_the_customer():
    play = offered("mia2")
    play.call("mia2", "accept")
    assert [(m.audience, m.to, m.template) for m in play.last.messages] == [
        ("person", "ann0", "handoff_accepted"),
        ("customer", "acme", "escalated"),
    ]
    assert play.last.messages[1].payload == {"level": 2, "owner": "mia2", "copy": "max"}


# Passing on -------------------------------------------------------------------------------------------------------


def test_declining_passes_it_on_and_whoever_declined_is_not_offered_that_level_again():
    play = offered("bea2", "mia2", "dan3")
    respond_by = play.stands.respond_by
    play.until(MINUTE)
    play.call("bea2", "decline")
    assert (play.offer, play.stands.respond_by) == (("briefed", "mia2", "clock"), respond_by)
    seen = len(play.entries)
    play.call("mia2", "decline")
    assert play.story(seen) == ["decline l2", "escalate l3"]
    assert (play.offer[1], play.last.reason, play.last.actor) == ("dan3", "handoff_declined", "clock")
    assert (play.stands.target_level, play.last.detail["coverage_gap"]) == (2, [2])
    assert play.stands.respond_by == play.now + 4 * HOUR
    play.call("dan3", "decline")
    assert (play.stands.state, play.offer[:2]) == ("l3", ("offered", None))


def test_the_newest_brief_follows_the_offer_in_its_writers_name():
    play = offered("bea2", "mia2")
    play.call("ann0", "brief")
    said = play.stands.handoff
    play.call("bea2", "decline")
    assert play.offer == ("briefed", "mia2", "ann0")
    now = play.stands.handoff
    assert said
    assert said.brief
    assert now
    assert now.brief
    assert now.brief.said == said.brief.said
    play.call("mia2", "accept")


def test_the_clocks_brief_is_filled_in_anew_for_whoever_is_next():
    play = offered("bea2", "mia2")
    before = play.stands.handoff
    play.call("bea2", "decline")
    now = play.stands.handoff
    assert before
    assert before.brief
    assert now
    assert now.brief
    assert (now.brief.by, now.brief.said != before.brief.said) == ("clock", True)


def test_people_say_why_and_the_clock_has_its_reason_for_it():
    play = offered("bea2", "mia2")
    play.call("bea2", "decline")
    assert play.last.said
    assert (play.last.reason, set(play.last.said.text)) == ("handoff_declined", {"reason", "brief"})
    play.duty("mia2", on=False)
    assert play.last.said
    assert (play.last.reason, set(play.last.said.text)) == ("went_off_duty", {"brief"})
    for accepted, said in ((False, {"brief"}), (True, None)):
        play = at_level(2, accepted=accepted)
        play.report(status="solved")
        play.call("mia2", "de_escalate", criterion="issue_resolved")
        play.report(status="open")
        assert (play.last.reason, play.last.said and set(play.last.said.text)) == ("ticket_reopened", said)


def test_an_offer_to_somebody_is_briefed_at_once_and_one_to_nobody_is_not():
    for people, at in ((("mia2",), NOW), (("-mia2",), None)):
        h = offered(*people).stands.handoff
        assert h
        assert h.briefed_at == at


def test_an_offer_without_a_brief_is_briefed_by_the_first_one():
    e = pending("l1", by=None)
    fields = given.Brief("offered1", "i", "r", "c", "n")
    got = decide(facts(OWNER, e, ticket()), Command("c", Transition(e.id, "brief", fields), "r"), POLICY, NOW)
    assert isinstance(got, Decision)
    assert got.escalation
    assert got.escalation.handoff
    assert (got.escalation.handoff.status, got.escalation.handoff.briefed_at) == ("briefed", NOW)


def test_a_brief_follows_a_reassign_too():
    play = offered("bea2", "mia2")
    play.call("ann0", "brief")
    play.call("ann0", "reassign", to="mia2")
    assert play.offer == ("briefed", "mia2", "ann0")


def test_resuming_an_unanswered_level_offers_it_not_again_to_who_declined():
    play = offered("bea2", "mia2")
    play.call("bea2", "decline")
    play.report(status="solved")
    play.call("ann0", "de_escalate", criterion="issue_resolved")
    play.report(status="open")
    h = play.stands.handoff
    assert h
    assert (play.stands.state, h.to, h.declined) == ("l2", "mia2", ("bea2",))


def test_while_nobody_owns_it_nobody_hears_that_it_was_declined_or_taken_over():
    play = Play(people=("bea2", "mia2"))
    play.report()
    play.request("blocking_business_process", "desk")
    play.call("bea2", "decline")
    assert [m.template for m in play.last.messages] == ["handoff_offered"]
    play.call("mia2", "accept")
    assert [m.template for m in play.last.messages] == ["escalated"]


def test_the_owner_hears_of_a_decline():
    play = offered("bea2", "mia2")
    play.call("bea2", "decline")
    assert [(m.to, m.template) for m in play.last.messages] == [
        ("ann0", "handoff_declined"),
        ("mia2", "handoff_offered"),
    ]


def test_the_newest_brief_is_not_followed_to_its_own_writer():
    play = at_level(1, people=("ann0", "lee1", "bea2", "mia2"))
    play.call("bea2", "escalate")
    play.call("mia2", "decline")
    assert play.offer == ("briefed", "bea2", "clock")


def test_the_only_one_who_could_take_it_declines_and_it_waits_for_somebody():
    play = offered("mia2")
    play.call("mia2", "decline")
    assert (play.stands.state, play.offer) == ("l2", ("offered", None, "clock"))
    assert play.stands.page_by == play.stands.respond_by
    assert play.told("escalations")[0].template == "nobody_on_duty"
    assert play.stands.owner == "ann0"


def test_at_l4_a_decline_never_dead_ends():
    play = offered("vic4", n=4)
    play.call("vic4", "decline")
    assert (play.stands.state, play.offer[:2]) == ("l4", ("offered", None))
    assert play.stands.page_by is not None
    play.call("vic4", "reassign", to="vic4")
    play.call("vic4", "accept")
    assert play.stands.owner == "vic4"


def test_a_higher_level_supersedes_the_old_handoff():
    play = offered("mia2", "dan3")
    assert play.refused("ann0", "escalate") == (422, ["handoff_settled"])
    play.until(2 * HOUR)
    assert play.stands.state == "l3"
    entry = next(e for e in play.entries if e.trigger == "escalate")
    assert (entry.detail["superseded"], entry.reason) == ("mia2", "response_overdue")
    assert play.refused("mia2", "accept")[0] == 403


# Reassigning ------------------------------------------------------------------------------------------------------


def test_reassigning_before_the_accept_does_not_move_respond_by():
    play = offered("bea2", "mia2", "dan3")
    respond_by = play.stands.respond_by
    play.until(30 * MINUTE)
    play.call("ann0", "reassign", to="mia2")
    assert (play.offer, play.stands.respond_by, play.stands.page_by) == (
        ("briefed", "mia2", "clock"),
        respond_by,
        respond_by,
    )
    assert "escalate l3" in play.until(2 * HOUR)


def test_reassigning_before_the_accept_keeps_who_declined():
    play = offered("bea2", "mia2", "dan3")
    play.call("bea2", "decline")
    play.call("ann0", "reassign", to="dan3")
    play.call("dan3", "decline")
    assert play.offer[1] == "mia2"


def test_reassigning_after_the_accept_asks_anew_also_who_declined_the_level():
    play = offered("bea2", "mia2")
    play.call("bea2", "decline")
    play.call("mia2", "accept")
    play.call("mia2", "reassign", to="bea2")
    h = play.stands.handoff
    assert h
    assert (h.to, h.declined) == ("bea2", ())


def test_reassigning_after_the_accept_has_the_levels_response_time():
    play = at_level(2)
    play.until(10 * MINUTE)
    play.call("mia2", "reassign", to="dan3")
    assert (play.stands.owner, play.offer) == ("mia2", ("briefed", "dan3", "clock"))
    assert play.stands.respond_by == play.stands.page_by == play.now + 2 * HOUR
    play.call("dan3", "accept")
    assert (play.stands.owner, play.stands.respond_by, play.stands.page_by) == ("dan3", None, None)
    assert play.stands.engaged == ("ann0", "mia2", "dan3")


def test_an_unanswered_reassign_lapses_and_the_owner_stays():
    play = at_level(2)
    play.call("mia2", "reassign", to="dan3")
    assert play.until(2 * HOUR - MOMENT) == ["remind l2"]  # an update of the customer was missed
    assert play.until(MOMENT) == ["decline l2"]
    assert (play.stands.owner, play.offer[0], play.last.actor, play.last.reason) == (
        "mia2",
        "declined",
        "clock",
        "unanswered",
    )
    assert (play.stands.respond_by, play.stands.page_by) == (None, None)
    play.call("mia2", "escalate")


def test_a_declined_reassign_lapses_and_the_owner_stays():
    play = at_level(2)
    play.call("mia2", "reassign", to="dan3")
    assert play.refused("mia2", "escalate") == (422, ["handoff_settled"])
    play.call("dan3", "decline")
    assert (play.stands.owner, play.stands.state, play.offer[:2]) == ("mia2", "l2", ("declined", "dan3"))
    play.call("mia2", "reassign", to="dan3")
    play.call("dan3", "accept")


def test_at_l4_a_reassign_is_late_at_once_and_lapses_at_the_first_page():
    play = at_level(4)
    play.people["viv4"] = play.people["vic4"]
    play.call("vic4", "reassign", to="viv4")
    assert (play.stands.respond_by, play.stands.page_by) == (play.now, play.now + 5 * MINUTE)
    assert play.until(5 * MINUTE) == ["decline l4"]
    assert play.stands.owner == "vic4"


def test_reassigning_to_the_briefs_writer_takes_the_clocks_brief():
    play = at_level(1, people=("ann0", "lee1", "bea2", "mia2"))
    play.call("bea2", "escalate")
    play.call("lee1", "reassign", to="bea2")
    assert play.offer == ("briefed", "bea2", "clock")
    play.call("bea2", "accept")


# Join and disengage -----------------------------------------------------------------------------------------------


def test_join_and_disengage_change_the_engaged_and_the_chain_remembers():
    play = at_level(2)
    play.call("dan3", "join")
    assert not play.last.messages, "who joins by themselves knows it"
    assert play.stands.engaged == ("ann0", "mia2", "dan3")
    play.call("mia2", "join", person="lee1")
    assert [m.to for m in play.last.messages if m.template == "joined"] == ["lee1"]
    play.call("mia2", "disengage", person="dan3")
    play.call("lee1", "disengage")
    assert not {"dan3", "lee1"} & set(play.stands.engaged)
    assert play.stands.chain == ("ann0", "mia2", "dan3", "lee1")
    play.call("dan3", "join")


# What is said -----------------------------------------------------------------------------------------------------


def test_calling_a_level_tells_escalations_the_person_the_customer_and_the_help_desk():
    play = offered("mia2")
    assert [f"{m.audience} {m.to} {m.template}" for m in play.last.messages] == [
        "escalations #escalations escalation",
        "person mia2 handoff_offered",
        "customer acme escalated",
        "help_desk T-1 level_changed",
    ]
    assert play.last.messages[2].payload == {"level": 2, "owner": "ann0", "copy": "max"}
    assert play.last.messages[3].payload == {"tag": "escalation-l2"}
    assert play.last.said
    assert play.last.messages[0].payload["brief"] == play.last.said.id


def test_the_reason_code_that_escalate_names_is_its_reason():
    for code, reason in (({"code": "extended_outage"}, "extended_outage"), ({}, "escalated")):
        play = at_level(2)
        play.call("mia2", "escalate", **code)
        assert (play.last.reason, play.last.detail) == (reason, code)
        assert play.last.said
        assert play.last.said.text["reason"] == "because"
