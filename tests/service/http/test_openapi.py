"""The contract as a document: it is whole, it is what is served, and what it says is what happens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from jsonschema_rs import Draft202012Validator

import service as product
from machines.escalation import RULES
from service import console, openapi
from service.problems import CODES
from service.routes import all_routes
from tests.service.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")
DOCUMENT: dict[str, Any] = json.loads(openapi.document(all_routes()))


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


async def test_the_document_and_the_served_routes_are_the_same(shared_service: Service) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in shared_service.app.router.routes()
        if route.resource is not None
    }
    pages = {(route.method, route.path) for route in console.ROUTES}  # for browsers
    assert {(method, path) for method, path, _ in _operations()} == served - pages
    assert pages < served
    assert (await shared_service.call(None, "GET", "/openapi.json")).ok() == DOCUMENT


async def test_schemathesis_reads_the_document_as_openapi_3_1() -> None:
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.validate()
    assert DOCUMENT["openapi"] == "3.1.0"


async def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for name in re.findall(r"#/components/schemas/([^\"]+)\"", json.dumps(DOCUMENT)):
        assert name in schemas
    for name in schemas:
        Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


async def test_every_operation_has_its_own_name_and_says_what_it_is_for() -> None:
    names = [operation["operationId"] for _, _, operation in _operations()]
    assert len(set(names)) == len(names)
    for _, path, operation in _operations():
        assert operation["summary"], path
        assert operation["description"].endswith("."), path
        assert all(answer["description"] for answer in operation["responses"].values())
        for parameter in operation["parameters"]:
            assert parameter["in"] == "path" or parameter.get("description") or parameter["schema"], parameter


async def test_every_callable_trigger_has_its_body_and_its_example() -> None:
    call = DOCUMENT["paths"]["/v1/escalations/{id}/transitions"]["post"]["requestBody"]["content"]["application/json"]
    callable_ = {trigger for trigger, rule in RULES.items() if rule.fields is not None}
    assert set(call["schema"]["discriminator"]["mapping"]) == callable_ == set(call["examples"])
    assert len(call["schema"]["oneOf"]) == len(callable_)


async def test_every_example_fits_its_schema() -> None:
    seen = 0
    for _, path, operation in _operations():
        for media in operation.get("requestBody", {}).get("content", {}).values():
            fits = Draft202012Validator({**media["schema"], "components": DOCUMENT["components"]})
            for example in media["examples"].values():
                assert fits.is_valid(example["value"]), (path, list(fits.iter_errors(example["value"])))
                seen += 1
    assert seen > 20


async def test_errors_are_problems_and_nothing_else() -> None:
    for _, path, operation in _operations():
        for status, answer in operation["responses"].items():
            if status >= "400" and path != "/readyz":
                assert set(answer["content"]) == {"application/problem+json"}, (path, status)


async def test_every_code_in_the_source_is_explained() -> None:
    room = Path(product.__file__).parent
    source = "\n".join(
        file.read_text("utf-8") for place in (room, room.parent / "machines") for file in place.rglob("*.py")
    )
    used = set(re.findall(r"Refus(?:al|ed)\(\s*\d{3},\s*\"(\w+)\"", source))
    assert used <= CODES.keys()
    assert {"not_found", "not_permitted", "invalid_fields", "key_reused"} <= used


async def test_the_page_explains_every_problem_and_fetches_nothing_from_elsewhere(shared_service: Service) -> None:
    answer = await shared_service.call(None, "GET", "/docs")
    page = answer.raw.decode()
    for code in CODES:
        assert f'id="problem-{code.replace("_", "-")}"' in page
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in page
    assert "https://" not in page
    assert not re.search(r"<script>|<style|\son\w+=|style=", page)
    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(parts) == 5
    for part in parts:
        told = await shared_service.call(None, "GET", part)
        assert told.status == 200, part
        assert told.raw
        assert told.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["x", "..%2F__init__.py", "..%2f..%2f..%2fetc%2fpasswd", "swagger-editor.js", "%00"])
async def test_the_page_has_no_other_parts(shared_service: Service, name: str) -> None:
    (await shared_service.call(None, "GET", f"/docs/{name}")).problem(404, "not_found")
