"""Events: the feed of transitions, as server-sent events or as pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Annotated

import asyncpg
import msgspec
import structlog
from aiohttp import web
from msgspec import Meta, Struct

from machines.asked import FieldProblem
from service import answers, archived
from service.auth import known
from service.door import Route, query, token, wrong
from service.engine import Unavailable
from service.feed import FEED
from service.pages import Stretch, Wanted
from service.problems import Refused
from service.reads import Number, connection, reading
from service.server import UNREACHABLE, signed
from service.submit import HOUSE, REQUEST_ID

log = structlog.get_logger(__name__)

LAST_EVENT_ID = "Last-Event-ID"
STREAM = "text/event-stream"
BEAT = 15.0
"""Seconds after which somebody to whom nothing was sent hears that we are still there, and is asked for their key."""
TAKEN_WITHIN = 60.0
"""Seconds in which a listener takes what is sent; else they are not there any more."""


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to begin; a stream that is taken up again says it by `Last-Event-ID`."""

    after: (
        Annotated[
            Number,
            Meta(description="The `seq` after which to begin; 0: all there ever was. Left out: a stream begins now."),
        ]
        | None
    ) = None
    limit: Annotated[int, Meta(ge=1, le=500, description="How many at most, in a page.")] = 100


class FeedPage(Struct, frozen=True):
    """What comes after a number; `next_cursor` is what to give as `after` the next time, also where nothing came."""

    items: list[answers.TransitionAnswer]
    next_cursor: str


async def events(request: web.Request) -> web.StreamResponse:
    """Every transition exactly once, in the order of `seq`: rows that commit late are waited for. With
    `Accept: text/event-stream` a stream, each event's id its `seq`; else a page, to be asked for again with its
    `next_cursor` as `after`."""
    presented = token(request)
    async with reading(request):
        asked = query(request, Asked)
    begin = last_event_id(request)
    begin = asked.after if begin is None else begin
    streams = STREAM in request.headers.get("Accept", "")
    if begin is not None or not streams:
        async with connection(request.app[HOUSE].reads) as conn:
            await archived.here(conn, Wanted(), Stretch(after=begin or 0))
    if streams:
        return await stream(request, begin, lambda conn: known(conn, presented))
    told = await request.app[FEED].page(begin or 0, asked.limit)
    last = told[-1][0] if told else begin or 0
    body = b'{"items":[%b],"next_cursor":"%d"}' % (b",".join(event for _, event in told), last)
    return web.Response(body=body, content_type="application/json")


async def stream(
    request: web.Request, begin: int | None, still: Callable[[asyncpg.Connection], Awaitable[object]]
) -> web.StreamResponse:
    """The feed from after this number on (None: from now). `still` raises where the listener may not any more."""
    feed, house = request.app[FEED], request.app[HOUSE]
    told = web.StreamResponse(headers={"Content-Type": STREAM, "X-Accel-Buffering": "no"})
    signed(told, request[REQUEST_ID])
    with feed.listening():
        after = await feed.newest() if begin is None else begin
        try:
            await told.prepare(request)
            await told.write(b"retry: 2000\n\n")
            async with aclosing(feed.events(after, BEAT)) as heard:
                async for new in heard:
                    if not new:
                        async with connection(house.reads) as conn:
                            await still(conn)
                    async with asyncio.timeout(TAKEN_WITHIN):
                        await told.write(b"".join(_sent(*event) for event in new) or b": still here\n\n")
        except (Refused, Unavailable, TimeoutError, *UNREACHABLE) as error:
            # They come again with the id of what they heard last, and are told why not if they may not.
            log.info("stream_ended", request_id=request[REQUEST_ID], error=type(error).__name__)
    return told


def _sent(seq: int, event: bytes) -> bytes:
    return b"id: %d\nevent: transition\ndata: %b\n\n" % (seq, event)


def last_event_id(request: web.Request) -> int | None:
    """What a stream that is taken up again heard last; raises 422."""
    text = request.headers.get(LAST_EVENT_ID)
    if text is None:
        return None
    try:
        return msgspec.convert(text, Number, strict=False)
    except msgspec.ValidationError:
        raise wrong(FieldProblem(LAST_EVENT_ID, "is none that this feed gave: leave it out to begin now")) from None


ROUTES = (
    Route(
        "GET",
        "/v1/events",
        events,
        "The feed of transitions",
        {200: FeedPage},
        query=Asked,
        refuses=(410,),
        content=("application/json", STREAM),
    ),
)
