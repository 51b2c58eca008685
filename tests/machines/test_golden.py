"""The production table does what the golden table says, every case of it; and the golden table misses nothing."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from machines.asked import Actor, Command, FieldProblem, Heard, Report, Request, Transition
from machines.decide import decide, possible
from machines.decided import Decision, Refusal
from machines.escalation import MACHINE, NONE, RULES, moves
from machines.values import State, Ticket
from tests.machines import golden, golden_levels, golden_who, mutants
from tests.machines.cast import (
    ACTORS,
    AUDITOR,
    NOW,
    OWNER,
    POLICY,
    REQUEST,
    TEXT,
    escalation,
    facts,
    offered,
    pending,
    person,
    ticket,
)

CASES = golden.cases()
MOVES = """
open none open · engage open l1 l2 l3 l4 · withdraw open closed
escalate l1 l2 l3 l4 · escalate l2 l3 l4 · escalate l3 l4
de_escalate l1 de_escalating · de_escalate l2 de_escalating
de_escalate l3 de_escalating · de_escalate l4 de_escalating
resume de_escalating l1 l2 l3 l4 · step_down de_escalating l1 l2 l3 · close de_escalating closed
"""


@pytest.mark.parametrize("trigger", sorted({case.trigger for case in CASES}))
def test_every_case_of_the_golden_table_holds(trigger):
    some = [case for case in CASES if case.trigger == trigger]
    assert not list(golden.wrong(dict(RULES), some))


def test_every_trigger_is_in_the_golden_table_from_every_state():
    listed = {(t, s) for t, s, _ in golden_who.table(golden_who.EXISTS)}
    own = {(t, s) for t, s, _ in golden_who.table(golden_who.OWN)}
    assert listed == {(t, str(s)) for t, rule in RULES.items() if rule.fields for s in State}
    assert own == {(t, s) for t, rule in RULES.items() if not rule.fields for s in (NONE, *map(str, State))}
    assert {case.trigger for case in CASES} >= set(RULES)


def test_every_authority_of_the_policy_is_in_the_golden_table_at_its_level():
    listed = {a: n for n, names in golden_levels.AUTHORITY.items() for a in names if a != "buy_the_customer_a_boat"}
    assert listed == POLICY.lowest_holder


def test_the_moves_are_those_of_the_two_tables():
    changing = {
        (trigger, None if source == "none" else source, dest)
        for row in MOVES.replace("\n", " · ").split(" · ")
        if row.strip()
        for trigger, source, *dests in [row.split()]
        for dest in dests
    }
    both = f"{golden_who.EXISTS.strip()}\n{golden_who.OWN.strip()}".splitlines()
    tables = ("\n".join(both[: len(both) - 7]), "\n".join(both[len(both) - 7 :]))
    staying = {
        (trigger, state, state)
        for text in tables
        for trigger, state, exists in golden_who.table(text)
        if exists and trigger not in golden_who.LEADS_TO
    }
    assert set(moves()) == changing | staying
    assert len(list(moves())) == len(set(moves()))


def test_the_machine_has_the_tables_moves_and_no_automatic_ones():
    built = {
        (name, None if t.source == NONE else t.source, t.dest or t.source)  # internal: nothing is left or entered
        for name, event in MACHINE.events.items()
        for ts in event.transitions.values()
        for t in ts
    }
    assert built == set(moves())
    assert not [name for name in MACHINE.events if name.startswith("to_")]


def test_every_mutant_of_the_table_is_killed():
    survivors = [str(v.mutant) for v in map(mutants.judge, mutants.mutants()) if v.killed_by is None]
    assert not survivors


def test_removing_a_guard_is_seen_by_every_module_and_put_back():
    mutant = mutants.Mutant("note", "text_given")
    note = golden.Case("", "note", OWNER, "201 l1", escalation("l1"), ticket(), {"text": ""})
    assert list(golden.wrong(mutants.without(mutant), [note])) == []
    assert list(golden.wrong(dict(RULES), [note]))


def asked(case):
    """The case as a call of a trigger, or None where it is another door's."""
    if case.internal or case.ask or case.trigger not in RULES or RULES[case.trigger].fields is None:
        return None
    return facts(case.actor, case.e, case.ticket, **case.known)


