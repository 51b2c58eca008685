"""The role matrix over HTTP: whoever calls whatever from wherever is answered as the table says, and a refusal changes
nothing and is one denial."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from machines.escalation import RULES
from machines.matrix import default_text, parse
from machines.values import State
from tests.service.attacks.role_matrix import GRIDS, LEVEL, ROLES, Cell, Stand, cells, stands
from tests.service.conftest import BRIEF, FACTS, Service

T = TypeVar("T")
pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLER = {
    "agent": "ann",
    "lead": "lee",
    "manager": "mia",
    "director": "dan",
    "executive": "vic",
    "service": "desk",
    "auditor": "aud",
    "admin": "root",
}
ON_DUTY = {"b1": 1, "b2": 2, "b3": 3, "b4": 4}
"""Who is offered what is called; all others are off duty, and own or hold only what they are given."""
OFF_DUTY = {"ann": 0, "lee": 1, "mia": 2, "mo": 2, "dan": 3, "vic": 4, "zed": 0, "sam": 1, "pia": 1, "gil": 4}
STRANGER, SPARE, NEW, BOSS = "zed", "sam", "pia", "gil"
"""The agent who opens what is not the caller's own; who is engaged beside; who is not; an executive who helps along."""
SITUATION = {
    "open": "customer_request",
    "l1": "workaround_unacceptable",
    "l2": "blocking_business_process",
    "l3": "executive_visibility",
    "l4": "regulatory_compliance",
}
"""A reason whose row of the matrix is this level; the customer's own leaves an enterprise's escalation open."""
STEPS = ("confirm_with_customer", "update_ticket", "document_lessons")
STAYS = ("brief", "join", "act", "complete_step", "update_customer", "note", "dismiss_situation", "disengage")
"""What moves nothing that another of them, or one before it, looks at: called in this order on one escalation."""
DAY = {relation: f"2026-01-{5 + n:02}" for n, relation in enumerate(GRIDS)}
"""Levels are called at noon; at five every response is overdue, so that whoever may escalate need not wait."""
AT_ONCE = 48


