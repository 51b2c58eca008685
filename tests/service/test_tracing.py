"""Traces lead from a request to its batch, its commit and its deliveries, and tell nothing of people."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import service.app
from service import config
from service.config import Settings, SettingsError, Webhook, load
from service.submit import HOUSE
from service.tracing import Tracing, from_environment
from tests.service.channels.test_webhook import receiver
from tests.service.conftest import Service, running

SECRET = "whsec_" + "A" * 32
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@asynccontextmanager
async def traced(url: str, monkeypatch: pytest.MonkeyPatch, **more: object) -> AsyncIterator[tuple[Service, Spans]]:
    """A service whose spans are kept."""
    spans = Spans()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans.kept))
    build = service.app.build
    monkeypatch.setattr(
        "tests.service.conftest.build", lambda settings, where: build(settings, where, around=Tracing(provider))
    )
    async with running(url, **more) as here:
        yield here, spans


class Spans:
    """What was exported."""

    def __init__(self) -> None:
        self.kept = InMemorySpanExporter()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.kept.get_finished_spans() if span.name == name]


def where(span: ReadableSpan) -> tuple[int, int]:
    """A span's ids."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


def linked(span: ReadableSpan) -> set[tuple[int, int]]:
    """The ids of what a span links to."""
    return {(link.context.trace_id, link.context.span_id) for link in span.links}


async def test_a_request_its_batch_its_commit_and_its_delivery_hang_together(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    async with receiver(_taken) as port:
        hook = Webhook("pager", f"http://127.0.0.1:{port}/", (SECRET,))
        how = {"webhooks": (hook,), "private_hosts": ("127.0.0.1",), "sends": True}
        async with traced(database_url, monkeypatch, **how) as (here, spans):
            e = await here.opened("T-1")
            while not spans.named("deliver webhook"):
                await here.call(None, "GET", "/healthz")
        request = spans.named("POST /v1/escalations")[-1]
        (batch,) = [span for span in spans.named("batch") if where(request) in linked(span)]
        (commit,) = [span for span in spans.named("commit") if span.parent and span.parent.span_id == where(batch)[1]]
        sent = spans.named("deliver webhook")
        assert {True} == {where(batch) in linked(span) for span in sent}
        assert {span.attributes["escalation.id"] for span in sent if span.attributes} == {e}
        assert request.attributes is not None
        assert request.attributes["http.response.status_code"] == 201
        assert commit.attributes is not None
        assert commit.attributes["escalation.transitions"] == 2
        assert (commit.start_time or 0) >= (batch.start_time or 0) >= (request.start_time or 0)


async def _taken(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=204)


async def test_a_callers_own_trace_goes_on(database_url: str, monkeypatch: pytest.MonkeyPatch):
    async with traced(database_url, monkeypatch) as (here, spans):
        (await here.call("ann", "GET", "/v1/history", traceparent=PARENT)).ok()
        (await here.call("ann", "GET", "/v1/denials", traceparent="rubbish")).ok()
    (span,) = spans.named("GET /v1/history")
    assert f"{where(span)[0]:032x}" == PARENT.split("-")[1]
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT.split("-")[2]
    (other,) = spans.named("GET /v1/denials")
    assert other.parent is None


async def test_a_refusal_tells_its_status_and_nobodys_words(database_url: str, monkeypatch: pytest.MonkeyPatch):
    async with traced(database_url, monkeypatch) as (here, spans):
        e = await here.opened("T-secret")
        (await here.act("ann", e, "note", text="")).problem(422, "guard_failed")
        (await here.call("ann", "GET", "/v1/tickets/T-nobody")).problem(404, "not_found")
        here.app[HOUSE].engine._limit = 0
        (await here.act("ann", e, "note", text="my words")).problem(503, "unavailable")
    told = [(span.name.split("/")[-1], dict(span.attributes or {})) for span in spans.kept.get_finished_spans()]
    statuses = [given.get("http.response.status_code") for name, given in told if name in ("transitions", "{id}")]
    assert statuses == [200, 422, 404, 503]
    text = " ".join(span.to_json() for span in spans.kept.get_finished_spans())
    assert not any(word in text for word in ("T-secret", "T-nobody", "my words", "acme", "ann", "Payments"))


async def test_jobs_that_are_answered_are_not_remembered(database_url: str, monkeypatch: pytest.MonkeyPatch):
    async with traced(database_url, monkeypatch) as (here, _):
        e = await here.opened("T-1")
        (await here.act("ann", e, "note", text="a")).ok(201)
        assert vars(here.app[HOUSE].engine)["asked"] == {}


def test_how_many_batches_are_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("service.tracing.REMEMBERED", 10)
    tracing = Tracing(TracerProvider(shutdown_on_exit=False))
    with tracing.span("commit"):
        tracing.committed([("e", n) for n in range(100)])
    assert [n for n in range(100) if tracing.batch_of("e", n)] == list(range(90, 100))


async def test_spans_reach_whoever_the_environment_names(monkeypatch: pytest.MonkeyPatch):
    heard = list[ExportTraceServiceRequest]()

    async def collect(request: web.Request) -> web.Response:
        heard.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response()

    async with receiver(collect) as port:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"http://127.0.0.1:{port}/v1/traces")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        tracing = from_environment()
        with tracing.span("batch"):
            pass
        await tracing.close()
    (sent,) = heard
    (resource,) = sent.resource_spans
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == (
        "escalation-matrix"
    )
    assert [span.name for each in resource.scope_spans for span in each.spans] == ["batch"]


def test_without_the_setting_nothing_of_it_is_loaded():
    assert Settings().traces is False
    asked = "import sys, service.app; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-P", "-c", asked], check=False).returncode == 0


def test_without_the_extra_the_setting_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(config, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"ESCALATION_TRACES: needs the extra otel: pip install"):
        load(environ={"ESCALATION_TRACES": "true"})
    assert load(environ={"ESCALATION_TRACES": "false"}).traces is False