def test_what_may_be_called_is_what_would_be_allowed():
    for case in CASES:
        known = asked(case)
        if known is None or case.actor.clock:
            continue
        told = {p.trigger: p for p in possible(known, POLICY, NOW)}.get(case.trigger)
        if case.expect.startswith("201"):
            assert told is not None, case.name
            assert told.allowed, f"{case.name}: {told.failed}"
        elif case.expect == "409":
            assert told is None, case.name


@pytest.mark.parametrize(
    ("actor", "trigger", "allowed"),
    [
        (OWNER, "join", True),  # for somebody else
        (OWNER, "disengage", True),  # somebody else
        (person("eng", 0), "disengage", True),
        (person("a", 0), "disengage", False),
        (person("a", 0), "join", False),
        (person("a", 1), "join", True),
        (person("a", 0), "update_customer", False),
        (person("a", 3), "escalate", True),
        (person("a", 2), "escalate", False),
        (person("a", 0), "dismiss_situation", False),
        (Actor("desk", "service"), "dismiss_situation", True),
        (AUDITOR, "note", False),
    ],
)
def test_possible_tells_each_caller_their_own(actor, trigger, allowed):
    known = facts(actor, escalation("l2", engaged=("own", "eng")), ticket())
    assert {p.trigger: p.allowed for p in possible(known, POLICY, NOW)}[trigger] is allowed


def test_possible_on_a_closed_escalation_is_nothing():
    assert possible(facts(OWNER, escalation("closed"), ticket()), POLICY, NOW) == []


def test_every_403_names_who_could_and_every_failure_its_sentence():
    for case in CASES:
        if not case.internal and case.expect.startswith("403"):
            got = golden.attempt(case, RULES)
            assert isinstance(got, Refusal)
            for f in got.failed:
                assert f.message, case.name
                guard = next((g for r in RULES.values() for g in r.guards if g.name == f.guard), None)
                if guard is None or guard.status == 403:
                    assert f.who_could, f"{case.name}: {f.guard}"
                    assert all(f.who_could), case.name


def decided(actor, ask, e=None, t=None, **more):
    known = facts(actor, e, t or ticket())
    return decide(known, Command("c", ask, "r", **more), POLICY, NOW)


def call(trigger, if_match=None, **fields):
    rule = RULES.get(trigger)
    return Transition("E-1", trigger, rule.fields(**fields) if rule and rule.fields else None, if_match)


BAD = (FieldProblem("reason", "must be a string"),)


def test_404_comes_before_everything():
    got = decided(AUDITOR, call("close", if_match=9), problems=BAD)
    assert (got.status, got.failed, got.denied) == (404, (), False)


def test_412_comes_before_fields_and_carries_the_current_escalation():
    e = escalation("l1")
    got = decided(AUDITOR, call("close", if_match=3), e, problems=BAD)
    assert (got.status, got.escalation, got.denied) == (412, e, False)
    assert decided(OWNER, call("note", if_match=4, text="x"), e).escalation.version == 5


def test_422_for_fields_comes_before_409_and_lists_all():
    problems = (*BAD, FieldProblem("brief.issue", "is missing"))
    got = decided(AUDITOR, call("close"), escalation("l1"), problems=problems)
    assert (got.status, got.problems, got.denied) == (422, problems, False)


def test_409_comes_before_who_may_and_is_a_denial():
    got = decided(AUDITOR, call("close"), escalation("l1"))
    assert (got.status, [f.guard for f in got.failed], got.denied) == (409, ["move_exists"], True)
    assert "de_escalate" in got.detail


