"""Golden: criteria and steps, with and without each part of their evidence. Source: `domain.md`, "De-escalation"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from machines.asked import THE_CLOCK
from machines.values import Act, Escalation, PriorityChange, Ticket
from tests.machines.cast import (
    ALL_STEPS,
    LOWERED,
    OPENED,
    OWNER,
    SOLVED,
    TEXT,
    ending,
    escalation,
    person,
    ticket,
)
from tests.machines.golden import Case

WORKAROUND = Act("approve_standard_workaround", "own", OPENED)
REPRIORITIZED = Act("reprioritize_ticket", "own", OPENED)
OTHER_ACT = Act("assign_resources", "own", OPENED)
CONTACTS = {
    "said": True,
    None: False,
    "unheard_of": False,
    "elsewhere": False,
    "by_an_agent": False,
    "by_the_system": False,
    "before_opening": False,
    "dated_before_opening": False,
}
"""`evidence`: the id of a customer's contact on that ticket after opening."""

LOWERINGS: tuple[tuple[Ticket, bool], ...] = (
    (LOWERED, True),
    (ticket(), False),
    (ticket(priority="p0", priorities=(PriorityChange(1, "p1"), PriorityChange(4, "p0"))), False),
    (
        ticket(priority="p1", priorities=(PriorityChange(1, "p1"), PriorityChange(3, "p0"), PriorityChange(4, "p1"))),
        True,
    ),
    (ticket(priority="p1", priorities=(PriorityChange(1, "p0"), PriorityChange(2, "p1"))), False),
)
"""The ticket's priority is lower than its highest since opening (revision 2): a rise and fall after it counts too."""


def cases() -> Iterator[Case]:
    """Criteria, closing, steps, stepping down."""
    for trigger, e in (("de_escalate", escalation("l2")), ("withdraw", escalation("open"))):
        yield from _criteria(trigger, e)
    yield from _closing()
    yield from _steps()
    yield from _stepping_down()


def _criteria(trigger: str, e: Escalation) -> Iterator[Case]:
    """Criteria, each with the evidence the guard looks for. In `open` a person of level >= 1 stands for the act."""
    to, acts = ("de_escalating", True) if trigger == "de_escalate" else ("closed", False)
    yes, no = f"201 {to}", "422 criterion_evidenced"
    who = person("own", 1)

    def case(says: str, expect: str, *, by: Any = who, **more: Any) -> Case:
        fields: dict[str, Any] = {k: more.pop(k) for k in ("criterion", "evidence") if k in more}
        return Case(f"{trigger}, {says}", trigger, by, expect, replace(e, **more.pop("e", {})), **more, fields=fields)

    for status in ("new", "open", "pending", "on_hold", "solved", "closed"):
        says = f"issue_resolved: ticket solved or closed, not {status}"
        expect = yes if status in ("solved", "closed") else no
        yield case(says, expect, criterion="issue_resolved", ticket=ticket(status=status))
    for evidence, counts in CONTACTS.items():
        says = f"a customer's contact that confirms it, {evidence}"
        told = {"criterion": "workaround_accepted", "evidence": evidence, "ticket": ticket()}
        yield case(says, yes if counts else no, e={"acts": (OTHER_ACT, WORKAROUND)}, **told)
        says = f"request_withdrawn: a customer's contact, or no situation left, {evidence}"
        told = {"criterion": "request_withdrawn", "evidence": evidence, "ticket": ticket()}
        yield case(says, yes if counts else no, **told)
        yield case(says, yes, e={"situations": ()}, **told)
    for other in ((), (OTHER_ACT,), (REPRIORITIZED,)):
        told = {"criterion": "workaround_accepted", "evidence": "said", "ticket": ticket()}
        yield case(
            "an approve_standard_workaround act on this escalation", no if acts else yes, e={"acts": other}, **told
        )
    for t, lower in LOWERINGS:
        says = f"priority_lowered: lower than its highest since opening, {t.priorities}"
        told = {"criterion": "priority_lowered", "ticket": t}
        yield case(says, yes if lower else no, e={"acts": (REPRIORITIZED,)}, **told)
        yield case("a reprioritize_ticket act after opening", yes if lower and not acts else no, **told)
    if trigger == "withdraw":
        for criterion, t in (("workaround_accepted", ticket()), ("priority_lowered", LOWERED)):
            told = {"criterion": criterion, "evidence": "said", "ticket": t}
            yield case("while open it needs a withdrawing person of level >= 1", yes, **told)
            yield case("an agent may not", "403 withdrawing_level", by=person("own", 0), **told)
            yield case("the clock may not", "403 withdrawing_level", by=THE_CLOCK, **told)
        for criterion, t in (("issue_resolved", SOLVED), ("request_withdrawn", ticket())):
            told = {"criterion": criterion, "evidence": "said", "ticket": t}
            yield case("an agent may, where no act is asked for", yes, by=person("own", 0), **told)


