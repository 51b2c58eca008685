"""Paths, queries and headers: what is nowhere, what is wrong, and that nothing of it is ever a 500."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from service.routes import all_routes
from tests.service.conftest import BRIEF, FACTS, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOWHERE = "019b76da-a800-7000-8000-000000000000"
BAD_IDS = {
    "NUL": "%00",
    "NUL in the middle": "T%001",
    "a surrogate": "%ED%A0%80",
    "bytes that are no UTF-8": "%FF%FE",
    "an overlong NUL": "%C0%80",
    "10,000 characters": "x" * 5000,
    "201 characters": "x" * 201,
    "a broken escape": "%zz",
    "a lone percent": "%",
    "quotes and semicolons": "'%3B%20DROP%20TABLE%20ticket%3B--",
    "a template": "%7B%7B7*7%7D%7D",
    "a newline": "a%0D%0Ab",
    "something like a path": "..%2F..%2Fetc%2Fpasswd",
    "emoji": "%F0%9F%98%80",
}
READS = sorted({route.path for route in all_routes() if route.method == "GET" and "{id}" in route.path})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def escalation(shared_service: Service) -> str:
    """One that stands at level 2."""
    return await shared_service.opened("T-1")


# Ids in paths -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", BAD_IDS)
async def test_a_strange_id_is_nowhere(shared_service: Service, what: str) -> None:
    for path in READS:
        answer = await shared_service.call("ann", "GET", path.replace("{id}", BAD_IDS[what]))
        answer.problem(404, "not_found")


@pytest.mark.parametrize("what", BAD_IDS)
async def test_a_strange_id_takes_no_transition(shared_service: Service, what: str) -> None:
    path = f"/v1/escalations/{BAD_IDS[what]}/transitions"
    (await shared_service.call("ann", "POST", path, {"trigger": "note", "text": "x"})).problem(404, "not_found")
    items = [{"escalation_id": BAD_IDS[what], "trigger": "close"}]
    told = (await shared_service.call("ann", "POST", "/v1/transitions", items)).ok()["items"]
    assert [item["status"] for item in told] == [404]


@pytest.mark.parametrize("what", BAD_IDS)
async def test_a_strange_id_names_a_ticket_or_nothing(shared_service: Service, what: str) -> None:
    path = f"/v1/tickets/new-{BAD_IDS[what]}"
    answer = await shared_service.call("desk", "PUT", path, FACTS)
    if answer.status == 404:
        answer.problem(404, "not_found")
    else:
        assert answer.ok()["ticket"]["id"]
        (await shared_service.call("ann", "GET", path)).ok()
        assert what not in ("NUL", "NUL in the middle", "201 characters", "10,000 characters", "a newline")


@pytest.mark.parametrize("which", ["nobody", "T-1", "1", NOWHERE[:-1], NOWHERE + "0", NOWHERE.replace("-", "")])
async def test_what_no_escalation_can_be_called_is_nowhere(shared_service: Service, which: str) -> None:
    for path in (f"/v1/escalations/{which}", f"/v1/escalations/{which}/transitions"):
        (await shared_service.call("ann", "GET", path)).problem(404, "not_found")


async def test_an_escalations_id_is_read_in_either_case(shared_service: Service, escalation: str) -> None:
    answer = await shared_service.call("ann", "GET", f"/v1/escalations/{escalation.upper()}")
    assert answer.ok()["id"] == escalation


async def test_nobody_unknown_learns_what_there_is(shared_service: Service, escalation: str) -> None:
    for path in (f"/v1/escalations/{escalation}", f"/v1/escalations/{NOWHERE}", "/v1/tickets/%00", "/v1/history?x=1"):
        (await shared_service.call(None, "GET", path)).problem(401, "no_key")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/tickets/", "/v1/tickets/a/b/c", "//", "/%00"])
async def test_a_path_that_leads_nowhere_is_a_problem(shared_service: Service, path: str) -> None:
    (await shared_service.call("ann", "GET", path)).problem(404, "not_found")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "DELETE", "TRACE"])
async def test_a_method_that_a_path_does_not_take_is_told_which_it_takes(shared_service: Service, method: str) -> None:
    for path in ("/v1/tickets/T-1", "/v1/escalations", "/healthz", "/docs"):
        answer = await shared_service.call("ann", method, path)
        assert answer.status == 405
        allowed = {r.method for r in all_routes() if r.path.replace("{id}", "T-1") == path}
        assert {name.strip() for name in answer.headers["Allow"].split(",")} == allowed
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        if method != "HEAD":
            answer.problem(405, "method_not_allowed")


# Queries ----------------------------------------------------------------------------------------------------------

LISTS = {
    "/v1/escalations": "ann",
    "/v1/history": "ann",
    "/v1/denials": "ann",
    "/v1/deliveries": "ann",
    "/v1/policies": "ann",
    "/v1/customers": "ann",
    "/v1/people": "ann",
    "/v1/tickets/T-1/contacts": "ann",
}
BAD_PARAMETERS = {
    "limit=0": "limit",
    "limit=501": "limit",
    "limit=-1": "limit",
    "limit=ten": "limit",
    "limit=": "limit",
    "limit=1e999": "limit",
    "limit=null": "limit",
    "limit=99999999999999999999999": "limit",
    "limit=%D9%A5": "limit",
    "limit=5&limit=6": "limit",
    "cursor=": "cursor",
    "cursor=nonsense": "cursor",
    "cursor=%00": "cursor",
    "cursor=%ED%A0%80": "cursor",
    "cursor=WyJhIl0": "cursor",
    "cursor=WzFd.": "cursor",
    "cursor=bnVsbA": "cursor",
    "cursor=e30": "cursor",
    "cursor=Wy0xXQ": "cursor",
    "cursor=WzFlOTldCg": "cursor",
    "cursor=" + "A" * 501: "cursor",
    "offset=3": "offset",
    "nonsense=1": "nonsense",
    "Limit=3": "Limit",
    "limit=3%00": "limit",
    "%00=1": "\x00",
}


@pytest.mark.parametrize("query", BAD_PARAMETERS)
async def test_a_bad_parameter_is_told_by_its_name(shared_service: Service, escalation: str, query: str) -> None:
    for path, who in LISTS.items():
        answer = await shared_service.call(who, "GET", f"{path}?{query}")
        if path in ("/v1/customers", "/v1/people") and query == "cursor=WyJhIl0":
            assert answer.ok()["items"]  # the cursor after "a"
        else:
            assert BAD_PARAMETERS[query] in answer.fields(), path


BAD_FILTERS = {
    "/v1/escalations": [
        ("state", ["l5", "OPEN", "", "%00"]),
        ("level", ["-1", "5", "two", "1.5", "", "null"]),
        ("tier", ["gold", ""]),
        ("owner", ["", "%00", "x" * 201]),
        ("customer_id", ["", "x" * 201]),
        ("ticket_id", ["", "x" * 201]),
        ("overdue", ["maybe", "", "null"]),
        ("since", ["yesterday", "2026-01-05", "2026-01-05T09:00:00", "0001-01-01T00:00:00Z", "1767603600"]),
        ("until", ["yesterday", "9999-12-31T23:59:59Z", "", "2026-01-05T09:00:00+00:00"]),
        ("as_of", ["yesterday", ""]),
    ],
    "/v1/history": [
        ("escalation_id", ["T-1", "", NOWHERE[:-1], "%00"]),
        ("ticket_id", [""]),
        ("customer_id", [""]),
        ("actor", ["", "%00"]),
        ("trigger", ["", "x" * 65]),
        ("from", ["nowhere", ""]),
        ("to", ["nowhere", ""]),
        ("since", ["yesterday"]),
        ("until", ["yesterday"]),
        ("order", ["newest", "ASC", ""]),
    ],
    "/v1/denials": [
        ("escalation_id", ["T-1"]),
        ("actor", [""]),
        ("trigger", [""]),
        ("since", ["yesterday"]),
        ("until", ["yesterday"]),
    ],
    "/v1/deliveries": [
        ("escalation_id", ["T-1"]),
        ("ticket_id", [""]),
        ("audience", ["everybody", ""]),
        ("recipient", ["", "%00"]),
        ("template", ["", "x" * 65]),
        ("status", ["lost", ""]),
    ],
    "/v1/customers": [("tier", ["gold"])],
    "/v1/people": [("level", ["5", "x"]), ("active", ["maybe"])],
}


@pytest.mark.parametrize(("path", "name", "values"), [(p, n, v) for p, found in BAD_FILTERS.items() for n, v in found])
async def test_a_bad_filter_is_told_by_its_name(
    shared_service: Service, path: str, name: str, values: list[str]
) -> None:
    for value in values:
        answer = await shared_service.call("ann", "GET", f"{path}?{name}={value}")
        assert answer.fields() == {name}, value


async def test_every_bad_parameter_is_told_not_the_first(shared_service: Service) -> None:
    answer = await shared_service.call("ann", "GET", "/v1/escalations?limit=0&state=l9&overdue=maybe&x=1")
    assert answer.fields() == {"limit", "state", "overdue", "x"}


async def test_a_parameter_that_a_route_does_not_take_is_refused(shared_service: Service, escalation: str) -> None:
    """Whoever tries a dry run where there is none must not do it in earnest."""
    before = (await shared_service.call("ann", "GET", "/v1/history?limit=500")).ok()
    request = {"ticket_id": "T-1", "situation": "executive_visibility", "reason": "x", "brief": BRIEF}
    bulk = [{"escalation_id": escalation, "trigger": "note", "text": "x"}]
    for method, path, body in (
        ("POST", "/v1/escalations", request),
        ("POST", "/v1/transitions", bulk),
        ("PUT", "/v1/tickets/T-1", FACTS | {"priority": "p0"}),
    ):
        answer = await shared_service.call("ann", method, f"{path}?dry_run=true", body)
        assert answer.fields() == {"dry_run"}
        (await shared_service.call("ann", method, f"{path}?dry_run=true", raw=b"{")).problem(400, "unreadable")
        (await shared_service.call(None, method, f"{path}?dry_run=true", body)).problem(401, "no_key")
    assert (await shared_service.call("ann", "GET", "/v1/tickets/T-1?fields=id")).fields() == {"fields"}
    assert (await shared_service.call("ann", "GET", "/v1/history?limit=500")).ok() == before


async def test_a_plus_that_became_a_blank_is_explained(shared_service: Service) -> None:
    answer = await shared_service.call("ann", "GET", "/v1/history?since=2026-01-05T09:00:00+01:00")
    assert "%2B" in answer.problem(422, "invalid_fields")["detail"]


async def test_an_unknown_escalation_is_told_before_a_bad_query(shared_service: Service, escalation: str) -> None:
    (await shared_service.call("ann", "GET", f"/v1/escalations/{NOWHERE}?as_of=soon")).problem(404, "not_found")
    assert (await shared_service.call("ann", "GET", f"/v1/escalations/{escalation}?as_of=soon")).fields() == {"as_of"}
    body = {"trigger": "close"}
    path = f"/v1/escalations/{NOWHERE}/transitions?dry_run=perhaps"
    (await shared_service.call("ann", "POST", path, body)).problem(404, "not_found")
    path = f"/v1/escalations/{escalation}/transitions?dry_run=perhaps"
    assert (await shared_service.call("ann", "POST", path, body)).fields() == {"dry_run"}


# Headers ----------------------------------------------------------------------------------------------------------


async def _note(service: Service, escalation: str, **headers: Any) -> Any:
    body = {"trigger": "note", "text": "seen"}
    return await service.call("ann", "POST", f"/v1/escalations/{escalation}/transitions", body, **headers)


@pytest.mark.parametrize("header", ['"7', "7; 8", "seven", '"1", "2"', "W/", '""" "', ", "])
async def test_an_if_match_that_is_no_version_is_wrong(shared_service: Service, escalation: str, header: str) -> None:
    assert (await _note(shared_service, escalation, If_Match=header)).fields() == {"If-Match"}


