"""How the story's instants become those of the service. The story only ever asks; it reads no clock itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Pace(Protocol):
    """What the story asks of time. On the virtual clock `until` will wait for it to be set forward."""

    def told(self, at: datetime) -> datetime:
        """The instant that the service is told where the log says `at`."""

    async def until(self, at: datetime) -> None:
        """Go on when the log's `at` has come."""


class Pressed:
    """A day pressed into seconds, on the system's clock: everything happens in order, and happens now.

    Nothing falls due meanwhile (the soonest is the second page of an L4, after 5 minutes), so the clock itself only
    acts where the policy says "at once".
    """

    def told(self, at: datetime) -> datetime:
        """Now."""
        return datetime.now(UTC)

    async def until(self, at: datetime) -> None:
        """At once, after the others had their turn."""
        await asyncio.sleep(0)
