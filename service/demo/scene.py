"""One incident as it is played: its ticket, its escalation as last answered, and how the cast acts on both."""

from __future__ import annotations

from random import Random
from typing import Any

from machines.values import Priority
from service.demo import words
from service.demo.cast import DESK, at_level, customer_of
from service.demo.client import Client, StoryError
from service.demo.incidents import Change, Incident
from service.demo.pace import Pace

MANY_LOSE_AN_ANSWER = 0.08
"""How often an answer gets lost and the call is repeated: what idempotency keys are for."""


class Scene:
    """The stage directions of one incident. Its `rng` is its own, so that chance doesn't depend on the others' pace."""

    def __init__(self, incident: Incident, client: Client, pace: Pace, seed: int) -> None:
        self.incident = incident
        self.ticket = incident.number
        self.customer = customer_of(incident)
        self.rng = Random(f"{seed} {incident.number}")  # noqa: S311  # chance on a stage, no secret
        self.assignee = self.rng.choice(at_level(0))
        self.escalation: dict[str, Any] | None = None
        self.priority: Priority = incident.trail[0].priority
        self.reprioritized: Priority | None = None
        self._client = client
        self._pace = pace
        self._opened = pace.told(incident.opened_at)
        self._responded: str | None = None
        self._calls = 0

    # What stands -----------------------------------------------------------------------------------------------

    @property
    def live(self) -> dict[str, Any]:
        """The escalation; only to be asked for where there is one."""
        assert self.escalation is not None
        return self.escalation

    @property
    def state(self) -> str:
        """Where it stands; `none` where nothing was ever opened, or the last one is closed."""
        return str(self.escalation["state"]) if self.escalation and self.escalation["state"] != "closed" else "none"

    @property
    def level(self) -> int:
        """The level where it stands, 0 while open."""
        return int(self.live["level"])

    @property
    def owner(self) -> str:
        """Who is accountable now."""
        return str(self.live["owner"])

    @property
    def offered_to(self) -> str | None:
        """Whom a pending handoff waits for."""
        h = self.live["handoff"]
        return h["to"] if h and h["status"] in ("offered", "briefed") else None

    @property
    def to(self) -> str:
        """Whom the pending handoff waits for; somebody, for the story never goes on without one."""
        to = self.offered_to
        self.expect(to is not None, "a handoff is pending, and offered to somebody")
        return str(to)

    @property
    def subject(self) -> str:
        """One line about the incident, of what the log says."""
        _, category, subcategory, symptom = self.incident.issue.split("/")
        words_ = [f"category {category}"] if category != "?" else ["no category"]
        words_ += [f"subcategory {subcategory}"] if subcategory != "?" else []
        words_ += [f"symptom {symptom}"] if symptom != "?" else []
        return f"{self.customer.name}: {', '.join(words_)}"

    def chance(self, share: float) -> bool:
        """True this often."""
        return self.rng.random() < share

    def expect(self, holds: bool, what: str) -> None:
        """Something that must be so, beside the status of an answer."""
        if not holds:
            raise StoryError(f"{self.ticket}: {what}, but it stands like this: {self.escalation}")

    # What the help desk reports ----------------------------------------------------------------------------------

    async def report(self, change: Change) -> None:
        """All facts of the ticket, as of this change."""
        await self._pace.until(change.at)
        now = self._pace.told(change.at).isoformat()
        self.priority = change.priority
        self._responded = self._responded or (None if change.status == "new" else now)
        facts = {
            "customer_id": self.customer.id,
            "priority": change.priority,
            "status": change.status,
            "subject": self.subject,
            "opened_at": self._opened.isoformat(),
            "first_responded_at": self._responded,
            "resolved_at": now if change.solved else None,
            "assignee": self.assignee,
            "issue_key": self.incident.issue,
            "product": f"category-{self.incident.issue.split('/')[1]}",
        }
        answer = await self._client.call(DESK, "PUT", f"/v1/tickets/{self.ticket}", facts)
        self._take(answer.body)

    async def contact(self, channel: str, text: str, *, refused: bool = False) -> str:
        """The customer says something; answers the contact's id. `refused`: the tier hasn't got this channel."""
        said = {"channel": channel, "sender": self.customer.contact, "author_role": "customer", "body": text}
        answer = await self._client.call(DESK, "POST", f"/v1/tickets/{self.ticket}/contacts", said)
        self.expect(bool(answer.body["refused"]) == refused, f"{channel} is {'refused' if refused else 'allowed'}")
        self._client.denied += refused
        self._take(answer.body)
        return str(answer.body["contact"]["id"])

    async def ask(self, who: str, situation: str, reason: str, brief: words.Brief | None = None) -> None:
        """A manual reason, or a customer's request that somebody brings."""
        asked = {"ticket_id": self.ticket, "situation": situation, "reason": reason}
        if brief:
            asked["brief"] = brief  # type: ignore[assignment]
        self._acknowledge((await self._client.call(who, "POST", "/v1/escalations", asked)).body)

    def _take(self, reported: dict[str, Any]) -> None:
        """A report answers the escalation that is not closed; null where there is none, or the report ended it."""
        before, now = self.escalation, reported["escalation"]
        if now is not None:
            self.escalation = now
            self._client.acknowledged.add((now["id"], now["version"]))
        elif before is not None:
            self.escalation = {**before, "state": "closed"}

    def _acknowledge(self, done: dict[str, Any]) -> None:
        self.escalation = done["escalation"]
        self._client.acknowledged.add((done["transition"]["escalation_id"], done["transition"]["version"]))

    # What people do ----------------------------------------------------------------------------------------------

    async def do(self, who: str, trigger: str, **fields: Any) -> None:
        """A trigger that must be allowed."""
        path, sent = self._path(), {"trigger": trigger, **fields}
        self._calls += 1
        if self.chance(MANY_LOSE_AN_ANSWER):
            answer = await self._client.twice(who, path, sent, f"{self.ticket}-{self._calls}")
        else:
            answer = await self._client.call(who, "POST", path, sent)
        self._acknowledge(answer.body)

    async def refused(self, who: str, status: int, guard: str | None, trigger: str, **fields: Any) -> None:
        """A trigger that must be refused, and change nothing."""
        await self._client.refused(who, self._path(), {"trigger": trigger, **fields}, status, guard)

    async def stale(self, who: str, trigger: str, **fields: Any) -> None:
        """A trigger for a version that is no longer the newest: 412, with what stands now."""
        headers = {"If-Match": f'"{self.live["version"] - 1}"'}
        answer = await self._client.call(
            who, "POST", self._path(), {"trigger": trigger, **fields}, wanted=(412,), headers=headers
        )
        now = answer.body["escalation"]["version"]
        self.expect(now == self.live["version"], f"412 carries the current escalation, not version {now}")

    def _path(self) -> str:
        return f"/v1/escalations/{self.live['id']}/transitions"
