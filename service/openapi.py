"""`/openapi.json`: OpenAPI 3.1, made from the routes that are served and the types that they check and answer with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import fields as fields_of

from machines.escalation import RULES, Rule
from service import __version__
from service.door import IDEMPOTENCY_KEY, IF_MATCH, ON_BEHALF_OF, Route
from service.problems import CODES, TITLES, Problem

Json = dict[str, Any]
REF = "#/components/schemas/{name}"
ABOUT = """An escalation policy carried out as state machines.

Every change of an escalation is a *transition*: a trigger, called by somebody who may, with what its guards ask for.
Instants are RFC 3339 in UTC, durations ISO 8601. Unknown fields are refused. Lists come in pages: `next_cursor`, until
it is null. Errors are `application/problem+json`; the first that applies: 400, 401, 404, the answer stored under an
`Idempotency-Key`, 412, 422 for fields, 409, 403, 422 for guards."""
HEADERS: dict[str, Json] = {
    IDEMPOTENCY_KEY: {
        "description": "The same key and body is answered with the stored answer, byte for byte, for 48 hours.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
        "example": "7f3c-close-T-1",
    },
    IF_MATCH: {
        "description": "Refuse with 412 unless the escalation still has this version: the `ETag` that you saw.",
        "schema": {"type": "string"},
        "example": '"7"',
    },
    ON_BEHALF_OF: {
        "description": "A service acts for this person, as far as its key allows. Both are recorded.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
        "example": "ann",
    },
    "X-Request-Id": {
        "description": "Up to 100 printable characters: comes back in the answer, and is recorded with what was done.",
        "schema": {"type": "string"},
        "example": "web-4711",
    },
}


def document(routes: Sequence[Route]) -> bytes:
    """The whole document, as JSON."""
    return msgspec.json.format(msgspec.json.encode(describe(routes)), indent=1)


def describe(routes: Sequence[Route]) -> Json:
    """The whole document."""
    types = list(dict.fromkeys(kind for route in routes for kind in _types(route)))
    schemas, components = msgspec.json.schema_components([Problem, *types], ref_template=REF)
    schema_of = dict(zip([Problem, *types], schemas, strict=True))
    components |= _calls(schema_of, components)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Escalation Matrix", "version": __version__, "description": ABOUT, "license": LICENSE},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(_used(components, paths).items())),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": CODES["no_key"].removeprefix("401. ")}
            },
        },
    }


LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}


def _types(route: Route) -> Iterator[Any]:
    """Every type that a route names."""
    yield from route.answers.values()
    if isinstance(route.body, dict):
        yield from route.body.values()
    elif route.body is not None:
        yield route.body
    if route.query is not None:
        yield from (f.type for f in fields_of(route.query))


# Bodies -----------------------------------------------------------------------------------------------------------


def _calls(schema_of: dict[Any, Json], components: dict[str, Json]) -> dict[str, Json]:
    """One schema for each trigger that may be called: its fields, and its name."""
    made = {}
    for trigger, rule in RULES.items():
        if rule.fields in schema_of:
            fields = components[schema_of[rule.fields]["$ref"].rsplit("/", 1)[1]]
            made[_name(trigger)] = {
                "title": trigger,
                "description": _told(rule),
                "type": "object",
                "properties": {"trigger": {"const": trigger}, **fields.get("properties", {})},
                "required": ["trigger", *fields.get("required", [])],
                "additionalProperties": False,
            }
    return made


def _name(trigger: str) -> str:
    return "Call" + "".join(word.capitalize() for word in trigger.split("_"))


def _told(rule: Rule) -> str:
    """Where a trigger leads and what its guards ask for, from the table."""
    leads = "; ".join(f"`{source}` → {', '.join(dests)}" for source, dests in rule.moves.items())
    asks = "".join(f"\n- {guard.sentence}" for guard in rule.guards)
    return f"{(rule.fields.__doc__ or '').strip()}\n\n{leads}\n\nRefused where a guard fails:\n{asks}"


def _body(route: Route, schema_of: dict[Any, Json]) -> Json:
    if isinstance(route.body, dict):
        refs = {trigger: REF.format(name=_name(trigger)) for trigger in route.body}
        schema: Json = {
            "oneOf": [{"$ref": ref} for ref in refs.values()],
            "discriminator": {"propertyName": "trigger", "mapping": refs},
        }
        examples = {name: {"value": value} for name, value in route.example.items()}
    else:
        schema = schema_of[route.body]
        examples = {"example": {"value": route.example}}
    return {"required": True, "content": {kind: {"schema": schema, "examples": examples} for kind in route.accepts}}


# Operations -------------------------------------------------------------------------------------------------------


def _operation(route: Route, schema_of: dict[Any, Json]) -> Json:
    module = route.handle.__module__.rsplit(".", 1)[1]
    told: Json = {
        "operationId": f"{module}_{route.handle.__name__}",
        "tags": [module],
        "summary": route.summary,
        "description": " ".join((route.handle.__doc__ or "").split()),
        "parameters": list(_parameters(route, schema_of)),
        "responses": {str(status): _answer(route, status, schema_of) for status in sorted(_statuses(route))},
    }
    if route.body is not None:
        told["requestBody"] = _body(route, schema_of)
    if route.public:
        told["security"] = []
    return told


def _parameters(route: Route, schema_of: dict[Any, Json]) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", route.path):
        any_text: Json = {"type": "string", "minLength": 1, "maxLength": 200}
        one_of_ours = route.path.startswith("/v1/escalations/")
        schema = {"type": "string", "format": "uuid"} if one_of_ours else any_text
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    for f in fields_of(route.query) if route.query else ():
        schema = dict(schema_of[f.type])
        parameter: Json = {"name": f.encode_name, "in": "query", "schema": _without_null(schema)}
        if f.default is not None:
            parameter["schema"]["default"] = f.default
        if description := parameter["schema"].pop("description", None):
            parameter["description"] = description
        yield parameter
    for name in (*route.headers, "X-Request-Id"):
        yield {"name": name, "in": "header", **HEADERS[name]}


def _without_null(schema: Json) -> Json:
    """A parameter that is absent is absent: there is no null in a query."""
    options = [dict(option) for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    return options[0] if len(options) == 1 else schema


def _statuses(route: Route) -> set[int]:
    """What a route can be answered with, as far as it follows from what it takes."""
    found = {*route.answers, *route.refuses, 400}
    if not route.public:
        found |= {401, 422, 429, 503}
    if route.body is not None:
        found |= {408, 413, 415}
    if "{" in route.path:
        found.add(404)
    if IF_MATCH in route.headers:
        found.add(412)
    return found


def _answer(route: Route, status: int, schema_of: dict[Any, Json]) -> Json:
    if status in route.answers:
        description, kinds, schema = "As asked.", route.content, schema_of[route.answers[status]]
    else:
        description, kinds, schema = TITLES[status] + ".", ("application/problem+json",), schema_of[Problem]
    headers: Json = {"X-Request-Id": {"schema": {"type": "string"}, "description": "Yours, or one of ours."}}
    if status == 401:
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}, "description": "Bearer."}
    if status in (429, 503):
        headers["Retry-After"] = {"schema": {"type": "string"}, "description": "Seconds to wait."}
    if status == 201 or (status == 200 and route.etag):
        headers["ETag"] = {"schema": {"type": "string"}, "description": "The version that the escalation has now."}
    if IDEMPOTENCY_KEY in route.headers and status not in (400, 401, 408, 413, 415, 429, 503):
        headers["Idempotency-Replayed"] = {"schema": {"const": "true"}, "description": "Where it was stored before."}
    return {"description": description, "headers": headers, "content": {kind: {"schema": schema} for kind in kinds}}


def _used(components: dict[str, Json], paths: Json) -> dict[str, Json]:
    """The components that something refers to."""
    used: set[str] = set()
    waiting = [paths]
    while waiting:
        for name in re.findall(r"'#/components/schemas/([^']+)'", str(waiting.pop())):
            if name not in used:
                used.add(name)
                waiting.append(components[name])
    return {name: schema for name, schema in components.items() if name in used}
