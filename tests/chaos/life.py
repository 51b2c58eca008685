"""Lives in which every trigger happens, over HTTP and on the virtual clock: the same calls, and so the same history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Call = Callable[..., Awaitable[Any]]
"""`await call(who, method, path, body)`: what was answered, once it was done."""
BRIEF = {"issue": "Payments fail", "reason": "The pool is full", "current_status": "Restarted", "needed": "Two people"}
CRITERION = {"criterion": "issue_resolved"}
PEOPLE = {"ann": 0, "lee": 1, "lou": 1, "mia": 2, "mo": 2, "dan": 3, "vic": 4, "val": 4}
CUSTOMERS = {"acme": "enterprise", "beta": "professional"}


def at(hour: float) -> str:
    """An instant of that day."""
    return f"2026-01-05T{int(hour):02}:{round(hour % 1 * 60):02}:00Z"


class Life:
    """One ticket, and what happens to its escalation."""

    def __init__(self, call: Call, ticket: str, customer: str) -> None:
        self._call, self.ticket, self._customer = call, ticket, customer
        self.id = ""

    async def report(self, **facts: Any) -> None:
        """The help desk tells of it."""
        known: dict[str, Any] = {"customer_id": self._customer, "priority": "p2", "status": "open"}
        known |= {
            "subject": "It fails",
            "opened_at": at(9),
            "sla": {"first_response_by": at(23), "resolution_by": at(23)},
        }
        told = await self._call("desk", "PUT", f"/v1/tickets/{self.ticket}", known | facts)
        self.id = told["escalation"]["id"] if told["escalation"] else self.id

    async def asks(self, who: str, situation: str, **more: Any) -> None:
        """Somebody asks for an escalation."""
        body = {"ticket_id": self.ticket, "situation": situation, "reason": "It can't wait", **more}
        self.id = (await self._call(who, "POST", "/v1/escalations", body))["escalation"]["id"]

    async def act(self, who: str, trigger: str, **fields: Any) -> None:
        """A trigger that must be allowed."""
        await self._call(who, "POST", f"/v1/escalations/{self.id}/transitions", {"trigger": trigger, **fields})

    async def offered(self, trigger: str, **fields: Any) -> str:
        """The same by whoever it is offered to; who that is."""
        to = (await self._call("ann", "GET", f"/v1/escalations/{self.id}"))["handoff"]["to"]
        await self.act(to, trigger, **fields)
        return str(to)


async def live(call: Call) -> None:
    """Three lives after each other."""
    await _up_to_the_top_and_back(call)
    await _down_a_level(call)
    await _solved_before_a_level(call)


async def _now(call: Call, hour: float) -> None:
    await call("root", "PUT", "/v1/clock", {"now": at(hour)})


async def _up_to_the_top_and_back(call: Call) -> None:
    await _now(call, 9)
    life = Life(call, "T-1", "acme")
    await life.report()
    await life.asks("ann", "workaround_unacceptable")
    await life.act("ann", "brief", to="lee", **BRIEF)
    await life.act("lee", "accept")
    await life.act("lee", "update_customer", text="We look at it")
    await life.act("lee", "note", text="The pool of connections")
    await life.act("lee", "act", authority="approve_standard_workaround", detail="restart each hour")
    await life.act("mia", "join", reason="I know the pool")
    await life.act("mia", "disengage")
    await life.act("lee", "reassign", to="lou", reason="I leave")
    await life.act("lou", "decline", reason="I leave too")
    await _now(call, 10.5)  # the customer was promised an update within the hour
    await life.act("lee", "escalate", reason="It needs engineers", brief=BRIEF)
    await _now(call, 13)  # nobody answered: the clock goes on to level 3
    await life.act("dan", "decline", reason="On a plane")
    await _now(call, 13.25)  # level 4 is paged again and again
    owner = await life.offered("accept")
    said = {"channel": "call", "sender": "boss@acme.example", "author_role": "customer", "body": "Where are you?"}
    await call("desk", "POST", f"/v1/tickets/{life.ticket}/contacts", said)
    await life.act(owner, "dismiss_situation", situation="customer_request", reason="They were called back")
    for _ in range(2):
        await life.report(status="solved", resolved_at=at(13))
        await life.act(owner, "de_escalate", **CRITERION)
        if _ == 0:
            await life.report(status="open")  # the clock resumes
    await life.act(owner, "complete_step", step="confirm_with_customer", detail="call of 14:00")
    await life.act(owner, "complete_step", step="update_ticket")
    await life.act(owner, "complete_step", step="document_lessons", detail="A larger pool", tags=["pattern"])
    await life.act(owner, "close")


async def _down_a_level(call: Call) -> None:
    life = Life(call, "T-2", "acme")
    await life.report(priority="p1")
    await life.asks("ann", "blocking_business_process", brief=BRIEF)
    owner = await life.offered("accept")
    await life.act(owner, "act", authority="reprioritize_ticket", detail="it is p2")
    await life.report(priority="p2")
    await life.act(owner, "de_escalate", criterion="priority_lowered")
    await life.act(owner, "step_down", level=1, brief=BRIEF)
    await life.offered("accept")


async def _solved_before_a_level(call: Call) -> None:
    life = Life(call, "T-3", "beta")
    await life.report()
    await life.asks("desk", "customer_request")
    await life.report(status="solved", resolved_at=at(13))
    other = Life(call, "T-4", "beta")
    await other.report(opened_at=at(13))
    await other.asks("desk", "customer_request")
    await other.act("ann", "engage", brief=BRIEF)
