"""The weekly review as a page, and the weeks that there are."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec
from aiohttp import web
from msgspec import Struct

import sql
from machines.document import TIERS
from machines.values import LEVEL_ROLE, Tier
from service.body import form as read_form
from service.console import charts, forms, sessions
from service.console.pages import HEADERS, NOT_TYPED, for_visitors, page, see_other, templates
from service.console.sessions import Visitor
from service.door import UUID, Route, checked, nowhere
from service.durations import span
from service.problems import TITLES, Refused
from service.reads import connection
from service.reviews import weeks, words, writing
from service.reviews.figures import FEW, LEVELS, Figure, only
from service.reviews.markdown import markdown
from service.reviews.review import Counts, Review, counts, lived, read
from service.reviews.weeks import BASELINE, Week
from service.routes import people as roster
from service.routes.reviews import week_of
from service.rows import fingerprint
from service.submit import HOUSE

SHOWN, LISTED = 100, 13
"""Escalations of a page, and weeks of the list."""
MOST_OWNERS = 500
HEADLINES = ("escalation_rate", "escalations", "resolution_median", "response_attainment", "satisfaction")
ELSEWHERE = ("escalation_rate", "resolution_median", "resolution_p90", "satisfaction", "response_attainment")
"""Figures that have a table of their own."""
DONE = {
    "escalations": "Marked as reviewed.",
    "notes": "The note is in the review.",
    "actions": "The action is in the review.",
    "done": "The action is done.",
    "sign-off": "The review is signed off.",
}
CHANGES: Mapping[str, tuple[writing.Change, type[Struct]]] = {
    "escalations": (writing.mark, writing.MarkFields),
    "notes": (writing.note, writing.NoteFields),
    "actions": (writing.action, writing.ActionFields),
    "done": (writing.done, writing.Empty),
    "sign-off": (writing.sign, writing.Empty),
}
_person = msgspec.json.Decoder(roster.Kept).decode
templates.filters |= {"figure": words.name, "tone": words.tone, "need": words.need}
templates.globals |= {"told": words.value, "changed": words.change}


class Tried(Struct, frozen=True):
    """A form that was refused, what was typed into it, and why."""

    what: str
    typed: forms.Pairs
    refused: Refused


class Listed(Struct, frozen=True):
    """A week of the list, and what was written into its review."""

    week: Week
    counts: Counts
    written: Any


async def index(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """The newest weeks, or those before the one that the address names."""
    async with connection(request.app[HOUSE].reads) as conn:
        now = await conn.fetchval(sql.query("board.now"))
        newest = weeks.parse(request.query.get("from", "")) or weeks.of(now)
        some = [newest.after(-n) for n in range(LISTED)]
        written = {row["week"]: row for row in await conn.fetch(sql.query("review.signed"), [str(w) for w in some])}
        listed = [Listed(week, await counts(conn, week), written.get(str(week))) for week in some]
    older = str(newest.after(-LISTED))
    return page(request, "reviews.html", visitor=visitor, listed=listed, now=now, this=weeks.of(now), older=older)


async def show(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """`done` in the address names what was just written; `as=markdown` gives the text to be mailed."""
    week = week_of(request)
    if request.query.get("as") != "markdown":
        return await _page(request, visitor, week)
    async with connection(request.app[HOUSE].reads) as conn:
        told = await read(conn, week)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="review-{week}.md"'}
    return web.Response(text=markdown(told), content_type="text/markdown", charset="utf-8", headers=headers)


async def write(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """One of the page's forms; where it is refused the page says why, and what was typed stays."""
    week, what = week_of(request), request.match_info["what"]
    if what not in CHANGES:
        raise nowhere("A review has no such part.")
    typed = await read_form(request)
    given = dict(typed)
    sessions.from_our_page(request, visitor, given.get("csrf", ""))
    how, kind = CHANGES[what]
    try:
        fields: Any = checked(forms.value(kind, typed), kind) if what != "done" else _which(given)
        once = given.get("once", "")
        key = f"console/{once}" if 0 < len(once) <= 100 and once.isascii() and once.isprintable() else None
        told = fingerprint(request.path, [pair for pair in typed if pair[0] not in NOT_TYPED])
        async with connection(request.app[HOUSE].reads) as conn:
            await writing.change(conn, visitor.known, week, fields, how, key, told)
    except writing.Replayed:
        pass  # it was sent twice, and done once
    except Refused as refused:
        return await _page(request, visitor, week, Tried(what, typed, refused))
    return see_other(f"/reviews/{week}?done={what}#{'actions' if what == 'done' else what}")


def _which(given: Mapping[str, str]) -> str:
    which = given.get("action", "").lower()
    if not UUID.fullmatch(which):
        raise nowhere("The review of that week has no such action.")
    return which


