"""Moving a running escalation to another version of the policy: each deadline is counted anew from where it began."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from machines import matrix
from machines.asked import Actor, Command, MovePolicy
from machines.decide import decide
from machines.decided import Decision, Refusal
from machines.matrix import Policy
from machines.values import State
from tests.machines.cast import NOW
from tests.machines.play import Play

HOUR = timedelta(hours=1)
ROOT = Actor("root", "admin")
TEXT = matrix.default_text()


def policy(*changes: tuple[str, str]) -> Policy:
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return matrix.parse(text, 2)


def move(play: Play, to: Policy, *, after: timedelta = timedelta(0), by: Actor = ROOT, seen: int | None = None) -> Any:
    """What the machine decides of a move, so long after the newest thing that was played."""
    play.now += after
    ask = MovePolicy("T-1", play.stands.id, to.version, seen, to)
    return decide(play.facts(by), Command("move", ask, "r"), play.policy, play.now)


def moved(play: Play, *changes: tuple[str, str], after: timedelta = timedelta(0)) -> dict[str, tuple[Any, Any]]:
    decision = move(play, policy(*changes), after=after)
    assert isinstance(decision, Decision)
    return {each["name"]: (each["before"], each["after"]) for each in decision.entries[0].detail["moved"]}


OUTAGE = 'professional = { level = 2, within = "PT1H", origin = "document" }\nstarter = { level = 1, within = "PT2H"'


def outage(cell: str) -> tuple[str, str]:
    return OUTAGE, OUTAGE.replace('professional = { level = 2, within = "PT1H"', f"professional = {{ {cell}")


@pytest.fixture
def waiting() -> Play:
    """A professional's outage: L2 is to be called within an hour."""
    play = Play("professional", clocks=True)
    play.report(priority="p0")
    assert play.stands.state == State.OPEN
    return play


@pytest.fixture
def called() -> Play:
    """An enterprise's outage at L3, offered and not answered."""
    play = Play(clocks=True)
    play.report(priority="p0", first_responded_at=NOW)
    assert play.stands.state == State.L3
    return play


def test_the_same_rules_change_no_deadline_and_the_move_is_a_row_of_history_all_the_same(called: Play) -> None:
    decision = move(called, policy())
    entry = decision.entries[0]
    assert (entry.trigger, entry.actor, entry.source, entry.state) == ("move_policy", "root", "l3", "l3")
    assert entry.detail == {"policy_version": 2, "from_version": called.policy.version, "moved": []}
    assert entry.changed == {"policy_version": 2}
    assert decision.escalation.policy_version == entry.policy_version == 2


def test_an_open_escalation_is_called_by_the_new_rows_time_counted_from_when_it_began(waiting: Play) -> None:
    found = moved(waiting, outage('level = 2, within = "PT30M"'), after=timedelta(minutes=10))
    assert found["engage_by"] == (NOW + HOUR, NOW + HOUR / 2)


def test_what_has_passed_by_the_new_version_is_due_now_and_never_in_the_past(waiting: Play) -> None:
    found = moved(waiting, outage('level = 3, within = "PT30M"'), after=timedelta(minutes=40))
    assert found["engage_by"] == (NOW + HOUR, NOW + timedelta(minutes=40))
    assert found["target_level"] == (2, 3)


def test_a_row_that_the_new_version_does_not_have_keeps_level_and_deadline(waiting: Play) -> None:
    cell = 'professional = { level = 2, within = "PT1H", origin = "document" }\nstarter'
    assert moved(waiting, (cell, 'professional = { level = 0, origin = "document" }\nstarter')) == {}


def test_a_lower_row_takes_nobody_down_from_where_it_stands(called: Play) -> None:
    cell = 'enterprise = { level = 3, within = "PT0S", origin = "document" }'
    decision = move(called, policy((cell, 'enterprise = { level = 1, within = "PT2H", origin = "document" }')))
    assert decision.escalation.state == State.L3
    assert decision.escalation.engage_by is None


