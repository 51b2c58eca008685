"""Whole lives as the product lived them: the demo's real day, played through the real service on a database that is
thrown away, and every escalation that was closed on a solved ticket kept as forms with holes.

What another life has of its own goes into the holes: numbers and hashes, ids, instants, the ticket, the customer and
the people. All else, guards, reasons and what was said included, stays as the product made it. A form of a row is its
canonical JSON, so its hash is SHA-256 of the filled form, as `machines.history.seal` takes it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import asyncpg
import msgspec

import sql
from machines.history import Record, canonical, fold
from machines.values import Escalation, TimerKind
from service import demo, log
from service.config import Settings
from service.demo import stage
from service.demo.incidents import Incident, events, load
from service.replay.caller import Caller
from service.replay.cast.members import PEOPLE
from service.replay.cast.playing import Cast
from service.replay.lines import Event
from service.replay.pace import VirtualClock
from service.replay.player import Player
from service.verify import EVERY_ESCALATION

from .record import Form

ENDED_WITHIN = timedelta(days=8)
"""For how long the day's tickets are followed, and how long the cast then goes on, to end what is not ended."""
SEQ, PREV, HEAD, TICKET, CUSTOMER, FIRST_OWN = range(6)
"""What goes into a hole; from FIRST_OWN on, what `Life.own` lists."""
_SEQ, _PREV, _HEAD = -7070707, "p" * 64, "h" * 64
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_PEOPLE = "|".join(re.escape(person.id) for person in PEOPLE)

CLOSED = """SELECT e.id::text AS id, row_to_json(t)::text AS ticket
FROM escalation e JOIN ticket t ON t.id = e.ticket_id
WHERE e.state = 'closed' AND e.follows IS NULL AND t.status IN ('solved', 'closed') ORDER BY e.id"""
SAID = "SELECT s.id::text AS id, row_to_json(s)::text AS row FROM said s"


class Row(msgspec.Struct, frozen=True):
    """A transition: when, the row of history, the escalation after it, what was said, and what is armed then."""

    at: float
    record: Form
    escalation: Form
    said: Form | None
    due: dict[TimerKind, Form]


class Own(msgspec.Struct, frozen=True):
    """What another life has of its own: `kind` is uuid, instant or person; `text` as it stood in this one."""

    kind: str
    text: str


class Life(msgspec.Struct, frozen=True):
    """An escalation from its opening, at this instant (seconds since 1970), to its end."""

    tier: str
    opened: float
    ticket: Form
    own: tuple[Own, ...]
    rows: tuple[Row, ...]


async def played(url: str, incidents: Sequence[Incident] | None = None) -> list[Life]:
    """The lives of `some` of the demo's day (or of these incidents), played on this migrated database of its own."""
    keys = await stage.keys_for_the_cast(url)
    log.configure("console", "warning")
    async with stage.service_on(replace(Settings(), port=0, sends=False), url) as base:
        await _play(base, keys, events(some() if incidents is None else incidents, demo.UNTIL + ENDED_WITHIN))
    conn = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            return await _kept(conn)
    finally:
        await conn.close()


def some() -> list[Incident]:
    """Every P0 and P1, and each tenth of the others: what has most to tell, in little time."""
    incidents = load()
    urgent = [incident for incident in incidents if incident.highest <= "p1"]
    return urgent + [incident for incident in incidents if incident.highest > "p1"][::10]


async def _play(base: str, keys: Mapping[str, str], told: Sequence[Event]) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        caller = Caller(session, base, keys)
        cast = Cast(caller, demo.SEED, demo.EAGER)
        clock = VirtualClock(caller, cast.admin)
        player = Player(caller, clock, desk=cast.desk, admin=cast.admin, cast=cast)
        await clock.found()
        await cast.come_in(told[0].at)
        await player.play(told, lambda event: None)
        await player.play_on(told[-1].at + ENDED_WITHIN)


