"""schemathesis over the whole document, against a running service: no 5xx, and no answer that the document lacks.

Seeded and bounded; a longer run: `EXAMPLES=1000 ./run test tests/service/http/test_schemathesis.py`.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import asyncpg
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.core.parameters import ParameterLocation

from service import openapi
from service.routes import all_routes
from tests.service.conftest import running

JSON = "application/json"
EXAMPLES = int(os.environ.get("EXAMPLES", "12"))
CHECKS: list[Any] = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
# A key is sent with every request, so that nothing else than what is tested here is wrong with it.
SCHEMA = schemathesis.openapi.from_dict({**openapi.describe(all_routes()), "security": []})
OPERATIONS: dict[str, Any] = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}  # type: ignore[union-attr]
RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
NOTHING_TO_GET_WRONG = {"GET /v1/clock", "GET /v1/history/checkpoint"} | {
    f"{route.method} {route.path}"
    for route in all_routes()
    if route.public or route.content != (JSON,) or JSON not in route.accepts
}
CASES = [
    pytest.param(label, mode, id=f"{label} {mode.value}")
    for label in OPERATIONS
    for mode in (RIGHT, WRONG)
    if mode == RIGHT or label not in NOTHING_TO_GET_WRONG
]


class Town(NamedTuple):
    """A service in a thread of its own, keys of its cast, and ids that there are."""

    base: str
    keys: dict[str, str]
    escalation: str


@pytest.fixture(scope="module")
def town(postgres_url: str, template: str) -> Iterator[Town]:
    """schemathesis calls without a loop, so the service gets one of its own."""
    begun: list[Town] = []
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        name = f"test_{uuid4().hex}"
        owner = await asyncpg.connect(postgres_url)
        await owner.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            async with running(f"{postgres_url.rpartition('/')[0]}/{name}") as service:
                begun.append(Town(service.base, service.keys, await service.opened("T-1")))
                ready.set()
                await asyncio.to_thread(done.wait)
        finally:
            ready.set()
            await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
            await owner.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(30)
    yield begun[0]
    done.set()
    thread.join(30)


@pytest.mark.parametrize(("label", "mode"), CASES)
def test_the_document_tells_every_answer(town: Town, label: str, mode: GenerationMode) -> None:
    operation = OPERATIONS[label]
    ids = [town.escalation, "T-1", "acme", "ann", None]
    session = requests.Session()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode), which=st.sampled_from(ids), who=st.sampled_from(["root", "ann", "vic"]))
    def conforms(case: Any, which: str | None, who: str) -> None:
        path = case.meta.components.get(ParameterLocation.PATH)
        if which is not None and path is not None and path.mode == RIGHT:
            case.path_parameters["id"] = which
        if mode == WRONG and case.headers:
            case.headers.pop("If-Match", None)  # a stale version is told before a wrong field
        case.call_and_validate(
            base_url=town.base,
            session=session,
            headers={"Authorization": f"Bearer {town.keys[who]}"},
            checks=CHECKS,
            timeout=60,
        )

    try:
        conforms()
    finally:
        session.close()
