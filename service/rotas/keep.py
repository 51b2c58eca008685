"""Keeping rotas: calendars are fetched now and then, and every rota is written out as windows for the weeks to come.

Any node may do it: a calendar is taken for a quarter of an hour by whoever fetches it, a rota's windows are replaced
whole, under its row's lock. Whom that takes off duty, or brings there, is told to the engine as by the roster's change.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import asyncpg
import msgspec
import structlog
import yarl
from msgspec import Struct

import sql
from machines.asked import Duty
from machines.values import CLOCK
from service.channels.guarded import NotPublicError, named, session
from service.database import PASSES
from service.engine import Engine, Unavailable
from service.rotas.feed import MOST_BYTES, FeedError, Question, Reading, Span, whose
from service.rotas.weekly import Shift, Window, windows
from service.timers import in_order

log = structlog.get_logger(__name__)

BEFORE, AHEAD, ANEW = timedelta(days=7), timedelta(days=92), timedelta(days=31)
"""How far back and ahead a rota is written out, and after how long again."""
FETCHES_EVERY = timedelta(minutes=15)
FETCHES_WITHIN, ENDS_WITHIN = 10.0, 60.0
LOOKS_EVERY = 1.0
"""Seconds."""
AT_ONCE, MOST_REDIRECTS, MOST_UNKNOWN = 4, 3, 20
TO_EXPAND, HOLD, REPLACE, EXPANDED = (sql.query(f"rota.{n}") for n in ("to_expand", "hold", "replace", "expanded"))
NOT_EXPANDED = sql.query("rota.not_expanded")
DUE_FEEDS, FED, ROSTER = (sql.query(f"rota.{n}") for n in ("due_feeds", "fed", "roster"))
CONCERNED = sql.query("person.concerned")


class Feed(Struct, frozen=True):
    """A calendar kept elsewhere; `people` maps words of an event's title, or an address, to who is meant."""

    url: str
    people: dict[str, str] = {}


class Kept(Struct, frozen=True):
    """A rota as the database has it; `body` is the last good calendar."""

    id: str
    time_zone: str
    shifts: tuple[Shift, ...]
    feed: Feed | None
    body: str | None
    now: datetime
    revision: str


_kept = msgspec.json.Decoder(Kept).decode
_feed = msgspec.json.Decoder(Feed).decode
_reading = msgspec.json.Decoder(Reading).decode


async def read_apart(body: bytes, question: Question) -> list[Span]:
    """What a calendar tells, read by a process of its own. Raises FeedError."""
    apart = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "service.rotas.feed", stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        async with asyncio.timeout(ENDS_WITHIN):
            told, _ = await apart.communicate(msgspec.json.encode(question) + b"\n" + body)
    except TimeoutError:
        raise FeedError("it takes too long to read") from None
    finally:
        if apart.returncode is None:
            apart.kill()
            await apart.wait()
    if apart.returncode != 0:
        raise FeedError("it takes too long to read, or too much room")
    reading = _reading(told)
    if reading.error is not None:
        raise FeedError(reading.error)
    return reading.spans


async def written_out(rota: Kept, by_email: dict[str, str]) -> tuple[list[Window], list[str]]:
    """The windows of a rota for the weeks to come, and the titles of events that are nobody's. Raises FeedError."""
    begin, end = rota.now - BEFORE, rota.now + AHEAD
    found, unknown = list(windows(rota.shifts, ZoneInfo(rota.time_zone), begin, end)), dict[str, None]()
    if rota.feed is not None and rota.body is not None:
        for span in await read_apart(rota.body.encode(), Question(rota.time_zone, begin, end)):
            people = whose(span, rota.feed.people, by_email)
            found += [(person, span.since, span.until) for person in people]
            if not people:
                unknown[span.summary] = None
    return found, list(unknown)[:MOST_UNKNOWN]


async def expand(pool: asyncpg.Pool, engine: Engine, request_id: str = CLOCK) -> int:
    """Write out every rota that it is time for; how many transitions came of it."""
    changed, tried = 0, list[str]()
    while row := await pool.fetchval(TO_EXPAND, tried):
        rota = _kept(row)
        tried.append(rota.id)
        by_email = {each["email"].casefold(): each["id"] for each in await pool.fetch(ROSTER)}
        try:
            found, unknown = await written_out(rota, by_email)
        except FeedError as error:  # it was good when it was fetched: a newer version of ours may read it again
            log.warning("rota_not_written_out", rota=rota.id, error=str(error))
            await pool.execute(NOT_EXPANDED, rota.id, rota.now + FETCHES_EVERY, str(error))
            continue
        async with pool.acquire() as conn:
            asks = await _replace(conn, rota, found, unknown)
        changed += await in_order(engine, asks, request_id)
    return changed