def _closing() -> Iterator[Case]:
    """`close`: the steps are done, in order; the criterion's evidence still holds."""
    says = "close: the steps are done"
    for missing in ALL_STEPS:
        done = tuple(step for step in ALL_STEPS if step != missing)
        yield Case(f"{says}, not without {missing}", "close", OWNER, "422 steps_done", ending(done=done), SOLVED)
    yield Case(
        "close: with no step and no evidence", "close", OWNER, "422 steps_done evidence_still_holds", ending(), ticket()
    )
    held: tuple[tuple[str, dict[str, Any], Ticket, bool], ...] = (
        ("issue_resolved", {}, SOLVED, True),
        ("issue_resolved", {}, ticket(), False),
        ("workaround_accepted", {"acts": (WORKAROUND,), "evidence": "said"}, ticket(), True),
        ("workaround_accepted", {"acts": (), "evidence": "said"}, ticket(), False),
        ("workaround_accepted", {"acts": (WORKAROUND,)}, ticket(), False),
        ("priority_lowered", {"acts": (REPRIORITIZED,)}, LOWERED, True),
        ("priority_lowered", {"acts": (REPRIORITIZED,)}, ticket(), False),
        ("request_withdrawn", {"evidence": "said"}, ticket(), True),
        ("request_withdrawn", {"situations": ()}, ticket(), True),
        ("request_withdrawn", {}, ticket(), False),
    )
    for criterion, more, t, holds in held:
        e = ending(criterion, done=ALL_STEPS, **more)
        expect = "201 closed" if holds else "422 evidence_still_holds"
        yield Case(f"close: the evidence still holds, {criterion}", "close", OWNER, expect, e, t)


def _steps() -> Iterator[Case]:
    """Steps, in this order, each with its proof."""
    for i, step in enumerate(ALL_STEPS):
        for n in range(len(ALL_STEPS) + 1):
            e, fields = ending(done=ALL_STEPS[:n]), {"step": step, "detail": "Mail 7"}
            expect = "201 de_escalating" if n >= i else "422 step_before_done"
            yield Case(f"Step {step} after {n} steps", "complete_step", OWNER, expect, e, SOLVED, fields)
    since = {"reported": 4}  # de-escalated at revision 3
    before = {"reported": 3}
    raised = (PriorityChange(1, "p1"), PriorityChange(4, "p0"))
    proofs: tuple[tuple[str, str, str, Ticket, bool], ...] = (
        ("confirm_with_customer", "issue_resolved", "Mail 7", ticket(), True),
        ("confirm_with_customer", "issue_resolved", "", ticket(), False),
        ("confirm_with_customer", "issue_resolved", " \t", ticket(), False),
        ("update_ticket", "issue_resolved", "", SOLVED, True),
        ("update_ticket", "issue_resolved", "", ticket(status="closed"), True),
        ("update_ticket", "issue_resolved", "done", ticket(**since), False),
        ("update_ticket", "priority_lowered", "", LOWERED, True),
        ("update_ticket", "priority_lowered", "done", ticket(**since), False),
        ("update_ticket", "priority_lowered", "done", ticket(priority="p0", priorities=raised), False),
        ("update_ticket", "workaround_accepted", "", ticket(**since), True),
        ("update_ticket", "workaround_accepted", "done", ticket(**before), False),
        ("update_ticket", "request_withdrawn", "", ticket(**since), True),
        ("update_ticket", "request_withdrawn", "done", ticket(**before), False),
        ("notify_chain", "issue_resolved", "", SOLVED, True),
        ("document_lessons", "issue_resolved", "Restart less", SOLVED, True),
        ("document_lessons", "issue_resolved", "", SOLVED, False),
        ("document_lessons", "issue_resolved", "\n", SOLVED, False),
    )
    for step, criterion, detail, t, proved in proofs:
        e = ending(criterion, done=ALL_STEPS[: ALL_STEPS.index(step)])
        expect = "201 de_escalating" if proved else "422 step_proved"
        says = f"Step {step}: its proof, for {criterion}"
        yield Case(says, "complete_step", OWNER, expect, e, t, {"step": step, "detail": detail})
    e = ending(done=("confirm_with_customer",))
    yield Case("Two failures are both told", "complete_step", OWNER, "422 step_before_done step_proved", e, SOLVED,
               {"step": "document_lessons", "detail": ""})  # fmt: skip


def _stepping_down() -> Iterator[Case]:
    """`step_down`: 1 <= m < n; criterion is `priority_lowered`; brief."""
    says = "step_down: to l{m}, 1 <= m < n"
    for n in range(1, 5):
        for m in range(1, 5):
            expect = f"201 l{m}" if m < n else "422 level_falls"
            fields = {"level": m, "brief": TEXT}
            yield Case(says, "step_down", OWNER, expect, ending("priority_lowered", level=n), LOWERED, fields)
    for criterion in ("issue_resolved", "workaround_accepted", "request_withdrawn"):
        says = "step_down: the criterion is priority_lowered"
        e, fields = ending(criterion, level=3), {"level": 1, "brief": TEXT}
        yield Case(says, "step_down", OWNER, "422 priority_was_lowered", e, LOWERED, fields)