async def _page(request: web.Request, visitor: Visitor, week: Week, tried: Tried | None = None) -> web.StreamResponse:
    chosen, begin = request.query.get("show", ""), request.query.get("before", "")
    reviewed = {"reviewed": True, "waiting": False}.get(chosen)
    async with connection(request.app[HOUSE].reads) as conn:
        told = await read(conn, week)
        older = begin if UUID.fullmatch(begin) else None
        found = await lived(conn, week, reviewed, older, SHOWN + 1)
        owners = await _owners(conn)
    refusal = tried.refused.refusal if tried else None
    typed = {what: tried.typed if tried and tried.what == what else () for what in CHANGES}
    shown = {
        what: forms.form(
            CHANGES[what][1],
            {"owner": owners} if len(owners) < MOST_OWNERS else {},
            typed[what],
            refusal.problems if refusal and tried and tried.what == what else (),
        )
        for what in ("notes", "actions")
    }
    role = visitor.known.role
    # Beside the loop: a hundred rows and thirty figures take longer than others should wait.
    return await asyncio.to_thread(
        page,
        request,
        "review.html",
        refusal.status if refusal else 200,
        visitor=visitor,
        r=told,
        now=told.told_at,
        week=week,
        this=weeks.of(told.told_at),
        escalations=found[:SHOWN],
        older=found[SHOWN - 1].id if len(found) > SHOWN else None,
        show=chosen if reviewed is not None else "",
        forms_of=shown,
        may_write=role in writing.WRITERS and told.signed is None,
        may_sign=role in writing.SIGNERS and told.signed is None,
        once=secrets.token_urlsafe(16),
        done=DONE.get(request.query.get("done", ""), ""),
        refusal=refusal,
        title_of=TITLES,
        few=FEW,
        **_drawn(told),
    )


async def _owners(conn: asyncpg.Connection) -> list[forms.Choice]:
    """Who may be given something to do."""
    found = await conn.fetch(sql.query("person.page"), None, True, None, MOST_OWNERS)
    people = [_person(row["row"]) for row in found]
    return [(p.id, f"{p.name} ({LEVEL_ROLE[p.level]})") for p in people]


# Drawn ------------------------------------------------------------------------------------------------------------


def _drawn(r: Review) -> dict[str, Any]:
    """The tables of the page, each row with its figures and its bar."""
    figures = {(f.measure, f.of): f for f in r.changes}
    return {
        "headlines": [figures[name, None] for name in HEADLINES],
        "others": [f for f in r.changes if f.measure not in ELSEWHERE],
        "rates": _rates(r, figures),
        "resolutions": _resolutions(r, figures),
        "reasons": _reasons(r),
        "attainments": _attainments(r, figures),
        "scores": _scores(r),
        "satisfactions": [figures["satisfaction", tier] for tier in (None, *TIERS)],
        "denials": [row for row in r.measures.denials if row.guard][:12],
        "levels": _levels(r),
        "dismissals": [row for row in r.measures.dismissed if row.dismissed],
    }


def _rates(r: Review, figures: Mapping[tuple[str, str | None], Figure]) -> list[Any]:
    told = [figures["escalation_rate", tier] for tier in (None, *TIERS)]
    most = charts.longest(_number(value) for f in told for value in (f.now, f.was))
    bars = [charts.single(_number(f.now), most, _number(f.was)) for f in told]
    return [(f, _opened(r, tier), bar) for f, tier, bar in zip(told, (None, *TIERS), bars, strict=True)]


def _opened(r: Review, tier: Tier | None) -> int:
    row = only(r.measures.rate, tier=tier)
    return row.escalations if row else 0


def _resolutions(r: Review, figures: Mapping[tuple[str, str | None], Figure]) -> list[Any]:
    which = (None, *TIERS, *(f"l{level}" for level in LEVELS))
    two = [(figures["resolution_median", of], figures["resolution_p90", of]) for of in which]
    most = charts.longest(_number(value) for median, p90 in two for value in (p90.now, median.was))
    found = []
    for median, p90 in two:
        spans = [("rest", _number(p90.now)), ("now", _number(median.now))]
        found.append((median, p90, charts.nested(spans, most, _number(median.was))))
    return found


def _reasons(r: Review) -> dict[str, list[Any]]:
    before = {(row.kind, row.reason): row.count / BASELINE for row in r.before.reasons}
    most = charts.longest(row.count for row in r.measures.reasons)
    found: dict[str, list[Any]] = {"situation": [], "escalate": []}
    for row in r.measures.reasons:
        was = before.get((row.kind, row.reason), 0.0)
        found[row.kind].append((row, was, charts.single(row.count, max(most, 1.0), min(was, most))))
    return found


def _attainments(r: Review, figures: Mapping[tuple[str, str | None], Figure]) -> list[Any]:
    found = []
    for level in (None, *LEVELS):
        row, f = only(r.measures.attainment, level=level), figures["response_attainment", _level(level)]
        if row is not None:
            parts = [("good", row.in_time), ("soon", row.late), ("bad", row.missed)]
            found.append((f, row, charts.stacked(parts, _number(f.was))))
    return found


def _level(level: int | None) -> str | None:
    return f"l{level}" if level else None


def _scores(r: Review) -> list[Any]:
    row, was = only(r.measures.satisfaction, tier=None), only(r.before.satisfaction, tier=None)
    now = row.scores if row else (0,) * 5
    before = [count / BASELINE for count in was.scores] if was else [0.0] * 5
    most = charts.longest([*now, *before])
    return [(n, now[n - 1], before[n - 1], charts.single(now[n - 1], most, before[n - 1])) for n in range(5, 0, -1)]


def _levels(r: Review) -> list[Any]:
    return [
        (_level(level), only(r.measures.handoffs, level=level), only(r.measures.coverage, level=level))
        for level in (*LEVELS, None)
    ]


def _number(value: float | str | None) -> float | None:
    return span(value).total_seconds() if isinstance(value, str) else value


page_of = for_visitors(show)
"""The page, also for whoever asks `/v1/reviews/…` for HTML."""
ROUTES = (
    Route("GET", "/reviews", for_visitors(index), "The weeks", {200: str}, public=True),
    Route("GET", "/reviews/{week}", page_of, "The review of a week", {200: str}, public=True),
    Route("POST", "/reviews/{week}/{what}", for_visitors(write), "Write into a review", {303: None}, public=True),
)
