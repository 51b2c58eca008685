"""The heartbeat: a URL outside that hears every minute that all is well, and raises an alarm when it hears nothing.

It hears nothing when every node is dead, when the database can't be asked, when timers are late or an invariant is
broken: whoever watches us must not be us. The URL's path is mostly a secret. It is called with GET, as such services
want it, and reaches a private address as little as a webhook does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import structlog

from service.channels.guarded import named, session
from service.channels.letter import Later, Refused
from service.channels.webhook import post
from service.config import Settings
from service.metrics import Metrics

log = structlog.get_logger(__name__)


class Heartbeat:
    """One node's. `unwell` says why nothing is to be sent, None where all is well."""

    def __init__(
        self,
        url: str,
        every: float,
        unwell: Callable[[], str | None],
        metrics: Metrics,
        *,
        private: bool = False,
        resolver: aiohttp.abc.AbstractResolver | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url, self._every, self._unwell, self._metrics = url, every, unwell, metrics
        self._private, self._resolver, self._sleep = private, resolver, sleep

    async def run(self) -> None:
        """Beat until cancelled."""
        async with session(private=self._private, resolver=self._resolver) as client:
            while True:
                await self._sleep(self._every)
                await self.beat(client)

    async def beat(self, client: aiohttp.ClientSession) -> None:
        """Once, if all is well."""
        outcome = "heard"
        if why := self._unwell():
            outcome = "withheld"
            log.error("heartbeat_withheld", why=why)
        else:
            try:
                await post(client, self._url, b"", {"User-Agent": "escalation-matrix"}, method="GET")
            except (Later, Refused) as error:
                outcome = "not_taken"
                log.warning("heartbeat_not_taken", error=str(error))
        self._metrics.beat(outcome)


def from_settings(settings: Settings, unwell: Callable[[], str | None], metrics: Metrics) -> Heartbeat | None:
    """The heartbeat that is set, if one is."""
    if settings.heartbeat_url is None:
        return None
    private = named(settings.heartbeat_url, settings.private_hosts)
    return Heartbeat(settings.heartbeat_url, settings.heartbeat_every, unwell, metrics, private=private)
