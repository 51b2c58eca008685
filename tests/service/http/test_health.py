"""Whether it lives, whether it can serve, and what it counts."""

from __future__ import annotations

import pytest

from service.room import ROOM
from service.submit import HOUSE
from tests.service.conftest import FACTS, Service


async def test_it_lives_and_is_ready(service: Service) -> None:
    assert (await service.call(None, "GET", "/healthz")).ok() == {"status": "ok"}
    told = (await service.call(None, "GET", "/readyz")).ok()
    assert told["status"] == "ready"
    assert {name: check["ok"] for name, check in told["checks"].items()} == {
        "database": True,
        "schema": True,
        "moves": True,
        "timers": True,
    }


@pytest.mark.parametrize(
    ("change", "check", "advice"),
    [
        ("DELETE FROM schema_migration WHERE number = (SELECT max(number) FROM schema_migration)", "schema", "migrate"),
        ("DROP TABLE schema_migration", "schema", "migrate"),
        ("DELETE FROM allowed_move WHERE trigger = 'rate'", "moves", "rate from closed to closed"),
    ],
    ids=["a migration", "every migration", "a move"],
)
async def test_it_is_not_ready_while_there_lacks(service: Service, change: str, check: str, advice: str) -> None:
    await service.db.execute("SET session_replication_role = replica")  # no foreign key waits for housekeeping
    await service.db.execute(change)
    answer = await service.call(None, "GET", "/readyz")
    assert (answer.status, answer.body["status"]) == (503, "not_ready")
    assert answer.headers["Retry-After"]
    assert not answer.body["checks"][check]["ok"]
    assert advice in answer.body["checks"][check]["detail"]


async def test_requests_are_counted_by_route_and_status_and_never_by_person(service: Service) -> None:
    (await service.call("desk", "PUT", "/v1/tickets/T-secret", FACTS)).ok()
    (await service.call("ann", "GET", "/v1/tickets/T-nobody")).problem(404, "not_found")
    (await service.call(None, "GET", "/no/such/path")).problem(404, "not_found")
    (await service.call("ann", "OPTIONS", "/v1/history")).problem(405, "method_not_allowed")
    answer = await service.call("ann", "GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    text = answer.raw.decode()
    for method, route, status in (
        ("PUT", "/v1/tickets/{id}", 200),
        ("GET", "/v1/tickets/{id}", 404),
        ("GET", "unknown", 404),
        ("OPTIONS", "unknown", 405),
    ):
        assert f'escalation_request_seconds_count{{method="{method}",route="{route}",status="{status}"}} 1.0' in text
    assert not any(word in text for word in ("T-secret", "T-nobody", "ann", "desk", "no/such"))


async def test_the_measures_tell_how_full_each_limit_is(service: Service) -> None:
    told = (await service.call("aud", "GET", "/metrics")).raw.decode()
    lines = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))
    settings = service.app[HOUSE].settings
    assert float(lines["escalation_connections"]) == 1
    assert float(lines["escalation_connections_most"]) == service.app[ROOM] <= settings.connections
    assert float(lines["escalation_commands_waiting"]) == 0
    assert float(lines["escalation_commands_waiting_most"]) == settings.queue_limit
    assert 0 <= float(lines["escalation_reads"]) <= float(lines["escalation_reads_most"]) == settings.read_connections
