"""The golden table: what the documents say may happen, written down as data and checked against any rules.

Nothing here is derived from the machine's own table. `failures(rules)` runs every case in this process, which is how
`tests.machines.mutants` shows that no guard can go missing unnoticed.

An expectation reads: `201 l2` (it happens, and stands there) · `403` (who may, among whatever else fails) ·
`422 guard other` (exactly these guards fail; `who` is the guard that says who may) · `409` · `none` (the service's own
trigger has no such move).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import transitions
from msgspec import Struct

from machines import escalation as table
from machines.asked import Actor, Ask, Command, Transition
from machines.case import Facts
from machines.decide import decide
from machines.decided import Decision, Refusal
from machines.escalation import RULES, Rule
from machines.story import Story, perform
from machines.values import Escalation
from tests.machines.cast import NOW, POLICY, facts


class Case(Struct, frozen=True):
    """One attempt and what must come of it. `says` names the document's row.

    `fields` are a caller's; with `ask` it is another door's command, with `internal` the service's own doing.
    """

    says: str
    trigger: str
    actor: Actor
    expect: str
    e: Escalation | None
    ticket: Any = None
    fields: dict[str, Any] = {}
    ask: Ask | None = None
    internal: bool = False
    known: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """A line that finds it again."""
        where = f"{self.e.state} {self.e.level}" if self.e and self.e.version else "none"
        return f"{self.says} [{self.trigger} from {where} by {self.actor.id} {self.fields or ''}]"


@contextmanager
def swapped(rules: Mapping[str, Rule]) -> Iterator[None]:
    """Other rules in place of the production table, as every module sees them."""
    kept, machine = dict(RULES), table.MACHINE
    try:
        RULES.clear()
        RULES.update(rules)
        table.MACHINE = table.build(rules)
        yield
    finally:
        RULES.clear()
        RULES.update(kept)
        table.MACHINE = machine


def attempt(case: Case, rules: Mapping[str, Rule]) -> Decision | Refusal | Escalation | None:
    """Try it: a refusal, a decision, the escalation that the service's own trigger left, or None for no such move."""
    known = facts(case.actor, case.e, case.ticket, **case.known)
    if case.internal:
        return _internal(case, known)
    ask = case.ask
    if ask is None:
        rule = rules.get(case.trigger)
        fields = rule.fields(**case.fields) if rule and rule.fields else None
        ask = Transition("E-1", case.trigger, fields)
    return decide(known, Command("c", ask, "r"), POLICY, NOW)


def _internal(case: Case, known: Facts) -> Refusal | Escalation | None:
    story = Story(known, POLICY, NOW)
    try:
        return perform(story, case.trigger, case.actor, case.fields) or story.facts.escalation
    except transitions.MachineError:
        return None


def outcome(case: Case, rules: Mapping[str, Rule]) -> str:
    """What came of it, in the words of an expectation."""
    got = attempt(case, rules)
    match got:
        case None:
            return "none"
        case Refusal():
            who = {g.name for rule in rules.values() for g in rule.guards if g.relations}
            failed = sorted("who" if f.guard in who else f.guard for f in got.failed)
            if got.status == 403 and not any(f.who_could for f in got.failed):
                return f"{got.status} who_could is empty"
            return "409" if got.status == 409 else f"{got.status} {' '.join(failed)}"
        case Escalation():
            return f"201 {got.state}"
        case Decision():
            if not got.entries:
                return "nothing happened"
            first = got.entries[0]
            assert got.escalation is not None
            if first.trigger != case.trigger or first.version != (case.e.version if case.e else 0) + 1:
                return f"{first.trigger} v{first.version}"
            return f"201 {got.escalation.state}"


def check(case: Case, rules: Mapping[str, Rule]) -> str | None:
    """What is wrong with this case, or None."""
    try:
        got = outcome(case, rules)
    except Exception as error:  # a mutant may break anything
        return f"{case.name}: expected {case.expect}, raised {error!r}"
    if case.expect == "403":
        right = got.startswith("403") and "who" in got.split()
    else:
        status, *guards = case.expect.split()
        right = got.split() == [status, *sorted(guards)]
    return None if right else f"{case.name}: expected {case.expect}, got {got}"


def cases() -> list[Case]:
    """Every case."""
    from tests.machines import golden_evidence, golden_handoff, golden_levels, golden_who

    return [*golden_who.cases(), *golden_levels.cases(), *golden_evidence.cases(), *golden_handoff.cases()]


def wrong(rules: Mapping[str, Rule], some: Iterable[Case]) -> Iterator[str]:
    """Every disagreement of these rules with these cases, found as it is asked for."""
    with swapped(rules):
        for case in some:
            if problem := check(case, rules):
                yield problem


def failures(rules: Mapping[str, Rule]) -> list[str]:
    """Every disagreement of these rules with the documents."""
    return list(wrong(rules, cases()))