async def _replace(conn: asyncpg.Connection, rota: Kept, found: list[Window], unknown: list[str]) -> list[Duty]:
    """Put these windows in the place of those that were; whom the engine must be told of."""
    async with conn.transaction():
        if await conn.fetchval(HOLD, rota.id) != rota.revision:
            return []  # it was changed meanwhile, and is written out again
        people, since, until = ([each[n] for each in found] for n in range(3))
        moved = await conn.fetch(REPLACE, rota.id, people, since, until)
        await conn.execute(EXPANDED, rota.id, rota.now + ANEW, unknown)
        asks = list[Duty]()
        for row in moved:
            who = (row["id"], row["level"], row["on_duty"], row["left"], row["left_at"])
            asks += [Duty(each["ticket_id"], row["id"]) for each in await conn.fetch(CONCERNED, *who)]
    return asks


class Fetcher:
    """Fetches calendars, through sockets that lead to no private address but those that an operator has named."""

    def __init__(self, private_hosts: Collection[str], resolver: aiohttp.abc.AbstractResolver | None = None) -> None:
        self._private, self._resolver = private_hosts, resolver

    async def fetch(self, url: str) -> bytes:
        """A calendar's bytes. Raises FeedError."""
        private = named(url, self._private)
        try:
            async with asyncio.timeout(FETCHES_WITHIN), session(private=private, resolver=self._resolver) as client:
                return await self._get(client, yarl.URL(url), 0 if private else MOST_REDIRECTS)
        except (TimeoutError, OSError, aiohttp.ClientError, ValueError) as error:
            if isinstance(error, FeedError):
                raise
            cause = getattr(error, "os_error", error)
            raise FeedError("no answer in time" if isinstance(error, TimeoutError) else _why(cause)) from None

    async def _get(self, client: aiohttp.ClientSession, url: yarl.URL, redirects: int) -> bytes:
        headers = {"Accept": "text/calendar", "Accept-Encoding": "identity", "User-Agent": "escalation-matrix"}
        limit = aiohttp.ClientTimeout(total=FETCHES_WITHIN)
        async with client.get(url, headers=headers, allow_redirects=False, timeout=limit) as told:
            if told.status in (301, 302, 303, 307, 308):
                there = url.join(yarl.URL(told.headers.get("Location", "")))
                if redirects <= 0 or there.scheme not in ("http", "https"):
                    raise FeedError("it is redirected too often, or where calendars are not fetched from")
                return await self._get(client, there, redirects - 1)
            if told.status != 200:
                raise FeedError(f"answered {told.status}")
            body = bytearray()
            async for chunk in told.content.iter_chunked(64 * 1024):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise FeedError(f"it is longer than {MOST_BYTES} bytes")
            return bytes(body)


def _why(error: BaseException) -> str:
    return str(error) if isinstance(error, NotPublicError) else type(error).__name__


async def fetch_due(pool: asyncpg.Pool, fetcher: Fetcher) -> int:
    """Fetch the calendars that it is time for; how many there were. One that can't be read leaves the last good one."""
    rows = await pool.fetch(DUE_FEEDS, FETCHES_EVERY, AT_ONCE)
    await asyncio.gather(*(_fetch(pool, fetcher, row) for row in rows))
    return len(rows)


async def _fetch(pool: asyncpg.Pool, fetcher: Fetcher, row: Any) -> None:
    feed, now, text, wrong = _feed(row["feed"]), row["now"], None, None
    try:
        body = await fetcher.fetch(feed.url)
        text = body.decode("utf-8-sig")
        await read_apart(text.encode(), Question(row["time_zone"], now - BEFORE, now + AHEAD))
        if "\x00" in text:
            raise FeedError("it holds NUL, which is no text")
    except FeedError as error:
        text, wrong = None, str(error)
    except UnicodeDecodeError:
        text, wrong = None, "it is not UTF-8"
    if wrong:
        log.warning("rota_not_fetched", rota=row["id"], error=wrong)
    await pool.execute(FED, row["id"], feed.url, text, wrong)


async def keep_rotas(pool: asyncpg.Pool, engine: Engine, fetcher: Fetcher) -> None:
    """Fetch and write out what it is time for, until cancelled."""
    while True:
        try:
            await fetch_due(pool, fetcher)
            await expand(pool, engine)
        except (*PASSES, Unavailable) as error:
            log.warning("rotas_not_kept", error=type(error).__name__)
        except Exception:  # a loop that ends would leave rotas as they are
            log.exception("rotas_failed")
        await asyncio.sleep(LOOKS_EVERY)
