"""The facts of a batch: who asks, which escalation a command is about, and what the commands before left behind."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from machines.asked import THE_CLOCK, Command, Fire, Gist, Heard, Rearm, Report, Request, Transition
from machines.decided import Decision, Refusal
from machines.fields import Note, Nothing, WithCriterion
from machines.matrix import Policy
from machines.values import Customer, Escalation, Person, Ticket
from machines.world import Principal, Snapshot, World, holders, ticket_of
from tests.machines.cast import ACME, HOUR, NOW, POLICY, SOLVED, TEXT, ending, escalation, mint, pending, ticket

PRINCIPALS = [
    Principal("k-mia", "d-mia", "mia", "manager", 2),
    Principal("k-dan", "d-dan", "dan", "director", 3),
    Principal("k-desk", "d-desk", "desk", "service", 0, ("note", "open")),
    Principal("k-root", "d-root", "root", "admin", 0),
]
PEOPLE = [
    Person("mia", "Mia", 3, on_duty=True),
    Person("dan", "Dan", 1),
    Person("own", "Own", 0),
    Person("bea", "Bea", 2, on_duty=True),
]


def world(**more) -> World:
    told = {
        "principals": PRINCIPALS,
        "people": PEOPLE,
        "customers": [ACME, Customer("zenith", "Zenith", "starter")],
        **more,
    }
    return World(Snapshot(NOW, 1, **told), {1: POLICY, 2: Policy(POLICY.document, 2)}, mint())


# Who asks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "digest", "behalf", "found"),
    [
        ("k-mia", "d-mia", None, ("mia", "manager", 2)),  # the key's level is lower
        ("k-dan", "d-dan", None, ("dan", "lead", 1)),  # the roster's is
        ("k-desk", "d-desk", None, ("desk", "service", 0)),
        ("k-root", "d-root", None, ("root", "admin", 0)),
        ("clock", "", None, ("clock", "clock", 0)),
    ],
)
def test_a_persons_level_is_the_lower_of_key_and_roster(key, digest, behalf, found):
    actor = world().actor(key, digest, behalf)
    assert actor
    assert (actor.id, actor.role, actor.level) == found


@pytest.mark.parametrize(("key", "digest"), [("k-nobody", "d"), ("k-mia", "d-dan"), ("clock", "d")])
def test_a_key_that_is_unknown_or_wrong_is_nobody(key, digest):
    assert world().actor(key, digest, None) is None


def test_a_key_of_somebody_who_is_not_on_the_roster_has_its_own_level():
    actor = world(people=[]).actor("k-dan", "d-dan", None)
    assert actor
    assert actor.level == 3


@pytest.mark.parametrize(
    ("key", "behalf", "granted"),
    [("desk", "mia", ("note", "open")), ("desk", "nobody", ()), ("mia", "own", ()), ("root", "own", ())],
)
def test_a_service_that_acts_for_a_person_has_that_persons_level_and_what_its_key_lists(key, behalf, granted):
    actor = world().actor(f"k-{key}", f"d-{key}", behalf)
    assert actor
    assert (actor.id, actor.through, actor.granted) == (behalf, key, granted)
    assert actor.level == {"mia": 3}.get(behalf, 0)


# What a command is about ------------------------------------------------------------------------------------------


def test_a_transition_is_about_the_one_named_everything_else_about_the_tickets_that_is_not_closed():
    e, old = escalation("l2"), Escalation("E-0", "T-1", "acme", "enterprise", "closed", 1, 1, None, NOW, "x", 2)  # type: ignore[arg-type]
    w = world(escalations=[e, old], tickets=[ticket()], follows={"T-1": "E-0"})
    named = Command("c", Transition("E-0", "note"), "r")
    assert w.escalation_of(named) == old
    assert w.policy_of(old).version == 2
    for ask in (Request("T-1", "customer_request", "r"), Heard("k", "T-1", None, "portal", "x", "customer")):
        command = Command("c", ask, "r")
        assert w.escalation_of(command) == e
        assert ticket_of(command) == "T-1"
    assert ticket_of(named) is None
    assert w.escalation_of(Command("c", Transition("E-9", "note"), "r")) is None
    assert w.policy_of(None).version == 1, "what opens now gets the newest"


def test_a_report_brings_its_own_customer_anything_else_has_the_tickets():
    w = world(tickets=[ticket()])
    report = Command("c", Report(Ticket("T-1", customer_id="zenith")), "r")
    actor = w.actor("k-desk", "d-desk", None)
    assert actor
    told = w.facts(report, actor)
    assert told.customer
    assert told.customer.id == "zenith"
    told = w.facts(Command("c", Request("T-1", "customer_request", "r"), "r"), actor)
    assert told.customer == ACME


def test_each_command_is_decided_on_what_the_one_before_left():
    w = world(tickets=[ticket()])
    mia = w.actor("k-mia", "d-mia", None)
    assert mia
    opened = w.decide(Command("c1", Request("T-1", "blocking_business_process", "r", TEXT), "r"), mia)
    assert isinstance(opened, Decision)
    w.absorb(opened)
    e = opened.escalation
    assert e
    assert [entry.said.id in w.texts for entry in opened.entries if entry.said] == [True, True]
    again = w.decide(Command("c2", Request("T-1", "customer_request", "r"), "r"), mia)
    assert isinstance(again, Decision)
    assert [entry.trigger for entry in again.entries] == ["add_situation"]
    refused = w.decide(Command("c3", Transition("E-9", "note"), "r"), mia)
    assert isinstance(refused, Refusal)
    assert refused.status == 404


def test_who_holds_or_is_offered_counts_and_is_less_likely_to_be_offered_the_next():
    w = world(tickets=[ticket(), ticket()], people=[*PEOPLE, Person("cat", "Cat", 2, on_duty=True)])
    for n in range(1, 5):
        t = Report(Ticket(f"T-{n}", customer_id="acme", priority="p2", opened_at=NOW))
        desk = w.actor("k-desk", "d-desk", None)
        assert desk
        told = w.decide(Command("c", t, "r"), desk)
        assert isinstance(told, Decision)
        w.absorb(told)
        got = w.decide(Command("c", Request(f"T-{n}", "blocking_business_process", "r"), "r"), desk)
        assert isinstance(got, Decision)
        w.absorb(got)
        assert got.escalation
        assert got.escalation.handoff
        assert got.escalation.handoff.to == ("bea" if n % 2 else "cat")


def test_what_opens_after_a_close_waits_for_the_next_batch():
    done = ("confirm_with_customer", "update_ticket", "notify_chain", "document_lessons")
    w = world(escalations=[ending(done=done, engaged=("own", "mia"))], tickets=[SOLVED])
    mia = w.actor("k-mia", "d-mia", None)
    assert mia
    request = Command("c", Request("T-1", "customer_request", "r"), "r")
    assert not w.must_wait(request)
    closed = w.decide(Command("c", Transition("E-1", "close", Nothing()), "r"), mia)
    assert isinstance(closed, Decision)
    w.absorb(closed)
    assert w.must_wait(request)
    assert w.escalation_of(request) is None
    note = Command("c", Transition("E-1", "note", Note("x")), "r")
    assert not w.must_wait(note)
    got = w.decide(note, mia)
    assert isinstance(got, Refusal)
    assert got.status == 409


def test_what_a_customer_said_is_evidence_for_the_next_command_of_the_batch():
    w = world(escalations=[escalation("l1", engaged=("own", "mia"))], tickets=[ticket()])
    mia, desk = w.actor("k-mia", "d-mia", None), w.actor("k-desk", "d-desk", None)
    assert mia
    assert desk
    heard = Heard("k-1", "T-1", None, "portal", "kim@acme.example", "customer")
    said = w.decide(Command("c1", heard, "r"), desk)
    assert isinstance(said, Decision)
    w.absorb(said)
    fields = WithCriterion("request_withdrawn", "k-1")
    got = w.decide(Command("c2", Transition("E-1", "de_escalate", fields), "r"), mia)
    assert isinstance(got, Decision)
    assert got.escalation
    assert got.escalation.state == "de_escalating"


def test_a_p1_that_is_reported_late_fires_in_the_same_batch_and_older_facts_leave_its_timer():
    w = world()
    desk = w.actor("k-desk", "d-desk", None)
    assert desk
    p1 = Ticket("T-1", customer_id="acme", priority="p1", status="open", opened_at=NOW - 5 * HOUR)
    older = replace(p1, priority="p3", updated_at=NOW - HOUR)
    for told in (p1, older):
        got = w.decide(Command("c1", Report(told), "r"), desk)
        assert isinstance(got, Decision)
        w.absorb(got)
    fired = w.decide(Command("c2", Fire("T-1", "p1", NOW - HOUR), "r"), THE_CLOCK)
    assert isinstance(fired, Decision)
    assert [entry.trigger for entry in fired.entries] == ["open", "engage"]
    assert fired.timers["p1"] is None
    w.absorb(fired)
    assert w.facts(Command("c3", Rearm("T-1"), "r"), THE_CLOCK).waiting["p1"] is None


def test_three_reports_of_one_batch_are_a_repeated_contact_and_do_not_count_again_in_it():
    w = world(tickets=[ticket()])
    desk = w.actor("k-desk", "d-desk", None)
    assert desk
    begun = []
    for n in range(6):
        told = Heard(f"k-{n}", "T-1", None, "portal", "kim@acme.example", "customer", gist=Gist(f"text {n}", (n,)))
        got = w.decide(Command(f"c{n}", told, "r"), desk)
        assert isinstance(got, Decision)
        w.absorb(got)
        begun.append([s.situation for s in got.situations])
    assert begun == [[], [], ["repeated_contact"]] * 2


def test_who_held_what_was_closed_holds_one_less_for_the_next_command():
    done = ("confirm_with_customer", "update_ticket", "notify_chain", "document_lessons")
    people = [Person("own", "Own", 0, held=2), Person("mia", "Mia", 3, held=1)]
    w = world(escalations=[ending(done=done, engaged=("own", "mia"))], tickets=[SOLVED], people=people)
    mia, close = w.actor("k-mia", "d-mia", None), Command("c", Transition("E-1", "close", Nothing()), "r")
    assert mia
    closed = w.decide(close, mia)
    assert isinstance(closed, Decision)
    w.absorb(closed)
    assert {id_: person.held for id_, person in w.facts(close, mia).roster.items()} == {"own": 1, "mia": 1}


def test_holders_are_the_owner_and_who_a_pending_handoff_is_offered_to():
    assert holders(None) == set()
    assert holders(escalation("closed")) == set()
    assert holders(escalation("l2")) == {"own"}
    assert holders(pending("l2")) == {"own", "offered2"}
    declined = pending("l2").handoff
    assert declined
    assert holders(replace(pending("l2"), handoff=replace(declined, status="declined"))) == {"own"}
