"""Policies over HTTP: published whole and checked, immutable, compared, and tried."""

from __future__ import annotations

from typing import Any

import msgspec

from machines import matrix
from tests.service.conftest import Service

TOML = matrix.default_text()
STRICTER = TOML.replace('p2 = { first_response = "PT4H"', 'p2 = { first_response = "PT1H"', 1)


def document(text: str = TOML) -> Any:
    return msgspec.to_builtins(matrix.parse(text).document)


async def published(service: Service, text: str = STRICTER) -> int:
    told = await service.call("root", "POST", "/v1/policies", raw=text.encode(), Content_Type="application/toml")
    return int(told.ok(201)["version"])


async def test_a_published_version_is_the_next_one_whether_it_came_as_toml_or_as_json(service: Service) -> None:
    assert await published(service) == 2
    told = await service.call("root", "POST", "/v1/policies", document())
    assert told.ok(201)["version"] == 3
    assert told.body["published_by"] == "root"
    assert (await service.call("aud", "GET", "/v1/policies/3")).ok() == told.body
    assert [each["version"] for each in (await service.call("ann", "GET", "/v1/policies")).ok()["items"]] == [3, 2, 1]
    (await service.call("ann", "GET", "/v1/policies/4")).problem(404, "not_found")
    (await service.call("ann", "GET", "/v1/policies/x")).problem(404, "not_found")


async def test_the_newest_once_more_publishes_nothing(service: Service) -> None:
    assert (await service.call("root", "POST", "/v1/policies", document())).ok(200)["version"] == 1
    await published(service)
    assert (await service.call("root", "POST", "/v1/policies", document(STRICTER))).ok(200)["version"] == 2


async def test_every_bad_cell_is_named_and_nothing_is_published(service: Service) -> None:
    raw = document()
    raw["matrix"]["p0_outage"]["starter"]["level"] = 7
    raw["sla"]["starter"]["p3"]["resolution"] = "PT0S"
    del raw["matrix"]["sla_breach"]
    told = await service.call("root", "POST", "/v1/policies", raw)
    assert {"matrix.p0_outage.starter.level", "sla.starter.p3", "matrix.sla_breach"} <= told.fields()
    raw["matrix"]["more"] = 1
    assert "matrix.more" in (await service.call("root", "POST", "/v1/policies", raw)).fields()
    others: tuple[Any, ...] = ([], "x", {}, {"name": "x"})
    for body in others:
        assert (await service.call("root", "POST", "/v1/policies", body)).fields()
    broken = await service.call("root", "POST", "/v1/policies", raw=b"[levels", Content_Type="application/toml")
    assert broken.fields() == {""}
    assert (await service.call("ann", "GET", "/v1/policies")).ok()["items"][0]["version"] == 1


async def test_only_an_admin_publishes(service: Service) -> None:
    for who in ("ann", "vic", "desk", "aud"):
        (await service.call(who, "POST", "/v1/policies", document())).problem(403, "not_permitted")
    (await service.call(None, "POST", "/v1/policies", document())).problem(401, "no_key")


async def test_what_opens_goes_by_the_newest_and_what_runs_keeps_its_version(service: Service) -> None:
    e = await service.opened("PV-1")
    await published(service)
    other = await service.opened("PV-2")
    versions = [
        (await service.call("ann", "GET", f"/v1/escalations/{each}")).ok()["policy_version"] for each in (e, other)
    ]
    assert versions == [1, 2]


async def test_sla_clocks_that_wait_without_an_escalation_are_armed_by_the_newest_at_once(service: Service) -> None:
    await service.now_is("2026-01-05T08:10:00Z")
    await service.ticket("PW-1", sla=None)
    await service.ticket("PW-2", sla=None, status="solved", updated_at="2026-01-05T08:05:00Z")

    async def armed() -> list[str]:
        rows = await service.db.fetch("SELECT due_at FROM timer WHERE kind = 'first_response' ORDER BY ticket_id")
        return [f"{row['due_at']:%H:%M}" for row in rows]

    assert await armed() == ["10:00"]  # half of the four hours: the first warning
    await published(service)
    assert await armed() == ["08:30"]
    assert await service.db.fetchval("SELECT passes FROM rearming") == 1


