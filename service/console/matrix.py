"""The matrix: the policy as the document's tables, its versions and what differs between them, and trying it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import asyncpg
from aiohttp import web
from msgspec import Struct

import sql
from machines.asked import FieldProblem
from machines.difference import Difference, differences
from machines.document import CHANNELS, CLOCKS, KIND, PRIORITIES, SITUATIONS, TIERS, Cell
from machines.matrix import Policy, load
from machines.trial import Due, Trial
from service.body import sound
from service.console import forms
from service.console.pages import for_visitors, page
from service.console.sessions import Visitor
from service.console.words import spoken
from service.door import Route, fit
from service.reads import connection
from service.routes.policies import tried, version_of
from service.submit import HOUSE

MOST_VERSIONS = 200
KINDS = {
    "automatic": "Automatic: it begins by itself",
    "customer": "The customer asks",
    "manual": "Manual: a person gives the reason",
}


SAID = {
    "paused_at": ("Waits for the customer from", ""),
    "resumed_at": ("… until", ""),
    "situation": ("", "What the facts begin"),
    "channel": ("", "Entered by a person"),
    "outage": ("", "Not said"),
    "until": ("Look ahead until", ""),
}
"""How the trial's fields are said here."""


class Versions(Struct, frozen=True):
    """The published versions, newest first, and the one that is looked at."""

    rows: list[Any]
    policy: Policy

    @property
    def row(self) -> Any:
        """When it was published and by whom, where it is among the rows."""
        return next((row for row in self.rows if row["version"] == self.policy.version), None)


async def show(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """`version` in the address, else the newest."""
    async with connection(request.app[HOUSE].reads) as conn:
        versions = await versions_of(conn, request.query.get("version"))
        now = await conn.fetchval(sql.query("board.now"))
    document = versions.policy.document
    return page(
        request,
        "matrix.html",
        visitor=visitor,
        now=now,
        versions=versions,
        policy=versions.policy,
        document=document,
        kinds=[(says, [name for name in SITUATIONS if KIND[name] == kind]) for kind, says in KINDS.items()],
        tiers=TIERS,
        priorities=PRIORITIES,
        channels=CHANNELS,
        clocks=CLOCKS,
        cell=_cell,
        defaults=len(versions.policy.defaults()),
    )


async def versions_of(conn: asyncpg.Connection, asked: str | None) -> Versions:
    """Raises 404 for a version that there is none of."""
    rows = await conn.fetch(sql.query("policy.versions"), MOST_VERSIONS)
    if asked:
        return Versions(rows, await version_of(conn, number(asked)))
    newest = await conn.fetchrow(sql.query("policy.newest"))
    return Versions(rows, load(newest["document"], newest["version"]))


def number(text: str) -> int:
    """A version; -1, which is none, for what can't be one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


def _cell(cell: Cell) -> dict[str, Any]:
    """A cell in words: where it leads, and when."""
    when = "no promise of time" if cell.within is None else "at once" if cell.at_once else "within"
    waits = cell.after if cell.after > timedelta(0) else None
    return {"level": cell.level, "when": when, "within": cell.within, "after": waits, "origin": cell.origin}


# Comparing --------------------------------------------------------------------------------------------------------


async def compare(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """What differs between `from` and `to`."""
    async with connection(request.app[HOUSE].reads) as conn:
        after = await versions_of(conn, request.query.get("to"))
        before = await versions_of(conn, request.query.get("from") or str(max(after.policy.version - 1, 1)))
    found = differences(before.policy.document, after.policy.document)
    return page(
        request,
        "matrix_diff.html",
        visitor=visitor,
        before=before,
        after=after,
        rooms_of=_by_room(found),
        count=len(found),
    )


def _by_room(found: Iterable[Difference]) -> Mapping[str, list[Difference]]:
    """By the part of the document where they stand."""
    rooms: dict[str, list[Difference]] = {}
    for each in found:
        rooms.setdefault(each.path.partition(".")[0], []).append(each)
    return rooms


# Trying -----------------------------------------------------------------------------------------------------------


async def attempt(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """A form for a ticket's facts; with them in the address, what would happen when. Nothing is written."""
    typed = [(name, text) for name, text in request.query.items() if text.strip() and sound(text)]
    async with connection(request.app[HOUSE].reads) as conn:
        versions = await versions_of(conn, dict(typed).get("version"))
        now = await conn.fetchval(sql.query("board.now"))
    typed = [pair for pair in typed if pair[0] != "version"]
    asked, problems = _asked(typed)
    filled = typed or [("tier", "enterprise"), ("priority", "p1"), ("opened_at", now.isoformat(timespec="minutes"))]
    told = tried(asked, versions.policy) if asked is not None else None
    return page(
        request,
        "matrix_try.html",
        422 if problems else 200,
        visitor=visitor,
        now=told.told_at if told else now,
        versions=versions,
        policy=versions.policy,
        form=forms.form(Trial, {}, filled, problems, said=SAID),
        problems=problems,
        told=told,
        why=_why,
    )


def _asked(typed: forms.Pairs) -> tuple[Trial | None, tuple[FieldProblem, ...]]:
    """The trial that was asked for, and what keeps it from being one."""
    if not typed:
        return None, ()
    known = {name for name, _ in forms.leaves(Trial)}
    unknown = tuple(FieldProblem(name[:200], "no such field") for name, _ in typed if name not in known)
    asked, problems = fit(forms.value(Trial, typed), Trial)
    unfit = tuple(FieldProblem(*each) for each in asked.wrong()) if asked is not None else ()
    problems = (*unknown, *problems, *unfit)
    return (None if problems else asked), problems


def _why(due: Due) -> str:
    """Which cell of the policy sets a deadline, in words."""
    room, name, *more = due.path.split(".")
    if room == "matrix":
        return f"{spoken(name)}, {spoken(more[0])}"
    return f"L{name} answers within" if room == "levels" else f"{spoken(name)} customers hear every"


ROUTES = (
    Route("GET", "/matrix", for_visitors(show), "The policy", {200: str}, public=True),
    Route("GET", "/matrix/diff", for_visitors(compare), "What differs", {200: str}, public=True),
    Route("GET", "/matrix/try", for_visitors(attempt), "Try it", {200: str}, public=True),
)
