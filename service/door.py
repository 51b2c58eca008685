"""Doors: how an HTTP request becomes a checked call, and a route becomes a line of `/openapi.json`.

A door reads the body (400), then the fields against a type (422, all of them); it never decides anything.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, TypeVar, get_args

import msgspec
from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo, replace
from msgspec.structs import fields as look_up_fields

from machines.asked import FieldProblem
from service import auth
from service.body import sound
from service.problems import MOST, Refused

T = TypeVar("T", bound=Struct)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ANY_CASE = UUID.pattern.replace("a-f", "a-fA-F")
EARLIEST, LATEST = 1970, 2200
"""Years in which instants may lie."""

NO_CONTROL = r"^[^\x00-\x1f\x7f-\x9f]+$"
EMAIL = r"^\s*[^\s@<>\x00-\x1f]+@[^\s@<>\x00-\x1f]+\s*$"
PATTERNS = {
    NO_CONTROL: "must be text without control characters",
    EMAIL: "must be an address like ann@support.example",
    f"^{ANY_CASE}$": "must be an escalation's id, like 019b8ca1-6c40-7000-a000-000000000000",
    "^[a-z]{2,3}$": "must be a language like en or de",
    "^([01][0-9]|2[0-3]):[0-5][0-9]$": "must be a time like 09:30",
    r"^\d{4}-\d{2}-\d{2}$": "must be a day like 2026-01-30",
    "^[a-z][a-z0-9_]{0,63}$": "must be a name in small letters, digits and underscores",
}
"""What a pattern asks for, in words."""

Id = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_CONTROL)]
Email = Annotated[str, Meta(max_length=254, pattern=EMAIL)]
Instant = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset; kept and answered in UTC.")]
Line = Annotated[str, Meta(max_length=1000)]

IDEMPOTENCY_KEY, IF_MATCH, ON_BEHALF_OF = "Idempotency-Key", "If-Match", "X-On-Behalf-Of"
PRESENTED = web.RequestKey("presented", object)
"""What a request presented that is no key: an `auth.Token`, or the `Refused` that it is answered with in its turn."""
COMMANDED = (IDEMPOTENCY_KEY, ON_BEHALF_OF)
"""The headers that every POST takes."""


class Route(Struct, frozen=True):
    """One line of the contract. `body` and `query` are checked; `answers` maps a status to the type answered.

    `accepts` are the kinds of body that it takes, `content` those of what it answers;
    `refuses` are statuses that the route can answer beyond those that follow from the rest; `example` is a body.
    The handler's docstring is told as the description.
    """

    method: str
    path: str
    handle: Callable[[web.Request], Awaitable[web.StreamResponse]]
    summary: str
    answers: dict[int, Any]
    body: Any = None
    query: type[Struct] | None = None
    public: bool = False
    headers: tuple[str, ...] = ()
    refuses: tuple[int, ...] = ()
    example: Any = None
    content: tuple[str, ...] = ("application/json",)
    accepts: tuple[str, ...] = ("application/json",)
    etag: bool = False


# Fields -----------------------------------------------------------------------------------------------------------


@cache
def fields_of(kind: type[Struct]) -> tuple[FieldInfo, ...]:
    """A type's fields; msgspec reads the annotations anew each time, which is too slow for every request."""
    return look_up_fields(kind)


def fit(value: Any, kind: type[T]) -> tuple[T | None, tuple[FieldProblem, ...]]:
    """The value as this type, its instants in UTC, or everything that keeps it from being one, field by field."""
    try:
        fitted = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = tuple(_problems(value, kind, "")) or (FieldProblem("", _said(str(error), kind)),)
        return None, found[:MOST]
    return _in_utc(fitted, kind) if _has_instants(kind) else (fitted, ())


