"""Words begin flags, a word once on a ticket; an emergency is what its text says. `domain.md`, "Channels"."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from machines.asked import Found
from tests.machines.cast import HOUR, MINUTE, NOW, POLICY
from tests.machines.play import Play


def word(text: str = "hacked", situation: str = "security_flag", field: str = "body") -> Found:
    return Found(situation, "list", text, field, 3, text.upper(), f"{situation}:list:{text}")


LOSS = word("lost sales", "revenue_impact")


def reported(tier: str = "enterprise", **facts: Any) -> Play:
    play = Play(tier)
    play.report(**facts)
    return play


def standing(play: Play) -> list[tuple[str, list[str]]]:
    return [(s.situation, [w["word"] for w in s.detail.get("words", ())]) for s in play.stands.situations]


def test_a_customers_word_begins_its_situation_with_the_word_and_its_place():
    play = reported()
    got = play.contact("portal", found=(word(), LOSS))
    assert [s.situation for s in got.situations] == ["security_flag", "revenue_impact"]
    assert got.contact is not None
    told = {"list": "list", "word": "hacked", "field": "body", "at": 3, "text": "HACKED"}
    assert play.stands.situations[0].detail == {"contact": got.contact.id, "words": [told]}
    assert (play.stands.state, play.stands.target_level, play.stands.engage_by) == ("open", 3, NOW + 15 * MINUTE)


def test_a_ticket_that_opens_with_a_word_counts_from_its_opening():
    play = Play()
    play.report(opened_at=NOW - 5 * MINUTE, found=(word(field="subject"),))
    assert play.stands.situations[0].at == NOW - 5 * MINUTE
    assert play.stands.engage_by == NOW + 10 * MINUTE


def test_a_word_that_comes_after_the_opening_counts_from_the_report_that_brings_it():
    play = reported(found=())
    play.until(MINUTE)
    play.report(found=(word(),))
    assert play.stands.situations[0].at == NOW + MINUTE


def test_the_same_word_again_adds_nothing_also_after_it_was_dismissed_and_another_does():
    play = reported(found=(word(),))
    first = play.stands
    assert play.report(found=(word(),)).situations == ()
    assert play.contact("reply", found=(word(),)).situations == ()
    assert play.stands is first
    play.call("lee1", "dismiss_situation", situation="security_flag")
    assert play.contact("reply", found=(word(),)).situations == ()
    play.contact("reply", found=(word(), word("breached")))
    assert standing(play) == [("security_flag", ["breached"])]


def test_a_dismissal_tells_which_words_were_a_false_alarm():
    play = reported(found=(word(), LOSS))
    play.call("lee1", "dismiss_situation", situation="security_flag")
    assert (play.last.trigger, play.last.reason) == ("dismiss_situation", "dismissed_security_flag")
    assert [w["word"] for w in play.last.detail["words"]] == ["hacked"]
    assert standing(play) == [("revenue_impact", ["lost sales"])]


def test_the_agent_who_owns_it_dismisses_a_false_alarm_before_anybody_is_called():
    play = reported(found=(word(),))
    assert play.stands.owner == "ann0"
    play.until(14 * MINUTE)
    play.call("ann0", "dismiss_situation", situation="security_flag")
    assert play.until(HOUR) == []
    play.call("ann0", "withdraw", criterion="request_withdrawn")
    assert play.stands.state == "closed"


def test_a_ticket_that_arrives_solved_flags_nothing_and_one_of_before_live_since_neither():
    assert reported(status="solved", found=(word(),)).e is None
    since = type(POLICY)(replace(POLICY.document, live_since=NOW + timedelta(1)))
    play = Play(policy=since)
    play.report(found=(word(),))
    play.contact("reply", found=(word(),))
    assert play.e is None


def test_a_row_that_leads_nowhere_flags_nothing():
    row = replace(POLICY.document.matrix["revenue_impact"], starter=POLICY.cell("p1_unresolved", "starter"))
    matrix = {**POLICY.document.matrix, "revenue_impact": row}
    play = Play("starter", policy=type(POLICY)(replace(POLICY.document, matrix=matrix)))
    play.report(found=(LOSS,))
    assert play.e is None


def test_an_admin_who_reports_has_no_part_in_it():
    play = Play()
    play.report("root", found=(word(),))
    assert play.stands.opened_by == "clock"


@pytest.mark.parametrize("tier", ["enterprise", "professional", "starter"])
def test_an_emergency_of_a_p0_whose_own_text_is_flagged_is_level_3_at_once(tier):
    play = reported(tier, priority="p0", status="solved")  # its outage is not what this is about
    got = play.contact("emergency", found=(word(),))
    assert (got.refused, play.stands.state) == ((), "l3")
    assert standing(play) == [("security_flag", ["hacked"])]


def test_an_emergency_that_is_no_p0_is_refused_and_its_words_count_all_the_same():
    play = reported()
    got = play.contact("emergency", found=(word(),))
    assert [f.guard for f in got.refused] == ["channel_allowed"]
    assert (play.stands.state, play.stands.target_level, play.stands.engage_by) == ("open", 2, NOW + 15 * MINUTE)


def test_an_emergency_of_a_p0_without_a_flag_is_refused():
    play = reported(priority="p0", status="solved")
    assert [f.guard for f in play.contact("emergency").refused] == ["channel_allowed"]
    assert play.e is None


def test_a_call_that_has_a_flagged_word_is_a_request_and_a_flag():
    play = reported()
    play.contact("call", found=(word(),))
    assert [name for name, _ in standing(play)] == ["security_flag", "customer_request"]
    assert play.stands.engage_by == NOW + 15 * MINUTE
