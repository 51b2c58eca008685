"""The board: what stands where, the most urgent first, and what was closed today."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct

import sql
from machines.document import PRIORITIES, SITUATIONS, TIERS
from machines.values import Priority, State, Tier
from service.body import sound
from service.console.pages import for_visitors, page
from service.console.sessions import Visitor
from service.door import Id, Route, fit
from service.reads import connection
from service.submit import HOUSE

MOST, MOST_OF_ONE = 40, 200
"""Cards of a column, and of a column that is looked at alone."""


class Filters(Struct, frozen=True, forbid_unknown_fields=True):
    """What is shown; it stands in the address. `person` owns it or is offered it."""

    tier: Tier | None = None
    priority: Priority | None = None
    situation: Id | None = None
    person: Id | None = None
    customer_id: Id | None = None
    overdue: Literal["1"] | None = None
    state: State | None = None


class Column(Struct, frozen=True):
    """A state, its most urgent cards, and how many there are in all."""

    state: str
    cards: list[Any]
    holds: int
    overdue: int
    more: str


DEADLINES = {"engage_by": "Call a level", "respond_by": "Answer", "next_update_by": "Tell the customer"}
"""What is due by each of the three instants that an escalation has."""


class Deadline(Struct, frozen=True):
    """What is due next, and when."""

    label: str
    at: datetime


def deadlines(row: Any) -> list[Deadline]:
    """What is due of an escalation, the next first."""
    due = [Deadline(label, row[name]) for name, label in DEADLINES.items() if row[name] is not None]
    return sorted(due, key=lambda deadline: deadline.at)


async def board(request: web.Request, visitor: Visitor) -> web.StreamResponse:
    """Filters that can't be taken are named, and not applied."""
    given = {name: text for name, text in request.query.items() if text and sound(text)}
    asked, problems = fit(given, Filters)
    asked = asked or Filters()
    most = MOST_OF_ONE if asked.state else MOST
    async with connection(request.app[HOUSE].reads) as conn:
        rows = await conn.fetch(
            sql.query("board.cards"),
            asked.tier,
            asked.priority,
            asked.situation,
            asked.person,
            asked.customer_id,
            True if asked.overdue else None,
            asked.state,
            most,
        )
        now = await conn.fetchval(sql.query("board.now"))
    kept = {name: value for name in Filters.__struct_fields__ if (value := getattr(asked, name))}
    # Beside the loop: hundreds of cards take longer than others should wait.
    return await asyncio.to_thread(
        page,
        request,
        "board.html",
        visitor=visitor,
        now=now,
        asked=asked,
        kept=kept,
        problems=problems,
        columns=_columns(rows, asked, kept),
        deadlines=deadlines,
        choices={"tier": TIERS, "priority": PRIORITIES, "situation": SITUATIONS},
    )


def _columns(rows: Sequence[Any], asked: Filters, kept: dict[str, str]) -> list[Column]:
    by_state: dict[str, list[Any]] = {state: [] for state in State if asked.state in (None, state)}
    for row in rows:
        by_state[row["state"]].append(row)
    return [
        Column(
            str(state),
            cards,
            cards[0]["column_holds"] if cards else 0,
            cards[0]["column_overdue"] if cards else 0,
            "/?" + urlencode({**kept, "state": str(state)}),
        )
        for state, cards in by_state.items()
    ]


ROUTES = (Route("GET", "/", for_visitors(board), "The board", {200: str}, public=True),)
