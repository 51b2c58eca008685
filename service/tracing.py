"""Traces, where they are wanted (`traces`, and the extra `otel`): request → batch → commit → delivery.

A request has a span; the batch that decides it with others has one of its own, linked to each of theirs; its commit is
a child of that; and who delivers one of its messages links to the batch, if it was this node's. Where they go is said
by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER …). No text, person, customer or
ticket is in a span: ids of escalations and requests lead to the rest. Measures are Prometheus', which its collector
reads too. Without the setting nothing of this is loaded, and nothing is asked whether it is.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
from aiohttp import web
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service import __version__
from service.asks import Wants
from service.batch import Batch, Job
from service.channels.letter import Address, Channel, Letter, Together
from service.door import Route
from service.engine import Engine, Hand, Unavailable
from service.problems import Refused
from service.submit import REQUEST_ID

REMEMBERED = 20_000
"""Transitions whose batch is known to those who deliver their messages."""
LINKS = 64
"""Requests that a batch's span names; a batch is no larger."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Tracing:
    """Makes what is traced; the rest of the house does not know of it."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("escalation-matrix", __version__)
        self._headers = TraceContextTextMapPropagator()
        self._batches = OrderedDict[tuple[str, int], SpanContext]()

    async def close(self) -> None:
        """Hand over what was not yet."""
        await asyncio.to_thread(self._provider.shutdown)

    @contextmanager
    def span(self, name: str, **more: Any) -> Iterator[Span]:
        """A span that is current; of an error it tells the kind, for its words may be somebody's."""
        how = {"record_exception": False, "set_status_on_exception": False, **more}
        with self._tracer.start_as_current_span(name, **how) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                raise

    def request(self, route: Route, handle: Handler) -> Handler:
        """The route's handler in a span, which goes on with a caller's own trace (`traceparent`)."""

        async def traced(request: web.Request) -> web.StreamResponse:
            told = {"http.request.method": route.method, "http.route": route.path}
            told["escalation.request_id"] = request[REQUEST_ID]
            if route.path.startswith("/v1/escalations/{id}"):
                told["escalation.id"] = request.match_info["id"]
            parent = self._headers.extract(request.headers)
            name = f"{route.method} {route.path}"
            with self.span(name, context=parent, kind=SpanKind.SERVER, attributes=told) as span:
                try:
                    answer = await handle(request)
                except Exception as error:
                    _answered(span, _status(error))
                    raise
                _answered(span, answer.status)
                return answer

        return traced

    def engine(self, *given: Any, **more: Any) -> Engine:
        """The engine, with batches and commits in spans."""
        return _Engine(self, *given, **more)

    def channels(self, channels: Sequence[Channel]) -> tuple[Channel, ...]:
        """The ways out, each delivery in a span."""
        return tuple(_Channel(self, channel) for channel in channels)

    def committed(self, marks: list[tuple[str, int]]) -> None:
        """These transitions are the current span's."""
        here = get_current_span().get_span_context()
        for mark in marks:
            self._batches[mark] = here
        while len(self._batches) > REMEMBERED:
            self._batches.popitem(last=False)

    def batch_of(self, escalation_id: str, version: int) -> list[Link]:
        """A link to the batch that wrote this transition, where it was here and lately."""
        found = self._batches.get((escalation_id, version))
        return [Link(found)] if found else []


def from_environment() -> Tracing:
    """Spans for whoever OpenTelemetry's variables name."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    ours = Resource.create({SERVICE_NAME: "escalation-matrix", SERVICE_VERSION: __version__})
    provider = TracerProvider(resource=ours, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


def _answered(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))


def _status(error: Exception) -> int:
    if isinstance(error, Refused):
        return error.refusal.status
    if isinstance(error, web.HTTPException):
        return error.status
    return 503 if isinstance(error, Unavailable | OSError | TimeoutError) else 500


class _Engine(Engine):
    """Knows by whose span each job was handed in."""

    def __init__(self, tracing: Tracing, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.tracing = tracing
        self.asked = dict[int, SpanContext]()
        self.hand = _Hand

    def put(self, job: Job, *, first: bool = False) -> None:
        """Let a job wait; whoever hands it in again is not who asked."""
        here = get_current_span().get_span_context()
        if here.is_valid and not first:
            self.asked[id(job)] = here
            job.reply.add_done_callback(lambda _: self.asked.pop(id(job), None))
        super().put(job, first=first)


class _Hand(Hand):
    """Batches and commits in spans."""

    async def _batch(self, jobs: list[Job]) -> None:
        engine = self._engine
        assert isinstance(engine, _Engine)
        links = [Link(asked) for job in jobs if (asked := engine.asked.get(id(job)))][:LINKS]
        told = {"escalation.commands": len(jobs), "escalation.retries": max((job.tries for job in jobs), default=0)}
        with engine.tracing.span("batch", context=Context(), links=links, attributes=told):
            await super()._batch(jobs)

    async def _commit(self, conn: asyncpg.Connection, batch: Batch, want: Wants) -> None:
        engine = self._engine
        assert isinstance(engine, _Engine)
        engine.tracing.committed(batch.rows.marks)
        with engine.tracing.span("commit", attributes={"escalation.transitions": len(batch.rows.marks)}):
            await super()._commit(conn, batch, want)


class _Channel:
    """A way out, with each delivery in a span."""

    def __init__(self, tracing: Tracing, channel: Channel) -> None:
        self._tracing, self._channel = tracing, channel

    @property
    def kind(self) -> str:
        """As its own."""
        return self._channel.kind

    @property
    def name(self) -> str:
        """As its own."""
        return self._channel.name

    @property
    def slots(self) -> int:
        """As its own."""
        return self._channel.slots

    @property
    def together(self) -> Together:
        """As its own."""
        return self._channel.together

    def reaches(self, address: Address) -> bool:
        """As its own."""
        return self._channel.reaches(address)

    async def send(self, letter: Letter) -> str | None:
        """Hand it over, in a span."""
        told = {
            "escalation.id": letter.escalation_id,
            "escalation.version": letter.version,
            "messaging.message.id": letter.key,
            "messaging.destination.template": letter.template,
            "escalation.attempts": letter.attempts,
        }
        links = self._tracing.batch_of(letter.escalation_id, letter.version)
        name = f"deliver {self.kind}"
        with self._tracing.span(name, context=Context(), kind=SpanKind.CLIENT, links=links, attributes=told) as span:
            try:
                return await self._channel.send(letter)
            except Exception:
                span.set_status(Status(StatusCode.ERROR))
                raise

    async def close(self) -> None:
        """As its own."""
        await self._channel.close()
