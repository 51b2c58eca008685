"""The demo: a real day of incidents comes in over HTTP, and a cast of people carries the matrix out.

`main` is the whole of it: a fresh database, the service on its port in this process, everybody with a key of their
own, and not one change that doesn't go through the API. Chance is seeded; who is offered what is the service's
choice. What it answers is checked on the way: the first answer that the story doesn't expect ends the demo.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence

import aiohttp
from rich.console import Console
from rich.markup import escape

from service import log
from service.config import Settings
from service.demo import stage, story, table, tally
from service.demo.cast import ADMIN, PEOPLE, customers_of
from service.demo.client import Client, StoryError
from service.demo.incidents import Incident, load
from service.demo.pace import Pressed
from service.demo.scene import Scene
from service.demo.tally import Tally

SEED = 20160302
AT_ONCE = 16
"""How many incidents are on stage at the same time."""

_PROGRAMME = (
    "[bold]Escalation Matrix[/]: Wednesday, 2 March 2016, pressed into seconds",
    "The incidents are real: Incident management process enriched event log, UCI,",
    "CC BY 4.0 (service/demo/README.md). The people are played; each has a key, and",
    "does everything over HTTP.",
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
                await show(console, base, keys, load())
                if once:
                    console.print("\nPlayed once, and ended: without `--once` it serves on.")
                else:
                    await _until_stopped(console)
    except (stage.StageError, StoryError) as error:
        went = "can't begin" if isinstance(error, stage.StageError) else "FAILED: this is not what must happen"
        console.print(f"[bold red]The demo {went}.[/]\n{escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None


async def show(console: Console, base: str, keys: Mapping[str, str], incidents: Sequence[Incident]) -> Tally:
    """Play these incidents against the service at `base`, and print what happened. Raises StoryError."""
    began = time.perf_counter()
    limits = aiohttp.ClientTimeout(total=30)
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, timeout=limits) as session:
        client = Client(session, base, keys)
        await _fill_the_roster(client, incidents)
        with table.progress(console, "Incidents", len(incidents)) as advance:
            await _play_all(client, incidents, advance)
        seconds, took = time.perf_counter() - began, list(client.took)
        found = await tally.take(client)
        replayed = client.replayed
    for told in (
        table.by_tier(incidents, found),
        table.endings(found),
        table.transitions(found),
        table.refusals(found, console.width),
    ):
        console.print()
        console.print(told)
    console.print()
    console.print(table.speed(seconds, took, found, replayed), highlight=False)
    console.print()
    for line in table.whereabouts(base, keys, found):
        console.print(escape(line), highlight=False, soft_wrap=True)
    return found


async def _fill_the_roster(client: Client, incidents: Sequence[Incident]) -> None:
    """People and customers, as an admin puts them."""
    for member in PEOPLE:
        person = {"name": member.name, "level": member.level, "email": f"{member.id}@desk.example", "on_duty": True}
        await client.call(ADMIN, "PUT", f"/v1/people/{member.id}", person)
    for customer in customers_of(incidents):
        facts = {
            "name": customer.name,
            "tier": customer.tier,
            "account_manager": customer.account_manager,
            "contacts": [customer.contact],
        }
        await client.call(ADMIN, "PUT", f"/v1/customers/{customer.id}", facts)


async def _play_all(client: Client, incidents: Sequence[Incident], advance: table.Advance) -> None:
    """The incidents in the order of their opening, some at a time. The first that goes wrong stops them all."""
    pace = Pressed()
    waiting = iter(sorted(incidents, key=lambda incident: (incident.opened_at, incident.number)))

    async def play_one_by_one() -> None:
        for incident in waiting:
            await story.play(Scene(incident, client, pace, SEED))
            advance()

    try:
        async with asyncio.TaskGroup() as together:
            for _ in range(AT_ONCE):
                together.create_task(play_one_by_one())
    except ExceptionGroup as errors:
        told, others = errors.split(StoryError)
        if told is None or others is not None:
            raise
        raise told.exceptions[0] from None


async def _until_stopped(console: Console) -> None:
    """Serve on, until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    console.print("\nServing; Ctrl-C ends it.")
    await stop.wait()