@pytest.mark.parametrize("header", ['"0"', '"999999"', '"abc"', '"99999999999999999999"', 'W/"0"', "0", '""'])
async def test_an_if_match_of_another_version_is_stale(shared_service: Service, escalation: str, header: str) -> None:
    told = (await _note(shared_service, escalation, If_Match=header)).problem(412, "stale_version")
    assert told["escalation"]["id"] == escalation


@pytest.mark.parametrize("header", ["", "x" * 201, "a\tb", "\udcff"])
async def test_a_bad_idempotency_key_is_wrong(shared_service: Service, escalation: str, header: str) -> None:
    answer = await _note(shared_service, escalation, Idempotency_Key=header)
    assert answer.fields() == {"Idempotency-Key"}


@pytest.mark.parametrize("header", ["a\tb", "", "x" * 201, "\udcff"])
async def test_nobody_can_be_stood_for_who_has_no_name(shared_service: Service, escalation: str, header: str) -> None:
    for method, path in (("POST", "transitions"), ("GET", "transitions")):
        body = {"trigger": "note", "text": "x"} if method == "POST" else {}
        path = f"/v1/escalations/{escalation}/{path}"
        answer = await shared_service.call("desk", method, path, body, X_On_Behalf_Of=header)
        assert answer.fields() == {"X-On-Behalf-Of"}


