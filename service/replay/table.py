"""What is printed: progress while it runs, tables at the end, and where things are."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from machines.values import Tier
from service.replay.caller import Caller
from service.replay.cast.members import ADMIN, AUDITOR, at_level
from service.replay.tally import Tally

TIERS: tuple[Tier, ...] = ("enterprise", "professional", "starter")


# Meanwhile --------------------------------------------------------------------------------------------------------


class Advance(Protocol):
    """Called once an event is replayed, with its instant."""

    def __call__(self, at: datetime) -> None:
        """One more."""


@contextmanager
def progress(console: Console, title: str, total: int) -> Iterator[Advance]:
    """A bar on a terminal, with the instant that is replayed; in a log a line at every tenth."""
    if not console.is_terminal:
        done, began = 0, time.monotonic()

        def step(at: datetime) -> None:
            nonlocal done
            done += 1
            if done * 10 // total > (done - 1) * 10 // total:
                rate = done / max(time.monotonic() - began, 0.001)
                console.print(f"{title}: {done:,} of {total:,} ({at:%Y-%m-%d %H:%M}), {rate:,.0f}/s", highlight=False)

        yield step
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[at]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total, at="")
        yield lambda at: bar.update(task, advance=1, at=f"{at:%Y-%m-%d %H:%M}")


# At the end -------------------------------------------------------------------------------------------------------


def _table(title: str, *columns: str, left: int = 1) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        made.add_column(name, justify="left" if place < left else "right", overflow="fold")
    return made


def _n(count: int) -> str:
    return f"{count:,}" if count else "·"


def by_tier(tickets: Counter[str], tally: Tally) -> Table:
    """Tickets and escalations, by tier and highest level."""
    made = _table("Escalations by the highest level called", "tier", "tickets", "escalations", "no level", *_LEVELS)
    highest = tally.highest
    for tier in TIERS:
        reached = [highest[tier, level] for level in range(5)]
        made.add_row(tier, _n(tickets[tier]), _n(sum(reached)), *map(_n, reached))
    made.add_section()
    reached = [sum(highest[tier, level] for tier in TIERS) for level in range(5)]
    made.add_row("all", _n(sum(tickets.values())), _n(sum(reached)), *map(_n, reached))
    return made


_LEVELS = ("L1", "L2", "L3", "L4")


def by_situation(tally: Tally) -> Table:
    """What began, by situation and tier."""
    made = _table("Situations", "", *TIERS, "all")
    begun = tally.begun
    for situation in sorted({name for name, _ in begun}):
        counts = [begun[situation, tier] for tier in TIERS]
        made.add_row(situation, *map(_n, counts), _n(sum(counts)))
    return made


def answers(tally: Tally) -> Table:
    """Response attainment per level, and by how much engages were late."""
    made = _table(
        "Answers by level", "level", "called", "in time", "late", "raised by the clock", "ended before", "met"
    )
    for level, told in tally.attainment.items():
        due = told.in_time + told.late + told.raised
        met = f"{told.in_time / due:.0%}" if due else "·"
        counts = (told.called, told.in_time, told.late, told.raised, told.ended)
        made.add_row(f"L{level}", *map(_n, counts), met)
    late = sorted(span for span in tally.lateness if span)
    told_late = f"at most {_span(late[-1])}, half of them within {_span(late[len(late) // 2])}" if late else "none"
    made.caption = (
        "Raised: nobody answered, and the clock took it further up. L4 is to answer at once: it is late from the first "
        f"second. Engaged by a deadline: {len(tally.lateness):,}; late: {len(late):,} ({told_late})"
    )
    made.caption_justify = "left"
    return made


def handoffs(tally: Tally) -> Table:
    """How offers went, by level."""
    how = {
        "accept": "accepted",
        "decline": "declined",
        "left": "went off duty",
        "reassign": "reassigned",
        "lapsed": "lapsed",
        "gap": "nobody there",
    }
    made = _table("Handoffs by level", "level", *how.values())
    counts = tally.handoffs
    for level in range(1, 5):
        made.add_row(f"L{level}", *(_n(counts[level, name]) for name in how))
    ended = sum(count for (_, name), count in counts.items() if name == "shift_ended")
    made.caption = (
        "Went off duty: a shift ended before the answer, and the offer passed on. Nobody there: a gap in the roster; "
        f"the next level was called. Owners were reminded {ended:,} times at the end of their shift."
    )
    made.caption_justify = "left"
    return made


def story(tally: Tally) -> Table:
    """One escalation, row by row, as its history tells it; what is the same again is told once."""
    chain = tally.story
    title = (
        f"One of them, ticket {chain[0]['ticket_id']}, from its first row to its last" if chain else "None has ended"
    )
    made = _table(title, "at", "who", "trigger", "stands at", "why", left=5)
    for column in made.columns[:4]:
        column.no_wrap = True
    for _, same in groupby(chain, key=lambda row: [row[name] for name in ("actor", "trigger", "to", "reason")]):
        row, *again = same
        why = str(row["reason"]).replace("_", " ")
        if gap := row["detail"].get("coverage_gap"):
            why += f"; nobody at {', '.join(f'L{level}' for level in gap)}"
        times = f" ×{len(again) + 1}" if again else ""
        at = datetime.fromisoformat(row["at"])
        made.add_row(f"{at:%a %H:%M}", row["actor"], row["trigger"] + times, row["to"], why)
    return made


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def deliveries(tally: Tally) -> Table:
    """Messages that transitions planned, by template and whom they are for."""
    audiences = ("person", "escalations", "customer", "account_manager", "help_desk")
    made = _table("Messages planned", "template", "people", "channel", "customers", "managers", "help desk", "all")
    totals = Counter[str]()
    for (template, _), count in tally.deliveries.items():
        totals[template] += count
    for template, total in totals.most_common():
        made.add_row(template, *(_n(tally.deliveries[template, name]) for name in audiences), _n(total))
    made.add_section()
    sums = [sum(n for (_, to), n in tally.deliveries.items() if to == name) for name in audiences]
    made.add_row("all", *map(_n, sums), _n(sum(sums)))
    return made


def endings(tally: Tally) -> Table:
    """How each ended."""
    made = _table("How they ended, or where they stand", "", *TIERS, "all")
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


def refusals(tally: Tally) -> Table:
    """Which guards refused, how often, and what they say."""
    made = _table("Refusals, by every guard that failed", "", "guard", "what the caller is told", "times", left=3)
    for (guard, status), count in sorted(tally.guards.items(), key=lambda item: (item[0][1], -item[1], item[0][0])):
        sentence = re.split(r"[.:;] ", tally.sentences[guard])[0].rstrip(".")
        made.add_row(str(status), guard if len(guard) <= _GUARD else f"{guard[: _GUARD - 1]}…", sentence, _n(count))
    return made


_GUARD = 28
"""Columns for a guard's name: some are named after all who would have passed."""


