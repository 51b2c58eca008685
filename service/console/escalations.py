"""The page of one escalation: where it stands, the way it came, and what this person may do, and why not the rest."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from machines.escalation import RULES, Rule
from machines.values import State
from service.answers import TransitionAnswer
from service.body import form as read_form
from service.console import drawing, forms, scene, sessions
from service.console.board import DEADLINES
from service.console.calls import decided
from service.console.pages import NOT_TYPED, for_visitors, page, see_other
from service.console.scene import Scene
from service.console.sessions import Visitor
from service.door import Route, nowhere, path_uuid
from service.problems import Problem
from service.routes.transitions import ask_of

ADDS_ONLY = ("note",)
"""Triggers that hold whatever has happened since the page was read."""


class Attempt(Struct, frozen=True):
    """A form that was refused: what was typed, and why. `version` is the one that was looked at."""

    trigger: str
    typed: forms.Pairs
    problem: Problem
    version: int | None


class Button(Struct, frozen=True):
    """A trigger that may be called, and its form; `says` is what it does."""

    trigger: str
    says: str
    form: forms.Form
    open: bool


async def show(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """`done` in the address names the trigger that was just called here."""
    done = request.query.get("done", "")
    told = await scene.read(request, visitor, path_uuid(request))
    return _page(request, visitor, told, done=done if done in RULES else "")


async def show_one(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """The same page with one form open, for links."""
    rule = _rule(request)
    told = await scene.read(request, visitor, path_uuid(request))
    return _page(request, visitor, told, opened=rule.trigger)


async def call(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """Calls a trigger as this person; whatever keeps it from happening is shown where it was typed."""
    rule, which = _rule(request), path_uuid(request)
    typed = await read_form(request)
    given = dict(typed)
    sessions.from_our_page(request, visitor, given.get("csrf", ""))
    assert rule.fields is not None
    body = {"trigger": rule.trigger, **forms.value(rule.fields, typed)}
    seen = int(given["version"]) if re.fullmatch(r"[0-9]{1,9}", given.get("version", "")) else None
    ask, problems = ask_of(which, body, None if rule.trigger in ADDS_ONLY else seen)
    reply = await decided(request, visitor, ask, body, problems, given.get("once"))
    if reply.status == 201:
        return see_other(f"/escalations/{which}?done={rule.trigger}")
    problem = msgspec.json.decode(reply.body, type=Problem)
    told = await scene.read(request, visitor, which)
    return _page(request, visitor, told, Attempt(rule.trigger, typed, problem, seen))


def _rule(request: web.Request) -> Rule:
    rule = RULES.get(request.match_info["trigger"])
    if rule is None or rule.fields is None:
        raise nowhere("There is no such thing to do with an escalation.")
    return rule


def _page(
    request: web.Request,
    visitor: Visitor,
    told: Scene,
    attempt: Attempt | None = None,
    *,
    opened: str = "",
    done: str = "",
) -> web.StreamResponse:
    e = told.escalation
    buttons = [_button(told, p.trigger, attempt, opened) for p in told.ordered if p.allowed]
    legs = drawing.way(reversed(told.history))
    return page(
        request,
        "escalation.html",
        attempt.problem.status if attempt else 200,
        visitor=visitor,
        told=told,
        e=e,
        now=told.now,
        buttons=buttons,
        refused=[p for p in told.ordered if not p.allowed],
        drawings=drawing.draw(str(e.state), legs),
        legs=legs,
        deadlines=sorted(
            (at, name, label) for name, label in DEADLINES.items() if (at := getattr(e, name)) is not None
        ),
        attempt=attempt,
        left=_left(attempt, [button.trigger for button in buttons]),
        since=[row for row in told.history if attempt and attempt.version and row.version > attempt.version],
        once=secrets.token_urlsafe(16),
        done=done,
        parted=_parted,
        closed=e.state == State.CLOSED,
    )


def _button(told: Scene, trigger: str, attempt: Attempt | None, opened: str) -> Button:
    rule = RULES[trigger]
    assert rule.fields is not None
    tried = attempt if attempt and attempt.trigger == trigger else None
    problem = tried.problem if tried else None
    form = forms.form(
        rule.fields,
        told.choices(trigger),
        tried.typed if tried else told.filled(trigger),
        problem.problems if problem else (),
        problem.failed if problem else (),
    )
    says = (rule.effect.__doc__ or "").replace("`", "")
    return Button(trigger, says, form, tried is not None or trigger == opened)


def _parted(row: TransitionAnswer) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was given in words, which is read with the reason; and the rest, which is looked up."""
    words = {name: value for name, value in row.detail.items() if isinstance(value, str) and value != row.reason}
    return words, {name: value for name, value in row.detail.items() if not isinstance(value, str)}


def _left(attempt: Attempt | None, allowed: Sequence[str]) -> list[tuple[str, str]]:
    """What was typed into a form that is not there any more, so that it can be copied."""
    if attempt is None or attempt.trigger in allowed:
        return []
    return [(name, text) for name, text in attempt.typed if name not in NOT_TYPED and text.strip()]


ROUTES = (
    Route("GET", "/escalations/{id}", for_visitors(show), "An escalation", {200: str}, public=True),
    Route("GET", "/escalations/{id}/{trigger}", for_visitors(show_one), "One form of it", {200: str}, public=True),
    Route("POST", "/escalations/{id}/{trigger}", for_visitors(call), "Call a trigger", {303: None}, public=True),
)
