"""`escalation-matrix replay`: a ticket-event file replayed through a running service.

`lines.py` documents the file. On a service with a virtual clock the clock is moved to each event's instant before it is
sent; on the system's clock the gaps between the events pass, divided by `--speed`. Calls are made one after the other,
each under a name of its own, so a replay of one file is the same replay every time, and one that was interrupted goes
on with `--from LINE`. With `--cast SEED` people are played as well: they answer, are late, decide and end it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
from msgspec import Struct
from rich.console import Console
from rich.markup import escape

from service import auth
from service.database import open_connection
from service.replay import lines, table, tally
from service.replay.caller import PATIENCE, Caller, Unanswered, Unexpected
from service.replay.cast.members import AUDITOR, CAST, Member
from service.replay.cast.playing import Cast
from service.replay.lines import Event, FileError
from service.replay.pace import OwnTime, Pace, VirtualClock
from service.replay.player import Player

LONE = "replay"
"""The principal of a replay without a cast: an admin."""
PLAYS_ON = timedelta(days=30)
"""For how long the cast goes on after the last event: to end what is not ended."""


class Ask(Struct, frozen=True):
    """What is to be replayed. `begin` is the first line; `seed` that of the cast, None: nobody is played. For
    `patience` seconds a service that does not answer is asked again."""

    path: Path
    url: str
    speed: float = 1.0
    begin: int = 1
    seed: int | None = None
    patience: float = PATIENCE


class Stopped(Exception):  # noqa: N818  # what is said to whoever runs the replay
    """The replay ended before its end; the message says why, and how to go on."""


async def run(ask: Ask, keys: Mapping[str, str], console: Console) -> tally.Tally:
    """Replay, and print what happened. Raises Stopped."""
    try:
        _, first, last = lines.check(ask.path)
    except FileError as error:
        raise Stopped(f"{ask.path} can't be replayed, and nothing of it was sent:\n{error}") from None
    desk, admin, reader = (Cast.desk, Cast.admin, AUDITOR) if ask.seed is not None else (LONE, LONE, LONE)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        caller = Caller(session, ask.url, keys, ask.patience, waits=lambda why: _waits(console, ask.url, why))
        cast = Cast(caller, ask.seed) if ask.seed is not None else None
        clock = VirtualClock(caller, admin)
        player = Player(caller, clock, desk=desk, admin=admin, cast=cast)
        began = time.perf_counter()
        try:
            if not await clock.found():
                if cast is not None:
                    raise Stopped(
                        "A cast plays on a virtual clock only: start the service with ESCALATION_CLOCK=virtual."
                    )
                player.pace = _own_time(ask, first, console)
            tickets = await _prepare(ask, cast, first if ask.begin == 1 else clock.now)
            left = sum(1 for _ in lines.read(ask.path, ask.begin))
            with table.progress(console, "Events", max(left, 1)) as advance:

                def done(event: Event) -> None:
                    tickets.note(event)
                    advance(event.at)

                await player.play(lines.read(ask.path, ask.begin), done)
            if cast is not None:
                await player.play_on(last + PLAYS_ON)
            seconds = time.perf_counter() - began
            found = await tally.take(caller, reader, denials=cast is not None)
        except (Unanswered, Unexpected) as error:
            line = max(player.line + 1, ask.begin)
            raise Stopped(f"{error}\nEverything before line {line} is done: go on with `--from {line}`.") from None
    show(console, found, tickets.by_tier)
    console.print(table.speed(seconds, player.sent, caller, found), highlight=False)
    return found


def _waits(console: Console, url: str, why: str) -> None:
    told = f"No answer from {url} ({why}). Is a service running there? `./run serve` starts one; it is asked again."
    console.print(escape(told), highlight=False, soft_wrap=True)


def show(console: Console, found: tally.Tally, tickets: Counter[str]) -> None:
    """The tables."""
    told = [
        table.by_tier(tickets, found),
        table.by_situation(found),
        table.answers(found),
        table.handoffs(found),
        table.endings(found),
    ]
    if found.denials:
        told.append(table.refusals(found))
    told += [table.transitions(found), table.deliveries(found), table.story(found)]
    for each in told:
        console.print()
        console.print(each)
    console.print()


def _own_time(ask: Ask, first: datetime, console: Console) -> Pace:
    told = f"The service lives by the system's clock: the file's gaps pass, divided by {ask.speed:g}."
    console.print(told, highlight=False)
    return OwnTime(first, ask.speed)


class Tickets:
    """How many tickets of each tier a file tells of, by its own customers."""

    def __init__(self) -> None:
        self._tiers: dict[str, str] = {}
        self._seen: set[str] = set()
        self.by_tier: Counter[str] = Counter()

    def note(self, event: Event) -> None:
        """One more event."""
        if event.kind == "customer":
            self._tiers[event.id] = event.body["tier"]
        elif event.kind == "ticket" and event.id not in self._seen:
            self._seen.add(event.id)
            self.by_tier[self._tiers.get(event.body["customer_id"], "starter")] += 1


async def _prepare(ask: Ask, cast: Cast | None, now: datetime) -> Tickets:
    """The roster; and for one that goes on, what was replayed before is remembered and what stands is found."""
    tickets = Tickets()
    for event in lines.read(ask.path):
        if event.line >= ask.begin:
            break
        tickets.note(event)
        if cast is not None:
            cast.remember(event)
    if cast is not None:
        await cast.come_in(now)
        if ask.begin > 1:
            await cast.find(now)
    return tickets


async def keys_for(url: str, names: Sequence[Member]) -> dict[str, str]:
    """An API key for each, as `escalation-matrix keys create` makes them in this database."""
    conn = await open_connection(url)
    try:
        return {each.id: await auth.create_key(conn, each.id, each.role, each.level) for each in names}
    finally:
        await conn.close()


async def main(ask: Ask, key: str | None, database: Callable[[], AbstractAsyncContextManager[str]]) -> None:
    """The command. Without a key those that are needed are made in `database`. Raises SystemExit(1) where it stops."""
    console = Console()
    try:
        if key is not None and ask.seed is not None:
            raise Stopped("Each of the cast needs a key of their own, which are made in the database: leave out --key.")
        keys = {LONE: key} if key is not None else {}
        if not keys:
            async with database() as url:
                keys = await keys_for(url, CAST if ask.seed is not None else (Member(LONE, LONE, "admin"),))
        await run(ask, keys, console)
    except Stopped as stopped:
        console.print(f"[bold red]The replay stopped.[/]\n{escape(str(stopped))}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