async def _kept(conn: asyncpg.Connection) -> list[Life]:
    said = {row["id"]: row["row"] for row in await conn.fetch(SAID)}
    chains = defaultdict[str, list[tuple[Record, str]]](list)
    async for row in conn.cursor(sql.query("verify.chains"), *EVERY_ESCALATION):
        chains[row["escalation_id"]].append((_record(row["record"]), row["hash"]))
    return [_life(row["ticket"], chains[row["id"]], said) for row in await conn.fetch(CLOSED)]


_record = msgspec.json.Decoder(Record).decode


def _life(ticket: str, chain: list[tuple[Record, str]], said: dict[str, str]) -> Life:
    first = chain[0][0]
    holes = Holes(first.ticket_id, first.customer_id)
    rows = []
    for n, (record, _) in enumerate(chain):
        stands = fold([*chain[:n], (record, _HEAD)])
        text = canonical(msgspec.structs.replace(record, seq=_SEQ, prev=_PREV)).decode()
        rows.append(
            Row(
                record.at.timestamp(),
                holes.form(text),
                holes.form(msgspec.json.encode(stands).decode()),
                holes.form(said[record.said]) if record.said else None,
                {kind: holes.form(_text(due)) for kind, due in _armed(stands).items() if due is not None},
            )
        )
    opened = fold(chain).opened_at
    return Life(fold(chain).tier, opened.timestamp(), holes.form(ticket), tuple(holes.own), tuple(rows))


def _armed(e: Escalation) -> dict[TimerKind, datetime | None]:
    """Timers are what the row says."""
    return {"engage": e.engage_by, "respond": e.page_by, "update": e.next_update_by}


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@dataclass
class Holes:
    """Finds what a life has of its own, the same thing the same hole wherever it stands."""

    ticket: str
    customer: str
    own: list[Own] = field(default_factory=list)
    _at: dict[Own, int] = field(default_factory=dict)
    _places: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        self._places = re.compile(
            rf"(?P<seq>{_SEQ})|(?P<prev>{_PREV})|(?P<head>{_HEAD})|(?P<uuid>{_UUID})|(?P<instant>{_INSTANT})"
            rf"|(?P<ticket>\b{re.escape(self.ticket)}\b)"
            rf'|(?<=")(?P<customer>{re.escape(self.customer)})(?=")|(?<=")(?P<person>{_PEOPLE})(?=")'
        )

    def form(self, text: str) -> Form:
        """The text with its holes."""
        parts: list[str | int] = []
        end = 0
        for found in self._places.finditer(text):
            kind = found.lastgroup or ""
            parts += [text[end : found.start()], FIXED[kind] if kind in FIXED else self._hole(Own(kind, found[0]))]
            end = found.end()
        parts.append(text[end:])
        return tuple(part for part in parts if part != "")

    def _hole(self, own: Own) -> int:
        if own not in self._at:
            self._at[own] = FIRST_OWN + len(self.own)
            self.own.append(own)
        return self._at[own]


FIXED = {"seq": SEQ, "prev": PREV, "head": HEAD, "ticket": TICKET, "customer": CUSTOMER}
LEVELS = {person.id: person.level or 0 for person in PEOPLE}
"""Of each person of the cast."""


def filler(life: Life, shifted: Callable[[int], str], moved: int, fresh: str, who: dict[str, str]) -> list[str]:
    """What goes into each hole of a life that happens `moved` seconds later: `shifted` writes an instant, `fresh` is 48
    random bits in hex, `who` says who is in whose place. The first five are the caller's."""
    values = [""] * FIRST_OWN
    for own in life.own:
        if own.kind == "instant":
            values.append(shifted(int(datetime.fromisoformat(own.text).replace(tzinfo=UTC).timestamp()) + moved))
        elif own.kind == "person":
            values.append(who[own.text])
        elif own.text[14] == "7":
            ms = f"{int(own.text[:8] + own.text[9:13], 16) + moved * 1000:012x}"
            values.append(f"{ms[:8]}-{ms[8:]}{own.text[13:24]}{fresh}")
        else:
            values.append(f"{fresh[:8]}-{fresh[8:]}{own.text[13:]}")
    return values
