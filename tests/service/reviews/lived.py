"""Six weeks as people lived them, made by the API on the virtual clock: 5 January to 15 February 2026.

Everything that a review counts happens here: answers in time, late and missing, declined offers, gaps in the roster,
false alarms, what comes back, what steps down, what is withdrawn, refusals, and answers to the survey.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from service.survey import token
from tests.service.clock.conftest import DAY, HOUR, MINUTE, START, Town, text
from tests.service.conftest import BRIEF

WEEK = timedelta(weeks=1)
MANUAL = {1: "workaround_unacceptable", 2: "blocking_business_process", 3: "executive_visibility"}


class Lives:
    """What happens in the town, one thing after the other."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.now = START
        self.facts: dict[str, dict[str, Any]] = {}
        self.tiers: dict[str, str] = {}

    async def at(self, now: datetime) -> None:
        """Time passes until then."""
        self.now = now
        await self.town.at(now)

    async def ticket(self, ticket: str, tier: str = "enterprise", **facts: Any) -> Any:
        """A ticket is opened, or its facts change."""
        known = self.facts.setdefault(ticket, {"opened_at": text(facts.pop("opened_at", self.now))})
        known |= facts
        self.tiers.setdefault(ticket, tier)
        solved = {"resolved_at": text(self.now)} if facts.get("status") == "solved" else {}
        return await self.town.report(ticket, self.tiers[ticket], **known, **solved)

    async def asked(self, ticket: str, level: int = 2, tier: str = "enterprise", **facts: Any) -> str:
        """Somebody asks for this level, with a brief, on a new ticket."""
        await self.ticket(ticket, tier, **facts)
        body = {"ticket_id": ticket, "situation": MANUAL[level], "reason": "It can't wait", "brief": BRIEF}
        answer = await self.town.service.call("ann", "POST", "/v1/escalations", body)
        return str(answer.ok(201)["escalation"]["id"])

    async def answered(self, e: str) -> str:
        """Whoever it is offered to accepts."""
        who = str((await self.town.stands(e))["handoff"]["to"])
        await self.town.act(who, e, "accept")
        return who

    async def closed(self, ticket: str, e: str, tags: tuple[str, ...] = (), score: int | None = None) -> None:
        """The ticket is solved, and all five steps are done; the customer answers, or doesn't."""
        owner = str((await self.town.stands(e))["owner"])
        await self.ticket(ticket, status="solved")
        await self.town.act(owner, e, "de_escalate", criterion="issue_resolved")
        await self.town.act(owner, e, "complete_step", step="confirm_with_customer", detail="They say so")
        await self.town.act(owner, e, "complete_step", step="update_ticket")
        learned = {"detail": f"Learned from {ticket}", **({"tags": tags} if tags else {})}
        await self.town.act(owner, e, "complete_step", step="document_lessons", **learned)
        await self.town.act(owner, e, "close")
        if score is not None:
            await self.rated(e, score)

    async def rated(self, e: str, score: int) -> None:
        """The customer's answer."""
        secret = await self.town.service.db.fetchval("SELECT secret FROM signing_key")
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        raw = urlencode({"score": str(score)}).encode()
        answer = await self.town.service.call(None, "POST", f"/survey/{token(e, secret)}", raw=raw, **form)
        assert answer.status == 200

    async def refused(self, who: str, e: str, trigger: str, **fields: Any) -> None:
        """An attempt that is refused."""
        assert (await self.town.service.act(who, e, trigger, **fields)).status in (403, 409, 422)


async def live(town: Town) -> Lives:
    """All six weeks."""
    lives = Lives(town)
    for week in range(5):
        await _an_ordinary_week(lives, week)
    await _the_last_week(lives)
    await lives.at(START + 6 * WEEK)
    return lives


