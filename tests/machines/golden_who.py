"""Golden: which trigger exists where, and who may. Source: `domain.md`, "States and triggers", its two tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from machines.asked import Actor
from machines.values import Escalation
from tests.machines.cast import (
    ACTORS,
    ALL_STEPS,
    LOWERED,
    REQUEST,
    SOLVED,
    TEXT,
    ending,
    escalation,
    offered,
    pending,
    situation,
    ticket,
)
from tests.machines.golden import Case

EXISTS = """
                    open l1 l2 l3 l4 de_escalating closed
engage              x    .  .  .  .  .             .
withdraw            x    .  .  .  .  .             .
escalate            .    x  x  x  .  .             .
de_escalate         .    x  x  x  x  .             .
resume              .    .  .  .  .  x             .
step_down           .    .  .  .  .  x             .
close               .    .  .  .  .  x             .
brief               .    x  x  x  x  .             .
accept              .    x  x  x  x  .             .
decline             .    x  x  x  x  .             .
reassign            .    x  x  x  x  .             .
join                .    x  x  x  x  x             .
disengage           .    x  x  x  x  x             .
act                 .    x  x  x  x  x             .
complete_step       .    .  .  .  .  x             .
update_customer     x    x  x  x  x  x             .
dismiss_situation   x    x  x  x  x  x             .
note                x    x  x  x  x  x             .
"""
"""What a caller may call from where; everything else is 409 for everybody."""

OWN = """
                    none open l1 l2 l3 l4 de_escalating closed
open                x    .    .  .  .  .  .             .
add_situation       .    x    x  x  x  x  x             .
repage              .    .    .  .  .  x  .             .
remind              .    x    x  x  x  x  x             .
rate                .    .    .  .  .  .  .             x
move_policy         .    x    x  x  x  x  x             .
"""
"""What only the service itself fires; to a caller these are 409 everywhere."""

LEADS_TO = {
    "engage": {"open": "l1"},
    "withdraw": {"open": "closed"},
    "escalate": {"l1": "l2", "l2": "l3", "l3": "l4"},
    "de_escalate": {"l1": "de_escalating", "l2": "de_escalating", "l3": "de_escalating", "l4": "de_escalating"},
    "resume": {"de_escalating": "l2"},
    "step_down": {"de_escalating": "l1"},
    "close": {"de_escalating": "closed"},
    "open": {"none": "open"},
}
"""From → to of the triggers that change the state (the rest leave it as it is). De-escalating stands at level 2."""

ANYBODY = {"person": "201", "clock": "201"}
WHO: dict[str, dict[str, str]] = {
    "engage": ANYBODY,
    "withdraw": ANYBODY,
    "escalate": {"owner": "201", "engaged": "201", "level>=m": "201", "service": "201", "clock": "201"},
    "de_escalate": {"owner": "201", "level>=n": "201"},
    "resume": {"owner": "201", "engaged": "201", "level>=n": "201", "service": "201", "clock": "201"},
    "step_down": {"owner": "201", "level>=n": "201"},
    "close": {"owner": "201", "level>=n": "201"},
    "brief": {"owner": "201", "engaged": "201", "clock": "201"},
    "accept": {"offered": "201"},
    "decline": {"offered": "201", "clock": "201"},
    "reassign": {"owner": "201", "level>=n": "201"},
    "join": {"owner": "422 not_engaged", "engaged": "403 not_engaged who", "level>=1": "201"},
    "disengage": {"owner": "422 not_owner", "engaged": "201", "person": "422 is_engaged"},
    "complete_step": {"owner": "201", "engaged": "201", "level>=n": "201", "clock": "201"},
    "update_customer": {"owner": "201", "engaged": "201"},
    "dismiss_situation": {"owner": "201", "level>=1": "201", "service": "201"},
    "note": {"person": "201", "service": "201"},
    "open": {"person": "201", "service": "201", "clock": "201"},
    "add_situation": {"person": "201", "service": "201", "clock": "201"},
    "repage": {"clock": "201"},
    "remind": {"clock": "201"},
    "rate": {"clock": "201"},
    "move_policy": {"admin": "201"},
}
"""The column "who may" (`act` is under Authority). Whoever is not named is refused with 403. Here `desk`, the service,
has reported a customer's request. m = n + 1."""


def table(text: str) -> Iterator[tuple[str, str, bool]]:
    """Each cell of a table as (trigger, state, whether it exists)."""
    head, *rows = text.strip().splitlines()
    for row in rows:
        trigger, *cells = row.split()
        assert len(cells) == len(head.split()), row
        for state, cell in zip(head.split(), cells, strict=True):
            yield trigger, state, cell == "x"


def ready(trigger: str, state: str) -> dict[str, Any]:
    """An escalation in this state, its ticket, and fields with which everything but who may is in order."""
    e, t, fields = _in(state), ticket(), _FIELDS.get(trigger, {})
    match trigger:
        case "withdraw" | "de_escalate" | "close":
            t = SOLVED
            e = ending(done=ALL_STEPS) if state == "de_escalating" else e
        case "step_down":
            t, e = LOWERED, ending("priority_lowered") if state == "de_escalating" else e
        case "brief" | "accept" | "decline" | "repage" if state in ("l1", "l2", "l3", "l4"):
            e = pending(state, by=None if trigger == "brief" else "eng")
            fields = {**fields, "to": f"offered{e.level}"} if trigger == "brief" else fields
        case "join" | "disengage":
            e = _in(state, engaged=("own", "eng"))
    return {"e": e, "ticket": t, "fields": fields}


