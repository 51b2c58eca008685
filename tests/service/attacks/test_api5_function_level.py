"""OWASP API5:2023, broken function level authorization: no spelling, method or header opens what a role may not.

Which role may what: the role matrix for triggers, `tests/service/http/test_roles.py` for every door.
"""

from __future__ import annotations

from typing import Any

import pytest

from service import auth
from service.routes.examples import PERSON, TRANSITIONS
from tests.service.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPELLINGS = (
    *("/v1/people/eve/", "/v1//people/eve", "//v1/people/eve", "/v1/./people/eve", "/v1/x/../people/eve"),
    *("/V1/people/eve", "/v1/PEOPLE/eve", "/v1/%70eople/eve", "/v1/people%2Feve", "/v1/people/eve;role=admin"),
    *("/v1/people/eve%00", "/v1/people/eve%0a", "/v1/people/%2e%2e/people/eve", "/v1/people/eve?role=admin"),
    *("/v1/people\\eve", "/v1/people/eve.json", "/v1/people/eve%20"),
)
OVERRIDES = ("X_HTTP_Method_Override", "X_HTTP_Method", "X_Method_Override")
TRUSTED: dict[str, Any] = {
    "X_Forwarded_User": "root",
    "X_Remote_User": "root",
    "X_User_Id": "root",
    "X_Role": "admin",
    "X_Original_URL": "/v1/people/eve",
    "X_Rewrite_URL": "/v1/people/eve",
    "X_Forwarded_For": "127.0.0.1",
    "Forwarded": "for=127.0.0.1;proto=https",
}


@pytest.mark.parametrize("path", SPELLINGS)
async def test_no_spelling_of_an_admins_path_opens_it_to_others(shared_service: Service, path: str) -> None:
    for who in ("ann", "vic", "aud", "desk"):
        assert (await shared_service.call(who, "PUT", path, PERSON)).status in (400, 403, 404, 405, 422)
    assert (await shared_service.call("root", "GET", "/v1/people/eve")).status == 404


@pytest.mark.parametrize("header", OVERRIDES)
async def test_no_header_makes_another_method_of_a_request(shared_service: Service, header: str) -> None:
    delete: dict[str, Any] = {header: "DELETE"}
    told = await shared_service.call("root", "GET", "/v1/customers/acme", **delete)
    assert told.ok()["id"] == "acme"
    put: dict[str, Any] = {header: "PUT"}
    assert (await shared_service.call("root", "POST", "/v1/customers/acme", {}, **put)).status == 405
    assert (await shared_service.call("root", "GET", "/v1/customers/acme?_method=DELETE")).status == 422


@pytest.mark.parametrize("header", TRUSTED)
async def test_no_header_of_a_proxy_makes_somebody_else_of_a_caller(shared_service: Service, header: str) -> None:
    told = {header: TRUSTED[header]}
    (await shared_service.call("ann", "PUT", "/v1/people/eve", PERSON, **told)).problem(403, "not_permitted")
    (await shared_service.call(None, "GET", "/v1/people", **told)).problem(401, "no_key")


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "CONNECT", "PATCH", "PROPFIND", "HEAD", "BREW"])
async def test_a_method_that_no_door_takes_is_refused(shared_service: Service, method: str) -> None:
    for path in ("/v1/history", "/v1/people/ann", "/"):
        answer = await shared_service.call("root", method, path)
        assert answer.status in (400, 404, 405), path


async def test_no_service_may_be_given_what_only_people_decide(shared_service: Service) -> None:
    for trigger in ("act", "de_escalate", "close"):
        with pytest.raises(ValueError, match="a service may be given"):
            await auth.create_key(shared_service.db, "robot", "service", may=(trigger,))
    # Not even where somebody wrote it into the database.
    await shared_service.person("robot", "service", may=("note",))
    await shared_service.db.execute("UPDATE principal SET may = '{act,de_escalate,close,note}' WHERE id = 'robot'")
    escalation, owner = await shared_service.held("T-1")
    for trigger in ("act", "de_escalate"):
        fields = {name: value for name, value in TRANSITIONS[trigger].items() if name != "trigger"}
        answer = await shared_service.act("robot", escalation, trigger, X_On_Behalf_Of=owner, **fields)
        assert "delegation_granted" in [f["guard"] for f in answer.problem(403, "not_permitted")["failed"]]
    (await shared_service.act("robot", escalation, "note", X_On_Behalf_Of=owner, text="Seen")).ok(201)


async def test_whoever_may_nothing_for_others_is_told_so_whatever_they_ask(shared_service: Service) -> None:
    escalation, owner = await shared_service.held("T-2")
    for who in ("ann", "vic", "aud", "root"):
        for trigger in ("note", "accept", "close", "escalate"):
            fields = {name: value for name, value in TRANSITIONS[trigger].items() if name != "trigger"}
            answer = await shared_service.act(who, escalation, trigger, X_On_Behalf_Of=owner, **fields)
            assert answer.status in (403, 409), (who, trigger)
