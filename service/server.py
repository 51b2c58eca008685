"""The HTTP server around the routes: every request has an id, a line in the log, a limit of time, and an answer.

aiohttp waits for ever for a request's head, and tells in plain text what it can't parse; `Runner` does neither.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog
from aiohttp import ClientConnectionResetError, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_urldispatcher import UrlMappingMatchInfo

from machines.decided import Refusal
from service.bearer import present
from service.body import LINGERS, REQUEST_WITHIN, body
from service.door import NoQuery, Route, query
from service.engine import Unavailable
from service.metrics import METRICS
from service.problems import Refused, response
from service.rates import within_rate
from service.reads import identified_first
from service.room import ROOM, TURNED_AWAY_WITHIN, turn_away
from service.submit import HOUSE, NAMED, REQUEST_ID, TURNS, fresh_id, unavailable

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
IDLE = 75.0
"""Seconds for which a connection may be idle between two requests."""
NAME = "escalation-matrix"
"""What the server calls itself: which versions it is made of is nobody's business."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection used between the server's last word and its end
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""What a read may meet that passes: no connection, a cancelled statement, a server that starts or stops."""
CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 417: "unmet_expectation"}


def handle(route: Route) -> Handler:
    """The route's handler, which tells nobody unknown what else is wrong with their request."""
    if route.public:
        return route.handle

    async def known_first(request: web.Request) -> web.StreamResponse:
        try:
            if route.query is None and request.query_string:
                await _refuse_query(request, route)
            return await route.handle(request)
        except Refused as refused:
            await identified_first(request, refused)
            raise

    return known_first


async def _refuse_query(request: web.Request, route: Route) -> None:
    """Whoever asks for a dry run where there is none must not get a real one: raises 422, after 400."""
    if route.body is not None and "application/json" in route.accepts:
        await body(request)
    query(request, NoQuery)


async def expect(request: web.Request) -> web.StreamResponse | None:
    """`Expect: 100-continue` is met; there is nothing else to expect."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        return signed(response(Refusal(417, CODES[417], "The only expectation that is met is 100-continue.")))
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer itself has not begun
    return None


@web.middleware
async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request has an id, a line in the log, and an answer that tells what to do."""
    started = time.perf_counter()
    given = request.headers.get("X-Request-Id", "")
    named = request[NAMED] = 0 < len(given) <= 100 and given.isascii() and given.isprintable()
    request[REQUEST_ID] = given if named else fresh_id()
    await request.app[TURNS].mine()
    told = await _told(request, handler)
    request_id = request[REQUEST_ID]
    signed(told, request_id)
    took = time.perf_counter() - started
    resource = request.match_info.route.resource
    method = request.method if request.method in METHODS else "other"
    request.app[METRICS].answered(method, resource.canonical if resource else "unknown", told.status, took)
    log.info(
        "request_answered",
        request_id=request_id,
        method=request.method,
        path=request.path,
        status=told.status,
        ms=round(took * 1000, 2),
    )
    return told


def signed(told: web.StreamResponse, request_id: str | None = None) -> web.StreamResponse:
    """What every answer says about itself; streams are signed before they begin."""
    told.headers["X-Request-Id"] = request_id or fresh_id()
    told.headers["X-Content-Type-Options"] = "nosniff"
    told.headers["Server"] = NAME
    told.headers.setdefault("Cache-Control", "no-store")  # nearly all of it is about somebody
    return told


async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        if (issuer := request.app[HOUSE].issuer) is not None:
            await present(request, issuer)
        within_rate(request)
        return await handler(request)
    except Refused as error:
        return response(error.refusal, headers=error.headers)
    except Unavailable as error:
        outcome = "unknown" if error.unknown else None
        return response(unavailable(error), outcome=outcome, request_id=request[REQUEST_ID])
    except web.HTTPException as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        refusal = Refusal(error.status, CODES.get(error.status, "unreadable"), _advice(request, error))
        return response(refusal, headers=headers)
    except ClientConnectionResetError:
        log.info("caller_went_away", request_id=request[REQUEST_ID], path=request.path)
        raise
    except UNREACHABLE as error:
        log.warning("database_unreachable", error=type(error).__name__, request_id=request[REQUEST_ID])
        return response(unavailable(Unavailable("the database can't be reached")), request_id=request[REQUEST_ID])
    except Exception:
        log.exception("request_failed", request_id=request[REQUEST_ID], path=request.path)
        message = "This is our mistake, not yours; the log has it under this request id."
        return response(Refusal(500, "internal_error", message), request_id=request[REQUEST_ID])


def _advice(request: web.Request, error: web.HTTPException) -> str:
    path = request.rel_url.raw_path[:200]
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{path} takes {', '.join(sorted(error.allowed_methods))}."
    return f"There is no {path}: see /docs." if error.status == 404 else error.reason


def limits(request_within: float) -> dict[str, Any]:
    """How aiohttp is to handle every connection. Bodies come as they were sent: `service.body` unpacks them."""
    return {"auto_decompress": False, "lingering_time": request_within * LINGERS, "keepalive_timeout": IDLE}