def speed(seconds: float, events: int, caller: Caller, tally: Tally) -> str:
    """How long it took, and what it comes to: two digests by which runs are compared."""
    return (
        f"{events:,} events in {seconds:,.1f} s, {events / seconds:,.0f}/s; {caller.calls:,} requests, "
        f"{caller.calls / seconds:,.0f}/s, one after the other.\n"
        f"{len(tally.history):,} transitions: every one that was acknowledged is in history.\n"
        f"{caller.repeats:,} requests had to be asked again.\n"
        "Another run was the same to the last hash, or did the same, where these are equal:\n"
        f"history  {tally.digest}\n"
        f"outcome  {tally.outcome}"
    )


def service(base: str) -> str:
    """Where it is."""
    return f"The console: {base}   the API: {base}/docs   as OpenAPI: {base}/openapi.json"


def whereabouts(base: str, keys: Mapping[str, str], tally: Tally, later: datetime) -> Iterator[str]:
    """Where things are, and how to go on. Lines for a shell: they are printed as they are."""
    agent = at_level(0)[0]
    live = next((e["id"] for e in tally.escalations if e["state"] != "closed"), tally.escalations[0]["id"])
    yield ""
    yield "Keys, made for this demo and gone with the next; each signs in to the console:"
    for name, what in ((ADMIN, "admin"), (agent, "agent"), (AUDITOR, "auditor")):
        yield f"  {what:8} {name:13} {keys[name]}"
    yield ""
    yield "Ask:"
    yield f"  KEY={keys[agent]}"
    for path in ("escalations?state=open", f"escalations/{live}/transitions", f"history?escalation_id={live}"):
        yield f"""  curl -sH "Authorization: Bearer $KEY" '{base}/v1/{path}'"""
    yield ""
    yield "Move the clock a day on, and see what falls due:"
    yield f"  ADMIN={keys[ADMIN]}"
    yield f"""  curl -sX PUT -H "Authorization: Bearer $ADMIN" -d '{{"now": "{later:%FT%TZ}"}}' {base}/v1/clock"""
