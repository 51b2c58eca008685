"""What waits on a ticket by itself: breaches of its SLA clocks become situations, warnings do not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from machines.asked import Rearm
from machines.decided import Decision
from machines.document import Cell
from machines.matrix import Policy
from machines.values import Tier
from tests.machines.cast import HOUR, MINUTE, NOW, POLICY
from tests.machines.play import Play

DAY = timedelta(days=1)


def reported(tier: str = "enterprise", policy: Policy = POLICY, **facts: Any) -> Play:
    """A P2 that was answered when it was opened, so that one clock is left."""
    play = Play(tier, policy=policy, clocks=True)
    play.report(**{"first_responded_at": NOW, **facts})
    return play


def test_a_breach_opens_and_engages_at_its_instant():
    play = reported()
    assert play.until(2 * DAY - MINUTE) == []
    assert play.until(MINUTE) == ["open open", "engage l2"]
    (situation,) = play.stands.situations
    assert (situation.situation, situation.at, situation.origin) == ("sla_breach", NOW + 2 * DAY, "automatic")
    assert situation.detail == {"clock": "resolution", "row": "sla.enterprise.p2.resolution"}
    assert "resolution" not in play.timers


def test_both_clocks_of_a_ticket_that_nobody_looked_at_breach_once_each():
    play = Play(clocks=True)
    play.report()
    play.until(9 * DAY)
    assert [s.detail["clock"] for s in play.stands.situations] == ["first_response", "resolution"]


def test_a_breach_is_once_however_much_begins_afterwards():
    """What has begun is kept for the last two hundred facts; a breach is a fact for good."""
    play = reported()
    play.until(2 * DAY)
    assert play.ticket
    play.ticket = replace(play.ticket, begun=tuple(f"p0_outage@{n}" for n in range(200)))
    play.report(status="pending", first_responded_at=NOW)
    assert "resolution" not in play.timers
    assert len(play.stands.situations) == 1


def test_warnings_make_no_row_of_history_and_are_kept_with_the_ticket():
    play = reported()
    due = play.timers["resolution"]
    play.now = due
    got = play.fire("resolution", due)
    assert (due, got.entries, [w.percent for w in got.warned]) == (NOW + DAY, (), [50])
    assert play.timers["resolution"] == NOW + 1.5 * DAY
    assert play.ticket
    assert play.ticket.warned == got.warned


def test_a_clock_that_nobody_fired_in_time_breaches_at_its_own_instant_without_stale_warnings():
    """The service stood still for three days."""
    play = reported()
    due, play.now = play.timers["resolution"], NOW + 3 * DAY
    got = play.fire("resolution", due)
    assert [(w.percent, w.at) for w in got.warned] == [(100, NOW + 2 * DAY)]
    assert play.stands.situations[0].at == NOW + 2 * DAY
    assert {entry.detail["due_at"] for entry in got.entries} == {due}
    assert play.fire("resolution", due).entries == ()


def test_a_tier_without_such_a_row_has_its_breach_recorded_and_nothing_opened():
    row = POLICY.document.matrix["sla_breach"]
    none = replace(row, starter=Cell(level=0, origin="default"))
    policy = Policy(replace(POLICY.document, matrix={**POLICY.document.matrix, "sla_breach": none}), 1)
    play = reported("starter", policy)
    assert play.until(30 * DAY) == []
    assert play.ticket
    assert play.ticket.warned[-1].percent == 100
    assert play.timers == {}


def test_a_breach_is_added_to_what_is_open_and_raises_it():
    play = reported()
    play.request("workaround_unacceptable", "ann0")
    play.call("lee1", "accept")
    seen = len(play.entries)
    play.until(2 * DAY)
    assert [s for s in play.story(seen) if not s.startswith("remind")] == ["add_situation l1", "escalate l2"]


def test_what_is_solved_in_time_has_no_timer_and_what_is_solved_late_begins_nothing():
    play = reported()
    play.report(status="solved", first_responded_at=NOW)
    assert (play.timers, play.until(9 * DAY)) == ({}, [])


def test_live_since_is_compared_with_the_instant_of_the_breach():
    policy = Policy(replace(POLICY.document, live_since=NOW + 2 * DAY + MINUTE), 1)
    assert reported(policy=policy).until(9 * DAY) == []


def test_a_policy_that_moved_the_target_meanwhile_moves_the_timer():
    play = reported()
    due = play.timers["resolution"]
    sla = {**POLICY.document.sla, "enterprise": POLICY.document.sla["professional"]}
    play.policy = Policy(replace(POLICY.document, sla=sla), 2)
    play.now = due
    assert play.fire("resolution", due).entries == ()
    assert play.timers["resolution"] == NOW + 1.5 * DAY, "half of three days"


def test_a_timer_that_fires_moves_itself_and_no_other():
    play = Play(clocks=True)
    play.report()
    due = play.timers["first_response"]
    assert due < play.timers["resolution"]
    play.now = due
    assert play.fire("first_response", due).timers == {"first_response": NOW + 3 * HOUR}, "75 % of four hours"


# Another tier -----------------------------------------------------------------------------------------------------


def moved(play: Play, tier: Tier) -> Decision:
    """The customer's contract is another."""
    play.customer = replace(play.customer, tier=tier)
    return play.did("clock", Rearm("T-1"))


def test_another_tier_moves_the_clocks_that_run_and_what_was_counted_stays():
    play = reported("professional")
    play.until(DAY)
    got = moved(play, "enterprise")
    assert got.ticket
    assert [(phase.at, phase.tier) for phase in got.ticket.phases] == [
        (NOW, "professional"),
        (NOW + DAY, "enterprise"),
    ]
    assert (got.entries, got.timers) == ((), {"resolution": NOW + DAY})
    play.until(DAY)
    assert play.stands.situations[0].at == NOW + 2 * DAY, "two days in all, of which one had passed"


def test_the_same_tier_again_changes_nothing():
    play = reported()
    play.until(HOUR)
    got = moved(play, "enterprise")
    assert (got.ticket, got.timers) == (None, {})


def test_what_is_solved_keeps_the_terms_under_which_it_was_solved():
    play = reported()
    play.until(HOUR)
    play.report(status="solved", first_responded_at=NOW)
    before = play.ticket
    play.until(HOUR)
    got = moved(play, "starter")
    assert (got.ticket, got.timers, play.ticket) == (None, {}, before)
    play.until(HOUR)
    play.report(status="open", first_responded_at=NOW)
    assert play.ticket
    assert [phase.tier for phase in play.ticket.phases] == ["enterprise", "enterprise", "starter"]


def test_a_report_that_was_known_before_there_were_clocks_begins_them_as_it_was_known():
    play = reported(priority="p1", status="pending")
    assert play.ticket
    play.ticket = replace(play.ticket, phases=())
    play.timers.clear()
    play.now = NOW + HOUR
    play.report(status="open", first_responded_at=NOW)
    assert play.ticket
    assert [(phase.at, phase.status) for phase in play.ticket.phases] == [(NOW, "pending"), (NOW + HOUR, "open")]
