"""Trials: what a policy would do with a ticket, decided by the machine itself, and each deadline with its cell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from machines.trial import FLAGGED, MOST_STEPS, Told, Trial, play
from machines.values import State
from tests.machines.cast import NOW, POLICY

HOUR = timedelta(hours=1)


def tried(tier: str = "enterprise", priority: str = "p2", **facts: Any) -> Told:
    trial = Trial(tier, priority, NOW, **facts)  # type: ignore[arg-type]  # what a door would check
    assert list(trial.wrong()) == []
    return play(trial, POLICY, lambda _: ())


def told(outcome: Told) -> list[tuple[timedelta, str, int]]:
    return [(step.at - NOW, step.trigger, step.level) for step in outcome.steps]


def test_an_outage_of_a_professional_that_nobody_answers_rises_by_each_levels_response_time() -> None:
    steps = told(tried("professional", "p0"))
    moves = [step for step in steps if step[1] in ("open", "engage", "escalate")]
    assert moves == [(0 * HOUR, "open", 0), (HOUR, "engage", 2), (3 * HOUR, "escalate", 3), (7 * HOUR, "escalate", 4)]


def test_l4_is_paged_again_in_one_step_with_all_its_instants() -> None:
    paged = next(step for step in tried("enterprise", "p0", until=NOW + 6 * HOUR).steps if step.trigger == "repage")
    assert paged.level == 4
    assert paged.at - NOW == 4 * HOUR + timedelta(minutes=5)
    assert [at - paged.at for at in paged.again[:2]] == [timedelta(minutes=5), timedelta(minutes=10)]


@pytest.mark.parametrize("tier", ["enterprise", "professional", "starter"])
@pytest.mark.parametrize("situation", ["customer_request", *FLAGGED, "executive_visibility"])
def test_every_deadline_is_its_begin_and_the_cell_that_it_names(tier: str, situation: str) -> None:
    seen = 0
    for step in tried(tier, "p1", situation=situation).steps:
        for due in step.due:
            assert due.since + due.within == due.at
            cell: Any = POLICY.document
            for name in due.path.split("."):
                cell = cell[name] if isinstance(cell, dict) else getattr(cell, name)
            span = getattr(cell, "within", cell)
            assert span == due.within, due.path
            assert due.origin in ("document", "default")
            seen += 1
    assert seen >= 2


def test_a_p0_told_through_the_emergency_contact_goes_by_the_row_for_that() -> None:
    due = [d for step in tried("starter", "p0", situation="security_flag", channel="emergency").steps for d in step.due]
    assert "matrix.security_flag.emergency" in [each.path for each in due]


def test_what_a_tier_may_not_is_refused_in_the_guards_words_and_the_clocks_go_on() -> None:
    outcome = tried("starter", situation="customer_request", channel="call")
    assert [failure.guard for failure in outcome.refused] == ["channel_allowed"]
    assert outcome.steps[0].reason == "sla_breach"


def test_a_request_without_a_promise_of_time_stays_open() -> None:
    steps = tried("starter", "p3", situation="customer_request", until=NOW + 24 * HOUR).steps
    assert [step.dest for step in steps] == [State.OPEN]
    assert steps[0].due == ()


def test_waiting_for_the_customer_moves_the_resolution_and_solving_ends_what_is_open() -> None:
    breach = next(step.at for step in tried("professional", "p2", first_responded_at=NOW + HOUR).steps)
    paused = tried(
        "professional",
        "p2",
        first_responded_at=NOW + HOUR,
        paused_at=NOW + 2 * HOUR,
        resumed_at=NOW + 5 * HOUR,
    )
    assert paused.steps[0].at - breach == 3 * HOUR
    solved = tried("professional", "p0", solved_at=NOW + HOUR / 2)
    assert [step.trigger for step in solved.steps] == ["open", "withdraw"]
    assert solved.told_at == NOW + HOUR / 2
    assert solved.ticket.solved


def test_the_policys_words_begin_what_they_begin() -> None:
    from service.hearing.words import find

    trial = Trial("enterprise", "p2", NOW, subject="Our data was leaked: data breach")
    steps = play(trial, POLICY, lambda report: find(POLICY, report)).steps
    assert steps[0].reason == "security_flag"
    assert steps[0].due[0].at == NOW + timedelta(minutes=15)


def test_a_trial_ends_however_far_it_looks() -> None:
    outcome = tried("starter", "p0", until=NOW + timedelta(days=366))
    assert len(outcome.steps) <= MOST_STEPS


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"solved_at": NOW - HOUR}, "solved_at"),
        ({"resumed_at": NOW + HOUR}, "resumed_at"),
        ({"paused_at": NOW + HOUR, "resumed_at": NOW + HOUR}, "resumed_at"),
        ({"channel": "call"}, "channel"),
        ({"situation_at": NOW}, "situation_at"),
        ({"until": NOW + timedelta(days=367)}, "until"),
    ],
)
def test_facts_that_do_not_fit_together_are_named(facts: dict[str, Any], field: str) -> None:
    assert [name for name, _ in Trial("starter", "p2", NOW, **facts).wrong()] == [field]
