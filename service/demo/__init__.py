"""The demo: a real day of incidents comes in over HTTP, on a virtual clock, and a cast carries the matrix out.

`main` is the whole of it: a fresh database, the service on its port in this process, everybody with a key of their
own, and not one change that doesn't go through the API. It is a replay with a cast, and of its own has only the day.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import aiohttp
from rich.console import Console
from rich.markup import escape

from service import log, replay
from service.config import Settings
from service.demo import stage
from service.demo.incidents import Incident, events, load
from service.replay import table, tally
from service.replay.caller import Caller, Unanswered, Unexpected
from service.replay.cast.members import AUDITOR
from service.replay.cast.playing import Cast
from service.replay.pace import VirtualClock
from service.replay.player import Player
from service.replay.tally import Tally

SEED = 20160302
EAGER = 1.25
"""How many more tickets than in a replay somebody wants escalated: one day has few of a kind."""
UNTIL = datetime(2016, 3, 3, 14, 0, tzinfo=UTC)
"""Where the demo stops the clock, and leaves what stands to whoever plays on."""
DAY = timedelta(days=1)

_PROGRAMME = (
    "[bold]Escalation Matrix[/]: the incidents of Wednesday, 2 March 2016, on a virtual clock",
    "The incidents are real: Incident management process enriched event log, UCI,",
    "CC BY 4.0 (service/demo/README.md). The people are played; each has a key, and",
    "does everything over HTTP. Deadlines pass when the clock is moved past them.",
)


async def main(settings: Settings, once: bool) -> None:
    """Play the demo and print what happened; then serve until told to stop, unless `once`.

    Raises SystemExit(1) where the demo can't begin, or something happened that its story doesn't expect.
    """
    # The demo's own lines are what is to be read: the service's log speaks up where something is wrong.
    log.configure("console", "warning" if settings.log_level == "info" else settings.log_level)
    console = Console()
    for line in _PROGRAMME:
        console.print(line, highlight=False)
    try:
        async with stage.a_server(settings) as server:
            url = await stage.fresh_database(server)
            keys = await stage.keys_for_the_cast(url)
            async with stage.service_on(settings, url) as base:
                found = await show(console, base, keys, load())
                if once:
                    console.print("It ends here. Without `--once` it serves on, with keys and calls to try.")
                    return
                for line in table.whereabouts(base, keys, found, UNTIL + DAY):
                    console.print(escape(line), highlight=False, soft_wrap=True)
                await _until_stopped(console)
    except (stage.StageError, Unexpected, Unanswered) as error:
        went = "can't begin" if isinstance(error, stage.StageError) else "FAILED: this is not what must happen"
        console.print(f"[bold red]The demo {went}.[/]\n{escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None


async def show(console: Console, base: str, keys: Mapping[str, str], incidents: Sequence[Incident]) -> Tally:
    """Play these incidents against the service at `base`, and print what happened. Raises Unexpected."""
    told = events(incidents, UNTIL)
    began = time.perf_counter()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        caller = Caller(session, base, keys, patience=10)
        cast = Cast(caller, SEED, EAGER)
        clock = VirtualClock(caller, cast.admin)
        player = Player(caller, clock, desk=cast.desk, admin=cast.admin, cast=cast)
        await clock.found()
        await cast.come_in(told[0].at)
        with table.progress(console, "Ticket events", len(told)) as advance:
            await player.play(told, lambda event: advance(event.at))
        await player.play_on(UNTIL)
        seconds = time.perf_counter() - began
        found = await tally.take(caller, AUDITOR)
    replay.show(console, found, Counter(incident.tier for incident in incidents))
    console.print(table.speed(seconds, len(told), caller, found), highlight=False)
    console.print(f"{cast.repeated} answers got lost and were asked for again: each happened once.", highlight=False)
    console.print()
    console.print(table.service(base), highlight=False, soft_wrap=True)
    return found


async def _until_stopped(console: Console) -> None:
    """Serve on, until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    told = (
        f"\nServing on the virtual clock, which stands at {UNTIL:%Y-%m-%d %H:%M} UTC until you move it; Ctrl-C ends it."
    )
    console.print(told, highlight=False)
    await stop.wait()