def _problems(value: Any, kind: Any, path: str) -> list[FieldProblem]:
    if not isinstance(value, dict):
        return [FieldProblem(path, f"must be an object, not {_name(value)}")]
    found: list[FieldProblem] = []
    known = {f.encode_name: f for f in fields_of(kind)}
    for name in value:
        if name not in known:
            found.append(FieldProblem(f"{path}{name}"[:200], f"no such field; there are {', '.join(known) or 'none'}"))
            if len(found) >= MOST:
                return found
    for name, f in known.items():
        if name not in value:
            if f.required:
                found.append(FieldProblem(f"{path}{name}", "is missing"))
            continue
        try:
            msgspec.convert(value[name], f.type)
        except msgspec.ValidationError as error:
            inner = _struct_in(f.type)
            if inner is not None and isinstance(value[name], dict):
                found += _problems(value[name], inner, f"{path}{name}.")
            else:
                message, _, where = str(error).partition(" - at `$")
                found.append(FieldProblem(f"{path}{name}{where.rstrip('`')}", _said(message, f.type)))
    return found


def _struct_in(kind: Any) -> type[Struct] | None:
    options = (kind, *get_args(kind))
    return next((o for o in options if isinstance(o, type) and issubclass(o, Struct)), None)


def _said(message: str, kind: Any) -> str:
    """msgspec's sentence in our words: what it must be, before what it is."""
    if message.startswith(("Invalid RFC3339", "Expected `datetime")) or "`datetime" in message:
        return _INSTANT
    if message.startswith("Invalid enum value"):
        return f"must be one of {', '.join(_options(msgspec.json.schema(kind)))}"
    if "matching regex" in message:
        return next((words for pattern, words in PATTERNS.items() if message.endswith(repr(pattern))), message)
    return re.sub(r"`([^`]+)`", _in_words, message).replace("Expected", "must be").replace(", got", ", not")


def _in_words(types: re.Match[str]) -> str:
    return " or ".join(_WORDS.get(name, name) for name in types[1].split(" | ") if name != "null") or "null"


def _options(schema: Any) -> list[str]:
    """Every value that an enumeration somewhere in this schema lists."""
    if isinstance(schema, dict):
        own = [str(value) for value in schema.get("enum", ()) if value is not None]
        return own + [value for part in schema.values() for value in _options(part)]
    return [value for part in schema for value in _options(part)] if isinstance(schema, list) else []


