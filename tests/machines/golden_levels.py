"""Golden: authority, reach and delegation. Sources: the document's "Escalation Levels"; `domain.md`, "Authority"."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from machines.asked import Request
from machines.values import Escalation
from tests.machines.cast import (
    ADMIN,
    AUDITOR,
    REQUEST,
    SERVICE,
    TEXT,
    ending,
    escalation,
    person,
    situation,
    ticket,
)
from tests.machines.golden import Case
from tests.machines.golden_who import ready

AUTHORITY = {
    1: ("reprioritize_ticket", "assign_resources", "approve_standard_workaround"),
    2: ("pull_engineers", "approve_emergency_deployment", "coordinate_teams"),
    3: ("approve_service_credit", "communicate_with_customer", "engage_vendor"),
    4: ("communicate_externally", "modify_contract", "buy_the_customer_a_boat"),
}
"""What each level's "Authority" lists; L4 holds all decisions, so also one that nobody listed."""

AT_ONCE = {
    1: "workaround_unacceptable",
    2: "blocking_business_process",
    3: "executive_visibility",
    4: "regulatory_compliance",
}
"""A manual reason for each level, to open with."""


def cases() -> Iterator[Case]:
    """Authority, then reach, then delegation."""
    for at, holders in AUTHORITY.items():
        for authority in holders:
            yield from _acts(authority, at)
    yield from _escalating()
    yield from _engaging()
    yield from _opening()
    yield from _delegated()


def _acts(authority: str, at: int) -> Iterator[Case]:
    """Allowed when the actor's own level holds it and the escalation's does, and the actor is owner or engaged."""
    fields = {"authority": authority, "detail": "10 %"}
    stands = [escalation(f"l{n}") for n in range(1, 5)] + [ending(level=n) for n in range(1, 5)]
    for e in stands:
        says = f"Level {at}, Authority: {authority}"
        for level in range(5):
            short = [g for g, n in (("actor_holds_authority", level), ("level_holds_authority", e.level)) if n < at]
            held = f"403 {' '.join(short)}" if short else f"201 {e.state}"
            yield Case(says, "act", person("own", level), held, e, ticket(), fields)
            yield Case(says, "act", person("eng", level), held, e, ticket(), fields)
            yield Case(says, "act", person("somebody", level), f"403 who {' '.join(short)}", e, ticket(), fields)
        low = ["level_holds_authority"] if e.level < at else []
        for machine in (SERVICE, AUDITOR, ADMIN, replace(SERVICE, id="own"), replace(SERVICE, id="eng")):
            says = "A machine never holds a human authority"
            expect = f"403 who actor_holds_authority {' '.join(low)}"
            yield Case(says, "act", machine, expect, e, ticket(), fields)


def _wanting(e: Escalation, row: int, *, origin: str = "manual") -> Escalation:
    return replace(e, situations=(situation("executive_visibility", row, origin=origin),))


def _escalating() -> Iterator[Case]:
    """Reach of `escalate`: m = n+1, or the matrix row says m, or the actor's level is at least m-1."""
    fields = {"reason": "r", "brief": TEXT}
    for n in range(1, 4):
        for m in range(n + 1, 5):
            for row in range(1, 5):
                e, asked = _wanting(escalation(f"l{n}"), row), {**fields, "level": m}
                for level in range(5):
                    reaches = m == n + 1 or row == m or level >= m - 1
                    expect = f"201 l{m}" if reaches else "403 within_reach"
                    says = f"Reach: L{n} to L{m} by level {level}, the row says L{row}"
                    yield Case(says, "escalate", person("own", level), expect, e, ticket(), asked)
                says = "Reach: for a service the matrix row alone"
                asks = _wanting(e, row, origin="customer")
                expect = f"201 l{m}" if row == m else "403 within_reach"
                yield Case(says, "escalate", SERVICE, expect, asks, ticket(), asked)
                says = "escalate: a service that reports a customer's request, and no other"
                yield Case(
                    says, "escalate", SERVICE, f"403 who{'' if row == m else ' within_reach'}", e, ticket(), asked
                )
        for m in range(1, n + 1):
            says = "escalate: m > n"
            e = escalation(f"l{n}")
            yield Case(says, "escalate", person("own", 4), "422 level_rises", e, ticket(), {**fields, "level": m})
        says = "escalate without a level means n+1"
        yield Case(says, "escalate", person("own", 0), f"201 l{n + 1}", escalation(f"l{n}"), ticket(), fields)
    for n in range(1, 4):
        for m in range(n + 1, 5):
            for level in range(5):
                says = "escalate: someone of level >= m"
                who = "" if level >= m else "who "
                reach = "" if m == n + 1 or level >= m - 1 else "within_reach"
                expect = f"403 {who}{reach}" if who or reach else f"201 l{m}"
                e = _wanting(escalation(f"l{n}"), 1)
                yield Case(says, "escalate", person("a", level), expect, e, ticket(), {**fields, "level": m})


