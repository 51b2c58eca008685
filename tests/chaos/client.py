"""A client lives escalations over HTTP, one after the other, and repeats what it got no answer to."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import aiohttp
import msgspec

from tests.chaos.ledger import Change, Fate, Ledger

ANSWERS_WITHIN = 10.0
PATIENCE = 60.0
"""Seconds for which a change is repeated before the service is called gone."""
NOBODY, CUT = -1, 0
"""In place of a status: no connection was made; it ended before the answer did."""
BRIEF = {"issue": "Payments fail", "reason": "It spreads", "current_status": "Restarted", "needed": "A decision"}
STEPS = ("confirm_with_customer", "update_ticket", "document_lessons")


class AbandonedError(Exception):
    """The client gives up on a change whose outcome it does not know."""


class Client:
    """One of many. It rests about `pause` seconds between two lives."""

    def __init__(
        self, number: int, seed: int, base: str, keys: dict[str, str], ledger: Ledger, *, pause: float = 0.0
    ) -> None:
        self._number, self._rng, self._pause = number, random.Random(f"{seed}/{number}"), pause
        self._base, self._keys, self._ledger = base, keys, ledger
        self._lives = 0
        self.stopping = False

    async def run(self) -> None:
        """Live, until told to stop."""
        timeout = aiohttp.ClientTimeout(total=ANSWERS_WITHIN)
        async with aiohttp.ClientSession(self._base, timeout=timeout) as session:
            self._session = session
            while not self.stopping:
                self._lives += 1
                try:
                    await self._life(f"C{self._number}-{self._lives}")
                except AbandonedError:
                    continue
                if self._pause:
                    await asyncio.sleep(2 * self._pause * self._rng.random())

    # A life ------------------------------------------------------------------------------------------------------

    async def _life(self, ticket: str) -> None:
        """A P0 from its report to its close, with refused attempts on the way; sometimes it is opened once more."""
        rng = self._rng
        told = await self._report(ticket, "p0", "open")
        e = told["escalation"]
        escalation, offered = str(e["id"]), str(e["handoff"]["to"])
        await self._refused(escalation)
        await self._act(offered, escalation, "accept")
        if rng.random() < 0.3:
            body = {"channel": "call", "sender": "c@acme.example", "author_role": "customer", "body": "Still down"}
            await self._ask("desk", "POST", f"/v1/tickets/{ticket}/contacts", body)
        await asyncio.gather(
            *(self._act(offered, escalation, "note", text=f"note {n}") for n in range(rng.randrange(4))),
            self._act(offered, escalation, "act", authority="approve_service_credit", detail="100"),
        )
        owner = offered
        if rng.random() < 0.5:
            raised = await self._act(owner, escalation, "escalate", reason="It grows", brief=BRIEF)
            owner = str(raised["escalation"]["handoff"]["to"])
            await self._act(owner, escalation, "accept")
            await self._act(owner, escalation, "update_customer", text="The board knows")
        await self._refused(escalation)
        await self._report(ticket, "p0", "solved")
        await self._act(owner, escalation, "de_escalate", criterion="issue_resolved")
        for step in STEPS:
            await self._act(owner, escalation, "complete_step", step=step, detail="done", tags=[])
        await self._refused(escalation)
        await self._act(owner, escalation, "close")
        if rng.random() < 0.2:
            again: dict[str, Any] = {"situation": "executive_visibility", "reason": "It came back", "brief": BRIEF}
            await self._ask("ann", "POST", "/v1/escalations", {"ticket_id": ticket, **again})

    async def _report(self, ticket: str, priority: str, status: str) -> dict[str, Any]:
        body = {
            "customer_id": "acme",
            "priority": priority,
            "status": status,
            "subject": f"{ticket} is {status}",
            "opened_at": "2026-01-05T09:00:00Z",
            "sla": {"first_response_by": "2199-01-01T00:00:00Z", "resolution_by": "2199-01-01T00:00:00Z"},
        }
        return await self._ask("desk", "PUT", f"/v1/tickets/{ticket}", body)

    async def _act(self, who: str, escalation: str, trigger: str, **fields: Any) -> dict[str, Any]:
        path = f"/v1/escalations/{escalation}/transitions"
        return await self._ask(who, "POST", path, {"trigger": trigger, **fields})

    async def _refused(self, escalation: str) -> None:
        """An attempt that must be refused, whatever the state."""
        who, trigger, fields = self._rng.choice(
            (
                ("lee", "act", {"authority": "modify_contract", "detail": "no"}),
                ("ann", "to_closed", {}),
                ("lee", "disengage", {"person": "nobody"}),
            )
        )
        path = f"/v1/escalations/{escalation}/transitions"
        change = await self._settle(Change(who, "POST", path, {"trigger": trigger, **fields}))
        if change.fate == "acknowledged":
            self._ledger.complain(f"{trigger} by {who} was done: {change.raw.decode()[:300]}")

    # Asking ------------------------------------------------------------------------------------------------------

    async def _ask(self, who: str, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        change = await self._settle(Change(who, method, path, body))
        if change.fate == "refused":
            if change.status < 500:
                self._ledger.complain(f"{method} {path} {body} by {who}: {change.status} {change.raw.decode()[:300]}")
            raise AbandonedError
        return change.answer

    async def _settle(self, change: Change) -> Change:
        """Try until there is an answer; now and then give up where there was none, or ask once more for the same."""
        self._ledger.open(change)
        until = time.monotonic() + PATIENCE
        try:
            while True:
                fate = await self._try(change)
                if fate in ("acknowledged", "refused"):
                    if change.keyed and self._rng.random() < 0.1:
                        await self._once_more(change)
                    return change
                if fate == "unknown" and self._rng.random() < 0.3:
                    raise AbandonedError
                if time.monotonic() > until:
                    self._ledger.complain(f"no answer in {PATIENCE:.0f} s to {change.method} {change.path}")
                    raise AbandonedError
                await asyncio.sleep(0.02 + 0.1 * self._rng.random())
        finally:
            change.settled = True

    async def _try(self, change: Change) -> Fate:
        sent_at = time.monotonic()
        status, raw, _ = await self._send(change)
        body = msgspec.json.decode(raw) if raw else {}
        fate: Fate
        if status == NOBODY or (status == 503 and body.get("outcome") != "unknown"):
            fate = "turned_away"
        elif status in (CUT, 503):
            fate = "unknown"
        elif status < 300:
            fate, change.status, change.raw, change.answer = "acknowledged", status, raw, body
        else:
            fate, change.status, change.raw, change.answer = "refused", status, raw, body
            if status >= 500:
                self._ledger.complain(f"{status} to {change.method} {change.path}: {raw.decode()[:300]}")
        self._ledger.tried(change, fate, sent_at)
        return fate

    async def _once_more(self, change: Change) -> None:
        """The same key again: the same bytes."""
        status, raw, replayed = await self._send(change)
        if status not in (NOBODY, CUT, 503) and (status, raw, replayed) != (change.status, change.raw, True):
            self._ledger.complain(f"{change.path} answered {change.raw!r}, and then {raw!r} under the same key")

    async def _send(self, change: Change) -> tuple[int, bytes, bool]:
        """The answer; or that nobody listens, or that no whole answer came."""
        headers = {"Authorization": f"Bearer {self._keys[change.who]}", "X-Request-Id": change.key}
        if change.keyed:
            headers["Idempotency-Key"] = change.key
        try:
            async with self._session.request(change.method, change.path, json=change.body, headers=headers) as told:
                return told.status, await told.read(), "Idempotency-Replayed" in told.headers
        except aiohttp.ClientConnectorError:
            return NOBODY, b"", False
        except (aiohttp.ClientError, OSError, TimeoutError):
            return CUT, b"", False
