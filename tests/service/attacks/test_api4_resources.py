"""OWASP API4:2023, unrestricted resource consumption: everything that a caller chooses the size of has a bound.

Sizes of bodies, bombs and chunks: `tests/service/http/test_bodies.py`; slow callers: `test_limits.py`; the queue and
the pools: `tests/service/engine/test_fair.py`; rates for each principal belong to the limits of operation.
"""

from __future__ import annotations

import resource

import pytest
from msgspec.structs import fields as fields_of

from service.routes import all_routes
from tests.service.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTS = [r.path for r in all_routes() if r.query and "limit" in {f.encode_name for f in fields_of(r.query)}]


@pytest.mark.parametrize("path", LISTS)
async def test_no_page_of_a_list_has_more_than_500_lines(shared_service: Service, path: str) -> None:
    await shared_service.ticket("T-1")
    path = path.replace("{id}", "T-1").replace("{week}", "2026-W01").replace("{version}", "1")
    for many in ("501", "-1", "0", "9" * 30, "1e3"):
        assert (await shared_service.call("ann", "GET", f"{path}?limit={many}")).status in (403, 422), many
    assert (await shared_service.call("ann", "GET", f"{path}?limit=500")).status in (200, 403)


async def test_that_there_are_lists_to_ask() -> None:
    assert len(LISTS) > 8


@pytest.mark.parametrize("many", [1_000, 100_000])
async def test_parameters_without_end_are_refused_and_the_first_fifty_told(shared_service: Service, many: int) -> None:
    query = "&".join("a" for _ in range(many))
    answer = await shared_service.call("ann", "GET", f"/v1/history?{query}")
    assert answer.status in (400, 422)
    assert len(answer.body.get("problems", [])) <= 50
    assert len(answer.raw) < 20_000


async def test_what_a_refusal_repeats_of_a_request_is_short(shared_service: Service) -> None:
    escalation = await shared_service.opened("T-long")
    long = "x" * 500_000
    for body in ({"trigger": long}, {"trigger": "note", long: 1}, {"trigger": "note", "text": long}, {long: long}):
        path = f"/v1/escalations/{escalation}/transitions"
        answer = await shared_service.call("ann", "POST", path, body)
        assert answer.status in (409, 422)
        assert len(answer.raw) < 5_000, list(body)


async def test_forty_bodies_of_a_megabyte_leave_no_megabytes_behind(shared_service: Service) -> None:
    raw = b'{"name": "' + b"a" * 1_000_000 + b'"}'
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(40):
        assert (await shared_service.call("root", "PUT", "/v1/customers/acme", raw=raw)).status == 422
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before <= 16_000  # kB, of 40,000
