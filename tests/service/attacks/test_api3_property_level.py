"""OWASP API3:2023, broken object property level authorization: nobody sets what the machine sets, and no answer tells
what is for nobody."""

from __future__ import annotations

from typing import Any

import pytest

from service.routes import all_routes
from service.routes.examples import CONTACT, CUSTOMER, PERSON, REQUEST, ROTA, TICKET
from tests.service.conftest import BRIEF, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONLY_THE_MACHINES = (
    *("state", "owner", "engaged", "version", "policy_version", "target_level", "engage_by", "respond_by", "handoff"),
    *("steps", "csat", "situations", "opened_by", "closed_at", "hash", "seq", "actor", "on_behalf_of", "request_id"),
    *("role", "may", "digest", "is_admin", "__proto__", "constructor"),
)
DOORS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "a ticket": ("desk", "PUT", "/v1/tickets/T-1", TICKET),
    "a contact": ("desk", "POST", "/v1/tickets/T-1/contacts", CONTACT),
    "a request": ("ann", "POST", "/v1/escalations", REQUEST),
    "a customer": ("root", "PUT", "/v1/customers/acme", CUSTOMER),
    "a person": ("root", "PUT", "/v1/people/zoe", PERSON),
    "a rota": ("root", "PUT", "/v1/rotas/leads", ROTA),
    "a note": ("ann", "POST", "/v1/escalations/{e}/transitions", {"trigger": "note", "text": "x"}),
    "a step up": (
        *("ann", "POST", "/v1/escalations/{e}/transitions"),
        {"trigger": "escalate", "reason": "x", "brief": BRIEF},
    ),
}


@pytest.mark.parametrize("door", DOORS)
async def test_what_the_machine_sets_is_no_field_of_any_body(shared_service: Service, door: str) -> None:
    who, method, path, body = DOORS[door]
    escalation = await shared_service.opened("T-1")
    before = (await shared_service.call("aud", "GET", f"/v1/escalations/{escalation}")).ok()
    sent = body | dict.fromkeys(ONLY_THE_MACHINES, 1)
    answer = await shared_service.call(who, method, path.replace("{e}", escalation), sent)
    assert answer.fields() == set(ONLY_THE_MACHINES)
    query = "&".join(f"{name}=1" for name in ONLY_THE_MACHINES)
    answer = await shared_service.call(who, method, f"{path.replace('{e}', escalation)}?{query}", body)
    assert answer.fields() == set(ONLY_THE_MACHINES)
    assert (await shared_service.call("aud", "GET", f"/v1/escalations/{escalation}")).ok() == before


async def test_no_answer_holds_a_secret_or_what_is_kept_of_it(shared_service: Service) -> None:
    escalation = await shared_service.opened("T-secrets")
    ids = {"tickets": "T-secrets", "escalations": escalation, "customers": "acme", "people": "ann"}
    kept = await shared_service.db.fetch("SELECT digest FROM api_key UNION SELECT salt FROM said")
    secrets = [row[0].encode() for row in kept] + [
        key.split("_", 2)[2].encode() for key in shared_service.keys.values()
    ]
    assert len(secrets) > 10
    for who in ("root", "aud", "vic", "desk"):
        for route in all_routes():
            if route.method != "GET" or route.path == "/v1/events":
                continue
            noun = route.path.split("/")[2] if "/v1/" in route.path else ""
            told = await shared_service.call(who, "GET", route.path.replace("{id}", ids.get(noun, "1")))
            if route.path == "/v1/history/export":
                continue  # it holds the salts, so that others can hash what was said: that is what it is for
            assert not [secret for secret in secrets if secret in told.raw], (who, route.path)
