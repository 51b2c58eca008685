"""A service on the virtual clock: time passes only where a test says so, and every timer fires at its own instant.

town.at(…) sets the clock and says how many timers fired; town.report(…) is what the help desk tells.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service import verify
from tests.service.conftest import Answer, Service, running

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CUSTOMER = {"enterprise": "acme", "professional": "beta", "starter": "solo"}
PERSON = {"ann": 0, "lee": 1, "mia": 2, "mo": 2, "dan": 3, "vic": 4}
"""Who is on the roster, on duty, and of which level."""


def text(instant: datetime) -> str:
    """An instant as the service writes it."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant(written: str) -> datetime:
    """An instant as the service wrote it."""
    return datetime.fromisoformat(written)


class Town:
    """A service on the virtual clock, and what its tests say to it."""

    def __init__(self, service: Service) -> None:
        self.service = service

    # Time

    async def set(self, now: datetime) -> Answer:
        """Ask for this instant to be now."""
        return await self.service.call("root", "PUT", "/v1/clock", {"now": text(now)})

    async def at(self, now: datetime) -> int:
        """Set the clock; how many timers fired."""
        told = (await self.set(now)).ok()
        assert told["now"] == text(now)
        return int(told["fired"])

    # What happens

    async def report(self, ticket: str, tier: str = "enterprise", **facts: Any) -> Any:
        """The help desk reports a ticket, opened now unless told otherwise; the answer's body."""
        now = (await self.service.call("desk", "GET", "/v1/clock")).ok()["now"]
        known = {"customer_id": CUSTOMER[tier], "opened_at": now, **facts}
        return await self.service.ticket(ticket, **known)

    async def asks(self, ticket: str, situation: str, who: str = "ann") -> Any:
        """Somebody asks for an escalation; it, as it stands then."""
        body = {"ticket_id": ticket, "situation": situation, "reason": "It can't wait"}
        return (await self.service.call(who, "POST", "/v1/escalations", body)).ok(201)["escalation"]

    async def act(self, who: str, escalation: str, trigger: str, **fields: Any) -> Any:
        """A trigger that must be allowed; the escalation after it."""
        return (await self.service.act(who, escalation, trigger, **fields)).ok(201)["escalation"]

    async def person(self, who: str, **fields: Any) -> Any:
        """Somebody's entry in the roster is replaced."""
        body = {"name": who, "level": PERSON.get(who, 0), "on_duty": True, **fields}
        return (await self.service.call("root", "PUT", f"/v1/people/{who}", body)).ok()

    async def off(self, *people: str) -> None:
        """These go off duty."""
        for who in people:
            await self.person(who, on_duty=False)

    # What stands

    async def ticket(self, ticket: str) -> Any:
        """The escalation of a ticket that is not closed, or None."""
        return (await self.service.call("ann", "GET", f"/v1/tickets/{ticket}")).ok()["escalation"]

    async def stands(self, escalation: str) -> Any:
        """The escalation."""
        return (await self.service.call("ann", "GET", f"/v1/escalations/{escalation}")).ok()

    async def rows(self, escalation: str) -> list[Any]:
        """Its history, oldest first."""
        path = f"/v1/history?escalation_id={escalation}&order=asc&limit=500"
        return list((await self.service.call("ann", "GET", path)).ok()["items"])

    async def told(self, escalation: str) -> list[tuple[str, str, str]]:
        """What happened: trigger, where it led, and when, as written."""
        return [(row["trigger"], row["to"], row["at"]) for row in await self.rows(escalation)]

    async def hashes(self) -> list[str]:
        """Every hash of history, in the order of its numbers."""
        return [row["hash"] for row in await self.service.db.fetch("SELECT hash FROM history ORDER BY seq")]


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Town]:
    """A town of a test's own, at 09:00; the verifier must find nothing at its end."""
    async with running(database_url, clock="virtual") as service:
        town = Town(service)
        await town.at(START)
        yield town
    assert await verify.run(database_url) == []
