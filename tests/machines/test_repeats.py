"""The third distinct, verified report of one issue within 30 days; reports counted once do not count again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from machines.asked import Gist
from machines.document import Cell
from machines.matrix import Policy
from machines.repeats import why
from machines.values import Reported
from tests.machines.cast import HOUR, MINUTE, NOW, POLICY
from tests.machines.play import Play

DAY = timedelta(days=1)
KIM = "kim@acme.example"


def earlier(n: int, at: datetime = NOW - DAY, **more: object) -> Reported:
    """A report of the same customer on another ticket, of the same issue key."""
    told = {"id": f"r{n}", "ticket_id": f"O-{n}", "customer_id": "acme", "at": at, "issue_key": "DISK", **more}
    return Reported(**told)  # type: ignore[arg-type]


def says(play: Play, text: str, channel: str = "portal", **more: Any) -> list[str]:
    """A contact with this text; which situations it began."""
    got = play.contact(channel, gist=Gist(text, (hash(text),)), **more)
    return [s.situation for s in got.situations]


def test_the_third_contact_on_a_ticket_is_a_repetition_and_says_which_it_counted():
    play = Play()
    play.report()
    ids = []
    for n, expected in enumerate(([], [], ["repeated_contact"])):
        play.until(HOUR)
        assert says(play, f"text {n}") == expected
        ids.append(list(play.contacts)[-1])
    (situation,) = play.stands.situations
    assert [r["id"] for r in situation.detail["reports"]] == ids
    assert [r["because"] for r in situation.detail["reports"]] == ["same_ticket", "same_ticket", "itself"]
    assert (play.stands.state, situation.at) == ("l2", play.now)


def test_reports_counted_once_do_not_count_again():
    play = Play()
    play.report()
    begun = []
    for n in range(6):
        play.until(HOUR)
        begun += says(play, f"text {n}")
    assert begun == ["repeated_contact"] * 2


@pytest.mark.parametrize(("days", "begins"), [(29, True), (30, False)])
def test_only_reports_within_the_window_count(days, begins):
    play = Play()
    play.reports = (earlier(1, NOW - days * DAY), earlier(2))
    got = play.report(issue_key="DISK")
    assert [s.situation for s in got.situations] == ["repeated_contact"] * begins


def test_a_third_ticket_of_one_issue_key_is_a_repetition():
    play = Play()
    play.reports = (earlier(1), earlier(2))
    (begun,) = play.report(issue_key="DISK").situations
    assert [r["ticket"] for r in begun.detail["reports"]] == ["O-1", "O-2", "T-1"]
    assert {r.id for r in play.reports if r.counted} == {"r1", "r2", begun.detail["reports"][-1]["id"]}


def test_a_ticket_reported_again_is_no_further_report():
    play = Play()
    play.reports = (earlier(1),)
    play.report(issue_key="DISK")
    for _ in range(3):
        play.until(HOUR)
        assert play.report(issue_key="DISK").situations == ()


def test_a_delivery_that_comes_twice_and_a_bot_that_repeats_itself_are_one_report():
    play = Play()
    play.report()
    assert says(play, "alarm") == []
    for _ in range(10):
        play.until(MINUTE)
        assert says(play, "alarm") == []
    play.until(HOUR)
    assert says(play, "alarm") == []
    assert says(play, "a word of a person") == ["repeated_contact"]


def test_calls_without_a_text_are_one_where_they_come_in_one_minute():
    play = Play()
    play.report()
    begun = []
    for _ in range(4):
        begun += [s.situation for s in play.contact("call", request=False).situations]
    assert begun == []
    for _ in range(2):
        play.until(5 * MINUTE)
        begun += [s.situation for s in play.contact("call", request=False).situations]
    assert begun == ["repeated_contact"]


@pytest.mark.parametrize(
    "more",
    [
        {"sender": "stranger@elsewhere.example"},
        {"author_role": "agent"},
        {"author_role": "system"},
    ],
)
def test_who_is_no_verified_contact_of_the_customer_reports_nothing(more):
    play = Play()
    play.report()
    for n in range(5):
        play.until(HOUR)
        assert says(play, f"text {n}", **more) == []


def test_a_machines_address_reports_nothing_even_if_it_is_a_verified_contact():
    play = Play()
    play.customer = replace(play.customer, contacts=("noreply@acme.example",))
    play.report()
    for n in range(5):
        play.until(HOUR)
        assert says(play, f"text {n}", sender="NoReply@acme.example") == []


def test_an_opening_and_the_first_contact_on_it_are_one_report():
    play = Play()
    play.reports = (earlier(1),)
    play.report(issue_key="DISK")
    assert says(play, "as I wrote") == []
    play.until(HOUR)
    assert says(play, "and again") == ["repeated_contact"]


WORDS = tuple(range(10))


@pytest.mark.parametrize(
    ("theirs", "same"),
    [(WORDS, True), (WORDS[:6], True), (WORDS[:5], False), ((*WORDS, 98, 99), True), (tuple(range(50, 60)), False)],
)
def test_tickets_of_one_customer_are_similar_where_most_words_that_opened_them_are_the_same(theirs, same):
    one = earlier(1, issue_key=None, words=WORDS, print="a")
    other = earlier(2, issue_key=None, words=theirs, print="b")
    assert why(one, other, POLICY) == ("similar_text" if same else None)
    assert why(one, replace(other, customer_id="beta"), POLICY) is None
    assert why(one, replace(other, sender="boss@acme.example"), POLICY) is None
    assert why(replace(one, sender="boss@acme.example"), other, POLICY) is None


def test_four_words_are_enough_to_be_alike():
    one, other = (earlier(n, issue_key=None, words=(1, 2, 3, 4), print="a") for n in (1, 2))
    assert why(one, other, POLICY) == "similar_text"


def test_short_texts_are_like_none():
    one, other = (earlier(n, issue_key=None, words=(1, 2, 3), print="a") for n in (1, 2))
    assert why(one, other, POLICY) is None


def test_a_ticket_that_arrives_solved_reports_nothing():
    play = Play()
    play.reports = (earlier(1), earlier(2))
    assert play.report(issue_key="DISK", status="solved").situations == ()


def test_reports_of_other_issues_do_not_count():
    play = Play()
    play.reports = (earlier(1, issue_key="NETWORK"), earlier(2, issue_key="NETWORK"))
    assert play.report(issue_key="DISK").situations == ()


def test_a_tier_without_such_a_row_begins_nothing_and_a_duplicate_is_no_third_report_once_there_is_one():
    row = POLICY.document.matrix["repeated_contact"]
    none = replace(row, starter=Cell(level=0, origin="default"))
    matrix = {**POLICY.document.matrix, "repeated_contact": none}
    play = Play("starter", policy=Policy(replace(POLICY.document, matrix=matrix), 1))
    play.report()
    for n in range(4):
        play.until(HOUR)
        assert says(play, f"text {n}") == []
    play.policy = POLICY
    play.until(MINUTE)
    assert says(play, "text 3") == []
    assert says(play, "text 4") == ["repeated_contact"]


def test_what_is_told_again_under_an_id_that_counts_already_is_the_same_report():
    play = Play()
    play.report()
    play.reports = tuple(earlier(n, id=f"k{n}", ticket_id="T-1", sender=KIM, print=f"text {n}") for n in (0, 1))
    assert says(play, "as it was corrected", id="k0") == []
    assert says(play, "another", id="k2") == ["repeated_contact"]


@pytest.mark.parametrize(("later", "begins"), [(timedelta(microseconds=-1), False), (timedelta(0), True)])
def test_the_same_text_counts_again_once_it_is_an_hour_apart(later, begins):
    play = Play()
    play.report()
    assert says(play, "alarm") == []
    play.until(HOUR + later)
    assert says(play, "alarm") == []
    assert says(play, "a word of a person") == ["repeated_contact"] * begins


def test_a_mail_to_two_tickets_of_one_issue_is_one_report():
    play = Play()
    play.report(issue_key="DISK")
    play.reports += (earlier(1, NOW - MINUTE, sender=KIM, print="a"), earlier(2))
    assert says(play, "a") == []
    assert says(play, "b") == ["repeated_contact"]


def test_calls_on_different_tickets_are_different_reports_and_so_are_tickets_that_open_with_the_same_text():
    play = Play()
    play.report(issue_key="DISK")
    play.reports += tuple(earlier(n, NOW, sender=KIM) for n in (1, 2))
    assert [s.situation for s in play.contact("call", request=False).situations] == ["repeated_contact"]
    play = Play()
    play.reports = tuple(earlier(n, NOW, print="a") for n in (1, 2))
    assert [s.situation for s in play.report(issue_key="DISK").situations] == ["repeated_contact"]
