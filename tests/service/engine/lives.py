"""A seeded load: whatever a cast may try, on a few tickets, with time passing and timers firing in between."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta

import asyncpg

from machines.asked import Fire, Heard
from machines.values import Author, Channel
from service.batch import Job
from service.engine import Engine
from tests.service.engine.town import OPENED, Told, Town, told

PEOPLE = ("ann", "lee", "mia", "dan", "vic")
TEXT = {"issue": "i", "reason": "r", "current_status": "c", "needed": "n"}
STEPS = ("confirm_with_customer", "update_ticket", "notify_chain", "document_lessons")
AUTHORITIES = ("reprioritize_ticket", "approve_standard_workaround", "approve_service_credit", "modify_contract")
CALLS = {
    "accept": 6,
    "escalate": 2,
    "de_escalate": 3,
    "complete_step": 6,
    "close": 2,
    "resume": 1,
    "brief": 1,
    "decline": 1,
    "reassign": 1,
    "join": 1,
    "disengage": 1,
    "act": 2,
    "update_customer": 1,
    "note": 2,
    "engage": 1,
    "dismiss_situation": 1,
}


class Lives:
    """The load on one town. `now` is the virtual clock, which it sets forward."""

    def __init__(self, town: Town, engines: list[Engine], seed: int, tickets: int = 6) -> None:
        self._town, self._engines, self._rng = town, engines, random.Random(seed)
        self._tickets = [f"T-{n}" for n in range(tickets)]
        self.now = OPENED

    async def run(self, commands: int, at_once: int = 16) -> list[Told]:
        """Have so many commands decided, some at once on every engine; what each was told."""
        answers: list[Told] = []
        await self._town.db.execute(
            "INSERT INTO virtual_clock (now) VALUES ($1) ON CONFLICT (only_row) DO UPDATE SET now = excluded.now",
            self.now,
        )
        while len(answers) < commands:
            live = await self._town.db.fetch(
                "SELECT id::text, owner, offered_to, state, steps FROM escalation ORDER BY id"
            )
            jobs = [self._job(live) for _ in range(at_once)]
            jobs += [self._town.job("clock", fire) for fire in await self._due()]
            replies = await asyncio.gather(*(self._rng.choice(self._engines).submit(job) for job in jobs))
            answers += [told(reply) for reply in replies]
            await self._pass_time(timedelta(minutes=self._rng.choice((0, 5, 30, 200))))
        return answers

    async def _pass_time(self, span: timedelta) -> None:
        self.now += span
        await self._town.db.execute("UPDATE virtual_clock SET now = $1", self.now)

    async def _due(self) -> list[Fire]:
        rows = await self._town.db.fetch("SELECT * FROM timer WHERE due_at <= $1 ORDER BY due_at", self.now)
        return [Fire(row["ticket_id"], row["kind"], row["due_at"]) for row in rows]

    def _job(self, live: list[asyncpg.Record]) -> Job:
        rng, town, ticket = self._rng, self._town, self._rng.choice(self._tickets)
        match rng.choice("rrhq" + "c" * 16) if live else "r":
            case "r":
                priority, status = rng.choice(("p0", "p0", "p1", "p2")), rng.choice(("open", "solved"))
                return town.report(ticket, priority=priority, status=status, updated_at=self._sometime())
            case "h":
                channels: tuple[Channel, ...] = ("reply", "call", "emergency")
                authors: tuple[Author, ...] = ("customer", "agent")
                ask = Heard(
                    id=str(uuid(rng)),
                    ticket_id=ticket,
                    at=None,
                    channel=rng.choice(channels),
                    sender="c@acme.example",
                    author_role=rng.choice(authors),
                    body="It is down",
                )
                return town.job("desk", ask)
            case "q":
                return town.request(ticket, rng.choice(PEOPLE), rng.choice(("executive_visibility", "no_such")))
        escalation, owner, offered, state, steps = rng.choice(live)
        who = rng.choice((owner or "ann", owner or "ann", offered or "vic", rng.choice(PEOPLE)))
        trigger = rng.choices(list(CALLS), list(CALLS.values()))[0]
        if state == "de_escalating" and rng.random() < 0.7:
            undone = next((step for step in STEPS if f'"{step}"' not in steps), None)
            if undone is None:
                return town.call(who, escalation, "close")
            return town.call(who, escalation, "complete_step", step=undone, detail="done")
        key = f"k{rng.randrange(30)}" if rng.random() < 0.2 else None
        return town.call(who, escalation, trigger, key=key, **self._fields(trigger, offered))

    def _sometime(self) -> datetime:
        return self.now - timedelta(minutes=self._rng.choice((0, 0, 0, 90)))

    def _fields(self, trigger: str, offered: str | None) -> dict[str, object]:
        rng = self._rng
        match trigger:
            case "escalate":
                return {"reason": "r", "brief": TEXT}
            case "engage":
                return {"brief": TEXT}
            case "de_escalate":
                return {"criterion": rng.choice(("issue_resolved", "issue_resolved", "priority_lowered"))}
            case "complete_step":
                return {"step": rng.choice(STEPS), "detail": "done"}
            case "brief":
                return {"to": offered or "dan", **TEXT}
            case "reassign":
                return {"to": rng.choice(PEOPLE), "reason": "r"}
            case "resume" | "decline" | "join":
                return {"reason": "r"}
            case "act":
                return {"authority": rng.choice(AUTHORITIES), "detail": "d"}
            case "update_customer" | "note":
                return {"text": "t"}
            case "dismiss_situation":
                return {"situation": "p0_outage", "reason": "r"}
            case _:
                return {}


def uuid(rng: random.Random) -> str:
    """A seeded id."""
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
