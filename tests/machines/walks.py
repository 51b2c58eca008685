"""The walks: what each ranges over. `python -m tests.machines.walks`: a table of them all, the wide ones too; exit 1 if
an invariant or a race's rule is broken.
"""

from __future__ import annotations

import gc
import sys
from collections import defaultdict, deque
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import NamedTuple

from msgspec.structs import replace
from rich.console import Console
from rich.progress import track
from rich.table import Table

from machines.asked import Fire, Report, Transition
from machines.fields import WithCriterion
from machines.values import Priority
from tests.machines.alphabet import DESK, actor
from tests.machines.invariants_of_time import broken_by
from tests.machines.races import Told, judged
from tests.machines.walk import Edge, Key, Node, Scope, Walk, explore, scope, start, step

WORKERS = 2
HANDOFF = "engage escalate brief accept decline reassign"
ENDING = "withdraw de_escalate resume step_down complete_step act close solve lower say"

SCOPES: dict[str, tuple[Scope, Priority]] = {
    "handoffs up to L4": (
        scope("ann0 lee1 mia2 vic4", "escalate brief accept decline de_escalate solve", "workaround_unacceptable"),
        "p2",
    ),
    "a ticket that is merged into another": (
        scope("ann0 lee1 mia2", "accept decline de_escalate solve merge", "workaround_unacceptable"),
        "p1",
    ),
    "handoffs with two at a level and nobody at others": (
        scope("ann0 lee1 lou1 vic4", "escalate accept decline reassign", "workaround_unacceptable"),
        "p2",
    ),
    "people who join and leave": (
        scope("ann0 lee1 lou1 vic4", "accept decline reassign join disengage", "workaround_unacceptable"),
        "p2",
    ),
    "people who come on duty and go off it": (
        scope("ann0 lee1 vic4", HANDOFF, "workaround_unacceptable", shifts="ann0 lee1"),
        "p2",
    ),
    "the last one there goes off duty": (
        scope("ann0 -lee1 lou1 vic4", "accept decline", "workaround_unacceptable", shifts="lee1 vic4"),
        "p2",
    ),
    "every way to an end": (scope("ann0 lee1 mia2", f"engage accept {ENDING}", "customer_request"), "p2"),
    "ending while handoffs wait": (
        scope("ann0 mia2 vic4", f"{HANDOFF} de_escalate resume solve close complete_step", "blocking_business_process"),
        "p2",
    ),
    "an end that waits for messages": (
        scope(
            "ann0 lee1",
            "accept de_escalate resume complete_step close solve lower say",
            "customer_request",
            channels=True,
        ),
        "p2",
    ),
    "situations that come and go": (
        scope("ann0 lee1", "engage accept dismiss_situation withdraw solve", "customer_request executive_visibility"),
        "p2",
    ),
    "nobody on duty at all": (
        scope("ann0 -lee1", f"{HANDOFF} {ENDING}".replace(" lower say", ""), "workaround_unacceptable"),
        "p2",
    ),
    "an enterprise P0": (
        scope("ann0 mia2 dan3", f"accept {ENDING}".replace(" say", ""), "", "enterprise"),
        "p0",
    ),
    "a P1 that is solved, lowered and reopened": (
        scope("ann0 mia2", "accept withdraw de_escalate resume solve lower", "customer_request", "enterprise"),
        "p1",
    ),
    "a customer whose tier changes while a ticket is raised and solved": (
        scope("ann0 mia2", "raise solve", to="enterprise"),
        "p2",
    ),
    "SLA clocks that pause, are met, and run on": (scope("mia2", "solve pend", tier="enterprise", clocks=True), "p2"),
}

WIDE: dict[str, tuple[Scope, Priority]] = {
    "wide: handoffs, solved and reopened": (
        scope("ann0 lee1 mia2 vic4", f"{HANDOFF} de_escalate solve", "workaround_unacceptable"),
        "p2",
    ),
    "wide: two at a level": (
        scope("ann0 lee1 lou1 vic4", f"{HANDOFF} solve de_escalate join disengage", "workaround_unacceptable"),
        "p2",
    ),
    "wide: shifts": (
        scope("ann0 lee1 lou1 vic4", f"{HANDOFF} solve", "workaround_unacceptable", shifts="lee1 lou1"),
        "p2",
    ),
    "wide: three situations": (
        scope(
            "ann0 lee1 mia2 dan3",
            "engage accept escalate dismiss_situation withdraw de_escalate resume solve",
            "customer_request workaround_unacceptable executive_visibility",
        ),
        "p2",
    ),
    "wide: nobody on duty": (scope("ann0 -lee1", f"{HANDOFF} {ENDING}", "workaround_unacceptable"), "p2"),
    "wide: a starter's P0": (scope("ann0 lee1", f"engage accept {ENDING}", "", "starter"), "p0"),
    "wide: tiers, raised and lowered": (
        scope("ann0 mia2", "accept raise lower", to="enterprise"),
        "p2",
    ),
    "wide: tiers": (
        scope("ann0 -mia2", "accept withdraw de_escalate resume solve lower raise", to="enterprise"),
        "p1",
    ),
    "wide: SLA clocks of a ticket that is answered": (
        scope("mia2", "solve pend answer", tier="enterprise", clocks=True),
        "p2",
    ),
    "wide: SLA clocks of a ticket that is raised and lowered": (
        scope("mia2", "raise lower pend", tier="enterprise", clocks=True),
        "p2",
    ),
    "wide: SLA clocks of a customer whose tier changes": (
        scope("mia2", "pend answer", to="enterprise", clocks=True),
        "p2",
    ),
}
"""What the suite has no time for."""