_WORDS = {
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
_INSTANT = "must be an instant with its offset, like 2026-01-05T09:00:00Z"


def _name(value: Any) -> str:
    return {list: "a list", str: "text", bool: "true or false", type(None): "null"}.get(type(value), "a number")


@cache
def _schema(kind: Any) -> str:
    return str(msgspec.json.schema(kind))


@cache
def _has_instants(kind: type[Struct]) -> bool:
    return "date-time" in _schema(kind)


def _in_utc(value: T, kind: type[T], path: str = "") -> tuple[T | None, tuple[FieldProblem, ...]]:
    changed: dict[str, Any] = {}
    found: list[FieldProblem] = []
    for f in fields_of(kind):
        told = getattr(value, f.name)
        if isinstance(told, datetime):
            if EARLIEST <= told.year <= LATEST:
                changed[f.name] = told.astimezone(UTC)
            else:
                found.append(FieldProblem(f"{path}{f.encode_name}", f"must lie between {EARLIEST} and {LATEST}"))
        elif isinstance(told, Struct):
            changed[f.name], problems = _in_utc(told, type(told), f"{path}{f.encode_name}.")
            found += problems
        elif isinstance(told, list | tuple) and told and isinstance(told[0], Struct):
            parts = [_in_utc(each, type(each), f"{path}{f.encode_name}[{n}].") for n, each in enumerate(told)]
            changed[f.name] = type(told)(part for part, _ in parts)
            found += (problem for _, problems in parts for problem in problems)
    return (None, tuple(found[:MOST])) if found else (replace(value, **changed), ())


def checked(value: Any, kind: type[T]) -> T:
    """The value as this type; raises 422 with everything that is wrong."""
    fitted, problems = fit(value, kind)
    if fitted is None:
        raise wrong(*problems)
    return fitted


def wrong(*problems: FieldProblem) -> Refused:
    """422 for fields."""
    text = "; ".join(f"{p.field}: {p.message}" for p in problems)
    return Refused(422, "invalid_fields", text, problems=problems)


# The rest of a request --------------------------------------------------------------------------------------------


def fit_query(request: web.Request, kind: type[T]) -> tuple[T, tuple[FieldProblem, ...]]:
    """The query string as this type, and everything in it that is unknown, doubled or wrong."""
    if not request.rel_url.raw_query_string:
        return kind(), ()
    known = {f.encode_name: f for f in fields_of(kind)}
    given: dict[str, Any] = {}
    found: list[FieldProblem] = []
    for name, text in request.query.items():
        if (f := known.get(name)) is None:
            found.append(FieldProblem(name[:200], f"no such parameter; there are {', '.join(known) or 'none'}"))
        elif f.name in given:
            found.append(FieldProblem(name, "stands twice: say it once"))
        elif not sound(text):
            found.append(FieldProblem(name, "holds NUL or half a surrogate pair"))
        else:
            try:
                # Lax, for all is text here; but an instant is never a number.
                given[f.name] = msgspec.convert(text, f.type, strict="date-time" in _schema(f.type))
            except msgspec.ValidationError as error:
                hint = " (write + as %2B, or use Z)" if re.search(r":\d\d(\.\d+)? \d\d:", text) else ""
                found.append(FieldProblem(name, _said(str(error), f.type) + hint))
            else:
                if given[f.name] is None:
                    found.append(FieldProblem(name, "can't be null: leave it out"))
    told = kind(**given)
    if _has_instants(kind):
        utc, problems = _in_utc(told, kind)
        told, found = utc or told, [*found, *problems]
    return told, tuple(found[:MOST])


class NoQuery(Struct, frozen=True):
    """A route that takes no parameters."""


def query(request: web.Request, kind: type[T]) -> T:
    """The query string as this type; raises 422 for unknown, doubled or wrong parameters."""
    told, problems = fit_query(request, kind)
    if problems:
        raise wrong(*problems)
    return told


def path_id(request: web.Request, name: str = "id") -> str:
    """An id of the path, as text that the database takes; raises 404 where it can't be one."""
    value = request.match_info[name]
    if len(value) > 200 or not sound(value) or not re.match(NO_CONTROL, value):
        raise nowhere()
    return value


def path_uuid(request: web.Request) -> str:
    """An escalation's id of the path; raises 404 where it can't be one."""
    value = request.match_info["id"].lower()
    if not UUID.fullmatch(value):
        raise nowhere()
    return value


def nowhere(what: str = "Nothing has that id.") -> Refused:
    """404."""
    return Refused(404, "not_found", what)


def token(request: web.Request) -> auth.Token:
    """What the request presents; raises 401, and 422 for whom nobody can be asked."""
    presented = presented_by(request)
    on_behalf_of = request.headers.get(ON_BEHALF_OF)
    if on_behalf_of is not None and not (0 < len(on_behalf_of) <= 200 and sound(on_behalf_of)):
        raise wrong(FieldProblem(ON_BEHALF_OF, "must be the id of a person, 1 to 200 characters"))
    return presented


def presented_by(request: web.Request) -> auth.Token:
    """The key of a request's header, or whom its token names; raises 401."""
    found = request.get(PRESENTED)
    if isinstance(found, Refused):
        raise found
    return found if isinstance(found, auth.Token) else auth.present(request.headers.get("Authorization"))


def idempotency_key(request: web.Request) -> str | None:
    """The request's Idempotency-Key, if it has one; raises 422 for what can't be one."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is not None and not (0 < len(key) <= 200 and key.isprintable()):
        raise wrong(FieldProblem(IDEMPOTENCY_KEY, "must be 1 to 200 printable characters"))
    return key


def if_match(request: web.Request) -> tuple[int | None, tuple[FieldProblem, ...]]:
    """The version that the caller saw, from If-Match; -1 for an entity tag that is none of ours, and so stale."""
    header = request.headers.get(IF_MATCH)
    if header is None or header.strip() == "*":
        return None, ()
    if match := re.fullmatch(r'\s*(?:W/)?(?:"(\d{1,9})"|(\d{1,9}))\s*', header):
        return int(match[1] or match[2]), ()
    if re.fullmatch(r'\s*(?:W/)?"[\x21\x23-\x7e]*"\s*', header):
        return -1, ()
    return None, (FieldProblem(IF_MATCH, 'must be one version as ETag gave it, like "7"'),)