async def _an_ordinary_week(lives: Lives, week: int) -> None:
    """A few lives, each a little slower than those of the week before."""
    monday, town = START + week * WEEK, lives.town
    for n in range(2):
        await lives.at(monday + n * DAY)
        one = await lives.asked(f"A-{week}-{n}", 2, product="checkout", issue_key="POOL-1" if n == 0 else None)
        await lives.refused("lee", one, "act", authority="approve_service_credit", detail="10 %")
        await lives.at(lives.now + (20 + 15 * week) * MINUTE)
        await lives.answered(one)
        await lives.at(lives.now + (3 + week) * HOUR)
        await lives.closed(
            f"A-{week}-{n}", one, ("training",) if n else ("pattern",), score=5 - n if week != 2 else None
        )
    await lives.at(monday + 2 * DAY)
    plain = await lives.ticket(f"B-{week}", "starter", priority="p1")
    assert plain["escalation"] is None
    flagged = await lives.ticket(f"C-{week}", "professional", description="We were hacked, says the intern")
    await lives.at(lives.now + 5 * MINUTE)
    said = {"situation": "security_flag", "reason": "He likes the word"}
    await town.act("lee", flagged["escalation"]["id"], "dismiss_situation", **said)
    contact = {"channel": "account_manager", "sender": "boss@acme.example", "author_role": "customer", "body": "Now!"}
    await lives.ticket(f"D-{week}")
    path = f"/v1/tickets/D-{week}/contacts"
    (await town.service.call("desk", "POST", path, contact)).ok(201)
    await lives.at(lives.now + 10 * MINUTE)
    await lives.ticket(f"D-{week}", status="solved")  # withdrawn by the clock


async def _the_last_week(lives: Lives) -> None:
    """Everything at once: the week that is reviewed, 9 to 15 February."""
    monday, town = START + 5 * WEEK, lives.town
    await lives.at(monday)
    nobody = await lives.asked("L-1", 1)  # nobody answers, up to level 4
    for n in range(5):
        await lives.ticket(f"P-{n}", "professional", priority="p0", product="search", opened_at=lives.now - 3 * HOUR)
    await lives.at(monday + 50 * MINUTE)
    passed = await lives.asked("L-2", 2, issue_key="POOL-1")
    first = (await town.stands(passed))["handoff"]["to"]
    await town.act(first, passed, "decline", reason="On a call")
    second = (await town.stands(passed))["handoff"]["to"]
    await town.act(second, passed, "decline", reason="On another")
    await lives.answered(passed)
    await lives.at(monday + 9 * HOUR)
    await lives.answered(nobody)
    await lives.refused("ann", nobody, "accept")
    await lives.refused("ann", nobody, "engage")
    stepped = await _lowered(lives)
    await lives.at(monday + 2 * DAY)
    await town.off("mia", "mo")
    skipped = await lives.asked("L-4", 2)
    await lives.at(lives.now + 10 * MINUTE)
    await lives.answered(skipped)
    await town.off("lee", "dan", "vic")
    alone = await lives.asked("L-5", 1)
    await lives.at(lives.now + 20 * MINUTE)
    for who in ("lee", "mia", "mo", "dan", "vic"):
        await town.person(who)
    await lives.answered(alone)
    await lives.at(monday + 3 * DAY)
    await lives.closed("L-4", skipped, ("training", "documentation_gap"), score=2)
    await _comes_back(lives, passed)
    await lives.at(monday + 4 * DAY)
    await lives.closed("L-3", stepped, score=3)
    await lives.at(monday + 5 * DAY)
    await lives.asked("L-6", 3)  # is left open


async def _lowered(lives: Lives) -> str:
    """Level 3 is called; then the priority is lowered, and level 1 goes on with it."""
    town = lives.town
    await lives.at(START + 5 * WEEK + DAY)
    e = await lives.asked("L-3", 3, "professional", priority="p1")
    owner = await lives.answered(e)
    await town.act(owner, e, "act", authority="reprioritize_ticket", detail="Less than we thought")
    await lives.ticket("L-3", priority="p2")
    await town.act(owner, e, "de_escalate", criterion="priority_lowered")
    await town.act(owner, e, "step_down", level=1, brief=BRIEF)
    await lives.at(lives.now + 70 * MINUTE)
    e_now = await town.stands(e)
    assert e_now["level"] == 2, "level 1 did not answer"
    await lives.answered(e)
    return e


async def _comes_back(lives: Lives, e: str) -> None:
    """It is resumed while it ends, closed, and the ticket is escalated again."""
    town, owner = lives.town, str((await lives.town.stands(e))["owner"])
    await lives.ticket("L-2", status="solved")
    await town.act(owner, e, "de_escalate", criterion="issue_resolved")
    await lives.ticket("L-2", status="open")
    await lives.at(lives.now + HOUR)
    await lives.closed("L-2", e, score=1)
    await lives.at(lives.now + HOUR)
    await lives.ticket("L-2", status="open")
    again = await lives.asked("L-2", 2)
    assert (await town.stands(again))["follows"] == e
