"""`as_of` at random instants of a replay, held against what was answered at that very instant.

    python -m tests.chaos.as_of --instants 500 --seed 1                  # the demo's day
    python -m tests.chaos.as_of --instants 500 --seed 1 march.ndjson     # or any ticket-event file

The file is replayed with a cast through a service on a virtual clock, which stops at each of the instants (to the
microsecond, so that nothing else happens there): lists by several filters and some escalations are read. When all is
over, the same is asked again with `as_of`, and must be answered alike.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from machines.history import canonical
from service import log, replay, verify
from service.config import Settings
from service.demo import stage
from service.replay import lines
from service.replay.caller import Caller
from service.replay.cast.members import AUDITOR, CAST
from service.replay.cast.playing import Cast
from service.replay.pace import VirtualClock
from service.replay.player import Player
from tests.chaos.replay import day
from tests.chaos.town import postgres_in

app = App(name="python -m tests.chaos.as_of", help="as_of must answer what was answered then.")
console = Console(stderr=True)
LISTS = (
    *("", "state=open", "state=l2", "state=closed", "level=1", "tier=enterprise", "overdue=true", "overdue=false"),
    "state=l3&overdue=true",
)
SINGLES = 3
"""Escalations that are read by themselves at each instant."""
PLAYS_ON = timedelta(days=7)
"""For how long the cast goes on after the last event."""
SHOWN = 20
Step = Callable[[int, int, str], None]


@dataclass
class Seen:
    """What came of it. `answers`: how many were held against each other, `escalations`: how many these told of."""

    instants: int
    seed: int
    lists: int = 0
    singles: int = 0
    escalations: int = 0
    states: Counter[str] = field(default_factory=Counter)
    different: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        """All that was asked for was compared, and is the same."""
        return not self.different and not self.findings and self.lists == self.instants * len(LISTS)

    def table(self) -> Table:
        """For people."""
        verdict = "the same" if self.sound else "NOT THE SAME"
        table = Table(title=f"as_of, seed {self.seed}: {verdict}", show_header=False)
        table.add_row("instants", str(self.instants), f"{self.seconds:.0f} s")
        table.add_row("lists", str(self.lists), f"{len(LISTS)} filters, {self.escalations} escalations in all")
        table.add_row("escalations by themselves", str(self.singles), "")
        states = ", ".join(f"{state} {count}" for state, count in sorted(self.states.items()))
        table.add_row("as they stood then", states, "")
        table.add_row("different", str(len(self.different)), "")
        return table


class Stopping(VirtualClock):
    """The clock, which stops at each of these instants on its way, and looks."""

    def __init__(self, caller: Caller, admin: str, instants: list[datetime], look: Any) -> None:
        super().__init__(caller, admin)
        self._instants, self._look = sorted(instants, reverse=True), look

    async def until(self, at: datetime) -> bool:
        """Go on when it has come; what lies before it is looked at on the way."""
        acted = False
        while self._instants and self._instants[-1] < at:
            acted = await super().until(self._instants[-1]) or acted
            await self._look(self._instants.pop())
        return await super().until(at) or acted


class Snapshots:
    """What was answered, by what was asked and when: of each answer a hash."""

    def __init__(self, caller: Caller, seen: Seen) -> None:
        self._caller, self._seen = caller, seen
        self._rng = random.Random(f"singles/{seen.seed}")
        self.taken: list[tuple[datetime, str, str]] = []

    async def look(self, at: datetime) -> None:
        """Everything, as it stands now."""
        for query in LISTS:
            found = await self._list(query, "")
            self.taken.append((at, query, _hash(found)))
            self._seen.lists += 1
            self._seen.escalations += len(found)
            if not query:
                self._seen.states.update(item["state"] for item in found)
                some = self._rng.sample(found, min(SINGLES, len(found)))
        for item in some:
            told = await self._one(item["id"], "")
            assert told == item
            self.taken.append((at, item["id"], _hash(told)))
            self._seen.singles += 1

    async def compare(self, step: Step) -> None:
        """The same, asked again of history."""
        for n, (at, asked, wanted) in enumerate(self.taken):
            as_of = f"as_of={at.isoformat().replace('+00:00', 'Z')}"
            alone = len(asked) == 36
            found = await (self._one(asked, as_of) if alone else self._list(asked, as_of))
            if _hash(found) != wanted:
                self._seen.different.append(f"{at}: {asked or 'all'}")
            step(n + 1, len(self.taken), "asking with as_of")

    async def _list(self, query: str, as_of: str) -> list[Any]:
        path = "/v1/escalations?" + "&".join(part for part in (query, as_of) if part)
        return [item async for item in self._caller.pages(AUDITOR, path.rstrip("?"), "as-of")]

    async def _one(self, which: str, as_of: str) -> Any:
        path = f"/v1/escalations/{which}" + (f"?{as_of}" if as_of else "")
        return (await self._caller.call(AUDITOR, "GET", path, name="as-of")).body


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


async def as_of(file: Path, seen: Seen, url: str, step: Step = lambda n, of, doing: None) -> Seen:
    """Replay this file on this database, and compare."""
    began, rng = time.monotonic(), random.Random(seen.seed)
    count, first, last = lines.check(file)
    span = last + timedelta(days=1) - first
    instants = [first + span * rng.random() for _ in range(seen.instants)]
    keys = await replay.keys_for(url, CAST)
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(stage.service_on(Settings(port=0, sends=False), url))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        caller = Caller(session, base, keys)
        cast, snapshots = Cast(caller, seen.seed), Snapshots(caller, seen)
        clock = Stopping(caller, Cast.admin, instants, snapshots.look)
        player = Player(caller, clock, desk=Cast.desk, admin=Cast.admin, cast=cast)
        assert await clock.found()
        await cast.come_in(first)
        await player.play(lines.read(file), lambda event: step(event.line, count, "replaying"))
        await player.play_on(last + PLAYS_ON)
        await snapshots.compare(step)
    seen.findings = [f"{f.claim} {f.where}: {f.what}" for f in await verify.run(url)]
    seen.seconds = time.monotonic() - began
    return seen


async def _on_a_server(file: Path, seen: Seen, directory: Path, step: Step) -> None:
    async with postgres_in(directory / "postgres") as postgres:
        await as_of(file, seen, await stage.fresh_database(postgres.url, "as_of"), step)


@app.default
def main(
    file: Path | None = None,
    *,
    instants: int = 500,
    seed: int = 1,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Run, show a table, and write it as JSON if wished.

    Parameters
    ----------
    file
        A file of ticket events; without one it is the demo's day.
    instants
        How many, from the first event to a day after the last.
    seed
        Decides which instants, which escalations, and the cast's luck.
    json_file
        Where the report goes as JSON.
    """
    log.configure("console", "error")
    directory = Path(tempfile.mkdtemp(prefix="escalation-chaos-as-of-"))
    seen = Seen(instants, seed)
    with console.status("starting") as status:

        def step(n: int, of: int, doing: str) -> None:
            status.update(f"{doing}: {n} of {of}, {seen.lists} lists read, {len(seen.different)} different")

        asyncio.run(_on_a_server(file or day(directory / "day.ndjson"), seen, directory, step))
    console.print(seen.table())
    for each in (*seen.different, *seen.findings)[:SHOWN]:
        console.print(each, style="red", highlight=False, markup=False)
    shutil.rmtree(directory, ignore_errors=True)
    if json_file is not None:
        json_file.write_text(json.dumps({"sound": seen.sound, **msgspec.to_builtins(asdict(seen))}, indent=1) + "\n")
    raise SystemExit(0 if seen.sound else 1)


if __name__ == "__main__":
    app()