def test_403_comes_before_422_for_guards_and_lists_the_failures_of_both():
    got = decided(person("a", 0), call("escalate", level=3, reason="r", brief=replace(TEXT, issue="")), pending("l1"))
    assert (got.status, got.denied) == (403, True)
    names = [f.guard for f in got.failed]
    assert names[1:] == ["within_reach", "brief_complete", "handoff_settled"]


def test_a_refusal_changes_nothing():
    e, t = escalation("l1"), ticket()
    known = facts(AUDITOR, e, t)
    decide(known, Command("c", call("note", text="x"), "r"), POLICY, NOW)
    assert known.escalation is e
    assert known.ticket is t


def test_a_contact_on_an_unknown_ticket_is_404_and_a_report_for_an_unknown_customer_422():
    heard = Heard("k", "T-9", None, "portal", "kim@acme.example", "customer")
    for unknown in (None, Ticket("T-9")):
        got = decide(facts(OWNER, None, unknown), Command("c", heard, "r", problems=BAD), POLICY, NOW)
        assert isinstance(got, Refusal)
        assert got.status == 404
    known = replace(facts(OWNER, None, None), customer=None)
    got = decide(known, Command("c", Report(Ticket("T-9", customer_id="nobody")), "r"), POLICY, NOW)
    assert isinstance(got, Refusal)
    assert (got.status, [p.field for p in got.problems]) == (422, ["customer_id"])


@pytest.mark.parametrize("name", ["auditor", "clock"])
def test_an_auditor_reports_nothing_and_neither_does_a_service_in_somebodys_name(name):
    heard = Heard("k", "T-1", None, "portal", "kim@acme.example", "customer")
    for actor in (ACTORS[name], person("own", 0, through="desk", granted=("open",))):
        for ask in (heard, Report(ticket())):
            got = decided(actor, ask)
            assert (got.status, got.failed[0].who_could[0], got.denied) == (403, "service", True)


def test_automatic_situations_cannot_be_asked_for():
    for name in ("p0_outage", "p1_unresolved", "sla_breach", "repeated_contact", "security_flag", "revenue_impact"):
        got = decided(OWNER, Request("T-1", name, "r"))
        assert (got.status, [p.field for p in got.problems]) == (422, ["situation"])
    assert isinstance(decided(OWNER, Request("T-1", REQUEST, "r")), Decision)


@pytest.mark.parametrize("trigger", [t for t, rule in RULES.items() if rule.fields])
def test_the_fields_that_a_trigger_was_given_come_back(trigger):
    states = [s for t, s, exists in golden_who.table(golden_who.EXISTS) if t == trigger and exists]
    at = golden_who.ready(trigger, states[0])
    who = {"accept": offered(1), "decline": offered(1), "join": person("a", 1), "disengage": person("eng", 0)}
    actor = who.get(trigger, OWNER)
    e = at["e"]
    if trigger == "act":
        actor, e = person("own", 1), replace(e, owner="own")
    got = decide(facts(actor, e, at["ticket"]), Command("c", call(trigger, **at["fields"]), "r"), POLICY, NOW)
    assert isinstance(got, Decision)
    entry = got.entries[0]
    told = {**entry.detail, **(entry.said.text if entry.said else {})}
    assert {name: told.get(name) for name in at["fields"]} == msgspec.to_builtins(at["fields"])
    assert entry.guards == tuple(g.name for g in RULES[trigger].guards)
    assert (entry.source, entry.actor, entry.on_behalf_of) == (e.state, actor.id, None)


def test_a_service_that_acts_for_a_person_and_the_person_are_both_recorded():
    actor = person("own", 0, through="desk", granted=("note",))
    got = decided(actor, call("note", text="x"), escalation("l1"))
    entry = got.entries[0]
    assert (entry.actor, entry.on_behalf_of, entry.actor_level) == ("desk", "own", 0)
    assert entry.guards[0] == "delegation_granted"
    refused = decided(replace(actor, granted=()), call("note", text="x"), escalation("l1"))
    assert [f.who_could for f in refused.failed] == [("own",)]
