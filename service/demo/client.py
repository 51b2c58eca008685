"""The demo's only way to the service: HTTP, with a key. It knows what must be answered, and stops at anything else."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
from msgspec import Struct


class StoryError(Exception):
    """The service did something else than the story says."""


def unexpected(who: str, method: str, path: str, sent: object, wanted: str, answer: Answer) -> StoryError:
    """What was sent, what had to come, and what came."""
    body = f" {json.dumps(sent)}" if sent is not None else ""
    told = answer.raw.decode(errors="replace")[:2000]
    return StoryError(f"{who}: {method} {path}{body}\nwanted {wanted}, was answered {answer.status}: {told}")


class Answer(Struct, frozen=True):
    """What was answered."""

    status: int
    raw: bytes
    headers: Mapping[str, str]

    @property
    def body(self) -> Any:
        """The JSON."""
        return json.loads(self.raw)


class Client:
    """Calls as members of the cast. `took` has the seconds of every request, `denied` counts what must be a denial."""

    def __init__(self, session: aiohttp.ClientSession, base: str, keys: Mapping[str, str]) -> None:
        self._session = session
        self._base = base
        self._keys = keys
        self.took: list[float] = []
        self.acknowledged: set[tuple[str, int]] = set()
        self.denied = 0
        self.replayed = 0

    async def call(
        self,
        who: str,
        method: str,
        path: str,
        sent: object = None,
        *,
        wanted: tuple[int, ...] = (200, 201),
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. Raises StoryError where the status is none of those wanted."""
        began = time.perf_counter()
        sent_headers = {"Authorization": f"Bearer {self._keys[who]}", **(headers or {})}
        async with self._session.request(method, self._base + path, json=sent, headers=sent_headers) as response:
            raw = await response.read()
        self.took.append(time.perf_counter() - began)
        answer = Answer(response.status, raw, response.headers)
        if response.status not in wanted:
            raise unexpected(who, method, path, sent, " or ".join(map(str, wanted)), answer)
        return answer

    async def twice(self, who: str, path: str, sent: object, key: str) -> Answer:
        """A POST whose answer was lost, repeated with the same key: the answer is the same, byte for byte."""
        first = await self.call(who, "POST", path, sent, headers={"Idempotency-Key": key})
        again = await self.call(who, "POST", path, sent, headers={"Idempotency-Key": key})
        if again.raw != first.raw or again.headers.get("Idempotency-Replayed") != "true":
            raise unexpected(who, "POST", path, sent, f"{first.status}, the stored answer", again)
        self.replayed += 1
        return first

    async def refused(self, who: str, path: str, sent: object, status: int, guard: str | None = None) -> None:
        """A POST that must be refused with this status, by this guard among others: one denial."""
        answer = await self.call(who, "POST", path, sent, wanted=(status,))
        failed = [failure["guard"] for failure in answer.body["failed"]]
        if not failed or (guard is not None and guard not in failed):
            raise unexpected(who, "POST", path, sent, f"{status} by {guard}", answer)
        self.denied += 1

    async def pages(self, who: str, path: str) -> AsyncIterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        cursor: str | None = None
        while True:
            more = f"&cursor={cursor}" if cursor else ""
            page = (await self.call(who, "GET", f"{path}?limit=500{more}")).body
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if cursor is None:
                return