class Stage:
    """Makes an escalation for a caller who stands to it in some way."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._numbers = count(1)
        self._room = asyncio.Semaphore(AT_ONCE)

    async def settle(self) -> None:
        """The roster."""
        for who, level in (ON_DUTY | OFF_DUTY).items():
            if who not in self.service.keys:
                await self.service.person(who, ("agent", "lead", "manager", "director", "executive")[level])
            person = {"name": who, "level": level, "on_duty": who in ON_DUTY}
            (await self.service.call("root", "PUT", f"/v1/people/{who}", person)).ok()

    async def standing(self, stand: Stand) -> Standing:
        """A new escalation in the state of the stand, to which its caller stands as it says."""
        async with self._room:
            at = Standing(self.service, stand, f"T-{next(self._numbers)}")
            await at.begin()
            return at

    async def trying(self, some: Awaitable[T]) -> T:
        """No more at once than there is room for."""
        async with self._room:
            return await some


class Standing:
    """One escalation, and whoever stands to it in some way."""

    def __init__(self, service: Service, stand: Stand, ticket: str) -> None:
        self.service, self.stand, self.ticket = service, stand, ticket
        self.caller = CALLER[stand.role]
        self.id = self.offered_to = self.contact = ""
        self.person = stand.role in LEVEL
        self.situation = SITUATION[f"l{stand.level}" if stand.level else "open"]

    async def begin(self) -> None:
        own, state = self.stand.relation == "own", self.stand.state
        customer = {"name": "Acme", "tier": "enterprise", "contacts": ["boss@acme.example"]}
        (await self.service.call("root", "PUT", f"/v1/customers/{self.ticket}", customer)).ok()
        await self._report()
        opener = (self.caller if self.person else "desk") if own and state != "lowered" else STRANGER
        brief = {} if state == "open" else {"brief": BRIEF}
        asked = {"ticket_id": self.ticket, "situation": self.situation, "reason": "It can't wait", **brief}
        self.id = (await self.service.call(opener, "POST", "/v1/escalations", asked)).ok(201)["escalation"]["id"]
        if state == "open":
            said = {"channel": "reply", "sender": "boss@acme.example", "author_role": "customer", "body": "Leave it."}
            told = await self.service.call("desk", "POST", f"/v1/tickets/{self.ticket}/contacts", said)
            self.contact = told.ok(201)["contact"]["id"]
        else:
            await self._stand_at_its_level(opener)

    async def _stand_at_its_level(self, opener: str) -> None:
        relation, state = self.stand.relation, self.stand.state
        await self.by(SPARE, "join", reason="I know this")
        if relation == "engaged":
            await self.by(opener, "join", person=self.caller, reason="Please help")
        if relation == "offered" or (state == "lowered" and relation == "own"):
            await self.by(opener, "reassign", to=self.caller, reason="You are the one")
        self.offered_to = str((await self.read())["handoff"]["to"])
        if state == "lowered":
            await self.by(self.offered_to, "accept")
            await self.by(self.offered_to, "act", authority="reprioritize_ticket", detail="Not that bad")
            await self._report(priority="p3")
            await self._end("priority_lowered")
        else:
            await self._report(status="solved")
            if state in ("ending", "closed"):
                await self._end("issue_resolved")
            if state == "closed":
                await self.by(BOSS, "close")

    async def _end(self, criterion: str) -> None:
        await self.by(BOSS, "de_escalate", criterion=criterion)
        for step in STEPS:
            await self.by(BOSS, "complete_step", step=step, detail="Mail 7")

    async def _report(self, **facts: Any) -> None:
        told = FACTS | {"customer_id": self.ticket, "assignee": None if self.person else self.caller} | facts
        (await self.service.call("desk", "PUT", f"/v1/tickets/{self.ticket}", told)).ok()

    async def by(self, who: str, trigger: str, **fields: Any) -> None:
        """What somebody does to get there."""
        (await self.service.act(who, self.id, trigger, **fields)).ok(201)

    async def read(self) -> Any:
        """It as it stands now."""
        return (await self.service.call("root", "GET", f"/v1/escalations/{self.id}")).ok()

    def item(self, trigger: str) -> dict[str, Any]:
        """The trigger as an item of a bulk, with fields that are in order."""
        name, _, authority = trigger.partition(":")
        return {"escalation_id": self.id, "trigger": name, **self._fields(name, authority)}

    def _fields(self, name: str, authority: str) -> dict[str, Any]:
        own = self.stand.relation == "own"
        because = {"reason": "Because"}
        criterion = "priority_lowered" if self.stand.state == "lowered" else "issue_resolved"
        evidence = {"criterion": "request_withdrawn", "evidence": self.contact}
        every: dict[str, dict[str, Any]] = {
            "engage": {"brief": BRIEF},
            "withdraw": evidence if self.contact else {"criterion": criterion},
            "escalate": because | {"brief": BRIEF},
            "de_escalate": {"criterion": criterion},
            "resume": because,
            "step_down": {"level": 1, "brief": BRIEF},
            "brief": {"to": self.offered_to or "b1", **BRIEF},
            "decline": because,
            "reassign": because | {"to": BOSS},
            "join": because | ({"person": NEW} if own else {}),
            "disengage": {} if self.stand.relation == "engaged" else {"person": SPARE},
            "act": {"authority": authority, "detail": "Yes"},
            "complete_step": {"step": "confirm_with_customer", "detail": "Mail 8"},
            "update_customer": {"text": "We are on it"},
            "dismiss_situation": because | {"situation": self.situation},
            "note": {"text": "Seen"},
        }
        return every.get(name, {})

    async def call(self, cells: Iterable[Cell]) -> list[Any]:
        """What is answered to the caller of these, one after the other."""
        items = [self.item(cell.trigger) for cell in cells]
        told = await self.service.call(self.caller, "POST", "/v1/transitions", items)
        return [{"status": 401}] * len(items) if told.status == 401 else list(told.ok()["items"])


def differs(cell: Cell, told: Any) -> str | None:
    """How an answer is another than the table's; None where it is not."""
    failed = told.get("failed", [])
    right = told["status"] == cell.status
    if cell.status == 403:
        right = right and any(f["who_could"] for f in failed)
    if cell.status == 409:
        right = right and told["code"] == "no_such_move"
    if cell.guard is not None:
        right = right and [f["guard"] for f in failed] == [cell.guard]
    if right:
        return None
    guards = ", ".join(f["guard"] for f in failed)
    s = cell.stand
    return f"{s.role} ({s.relation}) calls {cell.trigger} from {s.state}: {told['status']} {guards}, not {cell.status}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(shared_service: Service) -> Stage:
    made = Stage(shared_service)
    await made.settle()
    return made