def test_an_unanswered_level_is_late_by_the_new_response_time_counted_from_when_it_was_called(called: Play) -> None:
    change = ('respond_within = "PT4H"', 'respond_within = "PT1H"')
    found = moved(called, change, after=timedelta(minutes=30))
    assert found["respond_by"] == found["page_by"] == (NOW + 4 * HOUR, NOW + HOUR)
    found = moved(called, change, after=1.5 * HOUR)
    assert found["respond_by"] == (NOW + 4 * HOUR, NOW + HOUR), "it was late then"
    assert found["page_by"] == (NOW + 4 * HOUR, NOW + 2 * HOUR), "and is acted on now"


def test_an_answered_level_has_no_response_clock_under_the_new_version_either(called: Play) -> None:
    called.call("dan3", "accept")
    assert "respond_by" not in moved(called, ('respond_within = "PT4H"', 'respond_within = "PT1H"'))


def test_the_customer_hears_by_the_new_interval_counted_from_the_last_word(called: Play) -> None:
    change = ('enterprise = { every = "PT1H"', 'enterprise = { every = "PT30M"')
    assert moved(called, change)["next_update_by"] == (NOW + HOUR, NOW + HOUR / 2)
    assert moved(called, change, after=HOUR * 0.75)["next_update_by"] == (NOW + HOUR, NOW + HOUR * 0.75)


def test_the_tickets_own_clocks_go_by_the_new_version_with_it(called: Play) -> None:
    change = (
        'p0 = { first_response = "PT15M", resolution = "PT4H"',
        'p0 = { first_response = "PT15M", resolution = "PT2H"',
    )
    decision = move(called, policy(change))
    assert decision.timers["resolution"] == NOW + HOUR, "half of it: the first warning"
    told = {each["name"] for each in decision.entries[0].detail["moved"]}
    assert told == {"resolution"}


def test_l4_is_paged_by_the_new_bands() -> None:
    play = Play(clocks=True)
    play.report()
    play.request("regulatory_compliance")
    assert play.stands.state == State.L4
    found = moved(play, ('every = "PT5M"', 'every = "PT2M"'), after=timedelta(minutes=1))
    assert found == {"page_by": (NOW + timedelta(minutes=5), NOW + timedelta(minutes=3))}


def test_moving_where_it_stands_already_changes_nothing(called: Play) -> None:
    assert move(called, called.policy).entries == ()


def test_only_an_admin_moves_it(called: Play) -> None:
    for actor in (Actor("vic4", "executive", 4), Actor("desk", "service"), Actor("eye", "auditor")):
        refused = move(called, policy(), by=actor)
        assert isinstance(refused, Refusal)
        assert refused.status == 403
        assert refused.failed[0].who_could


def test_what_has_changed_since_it_was_looked_at_is_not_moved(called: Play) -> None:
    refused = move(called, policy(), seen=1)
    assert (refused.status, refused.code) == (412, "stale_version")
    assert isinstance(move(called, policy(), seen=called.stands.version), Decision)


def lives() -> Iterator[tuple[str, Play]]:
    for tier in ("enterprise", "professional", "starter"):
        for situation in ("workaround_unacceptable", "regulatory_compliance", "customer_request"):
            play = Play(tier)
            play.report(priority="p1")
            play.request(situation)
            yield f"{tier}-{situation}", play


@pytest.mark.parametrize("change", ["PT1M", "PT3H", "PT48H"])
def test_no_running_escalation_is_stranded_by_any_of_these_versions(change: str) -> None:
    spans = [('respond_within = "PT1H"', f'respond_within = "{change}"'), ('within = "PT4H"', f'within = "{change}"')]
    for after in (timedelta(0), 5 * HOUR):
        for name, play in lives():
            e = move(play, policy(*spans), after=after).escalation
            due: list[datetime] = [s.due_at for s in e.situations if s.due_at and s.level > e.level]
            assert e.engage_by == min(due, default=None), name
            assert (e.page_by is not None) == e.pending, name
            assert all(at >= play.now or at == getattr(play.stands, which) for which, at in deadlines(e)), name


def deadlines(e: Any) -> list[tuple[str, datetime]]:
    names = ("engage_by", "page_by", "next_update_by")
    return [(name, at) for name in names if (at := getattr(e, name)) is not None]
