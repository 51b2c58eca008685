"""The eight roles at each door. The table is written by hand, from the contract's paragraph on roles."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from service.routes import all_routes
from service.routes.examples import (
    ACTION,
    CONTACT,
    CUSTOMER,
    MAIL,
    MOVES,
    PERSON,
    REQUEST,
    REVIEW_NOTE,
    ROTA,
    TICKET,
    TRIAL,
    ZENDESK,
)
from service.routes.policies import EXAMPLE as POLICY
from tests.service.conftest import CAST, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEOPLE = {"ann", "lee", "mia", "dan", "vic"}
LEADS = PEOPLE - {"ann"}
ONE_EACH = [who for who in CAST if who != "mo"]
EVERYBODY = set(ONE_EACH)
NOTE = {"trigger": "note", "text": "seen"}
DOORS: dict[tuple[str, str], tuple[set[str], Any]] = {
    ("PUT", "/v1/tickets/{id}"): (EVERYBODY - {"aud"}, TICKET),
    ("GET", "/v1/tickets/{id}"): (EVERYBODY, None),
    ("GET", "/v1/tickets/{id}/clocks"): (EVERYBODY, None),
    ("POST", "/v1/tickets/{id}/contacts"): (EVERYBODY - {"aud"}, CONTACT),
    ("GET", "/v1/tickets/{id}/contacts"): (PEOPLE | {"aud"}, None),
    ("GET", "/v1/escalations"): (EVERYBODY, None),
    ("GET", "/v1/escalations/{id}"): (EVERYBODY, None),
    ("GET", "/v1/escalations/{id}/story"): (EVERYBODY, None),
    ("POST", "/v1/escalations"): (PEOPLE | {"desk"}, REQUEST),
    ("POST", "/v1/escalations/{id}/transitions"): (PEOPLE | {"desk"}, NOTE),
    ("GET", "/v1/escalations/{id}/transitions"): (EVERYBODY, None),
    ("POST", "/v1/transitions"): (EVERYBODY, []),
    ("GET", "/v1/history"): (EVERYBODY, None),
    ("GET", "/v1/events"): (EVERYBODY, None),
    ("GET", "/v1/history/export"): (EVERYBODY, None),
    ("GET", "/v1/denials"): (PEOPLE | {"aud"}, None),
    ("GET", "/v1/deliveries"): (PEOPLE | {"aud", "root"}, None),
    ("POST", "/v1/deliveries/{id}/send"): ({"root"}, None),
    ("GET", "/v1/metrics/escalations"): (EVERYBODY, None),
    ("GET", "/v1/reviews/{week}"): (EVERYBODY, None),
    ("GET", "/v1/reviews/{week}/escalations"): (EVERYBODY, None),
    ("POST", "/v1/reviews/{week}/notes"): (LEADS, REVIEW_NOTE),
    ("POST", "/v1/reviews/{week}/actions"): (LEADS, ACTION),
    ("PUT", "/v1/customers/{id}"): (EVERYBODY - {"aud"}, CUSTOMER),
    ("GET", "/v1/customers/{id}"): (EVERYBODY, None),
    ("GET", "/v1/customers"): (EVERYBODY, None),
    ("GET", "/v1/erasures"): ({"aud", "root"}, None),
    ("PUT", "/v1/people/{id}"): ({"root"}, PERSON),
    ("GET", "/v1/people/{id}"): (EVERYBODY, None),
    ("GET", "/v1/people"): (EVERYBODY, None),
    ("PUT", "/v1/rotas/{id}"): ({"root"}, ROTA),
    ("GET", "/v1/rotas/{id}"): ({"root"}, None),
    ("GET", "/v1/rotas"): ({"root"}, None),
    ("POST", "/v1/inbound/email"): ({"desk"}, MAIL.encode()),
    ("GET", "/v1/inbound/email"): (PEOPLE | {"aud"}, None),
    ("POST", "/v1/inbound/{adapter}"): ({"desk"}, ZENDESK),
    ("GET", "/v1/policies"): (EVERYBODY, None),
    ("GET", "/v1/policies/diff"): (EVERYBODY, None),
    ("GET", "/v1/policies/{version}"): (EVERYBODY, None),
    ("POST", "/v1/policies"): ({"root"}, POLICY),
    ("POST", "/v1/policies/{version}/simulate"): (EVERYBODY, TRIAL),
    ("GET", "/v1/policies/{version}/moves"): ({"root"}, None),
    ("POST", "/v1/policies/{version}/moves"): (EVERYBODY, MOVES),
    ("GET", "/metrics"): (EVERYBODY, None),
}
ELSEWHERE = {("GET", "/v1/clock"), ("PUT", "/v1/clock")}
ELSEWHERE |= {("GET", "/v1/history/checkpoint"), ("GET", "/v1/history/proof")}
ELSEWHERE |= {("DELETE", "/v1/customers/{id}")}
ELSEWHERE |= {("POST", "/v1/reviews/{week}/" + path) for path in ("escalations", "actions/{id}/done", "sign-off")}
"""Not there with the system's clock, or before something is sealed: `tests/service/clock` and `proof` ask who may. Nor
for a customer with live escalations: `tests/service/test_erasure.py` does. Nor what a review has none of yet:
`tests/service/reviews` asks."""
IDS = {"tickets": "T-1", "customers": "acme", "people": "zoe", "deliveries": "1", "rotas": "leads"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(shared_service: Service) -> tuple[Service, str]:
    """A ticket, an escalation on it, and somebody on the roster who is nobody else."""
    await shared_service.now_is("2026-01-05T12:00:00Z")
    escalation = await shared_service.opened("T-1")
    (await shared_service.call("root", "PUT", "/v1/people/zoe", PERSON)).ok()
    (await shared_service.call("root", "PUT", "/v1/rotas/leads", ROTA)).ok()
    return shared_service, escalation


def _path(path: str, escalation: str) -> str:
    noun = path.split("/")[2] if path.count("/") > 1 else ""
    path = path.replace("{week}", "2026-W01").replace("{version}", "1")
    return path.replace("{id}", IDS.get(noun, escalation)).replace("{adapter}", "zendesk")


def _sent(body: Any) -> dict[str, Any]:
    """How a body is sent: bytes as they are, anything else as JSON."""
    return {} if body is None else {"raw" if isinstance(body, bytes) else "body": body}


@pytest.mark.parametrize("who", ONE_EACH)
@pytest.mark.parametrize(("method", "path"), DOORS)
async def test_who_may(town: tuple[Service, str], method: str, path: str, who: str) -> None:
    service, escalation = town
    may, body = DOORS[method, path]
    answer = await service.call(who, method, _path(path, escalation), **_sent(body))
    if who in may:
        assert answer.status in (200, 201, 202), answer.raw
    else:
        told = answer.problem(403, "not_permitted")
        roles = {role for failed in told["failed"] for role in failed["who_could"]}
        assert roles & {CAST[other] for other in may} or "ann" in roles


@pytest.mark.parametrize(("method", "path"), DOORS)
async def test_nobody_may_without_a_key(town: tuple[Service, str], method: str, path: str) -> None:
    service, escalation = town
    sent = _sent(DOORS[method, path][1])
    (await service.call(None, method, _path(path, escalation), **sent)).problem(401, "no_key")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs", "/docs/page.js"])
async def test_the_open_doors_ask_for_no_key(town: tuple[Service, str], path: str) -> None:
    service, _ = town
    assert (await service.call(None, "GET", path)).status == 200


async def test_the_table_names_every_door() -> None:
    assert DOORS.keys() | ELSEWHERE == {(route.method, route.path) for route in all_routes() if not route.public}


async def test_fields_are_told_before_roles(town: tuple[Service, str]) -> None:
    service, _ = town
    assert (await service.call("aud", "PUT", "/v1/customers/acme", {"tier": "gold"})).fields() == {"name", "tier"}
    assert (await service.call("ann", "PUT", "/v1/people/zoe", {"x": 1})).fields() == {"x", "name", "level", "on_duty"}
    assert (await service.call("desk", "GET", "/v1/denials?limit=0")).fields() == {"limit"}
    assert (await service.call("desk", "GET", "/v1/tickets/T-1/contacts?cursor=x")).fields() == {"cursor"}
    (await service.call("desk", "GET", "/v1/tickets/T-404/contacts?cursor=x")).problem(404, "not_found")


async def test_an_auditor_changes_nothing(town: tuple[Service, str]) -> None:
    service, escalation = town
    before = (await service.call("aud", "GET", f"/v1/escalations/{escalation}")).body
    for trigger in ("note", "accept", "close", "withdraw"):
        fields: dict[str, Any] = {"text": "x"} if trigger == "note" else {}
        answer = await service.act("aud", escalation, trigger, **fields)
        assert answer.status in (403, 409, 422), trigger
    assert (await service.call("aud", "GET", f"/v1/escalations/{escalation}")).body == before


async def test_who_is_refused_at_the_roster_changes_nothing(town: tuple[Service, str]) -> None:
    service, _ = town
    before = (await service.call("ann", "GET", "/v1/people/zoe")).ok()
    (await service.call("vic", "PUT", "/v1/people/zoe", PERSON | {"level": 4})).problem(403, "not_permitted")
    assert (await service.call("ann", "GET", "/v1/people/zoe")).ok() == before
