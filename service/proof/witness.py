"""The witness: a receiver outside this database that is handed every checkpoint, so that nobody here can take one back.

A POST of `{"size": rows, "note": text}`, signed as Standard Webhooks says: whoever receives it appends the note to the
file that `verify-history --checkpoints` reads. A checkpoint is over all rows before it, so while the witness can't be
reached only the newest one waits for it; and a service that starts hands over the last one again. The sealer never
waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec
import structlog

from service.channels.guarded import named, session
from service.channels.letter import Later, Refused
from service.channels.webhook import post, signatures
from service.config import Settings
from service.config import Witness as Receiver

log = structlog.get_logger(__name__)

FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds before a second try, and before any; they double."""


class Witness:
    """One node's way there. `private`: the operator has said that it may be in a private network."""

    def __init__(
        self,
        receiver: Receiver,
        *,
        private: bool = False,
        wall: Callable[[], float] = time.time,
        resolver: aiohttp.abc.AbstractResolver | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._receiver, self._private, self._wall, self._resolver = receiver, private, wall, resolver
        self._sleep = sleep
        self._newest = (0, "")
        self._new, self._settled = asyncio.Event(), asyncio.Event()

    def offer(self, size: int, note: str) -> None:
        """Hand this checkpoint over as soon as may be, unless one over more rows is known."""
        if size > self._newest[0]:
            self._newest = (size, note)
            self._new.set()
            self._settled.clear()

    async def settled(self) -> None:
        """Return once what was offered was handed over or refused."""
        await self._settled.wait()

    async def run(self) -> None:
        """Hand over what is offered until cancelled, trying again what could not be taken."""
        async with session(private=self._private, resolver=self._resolver) as client:
            wait = FIRST_WAIT
            while True:
                await self._new.wait()
                handed = self._newest
                try:
                    await self._hand_over(client, *handed)
                except Later as later:
                    log.warning("witness_not_reached", size=handed[0], error=str(later), again_in=later.after or wait)
                    await self._sleep(later.after or wait)
                    wait = min(wait * 2, LONGEST_WAIT)
                    continue
                except Refused as refused:
                    # The next checkpoint is another try; this one would be refused again.
                    log.error("witness_refused", size=handed[0], error=str(refused))
                else:
                    log.info("checkpoint_witnessed", size=handed[0])
                wait = FIRST_WAIT
                if handed is self._newest:
                    self._new.clear()
                    self._settled.set()

    async def _hand_over(self, client: aiohttp.ClientSession, size: int, note: str) -> None:
        body, key, at = msgspec.json.encode({"size": size, "note": note}), f"checkpoint-{size}", int(self._wall())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "escalation-matrix",
            "webhook-id": key,
            "webhook-timestamp": str(at),
            "webhook-signature": signatures(self._receiver.secrets, key, at, body),
        }
        await post(client, self._receiver.url, body, headers, wall=self._wall)


def from_settings(settings: Settings) -> Witness | None:
    """The witness that is set, if one is."""
    if settings.witness is None:
        return None
    return Witness(settings.witness, private=named(settings.witness.url, settings.private_hosts))