class Connection(RequestHandler):
    """A connection whose requests must come in time, whose answers must be taken in time, and whose errors are
    problems.

    `began` is when the first byte of the newest request came, on the loop's clock.
    """

    __slots__ = ("_head_timer", "_within", "_write_timer", "began")

    def __init__(self, manager: web.Server, *, request_within: float, **more: Any) -> None:
        super().__init__(manager, **more)
        self._within = request_within * (1 - LINGERS)
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self.began = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The first request begins now, whether it comes or not; where there is no room, whatever it is."""
        super().connection_made(transport)
        assert isinstance(self._manager, Server)
        within = self._within
        if self._manager.full:
            self._request_handler, within = turn_away, min(within, TURNED_AWAY_WITHIN)
        self._head_timer = self._loop.call_later(within, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """A head that is not whole when it begins to come is waited for, but not for ever."""
        if self._waits and self._head_timer is None:
            self.began = self._loop.time()
        super().data_received(data)
        if not self._waits:
            self._forget_head()
        elif self._head_timer is None and data:
            self._head_timer = self._loop.call_later(self._within, self._too_slow)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Every body that was read whole is told to go on; what was not held up has nothing to be parsed once more."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    @property
    def _waits(self) -> bool:
        """No request is there yet: the first has not come whole, or the one before is answered."""
        return self._request_count == 0 or (self._waiter is not None and not self._waiter.done())

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def pause_writing(self) -> None:
        """More is written than the caller takes: they are waited for, but not for ever."""
        super().pause_writing()
        self._write_timer = self._loop.call_later(self._within, self._takes_nothing)

    def resume_writing(self) -> None:
        """They took most of it."""
        self._forget_write()
        super().resume_writing()

    def _forget_write(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing is waited for any more."""
        self._forget_head()
        self._forget_write()
        super().connection_lost(exc)

    def _too_slow(self) -> None:
        self._head_timer = None
        if self._waits:
            self.force_close()

    def _takes_nothing(self) -> None:
        self._write_timer = None
        if self.transport is not None:
            self.transport.abort()  # to close it would be to wait for the same caller

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is not HTTP, or larger than a head may be, is a problem like any other; the connection ends."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun: no other can be sent")
        if status >= 500:
            log.error("request_failed", exc_info=exc)
            refusal = Refusal(500, "internal_error", "This is our mistake, not yours.")
        elif isinstance(exc, LineTooLong):
            refusal = Refusal(400, "unreadable", f"A header, or the URL, is longer than {self.max_field_size} bytes.")
        else:
            why = (message or "").splitlines()[0] if message else ""
            said = "".join(c if c.isascii() and c.isprintable() else "?" for c in why)[:200]
            refusal = Refusal(400, "unreadable", f"The request is not well-formed HTTP/1.1. {said}".strip())
        told = signed(response(refusal))
        told.force_close()
        return told


class Ways:
    """Leads requests to their routes. aiohttp tries patterns one by one, and wraps what it finds in its middlewares."""

    _ONE_THING = re.compile(r"/v1/([a-z]+)/([\w.~-]+)(/[a-z]+)?", re.ASCII)
    """A path that names one thing and needs no decoding, which is nearly all that is asked."""

    def __init__(self, app: web.Application, aiohttps: Handler) -> None:
        self._app, self._aiohttps = app, aiohttps
        self._routes = dict[tuple[str, str, str | None], web.AbstractRoute]()
        listed = [(route, route.resource.canonical) for route in app.router.routes() if route.resource]
        literal = {match[1] for _, path in listed if (match := self._ONE_THING.fullmatch(path))}
        for route, path in listed:
            match = self._ONE_THING.fullmatch(path.replace("/{id}", "/id"))
            if match and match[1] not in literal:  # else an id might be meant, or a word
                self._routes[route.method, match[1], match[3]] = route

    async def lead(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer by the route that this request asks for."""
        assert isinstance(request, web.Request)
        match = self._ONE_THING.fullmatch(request.rel_url.raw_path)
        route = self._routes.get((request.method, match[1], match[3])) if match else None
        if match is None or route is None or "Expect" in request.headers:
            return await self._aiohttps(request)
        found = UrlMappingMatchInfo({"id": match[2]}, route)
        found.add_app(self._app)
        found.freeze()
        request._match_info = found
        return await answer(request, route.handler)


class Server(web.Server):
    """Makes our connections; beyond `room` of them nobody is answered."""

    def __init__(self, handler: Handler, *, room: int, **more: Any) -> None:
        super().__init__(handler, **more)  # type: ignore[arg-type]  # every request of an application is one
        self._room = room

    @property
    def full(self) -> bool:
        """Whether the newest connection is one too many."""
        return len(self._connections) > self._room

    def __call__(self) -> RequestHandler:
        """A connection for a caller who has just come."""
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs the application on connections of ours."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(
            Ways(self.app, made.request_handler).lead,
            request_factory=made.request_factory,
            request_within=self.app[REQUEST_WITHIN],
            room=self.app[ROOM],
            **made._kwargs,
        )