async def test_a_ticket_whose_escalation_ends_goes_by_the_newest_again(service: Service) -> None:
    await service.now_is("2026-01-05T08:01:00Z")
    await service.ticket("PE-1", sla=None, customer_id="solo", opened_at="2026-01-05T08:00:00Z")
    body = {"ticket_id": "PE-1", "situation": "customer_request", "reason": "They ask"}
    e = (await service.call("ann", "POST", "/v1/escalations", body)).ok(201)["escalation"]
    await published(service, TOML.replace('p2 = { first_response = "P1D"', 'p2 = { first_response = "PT6H"', 1))
    due = "SELECT due_at FROM timer WHERE kind = 'first_response'"
    assert f"{await service.db.fetchval(due):%d %H:%M}" == "05 20:00"
    contact = {"channel": "reply", "sender": "boss@solo.example", "author_role": "customer", "body": "Never mind"}
    heard = (await service.call("desk", "POST", "/v1/tickets/PE-1/contacts", contact)).ok(201)["contact"]["id"]
    (await service.act("lee", e["id"], "withdraw", criterion="request_withdrawn", evidence=heard)).ok(201)
    assert f"{await service.db.fetchval(due):%d %H:%M}" == "05 11:00"


async def test_two_versions_are_compared_cell_by_cell(service: Service) -> None:
    await published(service)
    told = (await service.call("ann", "GET", "/v1/policies/diff?from=1&to=2")).ok()
    path = "sla.enterprise.p2.first_response"
    assert told == {"from": 1, "to": 2, "differences": [{"path": path, "before": "PT14400S", "after": "PT3600S"}]}
    assert (await service.call("ann", "GET", "/v1/policies/diff")).ok() == told
    assert (await service.call("ann", "GET", "/v1/policies/diff?from=2&to=2")).ok()["differences"] == []
    (await service.call("ann", "GET", "/v1/policies/diff?from=9")).problem(404, "not_found")
    assert (await service.call("ann", "GET", "/v1/policies/diff?from=a&x=1")).fields() == {"from", "x"}


async def test_a_trial_tells_what_would_happen_and_writes_nothing(service: Service) -> None:
    before = await service.db.fetchrow("SELECT (SELECT count(*) FROM ticket), (SELECT count(*) FROM history)")
    asked = {"tier": "enterprise", "priority": "p0", "opened_at": "2026-01-05T09:00:00Z"}
    told = (await service.call("ann", "POST", "/v1/policies/1/simulate", asked)).ok()
    assert [(step["trigger"], step["dest"]) for step in told["steps"][:2]] == [("open", "open"), ("engage", "l3")]
    due = {each["name"]: each for each in told["steps"][1]["due"]}
    assert due["respond_by"]["at"] == "2026-01-05T13:00:00Z"
    assert due["respond_by"]["path"] == "levels.3.respond_within"
    clock = {each["clock"]: each for each in told["clocks"]}["resolution"]
    assert clock["due_at"] == "2026-01-05T13:00:00Z"
    assert clock["arithmetic"]["target"] == "PT4H"
    after = await service.db.fetchrow("SELECT (SELECT count(*) FROM ticket), (SELECT count(*) FROM history)")
    assert after == before


async def test_a_trial_says_all_that_is_wrong_with_it(service: Service) -> None:
    asked = {"tier": "gold", "priority": "p0", "opened_at": "today", "x": 1}
    told = await service.call("ann", "POST", "/v1/policies/1/simulate", asked)
    assert told.fields() == {"tier", "opened_at", "x"}
    asked = {"tier": "starter", "priority": "p0", "opened_at": "2026-01-05T09:00:00Z", "channel": "call"}
    assert (await service.call("ann", "POST", "/v1/policies/1/simulate", asked)).fields() == {"channel"}
    asked["solved_at"] = "2026-01-05T08:00:00+00:00"
    assert (await service.call("ann", "POST", "/v1/policies/1/simulate", asked)).fields() == {"channel", "solved_at"}
    (await service.call("ann", "POST", "/v1/policies/7/simulate", asked)).problem(404, "not_found")