@dataclass
class Tried:
    """Whoever stands so, the escalation on which they are refused, and one more for each trigger that moves it."""

    stand: Stand
    at: Standing
    refused: list[Cell]
    staying: list[Cell]
    alone: list[tuple[Cell, Standing]]


async def prepared(stage: Stage, stand: Stand) -> Tried:
    """Everything that the triggers of this stand are called on."""
    every = list(cells(stand))
    refused = [cell for cell in every if cell.status >= 400]
    staying = [cell for name in STAYS for cell in every if cell.status < 400 and cell.name == name]
    rest = [cell for cell in every if cell.status < 400 and cell not in staying]
    at, *alone = await asyncio.gather(*(stage.standing(stand) for _ in range(1 + len(rest))))
    return Tried(stand, at, refused, staying, list(zip(rest, alone, strict=True)))


async def differences(tried: Tried) -> list[str]:
    """Where the answers are others than the table's. Refused ones come first; the escalation must stay as it is."""
    at, before = tried.at, await tried.at.read()
    found = [differs(*pair) for pair in zip(tried.refused, await at.call(tried.refused), strict=True)]
    found.append(None if await at.read() == before else f"{tried.stand}: a refusal changed the escalation")
    found.append(await denied(at, tried.refused))
    found += [differs(*pair) for pair in zip(tried.staying, await at.call(tried.staying), strict=True)]
    for cell, own in tried.alone:
        found += [differs(cell, told) for told in await own.call([cell])]
    return [difference for difference in found if difference]


async def denied(at: Standing, refused: list[Cell]) -> str | None:
    """None where each refusal is one denial in the caller's name, and there is no other."""
    listed = (await at.service.call("aud", "GET", f"/v1/denials?escalation_id={at.id}&limit=500")).ok()["items"]
    there = Counter((denial["actor"], denial["trigger"], denial["status"]) for denial in listed)
    wanted = Counter((at.caller, cell.name, cell.status) for cell in refused)
    return None if there == wanted else f"{at.stand}: denials differ by {(there - wanted) + (wanted - there)}"


@pytest.mark.parametrize("relation", GRIDS)
async def test_each_cell_of_the_role_matrix_is_answered_as_the_table_says(stage: Stage, relation: str) -> None:
    await stage.service.now_is(f"{DAY[relation]}T12:00:00Z")
    wanted = [stand for stand in stands() if stand.relation == relation]
    tried = await asyncio.gather(*(prepared(stage, stand) for stand in wanted))
    await stage.service.now_is(f"{DAY[relation]}T17:00:00Z")
    found = await asyncio.gather(*(stage.trying(differences(one)) for one in tried))
    assert [difference for some in found for difference in some] == []


async def test_the_role_matrix_names_every_trigger_every_state_and_every_authority() -> None:
    named = {cell.trigger for stand in stands() for cell in cells(stand)}
    assert {cell.name for stand in stands() for cell in cells(stand)} >= set(RULES)
    assert {stand.state for stand in stands()} - {"ending", "lowered"} | {"de_escalating"} == set(map(str, State))
    for relation in ("own", "other"):
        assert {stand.role for stand in stands() if stand.relation == relation} == set(ROLES)
    acts = {trigger.partition(":")[2] for trigger in named if trigger.startswith("act:")}
    assert acts == parse(default_text(), 1).lowest_holder.keys()
