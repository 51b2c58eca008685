"""The whole house: every room is put together here, and only here."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

from aiohttp import web

from machines.case import Mint, SeededMint
from service import channels, clock, console, database, heartbeat
from service.auditor import Auditor
from service.batch import Policies
from service.body import REQUEST_WITHIN
from service.channels.letter import Channel
from service.config import Settings
from service.door import Route
from service.engine import Engine
from service.feed import FEED, Feed
from service.housekeeping import keep_house, tell_spans
from service.inbound.post import POST, Post
from service.inbound.slack_later import LATER, Later
from service.inbound.smtp import LISTENER, listening
from service.issuer import Issuer
from service.metrics import METRICS, Metrics
from service.outbox.chain import watch_chains
from service.outbox.sender import Sender
from service.proof import witness
from service.proof.notes import Signer
from service.proof.sealer import Sealer
from service.rates import RATES, Rates
from service.rearming import keep_rearmed
from service.replica import Replica
from service.room import ROOM, room
from service.rotas.keep import Fetcher, keep_rotas
from service.routes import all_routes, reviews
from service.routes.clock import CLOCK
from service.routes.health import LEAVING
from service.server import Handler, Runner, answer, expect, handle, limits
from service.submit import HOUSE, TURNS, House
from service.timers import Timers
from service.turns import Turns


class Around(Protocol):
    """What may be put around handlers, the engine and the ways out: traces (`service.tracing`), failures in tests."""

    def request(self, route: Route, handle: Handler) -> Handler:
        """The handler of a route, or another one around it."""

    def engine(self, *given: Any, **more: Any) -> Engine:
        """The engine, made with these."""

    def channels(self, channels: Sequence[Channel]) -> tuple[Channel, ...]:
        """The ways out, or others around them."""

    async def close(self) -> None:
        """The application ends."""


def build(settings: Settings, url: str, *, around: Around | None = None) -> web.Application:
    """The application on a migrated database."""
    if settings.traces and around is None:
        from service.tracing import from_environment  # loaded where traces are wanted, and not before

        around = from_environment()
    how = limits(settings.request_within)
    app = web.Application(middlewares=[answer], client_max_size=settings.max_body, handler_args=how)
    app[REQUEST_WITHIN] = settings.request_within
    app[METRICS], app[ROOM], app[LEAVING] = Metrics(), room(settings), asyncio.Event()
    app[RATES] = Rates(settings.rate_limit, settings.rate_burst) if settings.rate_limit else None
    app[reviews.PAGE] = console.reviews.page_of
    # They are tried in this order, and most of what is asked are transitions, whose path is among the longest.
    for route in sorted((*all_routes(), *console.ROUTES), key=lambda route: (-route.path.count("/"), route.path)):
        handler = around.request(route, handle(route)) if around else handle(route)
        app.router.add_route(route.method, route.path, handler, expect_handler=expect)

    async def live(app: web.Application) -> AsyncIterator[None]:
        ways_out = channels.from_settings(settings)
        ways_out = around.channels(ways_out) if around else ways_out
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
        engine = (around.engine if around else Engine)(
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
        issuer = Issuer(settings.oidc) if settings.oidc is not None else None
        house = app[HOUSE] = House(engine, reads, policies, settings, replica, issuer)
        app[POST] = Post(house)
        app[CLOCK] = clock.VirtualClock(reads, engine)
        tasks = [asyncio.create_task(keep_house(reads, settings), name="housekeeping")]
        tasks.append(asyncio.create_task(tell_spans(reads), name="spans"))
        feed = app[FEED] = Feed(reads)
        tasks.append(asyncio.create_task(feed.run(), name="feed"))
        if settings.timers and not virtual:
            tasks.append(asyncio.create_task(Timers(engine, reads, app[METRICS]).run(), name="timers"))
        if settings.audits:
            auditor = Auditor(reads, app[METRICS], late_after=None if virtual else settings.timers_late_after)
            tasks.append(asyncio.create_task(auditor.run(), name="auditor"))
            if beats := heartbeat.from_settings(settings, auditor.unwell, app[METRICS]):
                tasks.append(asyncio.create_task(beats.run(), name="heartbeat"))
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
            tasks.append(asyncio.create_task(keep_rearmed(reads, engine), name="rearming"))
        later = app[LATER] = Later()
        async with listening(settings, app[POST]) as app[LISTENER]:
            yield
        await later.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # the sender hangs up
        await engine.stop()
        await reads.close()
        if issuer is not None:
            await issuer.close()
        if replica is not None:
            await replica.pool.close()
        if around is not None:
            await around.close()

    async def quiet(app: web.Application) -> None:
        await app[FEED].close()

    app.cleanup_ctx.append(live)
    app.on_shutdown.append(quiet)
    return app


async def serve(settings: Settings, url: str, *, announce: Callable[[str], None] = print) -> None:
    """Serve until told to stop (SIGTERM, SIGINT): /readyz says so, then nobody else is let in, what was accepted is
    decided and answered."""
    app = build(settings, url)
    runner = Runner(app, access_log=None, shutdown_timeout=settings.shutdown_within)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port, reuse_port=settings.workers > 1 or None)
    await site.start()
    port = runner.addresses[0][1]
    # What is there now stays for good; what a request makes is gone with it, mostly without being looked at.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    announce(f"listening on http://{settings.host}:{port}")
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, app[LEAVING].set)
    await app[LEAVING].wait()
    await asyncio.sleep(settings.leaves_after)
    await runner.cleanup()
