"""Somebody outside hears that all is well, and only then; never at an address where it must not be told."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from service import heartbeat
from service.channels.guarded import session
from service.config import Settings, SettingsError, load
from service.heartbeat import Heartbeat
from service.metrics import Metrics


class Outside:
    """Whoever listens; `answers` are given first."""

    def __init__(self, *answers: int) -> None:
        self.heard, self.answers = list[str](), list(answers)

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append(f"{request.method} {request.path} {await request.text()}".strip())
        status = self.answers.pop(0) if self.answers else 200
        return web.Response(status=status, headers={"Location": "http://169.254.169.254/"} if status == 302 else {})

    def serving(self) -> TestServer:
        app = web.Application()
        app.router.add_route("*", "/ping/{secret}", self.hear)
        return TestServer(app)


async def beats(outside: Outside, *unwell: str | None, private: bool = True) -> tuple[list[str], str]:
    """Beat once for each of these; what was logged, and the measures."""
    metrics, reasons = Metrics(), iter(unwell)
    async with outside.serving() as server, session(private=private) as client:
        beating = Heartbeat(f"http://127.0.0.1:{server.port}/ping/s3cret", 60, lambda: next(reasons), metrics)
        with capture_logs() as told:
            for _ in unwell:
                await beating.beat(client)
    assert "s3cret" not in str(told)
    return [each["event"] for each in told], metrics.text().decode()


async def test_it_beats_while_all_is_well_and_is_silent_while_it_is_not():
    outside = Outside()
    told, text = await beats(outside, None, "an invariant is broken", None)
    assert outside.heard == ["GET /ping/s3cret"] * 2
    assert told == ["heartbeat_withheld"]
    assert 'escalation_heartbeats_total{outcome="heard"} 2.0' in text
    assert 'escalation_heartbeats_total{outcome="withheld"} 1.0' in text


@pytest.mark.parametrize("status", [302, 403, 500])
async def test_whoever_does_not_take_it_is_told_of_in_the_log_and_hears_the_next(status: int):
    outside = Outside(status)
    told, text = await beats(outside, None, None)
    assert told == ["heartbeat_not_taken"]
    assert len(outside.heard) == 2, "a redirect is not followed, and the next one is a try of its own"
    assert 'escalation_heartbeats_total{outcome="not_taken"} 1.0' in text


async def test_a_private_address_hears_nothing_unless_its_host_is_named():
    outside = Outside()
    told, _ = await beats(outside, None, private=False)
    assert (outside.heard, told) == ([], ["heartbeat_not_taken"])
    url = "http://127.0.0.1:1/ping"
    for hosts, private in (((), False), (("127.0.0.1",), True), (("10.0.0.1",), False)):
        made = heartbeat.from_settings(Settings(heartbeat_url=url, private_hosts=hosts), lambda: None, Metrics())
        assert made is not None
        assert made._private is private


def test_it_is_off_unless_set_and_its_url_is_never_repeated():
    assert heartbeat.from_settings(Settings(), lambda: None, Metrics()) is None
    with pytest.raises(SettingsError) as refusal:
        load(environ={"ESCALATION_HEARTBEAT_URL": "ftp://s3cret"})
    assert "s3cret" not in str(refusal.value)
    with pytest.raises(SettingsError, match="ESCALATION_HEARTBEAT_URL: needs audits"):
        load(environ={"ESCALATION_HEARTBEAT_URL": "https://x", "ESCALATION_AUDITS": "false"})