async def test_a_request_id_comes_back_and_is_recorded(shared_service: Service, escalation: str) -> None:
    answer = await _note(shared_service, escalation, X_Request_Id="web-4711")
    assert answer.ok(201)["transition"]["request_id"] == answer.headers["X-Request-Id"] == "web-4711"


@pytest.mark.parametrize("header", ["", "x" * 101, "caf\u00e9", "a\tb"])
async def test_a_request_id_that_is_none_is_replaced(shared_service: Service, header: str) -> None:
    answer = await shared_service.call(None, "GET", "/healthz", X_Request_Id=header)
    assert answer.headers["X-Request-Id"] not in ("", header)


async def test_every_answer_forbids_guessing_its_type(shared_service: Service) -> None:
    for who, path in (("ann", "/v1/history"), (None, "/docs"), (None, "/v1/history"), (None, "/nowhere")):
        answer = await shared_service.call(who, "GET", path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_only_100_continue_can_be_expected(shared_service: Service) -> None:
    path = "/v1/tickets/T-expect"
    (await shared_service.call("desk", "PUT", path, FACTS, Expect="100-continue")).ok()
    (await shared_service.call("desk", "PUT", path, FACTS, Expect="a pony")).problem(417, "unmet_expectation")


async def test_html_comes_back_as_the_text_that_it_was(shared_service: Service) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    body = {
        "ticket_id": "T-html",
        "situation": "executive_visibility",
        "reason": hostile,
        "brief": BRIEF | {"issue": hostile},
    }
    await shared_service.ticket("T-html", subject=hostile)
    answer = await shared_service.call("ann", "POST", "/v1/escalations", body)
    assert answer.ok(201)["transition"]["detail"]["brief"]["issue"] == hostile
    assert answer.headers["Content-Type"].startswith("application/json")
