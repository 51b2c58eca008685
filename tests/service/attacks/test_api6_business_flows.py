"""OWASP API6:2023, unrestricted access to sensitive business flows: escalating and ending cannot be had by force.

Steps and handoffs under races: `tests/service/engine`; what counts as repeated: `tests/service/http/test_repeats.py`.
"""

from __future__ import annotations

import asyncio
from itertools import permutations

import pytest

from tests.service.conftest import BRIEF, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

STEPS = ("confirm_with_customer", "update_ticket", "document_lessons")
"""What people do; the chain is notified by itself after the second."""


async def test_a_hundred_replies_that_say_escalate_are_one_escalation_at_the_deadline_of_the_first(
    shared_service: Service,
) -> None:
    await shared_service.ticket("T-flood")
    said = {"channel": "reply", "sender": "boss@acme.example", "author_role": "customer", "subject": "ESCALATE"}
    path = "/v1/tickets/T-flood/contacts"
    first = (await shared_service.call("desk", "POST", path, said)).ok(201)["escalation"]
    told = await asyncio.gather(*(shared_service.call("desk", "POST", path, said) for _ in range(99)))
    assert {answer.ok(201)["escalation"]["id"] for answer in told} == {first["id"]}
    now = (await shared_service.call("aud", "GET", f"/v1/escalations/{first['id']}")).ok()
    same = ("state", "level", "target_level", "engage_by", "owner")
    assert {name: now[name] for name in same} == {name: first[name] for name in same}


async def test_the_same_reason_again_calls_nobody_again(shared_service: Service) -> None:
    escalation = await shared_service.opened("T-again")
    before = (await shared_service.call("aud", "GET", f"/v1/deliveries?escalation_id={escalation}")).ok()["items"]
    for who in ("ann", "lee", "desk"):
        assert await _asked_again(shared_service, who, "T-again") == escalation
    after = (await shared_service.call("aud", "GET", f"/v1/deliveries?escalation_id={escalation}")).ok()["items"]
    assert [d["id"] for d in after] == [d["id"] for d in before]


async def _asked_again(service: Service, who: str, ticket: str) -> str:
    body = {"ticket_id": ticket, "situation": "blocking_business_process", "reason": "Still", "brief": BRIEF}
    told = await service.call(who, "POST", "/v1/escalations", body)
    if told.status == 201:
        return str(told.body["escalation"]["id"])
    listed = (await service.call(who, "GET", f"/v1/escalations?ticket_id={ticket}")).ok()["items"]
    return str(listed[0]["id"])


async def test_no_step_of_an_end_can_be_skipped_in_any_order(shared_service: Service) -> None:
    escalation, owner = await shared_service.held("T-steps")
    await shared_service.ticket("T-steps", status="solved")
    (await shared_service.act(owner, escalation, "de_escalate", criterion="issue_resolved")).ok(201)
    for done, step in enumerate(STEPS):
        for later in STEPS[done + 1 :]:
            answer = await shared_service.act(owner, escalation, "complete_step", step=later, detail="Mail 7")
            answer.problem(422, "guard_failed")
        (await shared_service.act(owner, escalation, "close")).problem(422, "guard_failed")
        (await shared_service.act(owner, escalation, "complete_step", step=step, detail="Mail 7")).ok(201)
    (await shared_service.act(owner, escalation, "close")).ok(201)


@pytest.mark.parametrize("order", [o for o in permutations(STEPS) if o != STEPS], ids="-".join)
async def test_a_bulk_that_does_the_steps_in_another_order_does_not_close(
    shared_service: Service, order: tuple[str, ...]
) -> None:
    ticket = "T-" + "-".join(order)
    escalation, owner = await shared_service.held(ticket)
    await shared_service.ticket(ticket, status="solved")
    (await shared_service.act(owner, escalation, "de_escalate", criterion="issue_resolved")).ok(201)
    steps = [{"trigger": "complete_step", "step": step, "detail": "Mail 7"} for step in order]
    items = [{"escalation_id": escalation, **item} for item in (*steps, {"trigger": "close"})]
    told = (await shared_service.call(owner, "POST", "/v1/transitions", items)).ok()["items"]
    assert told[-1]["status"] == 422
    assert (await shared_service.call("aud", "GET", f"/v1/escalations/{escalation}")).ok()["state"] == "de_escalating"


async def test_nobody_hands_an_escalation_to_themselves(shared_service: Service) -> None:
    escalation, owner = await shared_service.held("T-self")
    answer = await shared_service.act(owner, escalation, "reassign", to=owner, reason="Mine")
    assert [f["guard"] for f in answer.problem(422, "guard_failed")["failed"]] == ["successor_not_owner"]
    answer = await shared_service.act(owner, escalation, "accept")
    assert [f["guard"] for f in answer.problem(422, "guard_failed")["failed"]] == ["handoff_pending"]
