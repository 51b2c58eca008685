"""The cast as it plays: it hears what is reported and what the clock did, and each ticket's next turn has its instant.

A turn is a function of the seed, the ticket and how its escalation stands: nothing is remembered that the service
couldn't be asked again, so the play goes on after any interruption, and two plays of one file are the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from machines.values import LEVELS
from service.replay.caller import Caller, Unexpected, unexpected
from service.replay.cast import answering, asking, endings, working
from service.replay.cast.members import ADMIN, AUDITOR, DESK, PEOPLE
from service.replay.cast.shifts import DAY, Shifts, midnight
from service.replay.cast.watched import EVIDENCE, Step, Turn, Watched, after, instant
from service.replay.lines import Event

LOST = 0.03
"""How many answers get lost, so that the call is repeated with its key."""
DAYS = 4
"""For how many days the roster tells the shifts: from the day before on, told anew every midnight."""


def next_turn(w: Watched) -> Turn | None:
    """What the cast does next with this ticket; None: it waits for the clock, or for what is reported."""
    if w.escalation is None:
        return asking.ask(w)
    if w.state == "closed":
        return asking.object_(w)
    if w.state == "open":
        return asking.while_open(w)
    if w.state not in LEVELS:
        return endings.wind_down(w)
    if not w.pending:
        return working.work(w)
    if w.solved:  # no answer is needed any more
        return Turn(max(w.since, w.event_at) + after(w.rng_now(), 15, 180), endings.issue_resolved(w))
    return answering.answer(w)


class Cast:
    """All of them. `seed` is their luck; `eager` multiplies how many tickets somebody wants escalated."""

    desk = DESK
    admin = ADMIN

    def __init__(self, caller: Caller, seed: int, eager: float = 1.0) -> None:
        self._caller = caller
        self._seed = seed
        self._eager = eager
        self._customers: dict[str, dict[str, Any]] = {}
        self._watched: dict[str, Watched] = {}
        self._shifts = Shifts(seed)
        self._roster_at = datetime.max.replace(tzinfo=UTC)
        self._agenda: list[tuple[datetime, str, int]] = []
        self._turns: dict[str, Turn] = {}
        self._seen = 0
        self.turns = 0
        self.repeated = 0

    async def come_in(self, now: datetime) -> None:
        """Everybody is put on the roster with their shifts; again at every midnight."""
        self._roster_at = midnight(now) + DAY
        for member in PEOPLE:
            shifts = self._shifts.windows(member.id, now - DAY, DAYS)
            person = {
                "name": member.name,
                "level": member.level,
                "email": f"{member.id}@desk.example",
                "on_duty": [{"from": since, "until": until} for since, until in shifts],
            }
            name = f"roster-{member.id}-{now:%F}"
            await self._caller.call(ADMIN, "PUT", f"/v1/people/{member.id}", person, name=name)

    # What is heard -------------------------------------------------------------------------------------------------

    def remember(self, event: Event) -> None:
        """An event that was replayed before this play began."""
        if event.kind == "customer":
            self._customers[event.id] = event.body
        if event.kind == "ticket":
            self._facts(self._watched.setdefault(event.id, Watched(event.id, self._seed, self._shifts)), event)

    async def hear(self, event: Event, answer: Any, now: datetime) -> bool:
        """An event of the file, as it was answered; whether something may be due that was due before it was told."""
        self.remember(event)
        w = self._watched.get(event.id)
        if event.kind not in ("ticket", "contact") or w is None:
            return False  # also what is said on a ticket that the file does not report
        told = answer["escalation"]
        await self._take(w, told)
        self._plan(w, now)
        waits_long = w.facts["priority"] <= "p1" and not w.solved
        return waits_long or bool(told and told["engage_by"] and instant(told["engage_by"]) <= now)

    async def clock_acted(self, now: datetime) -> None:
        """Timers have fired: the newest rows of history tell where."""
        found: dict[str, list[dict[str, Any]]] = {}
        newest = self._seen
        page = 0
        cursor = ""
        while True:
            path = f"/v1/history?order=desc&limit=50{cursor}"
            name = f"look-{int(now.timestamp())}-{page}"
            told = (await self._caller.call(AUDITOR, "GET", path, name=name)).body
            rows = [row for row in told["items"] if row["seq"] > self._seen]
            newest = max([newest, *(row["seq"] for row in rows)])
            for row in rows:
                if row["ticket_id"] in self._watched and not self._knows(row):
                    found.setdefault(row["ticket_id"], []).append(row)
            if len(rows) < len(told["items"]) or told["next_cursor"] is None:
                break
            cursor, page = f"&cursor={told['next_cursor']}", page + 1
        self._seen = newest
        for ticket in sorted(found):
            w = self._watched[ticket]
            name = f"look-{ticket}-{w.token}"
            told = (await self._caller.call(AUDITOR, "GET", f"/v1/tickets/{ticket}", name=name)).body
            await self._take(w, told["escalation"], found[ticket][::-1])
            self._plan(w, now)

    async def find(self, now: datetime) -> None:
        """How everything stands when a play goes on where another one ended."""
        newest = (await self._caller.call(AUDITOR, "GET", "/v1/history?order=desc&limit=1", name="find-newest")).body
        self._seen = max((row["seq"] for row in newest["items"]), default=0)
        latest: dict[str, dict[str, Any]] = {}
        async for e in self._caller.pages(AUDITOR, "/v1/escalations", f"find-{int(now.timestamp())}"):
            before = latest.get(e["ticket_id"])
            if before is None or before["opened_at"] < e["opened_at"]:
                latest[e["ticket_id"]] = e
        for ticket, w in self._watched.items():
            await self._take(w, latest.get(ticket))
            self._plan(w, now)

    def _knows(self, row: Mapping[str, Any]) -> bool:
        e = self._watched[row["ticket_id"]].escalation
        return e is not None and e["id"] == row["escalation_id"] and row["version"] <= e["version"]

    def _facts(self, w: Watched, event: Event) -> None:
        first = not w.facts
        w.facts = event.body
        w.told.append((event.at, event.body["priority"]))
        if first:
            customer = self._customers.get(event.body["customer_id"], {})
            w.tier = customer.get("tier", "starter")
            w.sender = next(iter(customer.get("contacts", ())), f"somebody@{event.body['customer_id']}.example")
            w.wish = asking.wish(w, event.at, self._eager)

    async def _take(self, w: Watched, e: Any, rows: Sequence[dict[str, Any]] = ()) -> None:
        """The escalation as it was answered; None: there is none that is not closed. `rows` are its newest."""
        if e is None:
            if w.escalation is not None and w.state != "closed":
                w.escalation, w.log = None, []
            return
        if w.escalation is None or w.escalation["id"] != e["id"]:
            w.log, w.wish = [], None
        w.escalation = e
        known = range(len(w.log) + 1, e["version"] + 1)
        newest = [row for row in rows if row["escalation_id"] == e["id"] and row["version"] in known]
        if len(newest) == len(known):
            w.log += newest
        else:
            pages = self._caller.pages(
                AUDITOR, f"/v1/history?escalation_id={e['id']}", f"log-{w.ticket}-{e['version']}"
            )
            w.log = [row async for row in pages][: e["version"]]
        self._caller.acknowledged.add((e["id"], e["version"]))

    # What is done --------------------------------------------------------------------------------------------------

    def _plan(self, w: Watched, now: datetime) -> None:
        w.token += 1
        turn = next_turn(w)
        if turn is None:
            self._turns.pop(w.ticket, None)
            return
        self._turns[w.ticket] = turn
        heapq.heappush(self._agenda, (max(turn.at, now), w.ticket, w.token))

    @property
    def next_at(self) -> datetime:
        """When somebody does something next, unless something happens before."""
        while self._agenda and self._agenda[0][2] != self._watched[self._agenda[0][1]].token:
            heapq.heappop(self._agenda)
        return min(self._roster_at, self._agenda[0][0]) if self._agenda else self._roster_at

    async def act(self, now: datetime) -> None:
        """The turn that is next; the roster comes before all others."""
        if self._roster_at <= now:
            await self.come_in(now)
            return
        _, ticket, _ = heapq.heappop(self._agenda)
        w, turn = self._watched[ticket], self._turns.pop(ticket)
        self.turns += 1
        stands = f"{instant(w.live['opened_at']).timestamp():.0f}-{w.live['version']}" if w.escalation else "none"
        evidence = None
        for number, step in enumerate(turn.steps):
            name = f"{ticket}-{stands}-{int(now.timestamp())}-{number}"
            evidence = await self._do(w, step, name, evidence) or evidence
        self._plan(w, now)

    async def _do(self, w: Watched, step: Step, name: str, evidence: str | None) -> str | None:
        """One call; answers the id of the contact that it reported."""
        body = {key: evidence if value == EVIDENCE else value for key, value in step.body.items()}
        headers = {"If-Match": f'"{w.live["version"] - 1}"'} if step.stale else None
        path = {
            "transition": f"/v1/escalations/{w.escalation and w.escalation['id']}/transitions",
            "contact": f"/v1/tickets/{w.ticket}/contacts",
            "ask": "/v1/escalations",
        }[step.kind]
        answer = await self._caller.call(
            step.who, "POST", path, body, name=name, wanted=(step.status,), headers=headers
        )
        if step.status == 201 and w.rng("lost", name).random() < LOST:
            await self._again(step.who, path, body, name, answer.raw)
        told = answer.body
        if step.kind == "contact":
            if bool(told["refused"]) != step.channel_refused:
                raise unexpected(step.who, "POST", path, body, f"channel refused: {step.channel_refused}", answer)
            self._caller.denied += step.channel_refused
            await self._take(w, told["escalation"])
            return str(told["contact"]["id"])
        if step.status == 201:
            await self._take(w, told["escalation"], [told["transition"]])
        elif not step.stale:
            if step.guard is not None and step.guard not in [failure["guard"] for failure in told["failed"]]:
                raise unexpected(step.who, "POST", path, body, f"{step.status} by {step.guard}", answer)
            self._caller.denied += 1
        return None

    async def _again(self, who: str, path: str, body: object, name: str, first: bytes) -> None:
        """The answer got lost: asked for again with the same key, it is the same, byte for byte."""
        again = await self._caller.call(who, "POST", path, body, name=name)
        self.repeated += 1
        if again.raw != first:
            raise Unexpected(f"{who}: POST {path} with the key {name} was answered differently the second time")