def _in(state: str, **more: Any) -> Escalation:
    if state == "none":
        return escalation("open", version=0, **more)
    return ending(**more) if state == "de_escalating" else escalation(state, **more)


_BRIEF = {"issue": "i", "reason": "r", "current_status": "c", "needed": "n"}
_FIELDS: dict[str, dict[str, Any]] = {
    "engage": {"brief": TEXT},
    "withdraw": {"criterion": "issue_resolved"},
    "escalate": {"reason": "Beyond us", "brief": TEXT},
    "de_escalate": {"criterion": "issue_resolved"},
    "resume": {"reason": "Not fixed"},
    "step_down": {"level": 1, "brief": TEXT},
    "brief": {"to": "somebody", **_BRIEF},
    "decline": {"reason": "Ill"},
    "reassign": {"to": "stranger4", "reason": "Night shift"},
    "join": {"reason": "I know this"},
    "act": {"authority": "reprioritize_ticket", "detail": "P2"},
    "complete_step": {"step": "confirm_with_customer", "detail": "Mail 7"},
    "update_customer": {"text": "We are on it"},
    "dismiss_situation": {"situation": REQUEST, "reason": "A mistake"},
    "note": {"text": "Seen"},
    "open": {"row": 1, "new": situation(REQUEST, 1)},
    "add_situation": {"row": 1, "new": situation(REQUEST, 1)},
    "remind": {"reason": "update_missed"},
    "rate": {"score": 5},
    "move_policy": {"policy_version": 2, "changes": {}},
}


def fits(word: str, name: str, actor: Actor, n: int) -> bool:
    """Whether this word of the column "who may" means this actor."""
    if word.startswith("level>="):
        least = {"n": n, "m": n + 1, "1": 1}[word[7:]]
        return actor.person and actor.level >= least
    return actor.person if word == "person" else word == name


def expected(trigger: str, state: str, name: str, actor: Actor, n: int) -> str:
    """What the column "who may" says for this actor."""
    found = next((expect for word, expect in WHO[trigger].items() if fits(word, name, actor, n)), "403")
    return f"201 {LEADS_TO.get(trigger, {}).get(state, state)}" if found == "201" else found


def cases() -> Iterator[Case]:
    """Every trigger × state × actor, and the same for somebody else."""
    for trigger, state, exists in table(EXISTS):
        yield from _by_everybody(trigger, state, exists=exists)
    for trigger, state, exists in table(OWN):
        yield from _by_the_service(trigger, state, exists=exists)
    for trigger in ("to_closed", "reopen", ""):
        yield Case("An unknown trigger is 409", trigger, ACTORS["owner"], "409", escalation("l2"), ticket())
    yield from _for_others()


def _by_everybody(trigger: str, state: str, *, exists: bool) -> Iterator[Case]:
    e = ready(trigger, state)["e"]
    for name, actor in {**ACTORS, "offered": offered(e.level)}.items():
        if not exists:
            yield Case("States and triggers: it does not exist here", trigger, actor, "409", **ready(trigger, state))
        elif trigger != "act":
            expect = expected(trigger, state, name, actor, e.level)
            yield Case("States and triggers: who may", trigger, actor, expect, **ready(trigger, state))


def _by_the_service(trigger: str, state: str, *, exists: bool) -> Iterator[Case]:
    for name, actor in ACTORS.items():
        at = ready(trigger, state)
        expect = expected(trigger, state, name, actor, at["e"].level) if exists else "none"
        yield Case("Fired only by the service itself", trigger, actor, expect, **at, internal=True)
        if state != "none":
            called = Case("Cannot be called as transitions", trigger, actor, "409", at["e"], at["ticket"])
            yield called


def _for_others() -> Iterator[Case]:
    """`join` and `disengage` for somebody else, and `dismiss_situation` by who reported it."""
    for state in ("l1", "l2", "l3", "l4", "de_escalating"):
        e = _in(state, engaged=("own", "eng"))
        for name, actor in ACTORS.items():
            joins = name in ("owner", "stranger2")
            says = "join: a person of level >= 1 for themselves; the owner for others"
            fields = {"person": "stranger2", "reason": "r"}
            yield Case(says, "join", actor, f"201 {state}" if joins else "403", e, ticket(), fields)
            leaves = name in ("owner", "engaged")
            says = "disengage: that person; the owner for another"
            yield Case(says, "disengage", actor, f"201 {state}" if leaves else "403", e, ticket(), {"person": "eng"})
    for reporter in ("stranger0", "desk", "clock"):
        e = escalation(
            "l3", situations=(situation("executive_visibility", 3, by=reporter), situation(REQUEST, 1, by="x"))
        )
        for name, actor in ACTORS.items():
            may = actor.id == reporter or name == "owner" or (actor.person and actor.level >= 1)
            fields = {"situation": "executive_visibility", "reason": "r"}
            says = "dismiss_situation: who reported it, the owner, someone of level >= 1"
            yield Case(says, "dismiss_situation", actor, "201 l3" if may else "403", e, ticket(), fields)
