"""The whole house: every room is put together here, and only here."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from machines.case import Mint, SeededMint
from service import channels, clock, console, database
from service.batch import Policies
from service.body import REQUEST_WITHIN
from service.config import Settings
from service.engine import Engine
from service.feed import FEED, Feed
from service.housekeeping import keep_house, tell_spans
from service.inbound.post import POST, Post
from service.inbound.slack_later import LATER, Later
from service.inbound.smtp import LISTENER, listening
from service.metrics import METRICS, Metrics
from service.outbox.chain import watch_chains
from service.outbox.sender import Sender
from service.proof import witness
from service.proof.notes import Signer
from service.proof.sealer import Sealer
from service.replica import Replica
from service.rotas.keep import Fetcher, keep_rotas
from service.routes import all_routes, reviews
from service.routes.clock import CLOCK
from service.server import Runner, answer, expect, handle, limits
from service.submit import HOUSE, TURNS, House
from service.timers import Timers
from service.turns import Turns


def build(settings: Settings, url: str) -> web.Application:
    """The application on a migrated database."""
    how = limits(settings.request_within)
    app = web.Application(middlewares=[answer], client_max_size=settings.max_body, handler_args=how)
    app[REQUEST_WITHIN] = settings.request_within
    app[METRICS] = Metrics()
    app[reviews.PAGE] = console.reviews.page_of
    # They are tried in this order, and most of what is asked are transitions, whose path is among the longest.
    for route in sorted((*all_routes(), *console.ROUTES), key=lambda route: (-route.path.count("/"), route.path)):
        app.router.add_route(route.method, route.path, handle(route), expect_handler=expect)

    async def live(app: web.Application) -> AsyncIterator[None]:
        ways_out = channels.from_settings(settings)
        policies = Policies()
        turns = app[TURNS] = Turns()
        reads = await database.connect(url, min_size=1, max_size=settings.read_connections)
        virtual = settings.clock == "virtual"
        replica = None
        if settings.replica_url is not None:
            # It need not be there, now or ever.
            there = await database.connect(settings.replica_url, min_size=0, max_size=settings.read_connections)
            replica = Replica(there, app[METRICS].read_from_replica)
        try:
            await clock.begin(reads, settings.clock)
        except clock.ClockError:
            await reads.close()
            raise
        engine = Engine(
            lambda: database.open_connection(url),
            policies,
            SeededMint(settings.seed.encode()) if virtual else Mint(),
            queue_limit=settings.queue_limit,
            in_flight=1 if virtual else 2,  # one batch after the other, so that the same requests are the same history
            first=clock.first if virtual else None,
            last=clock.last if virtual else None,
            turns=turns,
            inbox_only=not ways_out,
            arrives_at_once=settings.sends and not ways_out,
        )
        house = app[HOUSE] = House(engine, reads, policies, settings, replica)
        app[POST] = Post(house)
        app[CLOCK] = clock.VirtualClock(reads, engine)
        tasks = [asyncio.create_task(keep_house(reads, settings), name="housekeeping")]
        tasks.append(asyncio.create_task(tell_spans(reads), name="spans"))
        feed = app[FEED] = Feed(reads)
        tasks.append(asyncio.create_task(feed.run(), name="feed"))
        if settings.timers and not virtual:
            tasks.append(asyncio.create_task(Timers(engine, reads, app[METRICS]).run(), name="timers"))
        if settings.signing_key is not None:
            seen_by = witness.from_settings(settings)
            if seen_by is not None:
                tasks.append(asyncio.create_task(seen_by.run(), name="witness"))
            sealer = Sealer(reads, Signer(settings.signing_key), settings.checkpoints, seen_by)
            tasks.append(asyncio.create_task(sealer.run(), name="sealer"))
        if settings.sends:
            sender = Sender(reads, ways_out, app[METRICS], public_url=settings.public_url)
            tasks.append(asyncio.create_task(sender.run(), name="sender"))
        tasks.append(asyncio.create_task(watch_chains(reads, engine), name="chains"))
        if settings.timers or virtual:
            fetcher = Fetcher(settings.private_hosts)
            tasks.append(asyncio.create_task(keep_rotas(reads, engine, fetcher), name="rotas"))
        later = app[LATER] = Later()
        async with listening(settings, app[POST]) as app[LISTENER]:
            yield
        await later.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # the sender hangs up
        await engine.stop()
        await reads.close()
        if replica is not None:
            await replica.pool.close()

    async def quiet(app: web.Application) -> None:
        await app[FEED].close()

    app.cleanup_ctx.append(live)
    app.on_shutdown.append(quiet)
    return app


async def serve(settings: Settings, url: str, *, announce: Callable[[str], None] = print) -> None:
    """Serve until told to stop (SIGTERM, SIGINT): new requests are refused, what waits is decided."""
    runner = Runner(build(settings, url), access_log=None, shutdown_timeout=settings.shutdown_within)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port, reuse_port=settings.workers > 1 or None)
    await site.start()
    port = runner.addresses[0][1]
    # What is there now stays for good; what a request makes is gone with it, mostly without being looked at.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    announce(f"listening on http://{settings.host}:{port}")
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
    await runner.cleanup()
