"""OWASP API1:2023, broken object level authorization: whatever an id names, one gets no more of it than one may.

Who may do what with whose escalation is the role matrix; who may see which list, `tests/service/http/test_roles.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from service.routes import all_routes
from tests.service.conftest import BRIEF, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAID = "The vault's number is 7190-4821"
STREAMS = ("/v1/events",)


async def _said(service: Service, ticket: str) -> str:
    """The id of a customer's contact on a ticket, whose text says something private."""
    body = {"channel": "portal", "sender": "boss@acme.example", "author_role": "customer", "body": f"{SAID} {ticket}"}
    told = await service.call("ann", "POST", f"/v1/tickets/{ticket}/contacts", body)
    return str(told.ok(201)["contact"]["id"])


@pytest.mark.parametrize("who", ["desk", "root"])
async def test_who_may_not_read_contacts_reads_their_text_behind_no_other_door(
    shared_service: Service, who: str
) -> None:
    ticket = f"T-{who}"
    escalation = await shared_service.opened(ticket)
    await _said(shared_service, ticket)
    ids = {"tickets": ticket, "escalations": escalation, "customers": "acme", "people": "ann", "rotas": "none"}
    asked = 0
    for route in all_routes():
        if route.method != "GET" or route.path in STREAMS:
            continue
        path = route.path.replace("{id}", ids.get(route.path.split("/")[2] if "/v1/" in route.path else "", "1"))
        answer = await shared_service.call(who, "GET", path)
        assert SAID.encode() not in answer.raw, path
        asked += answer.status == 200
    assert asked > 10
    told = (await shared_service.call("ann", "GET", f"/v1/tickets/{ticket}/contacts")).raw
    assert SAID.encode() in told, "who may reads it: the test looks for what is there"


async def test_a_contact_of_another_ticket_is_no_evidence(shared_service: Service) -> None:
    escalation, owner = await shared_service.held("T-mine")
    await shared_service.ticket("T-theirs")
    evidence = await _said(shared_service, "T-theirs")
    fields: dict[str, Any] = {"criterion": "request_withdrawn", "evidence": evidence}
    answer = await shared_service.act(owner, escalation, "de_escalate", **fields)
    assert [f["guard"] for f in answer.problem(422, "guard_failed")["failed"]] == ["criterion_evidenced"]
    fields["evidence"] = await _said(shared_service, "T-mine")
    (await shared_service.act(owner, escalation, "de_escalate", **fields)).ok(201)


async def test_an_escalation_is_named_by_the_path_alone(shared_service: Service) -> None:
    mine, theirs = await shared_service.opened("T-path-1"), await shared_service.opened("T-path-2")
    for field in ("escalation_id", "id", "ticket_id"):
        also: dict[str, Any] = {field: theirs}
        answer = await shared_service.act("ann", mine, "note", text="x", **also)
        assert answer.fields() == {field}
    notes = await shared_service.call("aud", "GET", f"/v1/history?escalation_id={theirs}&trigger=note")
    assert notes.ok()["items"] == []


async def test_an_item_of_a_bulk_is_judged_by_the_escalation_that_it_names(shared_service: Service) -> None:
    mine, theirs = await shared_service.opened("T-bulk-1"), await shared_service.opened("T-bulk-2", who="lee")
    items = [{"escalation_id": which, "trigger": "update_customer", "text": "Soon"} for which in (mine, theirs, mine)]
    told = (await shared_service.call("ann", "POST", "/v1/transitions", items)).ok()["items"]
    assert [item["status"] for item in told] == [201, 403, 201]


async def test_a_key_for_one_person_gives_no_other_persons_rights(shared_service: Service) -> None:
    escalation, owner = await shared_service.held("T-behalf")
    for who in ("ann", "vic", "aud", "root", "desk"):
        answer = await shared_service.act(who, escalation, "update_customer", text="x", X_On_Behalf_Of=owner)
        assert answer.status == 403, who
    for name in (owner.upper(), f" {owner}", f"{owner}%00", f"person:{owner}", "clock"):
        answer = await shared_service.act("desk", escalation, "note", text="x", X_On_Behalf_Of=name)
        assert answer.status in (400, 403, 422), name


async def test_a_brief_reaches_only_whom_the_offer_reaches(shared_service: Service) -> None:
    escalation = await shared_service.opened("T-brief")
    brief: dict[str, Any] = BRIEF | {"to": "vic"}
    answer = await shared_service.act("ann", escalation, "brief", **brief)
    assert [f["guard"] for f in answer.problem(422, "guard_failed")["failed"]] == ["brief_addressed_to_offered"]
