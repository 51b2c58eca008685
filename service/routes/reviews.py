"""Reviews: an ISO week in UTC, what it came to, and what is written into its review."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import asyncpg
from aiohttp import web
from msgspec import Meta, Struct

from service.auth import Known
from service.body import body
from service.door import (
    IDEMPOTENCY_KEY,
    UUID,
    Route,
    checked,
    idempotency_key,
    nowhere,
    query,
)
from service.reads import Page, Paged, Uuid, after, answered, anywhere, page, reading
from service.reviews import weeks, writing
from service.reviews.markdown import markdown
from service.reviews.review import Action, Counts, Lived, Note, Review, Signed, lived, read
from service.reviews.weeks import Week
from service.routes.examples import ACTION, MARKS, REVIEW_NOTE
from service.rows import fingerprint

JSON, MARKDOWN, HTML = KINDS = ("application/json", "text/markdown", "text/html")
PAGE: web.AppKey[Callable[[web.Request], Awaitable[web.StreamResponse]]] = web.AppKey("review_page")
"""The console's page of a review, for whoever asks for HTML; the house puts it here."""


Reviewed = Annotated[bool, Meta(description="Only those that are marked as reviewed, or only the others.")]
Door = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Which(Paged, frozen=True, forbid_unknown_fields=True):
    """Escalations of the week: all, or those that are marked as reviewed, or those that are not."""

    reviewed: Reviewed | None = None


def week_of(request: web.Request) -> Week:
    """The week of the path; raises 404 where there is no such week."""
    week = weeks.parse(request.match_info["week"])
    if week is None:
        raise nowhere("There is no such ISO week: name one like 2026-W02.")
    return week


def preferred(accept: str) -> str:
    """Which of the three kinds an Accept header likes best; JSON where it likes none of them more, or none at all."""
    weights = {kind: _weight(accept, kind) for kind in KINDS}
    return max(KINDS, key=lambda kind: weights[kind])


def _weight(accept: str, kind: str) -> float:
    """Of the ranges that fit, the most specific says how much it is liked (RFC 9110, 12.5.1)."""
    fits = {kind: 3, f"{kind.partition('/')[0]}/*": 2, "*/*": 1}
    best, weight = 0, 0.0
    for part in accept.lower().split(",")[:50]:
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if fits.get(name, 0) > best:
            quality = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
            best, weight = fits[name], float(quality) if quality.replace(".", "", 1).isdecimal() else 0.0
    return weight


async def review(request: web.Request) -> web.StreamResponse:
    """The measures of the week with those of the four before it, patterns, training needs, documentation gaps, notes,
    actions and the sign-off. As JSON, as Markdown to be sent around, or as the console's page, by `Accept`. What counts
    as what is defined in `sql/reports/`."""
    kind = preferred(request.headers.get("Accept", "*/*"))

    async def ask(conn: asyncpg.Connection, _: Known) -> Review:
        return await read(conn, week_of(request))

    if kind == HTML:
        async with reading(request):
            week_of(request)
        response = await request.app[PAGE](request)
    elif kind == MARKDOWN:
        text = markdown(await anywhere(request, ask))
        response = web.Response(text=text, content_type=MARKDOWN, charset="utf-8")
    else:
        response = answered(await anywhere(request, ask))
    response.headers["Vary"] = "Accept"
    return response


async def escalations(request: web.Request) -> web.StreamResponse:
    """Every escalation that was opened or closed in the week, or not closed when it ended, as it stands now; the newest
    first."""
    async with reading(request) as (conn, _):
        week, asked = week_of(request), query(request, Which)
        begin = after(asked.cursor, tuple[Uuid])
        found = await lived(conn, week, asked.reviewed, begin[0] if begin else None, asked.limit + 1)
    return answered(page(found, asked.limit, lambda e: e, lambda e: (e.id,)))


def _written(how: writing.Change, kind: type[Struct], doc: str) -> Door:
    """A door for one kind of change."""

    async def write(request: web.Request) -> web.StreamResponse:
        value = await body(request)
        async with reading(request) as (conn, known):
            week = week_of(request)
            which = _action(request) if "id" in request.match_info else None
            fields: Any = checked(value, kind)
            key = idempotency_key(request)
            told = fingerprint(request.method, request.path, value)
            try:
                text = await writing.change(conn, known, week, which or fields, how, key, told)
            except writing.Replayed as replayed:
                return replayed.answer
        return web.Response(body=text, content_type=JSON)

    write.__name__, write.__doc__ = how.__name__, doc
    return write


def _action(request: web.Request) -> str:
    which = request.match_info["id"].lower()
    if not UUID.fullmatch(which):
        raise nowhere("The review of that week has no such action.")
    return which


mark = _written(writing.mark, writing.MarkFields, "For leads and above. Marking one again changes nothing.")
note = _written(writing.note, writing.NoteFields, "For leads and above.")
action = _written(writing.action, writing.ActionFields, "For leads and above; its owner is somebody on the roster.")
done = _written(writing.done, writing.Empty, "For its owner, leads and above; also after the sign-off.")
sign = _written(
    writing.sign,
    writing.Empty,
    "For managers and above, when the week is over and each of its escalations is marked as reviewed. Nothing is "
    "written into the review after it, but that an action is done.",
)

WRITES: dict[str, Any] = {"headers": (IDEMPOTENCY_KEY,), "refuses": (403, 409)}
ROUTES = (
    Route("GET", "/v1/reviews/{week}", review, "The review of a week", {200: Review}, content=KINDS),
    Route(
        "GET",
        "/v1/reviews/{week}/escalations",
        escalations,
        "The escalations of a week",
        {200: Page[Lived]},
        query=Which,
    ),
    Route(
        "POST",
        "/v1/reviews/{week}/escalations",
        mark,
        "Mark escalations as reviewed",
        {200: Counts},
        body=writing.MarkFields,
        example=MARKS,
        **WRITES,
    ),
    Route(
        "POST",
        "/v1/reviews/{week}/notes",
        note,
        "Write a note",
        {200: Note},
        body=writing.NoteFields,
        example=REVIEW_NOTE,
        **WRITES,
    ),
    Route(
        "POST",
        "/v1/reviews/{week}/actions",
        action,
        "Have something done",
        {200: Action},
        body=writing.ActionFields,
        example=ACTION,
        **WRITES,
    ),
    Route(
        "POST",
        "/v1/reviews/{week}/actions/{id}/done",
        done,
        "Say that an action is done",
        {200: Action},
        body=writing.Empty,
        example={},
        **WRITES,
    ),
    Route(
        "POST",
        "/v1/reviews/{week}/sign-off",
        sign,
        "Sign a review off",
        {200: Signed},
        body=writing.Empty,
        example={},
        **WRITES,
    ),
)