class Seen(NamedTuple):
    """A walk, of each broken invariant the first edge that breaks it, and what the races told.

    `fired` are the kinds of timers that fired, and whether late.
    """

    walk: Walk
    broken: dict[str, str]
    races: Told
    fired: set[tuple[str, bool]]


@cache
def walked(name: str) -> Seen:
    """The walk of a scope, judged."""
    broken: dict[str, str] = {}
    fired: set[tuple[str, bool]] = set()

    def see(edge: Edge) -> None:
        if isinstance(edge.ask, Fire):
            fired.add((edge.ask.kind, edge.ask.due_at < edge.before.now))
        for invariant in broken_by(edge):
            broken.setdefault(invariant, f"{edge.ask} by {edge.actor.id}: {edge.before.e} -> {edge.after.e}")

    scope_, priority = (SCOPES | WIDE)[name]
    gc.disable()  # what a walk finds stays: the collector would look through it again and again
    try:
        walk = explore(scope_, start(scope_, priority), see)
        return Seen(walk, broken, judged(walk), fired)
    finally:
        gc.freeze()
        gc.enable()


def stranded(name: str) -> list[Key]:
    """The nodes of an escalation from which no command leads to closed, and nobody need come on duty for it.

    Where a walk knows no words for an end, a solved ticket must do; what follows then, the others show.
    """
    scope_, walk = (SCOPES | WIDE)[name][0], walked(name).walk
    leads = defaultdict(list)
    for here, there in walk.edges:
        leads[there].append(here)
    closes = "close" in scope_.words
    done = {
        key
        for key, node in walk.nodes.items()
        if node.e is not None and (node.e.state == "closed" or (not closes and _ends(scope_, node)))
    }
    waiting = deque(done)
    while waiting:
        for before in leads[waiting.popleft()]:
            if before not in done:
                done.add(before)
                waiting.append(before)
    return [key for key, node in walk.nodes.items() if node.e is not None and key not in done]


def _ends(scope_: Scope, node: Node) -> bool:
    """Once the ticket is solved it is closed, or de-escalating, or somebody of its level may de-escalate it."""
    assert node.e is not None
    if not node.ticket.solved:
        edge = step(scope_, node, DESK, Report(replace(node.ticket, status="solved", updated_at=None)))
        assert edge is not None
        node = edge.after
    assert node.e is not None
    if node.e.state in ("closed", "de_escalating"):
        return True
    fields = WithCriterion("issue_resolved")
    asked = Transition(node.e.id, "withdraw" if node.e.state == "open" else "de_escalate", fields)
    return step(scope_, node, actor("vic4"), asked) is not None


class Row(NamedTuple):
    """A walk in figures."""

    name: str
    nodes: int
    edges: int
    races: int
    wrong: tuple[str, ...]


def row(name: str) -> Row:
    """Walk it, and count."""
    walk, broken, told, _ = walked(name)
    wrong = (*broken, *told.broken, *(("a state from which no path reaches an end",) if stranded(name) else ()))
    return Row(name, len(walk.nodes), len(walk.edges), told.count, wrong)


def main() -> int:
    """Print a row for each walk and what they are together; 1 if anything is broken."""
    console, names = Console(), [*SCOPES, *WIDE]
    table = Table("walk", title="Everything that can be reached", expand=True)
    for column in ("states", "moves", "races"):
        table.add_column(column, justify="right")
    table.add_column("broken")
    with ProcessPoolExecutor(WORKERS) as pool:
        rows = list(track(pool.map(row, names), "walking", total=len(names), console=console))
    for name, nodes, edges, races, wrong in rows:
        table.add_row(name, f"{nodes:,}", f"{edges:,}", f"{races:,}", ", ".join(wrong) or "nothing")
    for title, some in (("the suite's", rows[: len(SCOPES)]), ("all", rows)):
        sums = [f"{sum(each):,}" for each in zip(*(r[1:4] for r in some), strict=True)]
        table.add_row(title, *sums, "")
    console.print(table)
    return int(any(r.wrong for r in rows))


if __name__ == "__main__":
    sys.exit(main())
