"""What is printed: progress while it runs, tables at the end, and where things are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from machines.values import Tier
from service.demo.cast import ADMIN, AUDITOR, at_level
from service.demo.incidents import Incident
from service.demo.tally import Tally

TIERS: tuple[Tier, ...] = ("enterprise", "professional", "starter")


# Meanwhile --------------------------------------------------------------------------------------------------------


class Advance(Protocol):
    """Called once an incident is played to its end."""

    def __call__(self) -> None:
        """One more."""


@contextmanager
def progress(console: Console, title: str, total: int) -> Iterator[Advance]:
    """A bar on a terminal; in a log a line at every quarter."""
    if not console.is_terminal:
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            if done * 4 // total > (done - 1) * 4 // total:
                console.print(f"{title}: {done} of {total}", highlight=False)

        yield step
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)


# At the end -------------------------------------------------------------------------------------------------------


def _table(title: str, *columns: str, left: int = 1) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        made.add_column(name, justify="left" if place < left else "right", overflow="fold")
    return made


def _n(count: int) -> str:
    return f"{count:,}" if count else "·"


def by_tier(incidents: Sequence[Incident], tally: Tally) -> Table:
    """Tickets and escalations, by tier and highest level."""
    made = _table("Escalations by the highest level called", "tier", "tickets", "escalations", "no level", *_LEVELS)
    tickets, highest = Counter(incident.tier for incident in incidents), tally.highest
    for tier in TIERS:
        reached = [highest[tier, level] for level in range(5)]
        made.add_row(tier, _n(tickets[tier]), _n(sum(reached)), *map(_n, reached))
    made.add_section()
    reached = [sum(highest[tier, level] for tier in TIERS) for level in range(5)]
    made.add_row("all", _n(len(incidents)), _n(sum(reached)), *map(_n, reached))
    return made


_LEVELS = ("L1", "L2", "L3", "L4")


def endings(tally: Tally) -> Table:
    """How each ended."""
    made = _table("How they ended", "", *TIERS, "all")
    counts = tally.endings
    for ending in sorted({ending for ending, _ in counts}):
        made.add_row(ending, *(_n(counts[ending, tier]) for tier in TIERS), _n(sum(counts[ending, t] for t in TIERS)))
    return made


def transitions(tally: Tally) -> Table:
    """How often each trigger was fired, and by whom."""
    made = _table("Transitions", "trigger", "people", "services", "the clock", "all")
    counts = tally.triggers
    totals = Counter(row["trigger"] for row in tally.history)
    for trigger, total in totals.most_common():
        made.add_row(trigger, *(_n(counts[trigger, who]) for who in ("person", "service", "clock")), _n(total))
    made.add_section()
    all_of = [sum(n for (_, by), n in counts.items() if by == who) for who in ("person", "service", "clock")]
    made.add_row("all", *map(_n, all_of), _n(len(tally.history)))
    return made


def refusals(tally: Tally, width: int) -> Table:
    """Which guards refused, how often, and what they say."""
    made = _table("Refusals, by every guard that failed", "status", "guard", "what it says", "times", left=3)
    for (guard, status), count in sorted(tally.guards.items(), key=lambda item: (item[0][1], -item[1], item[0][0])):
        sentence = tally.sentences[guard].split(". ")[0].rstrip(".")
        made.add_row(str(status), _short(guard, _GUARD), _short(sentence, width - _GUARD - _AROUND), _n(count))
    return made


_GUARD, _AROUND = 26, 23
"""Columns for a guard's name (some are named after all who would have passed), and beside it and its sentence."""


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(1, width - 1)] + "…"


def speed(seconds: float, took: list[float], tally: Tally, replayed: int) -> str:
    """How long it took. Client and service share a process here: `bench` is what measures."""
    ordered = sorted(took)
    p50, p99 = (1000 * ordered[int(len(ordered) * q)] for q in (0.5, 0.99))
    return (
        f"{len(took):,} requests in {seconds:.1f} s, {len(took) / seconds:,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms\n"
        f"(one process plays both sides; `escalation-matrix bench` measures).\n"
        f"{len(tally.history):,} transitions: every one that was acknowledged is in history.\n"
        f"{len(tally.denials):,} denials: one for each refusal.\n"
        f"{replayed} answers got lost and were asked for again with the same key: each happened once."
    )


def whereabouts(base: str, keys: Mapping[str, str], tally: Tally) -> Iterator[str]:
    """Where things are, and how to go on. Lines for a shell: they are printed as they are."""
    agent = at_level(0)[0]
    live = next((e["id"] for e in tally.escalations if e["state"] != "closed"), tally.escalations[0]["id"])
    yield f"The service: {base}   its API: {base}/docs"
    yield ""
    yield "Keys, made for this demo and gone with the next:"
    for name, what in ((ADMIN, "admin"), (agent, "agent"), (AUDITOR, "auditor")):
        yield f"  {what:8} {name:13} {keys[name]}"
    yield ""
    yield "Ask:"
    yield f"  KEY={keys[agent]}"
    for path in ("escalations?state=open", f"escalations/{live}/transitions", f"history?escalation_id={live}"):
        yield f"""  curl -sH "Authorization: Bearer $KEY" '{base}/v1/{path}'"""
