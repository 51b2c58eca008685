"""OWASP API8:2023, security misconfiguration: what holds without anybody having set anything."""

from __future__ import annotations

import asyncpg
import pytest

from service.config import Settings
from service.routes import all_routes
from tests.service.conftest import Answer, Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEPT = ("/console/style.css", "/docs/page.js")
"""Parts of pages, which hold nothing of anybody's."""
INJECTED = (
    "' OR '1'='1",
    "'; DROP TABLE said; --",
    '" OR 1=1 --',
    "1) UNION SELECT digest FROM api_key --",
    "$1",
    "%27%20OR%201=1",
    "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
    "%s%n%x{0.__class__}",
    "../../../../etc/passwd",
    "; cat /etc/passwd",
    "`id`$(id)",
    "*)(uid=*",
    "_%",
)


async def _everywhere(service: Service) -> list[tuple[str, Answer]]:
    """An answer of every door that is read, and of what is refused."""
    escalation = await service.opened("T-1")
    ids = {"tickets": "T-1", "escalations": escalation, "customers": "acme", "people": "ann"}
    paths = [route.path for route in all_routes() if route.method == "GET" and route.path != "/v1/events"]
    told = []
    for path in (*paths, "/", f"/escalations/{escalation}", "/sign-in", "/nowhere", *KEPT):
        noun = path.split("/")[2] if "/v1/" in path else ""
        where = path.replace("{id}", ids.get(noun, "1"))
        told.append((path, await service.call("vic", "GET", where, Origin="https://evil.example")))
    told.append(("401", await service.call(None, "GET", "/v1/history")))
    told.append(("405", await service.call("vic", "TRACE", "/v1/history")))
    told.append(("422", await service.call("vic", "GET", "/v1/history?limit=0")))
    told.append(("201", await service.act("vic", escalation, "note", text="x")))
    told.append(("400", await service.call("vic", "GET", "/v1/history", X_Long="x" * 9_000)))
    return told


async def test_no_answer_can_be_kept_guessed_framed_read_from_elsewhere_or_tells_what_it_is_made_of(
    shared_service: Service,
) -> None:
    for where, told in await _everywhere(shared_service):
        headers = told.headers
        assert headers["X-Content-Type-Options"] == "nosniff", where
        assert headers["Server"] == "escalation-matrix", where
        assert where in KEPT or headers["Cache-Control"] == "no-store", where
        assert not [name for name in headers if name.lower().startswith("access-control-")], where
        assert "X-Powered-By" not in headers
        kind = headers["Content-Type"] if told.raw else ""
        if kind.startswith("text/"):
            assert "charset=utf-8" in kind, where
        if kind.startswith("text/html"):
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy, where
            assert "frame-ancestors 'none'" in policy, where
            assert "unsafe" not in policy, where


async def test_an_error_of_ours_tells_nothing_of_the_inside(shared_service: Service) -> None:
    await shared_service.db.execute("ALTER TABLE rota RENAME TO rota_away")
    try:
        answer = await shared_service.call("root", "GET", "/v1/rotas")
        told = answer.problem(500, "internal_error")
    finally:
        await shared_service.db.execute("ALTER TABLE rota_away RENAME TO rota")
    assert told["request_id"] == answer.headers["X-Request-Id"], "by which the log is searched"
    for word in ("rota", "SELECT", "asyncpg", "Traceback", "relation", ".py", "postgres"):
        assert word not in answer.raw.decode(), word
    (await shared_service.call("root", "GET", "/v1/rotas")).ok()


async def test_without_settings_it_listens_on_this_machine_alone_and_takes_nothing_in(shared_service: Service) -> None:
    bare = Settings()
    assert bare.host == "127.0.0.1"
    assert bare.clock == "system"
    assert bare.mail_listen is None
    assert bare.slack_signing_secret is None
    assert bare.private_hosts == ()
    assert (bare.request_within, bare.max_body) == (15.0, 1024 * 1024), "slow and large callers are bounded"
    (await shared_service.call("root", "PUT", "/v1/clock", {"now": "2030-01-01T00:00:00Z"})).problem(404, "not_found")


async def test_a_new_database_knows_nobody(database_url: str) -> None:
    db = await asyncpg.connect(database_url)
    try:
        for table in ("principal", "api_key", "session", "person"):
            assert await db.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    finally:
        await db.close()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80@127.0.0.1", "127.0.0.1\\evil.example", ""])
async def test_a_forged_host_leads_nobody_elsewhere(shared_service: Service, host: str) -> None:
    told = await shared_service.call(None, "GET", "/history", Host=host, X_Forwarded_Host="evil.example")
    assert told.status in (303, 400, 404)
    assert b"evil.example" not in told.raw
    assert "evil" not in told.headers.get("Location", "/")


@pytest.mark.parametrize("text", INJECTED)
async def test_what_is_code_elsewhere_is_text_here(shared_service: Service, text: str) -> None:
    before = await shared_service.db.fetchval("SELECT count(*) FROM said")
    for name in ("owner", "customer_id", "ticket_id"):
        answer = await shared_service.call("ann", "GET", f"/v1/escalations?{name}={_quoted(text)}")
        assert answer.status == 422 or answer.ok()["items"] == [], name
    answer = await shared_service.call("ann", "GET", f"/v1/people/{_quoted(text)}")
    assert answer.status == 404
    facts = {"name": text, "tier": "starter", "contacts": []}
    assert (await shared_service.call("root", "PUT", "/v1/customers/odd", facts)).ok()["name"] == text
    assert (await shared_service.call("root", "GET", "/v1/customers/odd")).ok()["name"] == text
    assert await shared_service.db.fetchval("SELECT count(*) FROM said") == before


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())
