"""A post office: a service, and a sender whose channels the test holds in its hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from service.channels.letter import Address, Channel, Letter, Stand, Together
from service.metrics import METRICS, Metrics
from service.outbox.sender import Sender
from service.submit import HOUSE
from tests.service.conftest import Service

NINE = "2026-01-05T09:00:00Z"


@dataclass
class Fake:
    """A channel that keeps what it gets; `answer` may raise, and may be asked to wait."""

    name: str = "ops"
    kind: str = "webhook"
    slots: int = 4
    together: Together = "never"
    answer: Callable[[Letter], Any] = lambda letter: None
    got: list[Letter] = field(default_factory=list)
    audiences: tuple[str, ...] = ("person", "escalations", "customer", "account_manager", "help_desk")
    only: str | None = None
    at_once: int = 0
    most: int = 0

    def reaches(self, address: Address) -> bool:
        return address.audience in self.audiences and self.only in (None, address.recipient)

    async def send(self, letter: Letter) -> str | None:
        self.got.append(letter)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            told = self.answer(letter)
            return await told if asyncio.iscoroutine(told) else told  # type: ignore[no-any-return]
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        return None

    @property
    def keys(self) -> list[str]:
        return [letter.key for letter in self.got]


@dataclass
class Post:
    """The service, and its rows."""

    service: Service
    now: float = 0.0

    def sender(self, *channels: Channel, **how: Any) -> Sender:
        """Another node."""
        app = self.service.app
        how = {"gathers": timedelta(0), **how}
        return Sender(app[HOUSE].reads, channels, app[METRICS], clock=lambda: self.now, **how)

    @property
    def metrics(self) -> Metrics:
        return self.service.app[METRICS]

    async def rows(self, where: str = "true") -> list[dict[str, Any]]:
        """The outbox, in its order."""
        return [dict(row) for row in await self.service.db.fetch(f"SELECT * FROM outbox WHERE {where} ORDER BY id")]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let others go on until something holds; fails after 20 s."""
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110  # what is waited for has no event
                await asyncio.sleep(0.001)

    async def statuses(self, where: str = "true") -> set[str]:
        return {row["status"] for row in await self.rows(where)}


@pytest.fixture
async def post(service: Service) -> Post:
    """A service at nine o'clock, whose time stands still."""
    await service.now_is(NINE)
    return Post(service)


def letter(**changes: object) -> Letter:
    """A page for level 3, as the outbox gives it."""
    at = datetime(2026, 1, 5, 9, tzinfo=UTC)
    stand = Stand("engage", "l3", 3, None, "ann", "executive_visibility", at)
    what = (1, "e", 2, 0, "T", "c", "person", "dan", "handoff_offered", {"level": 3}, at, 1, "slack", at, at, stand)
    return replace(Letter(*what, "enterprise", "s", "p1", "C"), **changes)  # type: ignore[arg-type]
