"""OWASP API9:2023, improper inventory management: every door is listed, and there is no other.

That the document and the served routes are the same: `tests/service/http/test_openapi.py`.
"""

from __future__ import annotations

import pytest

from service import console
from service.routes import all_routes
from tests.service.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHOUT_A_KEY = {
    *("GET /healthz", "GET /readyz", "GET /openapi.json", "GET /docs", "GET /docs/{name}"),
    "POST /v1/inbound/slack",
}
"""Doors of the API that ask for no key: what may be known to all, and what is signed. Written by hand."""
PAGES_WITHOUT_A_SESSION = {
    *("GET /sign-in", "POST /sign-in", "GET /console/{name}", "GET /sign-in/oidc", "GET /sign-in/oidc/back"),
    *("GET /survey/{token}", "POST /survey/{token}"),
}
FORGOTTEN = (
    *(
        "/v0/history",
        "/v2/history",
        "/api/v1/history",
        "/v1",
        "/v1/",
        "/history.json",
        "/admin",
        "/debug",
        "/debug/vars",
    ),
    *("/debug/pprof", "/actuator/env", "/server-status", "/.git/config", "/.env", "/escalation.toml", "/robots.txt"),
    *("/swagger.json", "/graphql", "/console", "/console/", "/static/", "/docs/", "/phpinfo.php", "/v1/principals"),
    *("/v1/keys", "/v1/sessions", "/v1/settings", "/v1/said", "/v1/outbox", "/test", "/_profiler"),
)


async def test_the_doors_that_ask_for_no_key_are_these() -> None:
    assert {f"{r.method} {r.path}" for r in all_routes() if r.public} == WITHOUT_A_KEY


async def test_the_pages_that_ask_for_no_session_are_these(shared_service: Service) -> None:
    opened = set()
    for route in console.ROUTES:
        path = route.path.replace("{name}", "style.css").replace("{id}", "019b76da-a800-7000-8000-000000000000")
        path = path.replace("{week}", "2026-W01").replace("{what}", "notes")
        told = await shared_service.call(None, route.method, path.replace("{trigger}", "note"))
        asks = told.status in (401, 415) or told.headers.get("Location", "").startswith("/sign-in")
        if not asks or route.path == "/sign-in":
            opened.add(f"{route.method} {route.path}")
    assert opened == PAGES_WITHOUT_A_SESSION


async def test_nothing_is_served_that_is_not_listed(shared_service: Service) -> None:
    served = {(r.method, r.resource.canonical) for r in shared_service.app.router.routes() if r.resource}
    assert served == {(r.method, r.path) for r in (*all_routes(), *console.ROUTES)}


@pytest.mark.parametrize("path", FORGOTTEN)
async def test_where_others_have_forgotten_doors_there_is_none(shared_service: Service, path: str) -> None:
    for who in (None, "root"):
        assert (await shared_service.call(who, "GET", path)).status in (401, 404)
