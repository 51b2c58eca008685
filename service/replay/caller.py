"""The replay's only way to the service: HTTP, with a key. What gets lost is asked for again, until it is answered.

Every call has a request id that says what it is, the same in every run, and every change an Idempotency-Key of the
same name: a service or a database that dies in the middle answers the repetition as it would have the first.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
PATIENCE = 120.0
"""Seconds for which a service that can't be reached is asked again, unless told otherwise."""
SILENT = 2.0
"""Seconds after which it is told that one waits."""


class Unanswered(Exception):  # noqa: N818  # what is said to whoever runs the replay
    """The service can't be reached, or can't do it now, for longer than one waits."""


class Unexpected(Exception):  # noqa: N818  # what is said to whoever runs the replay
    """The service answered something else than what must be answered."""


class Answer(Struct, frozen=True):
    """What was answered; `repeated` says that it was asked for more than once."""

    status: int
    raw: bytes
    headers: Mapping[str, str]
    repeated: bool = False

    @property
    def body(self) -> Any:
        """The JSON."""
        return _decode(self.raw)


class Caller:
    """Calls with the keys of several principals, one call after the other.

    `calls` counts, `repeats` are those that had to be asked for again, `acknowledged` the transitions (escalation,
    version) that were answered, `denied` the refusals that must be on record. `waits` is told why, once for each time
    that the service stays away.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base: str,
        keys: Mapping[str, str],
        patience: float = PATIENCE,
        waits: Callable[[str], None] = lambda why: None,
    ) -> None:
        self._session = session
        self._base = base.rstrip("/")
        self._keys = keys
        self._patience = patience
        self._waits = waits
        self.calls = 0
        self.repeats = 0
        self.acknowledged: set[tuple[str, int]] = set()
        self.denied = 0

    async def call(
        self,
        who: str,
        method: str,
        path: str,
        sent: object = None,
        *,
        name: str,
        wanted: tuple[int, ...] = (200, 201),
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call; `name` is its request id and idempotency key. Raises Unexpected for another status, Unanswered."""
        told = {"Authorization": f"Bearer {self._keys[who]}", "X-Request-Id": name, **(headers or {})}
        data = None
        if method != "GET":
            data = _encode(sent)
            told |= {"Idempotency-Key": name, "Content-Type": "application/json"}
        answer = await self._until_answered(method, self._base + path, data, told)
        if answer.status not in wanted:
            raise unexpected(who, method, path, sent, " or ".join(map(str, wanted)), answer)
        return answer

    async def _until_answered(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        began, pause, why, repeated, told = time.monotonic(), 0.05, "", False, False
        while True:
            self.calls += 1
            try:
                async with self._session.request(method, url, data=data, headers=headers) as response:
                    raw = await response.read()
                if not _later(response.status, raw):
                    return Answer(response.status, raw, response.headers, repeated)
                why = f"{response.status} {raw.decode(errors='replace')[:300]}"
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                why = f"{type(error).__name__} {error}".strip()
            if time.monotonic() - began > self._patience:
                raise Unanswered(f"no answer from {url.split('?')[0]} for {self._patience:.0f} s: {why}")
            if not told and time.monotonic() - began > SILENT:
                self._waits(why)
                told = True
            self.repeats += 1
            repeated = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def pages(self, who: str, path: str, name: str) -> AsyncIterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        cursor: str | None = None
        page = 0
        joint = "&" if "?" in path else "?"
        while True:
            more = f"&cursor={cursor}" if cursor else ""
            told = (await self.call(who, "GET", f"{path}{joint}limit=500{more}", name=f"{name}-{page}")).body
            for item in told["items"]:
                yield item
            cursor, page = told["next_cursor"], page + 1
            if cursor is None:
                return


def _later(status: int, raw: bytes) -> bool:
    """Nothing is decided yet: too much at once, can't now, or the first of the same key is still in flight."""
    return status in (429, 503) or (status == 409 and b'"in_flight"' in raw)


def unexpected(who: str, method: str, path: str, sent: object, wanted: str, answer: Answer) -> Unexpected:
    """What was sent, what had to come, and what came."""
    body = f" {json.dumps(sent, default=str)[:1000]}" if sent is not None else ""
    told = answer.raw.decode(errors="replace")[:2000]
    return Unexpected(f"{who}: {method} {path}{body}\nwanted {wanted}, was answered {answer.status}: {told}")