def _engaging() -> Iterator[Case]:
    """Reach of `engage`: n is the row's level, and lower than the row is refused."""
    for row in range(1, 5):
        for m in range(1, 5):
            for level in range(5):
                reaches = m == row or (m > row and (m == row + 1 or level >= m - 1))
                expect = f"201 l{m}" if reaches else "403 opening_within_reach"
                says = f"Reach: engage L{m} by level {level}, the row says L{row}"
                e = escalation("open", target_level=row)
                yield Case(says, "engage", person("a", level), expect, e, ticket(), {"level": m, "brief": TEXT})
        says = "engage without a level goes where the matrix says"
        e = escalation("open", target_level=row)
        yield Case(says, "engage", person("a", 0), f"201 l{row}", e, ticket(), {"brief": TEXT})


def _opening() -> Iterator[Case]:
    """Reach of `open` and `add_situation`: the same, and for a service the row alone."""
    stands = escalation("l4")
    for row, reason in AT_ONCE.items():
        for m in (None, *range(1, 5)):
            for level in (*range(5), None):
                n = m or row
                reaches = n == row or (level is not None and n > row and (n == row + 1 or level >= n - 1))
                actor = SERVICE if level is None else person("a", level)
                ask = Request("T-1", reason, "because", None, m)
                says = f"Reach: open {reason} at {m} by level {level}"
                expect = f"201 l{n}" if reaches else "403 opening_within_reach"
                yield Case(says, "open", actor, expect, None, ticket(), ask=ask)
                expect = "201 l4" if reaches else "403 opening_within_reach"
                yield Case(says, "add_situation", actor, expect, stands, ticket(), ask=ask)


def _delegated() -> Iterator[Case]:
    """A service may act for a person where its key lists the trigger; the person must pass every guard."""
    changing = ("engage", "withdraw", "escalate", "resume", "step_down")
    handing = ("brief", "accept", "decline", "reassign", "join", "disengage")
    every = (*changing, *handing, "complete_step", "update_customer", "dismiss_situation", "note")
    says = "X-On-Behalf-Of: where its key lists the trigger"
    for trigger in every:
        state = {"engage": "open", "withdraw": "open"}.get(trigger, "l2")
        state = "de_escalating" if trigger in ("resume", "step_down", "complete_step") else state
        at = ready(trigger, state)
        actor = person("own", 2, through="desk", granted=(trigger,))
        if trigger in ("accept", "decline"):
            actor = replace(actor, id="offered2")
        elif trigger == "join":
            actor = replace(actor, id="stranger2")
        elif trigger == "disengage":
            actor = replace(actor, id="eng")
        to = {"engage": "l1", "withdraw": "closed", "escalate": "l3", "resume": "l2", "step_down": "l1"}.get(
            trigger, state
        )
        yield Case(says, trigger, actor, f"201 {to}", **at)
        for granted in (None, (), tuple(t for t in every if t != trigger)):
            yield Case(says, trigger, replace(actor, granted=granted), "403 delegation_granted", **at)
    says = "X-On-Behalf-Of: never act, de_escalate, close, whatever the key lists"
    for trigger, state in (("act", "l2"), ("de_escalate", "l2"), ("close", "de_escalating")):
        at = ready(trigger, state)
        actor = person("own", 4, through="desk", granted=(trigger, "open", "note"))
        yield Case(says, trigger, actor, "403 delegation_granted", **at)
    says = "X-On-Behalf-Of: the person must pass every guard; delegation never adds authority"
    granted = ("escalate", "note", "update_customer", "resume", "accept")
    stranger = person("a", 0, through="desk", granted=granted)
    for trigger, state in (("update_customer", "l2"), ("resume", "de_escalating"), ("accept", "l2")):
        yield Case(says, trigger, stranger, "403", **ready(trigger, state))
    ask = Request("T-1", REQUEST, "r")
    for e, trigger in ((None, "open"), (escalation("l2"), "add_situation")):
        says = "X-On-Behalf-Of: opening, and adding to what is open, is `open`"
        to = "l2" if e else "open"
        opener = person("a", 0, through="desk", granted=("open",))
        yield Case(says, trigger, opener, f"201 {to}", e, ticket(), ask=ask)
        yield Case(says, trigger, replace(opener, granted=("note",)), "403 delegation_granted", e, ticket(), ask=ask)
