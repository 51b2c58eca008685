"""History: every transition by the filters of the API, what stood open at an instant, and the files to take away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Meta, Struct, to_builtins

import sql
from machines.asked import FieldProblem
from machines.escalation import RULES
from machines.values import Tier
from service.body import sound
from service.console import forms
from service.console.pages import for_visitors, page
from service.console.sessions import Visitor
from service.console.words import spoken
from service.door import Id, Instant, Route, fit, query
from service.export import FORMATS
from service.problems import Refused
from service.reads import connection
from service.routes import escalations, exports, history
from service.submit import HOUSE

AT_ONCE = 50
"""Rows of a page."""
SAID = dict.fromkeys(("trigger", "from", "level", "tier"), ("", "Any"))
SAID |= {"to": ("To", "Any"), "order": ("", "Newest first")}
ORDERS = [("asc", "Oldest first")]
TRIGGERS = [(trigger, spoken(trigger)) for trigger in RULES]
T = TypeVar("T", bound=Struct)
Level = Annotated[int, Meta(ge=0, le=4)]


class Search(history.Which, frozen=True, forbid_unknown_fields=True):
    """The filters of the API, newest first unless said otherwise."""

    order: history.Order | None = None


class Stood(Struct, frozen=True, forbid_unknown_fields=True):
    """What was not closed at an instant, that instant included; of all that, whatever fits."""

    as_of: Instant
    level: Level | None = None
    tier: Tier | None = None
    owner: Id | None = None
    customer_id: Id | None = None
    ticket_id: Id | None = None


class Asked(Struct, frozen=True):
    """A form of filters as it was filled in, and what it asks for: None where that can't be told, or nothing was."""

    form: forms.Form
    fields: Any
    kept: Mapping[str, Any]
    given: bool


async def show(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """With `as_of` in the address: what stood open then; else transitions. Both forms keep what was typed."""
    typed = [(name, text) for name, text in request.query.items() if text.strip() and sound(text)]
    cursor = next((text for name, text in typed if name == "cursor"), None)
    typed = [pair for pair in typed if pair[0] != "cursor"]
    stands = any(name == "as_of" for name, _ in typed)
    search = _asked(Search, {"trigger": TRIGGERS, "order": ORDERS}, [] if stands else typed)
    stood = _asked(Stood, {}, typed if stands else [])
    asked = stood if stands else search
    found: Any = None
    problems = asked.form.problems
    async with connection(request.app[HOUSE].reads) as conn:
        now = await conn.fetchval(sql.query("board.now"))
        if asked.fields is not None:
            try:
                if stands:
                    found = await escalations.listed(conn, _live_at(asked.fields, cursor))
                else:
                    found = await history.listed(conn, _rows(asked.fields, cursor))
            except Refused as error:
                problems = (*problems, *error.refusal.problems)
    return page(
        request,
        "history.html",
        422 if problems or asked.form.elsewhere else 200,
        visitor=visitor,
        now=now,
        search=search,
        stood=stood,
        stands=stands,
        found=found,
        problems=problems,
        elsewhere=asked.form.elsewhere,
        cursor=cursor,
        here=_address(asked.kept),
        more=_address({**asked.kept, "cursor": found.next_cursor}) if found and found.next_cursor else None,
        files=[(name, _file(name, search.kept) if exports.installed(name) else None) for name in FORMATS],
    )


def _asked(kind: type[T], choices: Mapping[str, Any], typed: forms.Pairs) -> Asked:
    """What was typed as these filters, each problem beside its field."""
    known = {name for name, _ in forms.leaves(kind)}
    unknown = [FieldProblem(name[:200], "no such filter") for name, _ in typed if name not in known]
    body = forms.value(kind, typed)
    fields, problems = fit(body, kind) if typed or kind is Search else (None, ())
    form = forms.form(kind, choices, typed, (*unknown, *problems), said=SAID)
    kept = {name: text for name, text in typed if name in known}
    return Asked(form, fields if not unknown else None, kept, bool(typed))


def _rows(asked: Search, cursor: str | None) -> history.Filters:
    which = {name: getattr(asked, name) for name in history.Which.__struct_fields__}
    return history.Filters(**which, order=asked.order or "desc", limit=AT_ONCE, cursor=cursor)


def _live_at(asked: Stood, cursor: str | None) -> escalations.Filters:
    told = {name: getattr(asked, name) for name in Stood.__struct_fields__}
    return escalations.Filters(**told, live=True, limit=AT_ONCE, cursor=cursor)


def _address(kept: Mapping[str, Any]) -> str:
    return "/history" + ("?" + urlencode(kept) if kept else "")


def _file(name: str, kept: Mapping[str, Any]) -> str:
    which = {key: value for key, value in forms.value(Search, list(kept.items())).items() if key != "order"}
    return "/history/export?" + urlencode({"format": name, **to_builtins(which)})


async def export(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """The file of `/v1/history/export`, for whoever is signed in; every role may read history."""
    asked = query(request, exports.Filters)
    async with connection(request.app[HOUSE].reads) as conn:
        export = await exports.export_of(request.app[HOUSE], conn, asked)
    return await exports.streamed(request, asked, export)


ROUTES = (
    Route("GET", "/history", for_visitors(show), "History", {200: str}, public=True),
    Route("GET", "/history/export", for_visitors(export), "History as a file", {200: bytes}, public=True),
)
