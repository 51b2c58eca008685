"""How the instants of a file become those of the service: its virtual clock is moved, or one's own time passes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from service.replay.caller import Caller


class Pace(Protocol):
    """What a replay asks of time."""

    async def until(self, at: datetime) -> bool:
        """Go on when the file's `at` has come; whether the service's clock may have acted on the way."""

    def told(self, body: dict[str, Any]) -> dict[str, Any]:
        """A body with its instants as the service is told them."""


class VirtualClock:
    """The service's clock is moved to each instant. It never goes back: what lies behind it happens now."""

    def __init__(self, caller: Caller, admin: str) -> None:
        self._caller, self._admin = caller, admin
        self.now = datetime.max.replace(tzinfo=UTC)

    async def found(self) -> bool:
        """Where it stands is known from now on; False where the service lives by the system's clock."""
        answer = await self._caller.call(self._admin, "GET", "/v1/clock", name="clock", wanted=(200, 404))
        if answer.status == 200:
            self.now = datetime.fromisoformat(answer.body["now"])
        return answer.status == 200

    async def until(self, at: datetime) -> bool:
        """Move the clock there, or let what is due fire where it stands. All of it has fired when it answers."""
        to = max(at, self.now)
        text = to.isoformat().replace("+00:00", "Z")
        answer = await self._caller.call(self._admin, "PUT", "/v1/clock", {"now": text}, name=f"clock-{text}")
        self.now = to
        # What fired before an answer that got lost is not told again: then one has to look.
        return answer.repeated or answer.body["fired"] > 0

    def told(self, body: dict[str, Any]) -> dict[str, Any]:
        """As it stands."""
        return body


INSTANTS = ("opened_at", "first_responded_at", "resolved_at", "updated_at", "at")


class OwnTime:
    """The system's clock: the first event is now, and the gaps are those of the file divided by `speed`.

    All instants in the bodies move by the same rule, so that a ticket keeps its order with its events.
    """

    def __init__(self, first: datetime, speed: float) -> None:
        self._first, self._speed = first, speed
        self._began = datetime.now(UTC)

    def _moved(self, at: datetime) -> datetime:
        return self._began + (at - self._first) / self._speed

    async def until(self, at: datetime) -> bool:
        """Wait for it."""
        left = (self._moved(at) - datetime.now(UTC)) / timedelta(seconds=1)
        if left > 0:
            await asyncio.sleep(left)
        return False

    def told(self, body: dict[str, Any]) -> dict[str, Any]:
        """With its instants moved."""
        moved = {
            name: self._moved(datetime.fromisoformat(body[name])).isoformat()
            for name in INSTANTS
            if isinstance(body.get(name), str)
        }
        return {**body, **moved}
