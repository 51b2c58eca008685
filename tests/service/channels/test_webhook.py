"""Webhooks on the wire: signed, shaped as CloudEvents, and never sent to where they must not go."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from service import channels
from service.channels import webhook
from service.channels.guarded import public
from service.channels.letter import Channel, Later, Letter, Refused
from service.channels.webhook import WebhookChannel, retry_after
from service.config import Settings, SettingsError, Webhook, load
from tests.service.outbox.conftest import letter

OLD, NEW = ("whsec_" + base64.b64encode(bytes([n] * 32)).decode() for n in (1, 2))
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def receiver(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A receiver on loopback; its port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def named(url: str, *secrets: str) -> Webhook:
    return Webhook("ops", url, secrets or (OLD,))


async def send(channel: WebhookChannel, what: Letter | None = None) -> None:
    try:
        await channel.send(what or letter())
    finally:
        await channel.close()


@asynccontextmanager
async def answering(handler: Handler, **how: Any) -> AsyncIterator[WebhookChannel]:
    """A channel to a receiver that an operator said may be private."""
    async with receiver(handler) as port:
        channel = WebhookChannel(named(f"http://127.0.0.1:{port}/in"), private=True, **how)
        yield channel
        await channel.close()


# What is sent ---------------------------------------------------------------------------------------------------------


async def test_a_receiver_verifies_each_secret_and_reads_a_cloudevent() -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def keep(request: web.Request) -> web.Response:
        got.append((dict(request.headers), await request.read()))
        return web.Response(status=204)

    async with receiver(keep) as port:
        await send(WebhookChannel(named(f"http://127.0.0.1:{port}/in", OLD, NEW), private=True))
    [(headers, body)] = got
    for secret in (OLD, NEW):
        assert Verifier(secret).verify(body.decode(), headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(OLD).verify(body.decode() + " ", headers)
    with pytest.raises(WebhookVerificationError):
        Verifier("whsec_" + base64.b64encode(bytes(32)).decode()).verify(body.decode(), headers)
    event = msgspec.json.decode(body)
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert event["specversion"] == "1.0"
    assert event["id"] == headers["webhook-id"] == letter().key
    assert event["type"] == "escalation.handoff_offered"
    assert event["source"] == f"/v1/escalations/{letter().escalation_id}"
    assert event["time"] == "2026-01-05T09:00:00Z"
    assert (event["data"]["recipient"], event["data"]["level"]) == ("dan", 3)


async def test_the_same_letter_has_the_same_id_at_each_try() -> None:
    ids = []

    async def once_down(request: web.Request) -> web.Response:
        ids.append(request.headers["webhook-id"])
        return web.Response(status=500 if len(ids) == 1 else 200)

    async with answering(once_down) as channel:
        with pytest.raises(Later, match="answered 500"):
            await channel.send(letter())
        await channel.send(letter())
    assert len(set(ids)) == 1


# What is answered -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 408, 425, 429])
async def test_what_may_pass_is_tried_again_when_the_receiver_says(status: int) -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Retry-After": "120"})

    async with answering(busy) as channel:
        with pytest.raises(Later) as told:
            await channel.send(letter())
    assert told.value.after == 120


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
async def test_what_will_not_change_is_refused(status: int) -> None:
    async def never(request: web.Request) -> web.Response:
        return web.Response(status=status)

    async with answering(never) as channel:
        with pytest.raises(Refused, match=f"answered {status}"):
            await channel.send(letter())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    asked = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with answering(elsewhere) as channel:
        with pytest.raises(Refused, match="redirects are not followed"):
            await channel.send(letter())
    assert asked == ["/in"]


async def test_an_answer_without_end_is_not_read_to_it() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        told = web.StreamResponse()
        await told.prepare(request)
        while True:
            await told.write(b"x" * 65536)
            sent += 65536

    async with answering(endless) as channel:
        before = time.monotonic()
        await channel.send(letter())  # the status told that it was taken
        assert time.monotonic() - before < 2
    assert sent < 64 * 1024 * 1024


async def test_one_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "WITHIN", 0.05)  # the time-out is the same code, in less time
    never = asyncio.Event()

    async def hangs(request: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    async with answering(hangs) as channel:
        with pytest.raises(Later, match="no answer in time"):
            await channel.send(letter())


async def test_nobody_there_is_tried_again() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and never listens
        with pytest.raises(Later):
            await send(WebhookChannel(named(f"http://127.0.0.1:{reserved.getsockname()[1]}/"), private=True))


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted() -> None:
    asked = []

    async def keep(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with receiver(keep, tls) as port:
        with pytest.raises(Later, match="Certificate"):
            await send(WebhookChannel(named(f"https://127.0.0.1:{port}/"), private=True))
    assert asked == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("7", 7), ("100000", 3600), ("soon", None), ("-1", None), ("", None), ("²", None)],
)
def test_a_retry_after_is_read_where_it_can_be(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, 0.0) == seconds


def test_a_retry_after_may_be_a_date() -> None:
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert retry_after("Mon, 05 Jan 2026 09:01:30 GMT", now.timestamp()) == 90
    assert retry_after("Mon, 05 Jan 2026 08:01:30 GMT", now.timestamp()) == 0
    assert retry_after("Mon, 05 Jan 2026 08:01:30 GMT", (now - timedelta(days=9)).timestamp()) == 3600


# Where it must not go -------------------------------------------------------------------------------------------------

SPELLINGS = (
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001"),
    *("localhost", "LOCALHOST", "localhost.", "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]"),
    *("[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[::127.0.0.1]", "127.0.0.1.", "①②⑦.⓪.⓪.①"),
)


@pytest.fixture
async def trap() -> AsyncIterator[tuple[int, list[str]]]:
    """A port on loopback where nobody must ever connect; and who did."""
    met: list[str] = []

    async def caught(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append("connected")
        writer.close()

    server = await asyncio.start_server(caught, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        extra = await asyncio.start_server(caught, "::1", port)
    except OSError:
        extra = None  # a machine without IPv6
    yield port, met
    for each in (server, extra):
        if each is not None:
            each.close()


@pytest.mark.parametrize("host", SPELLINGS)
async def test_loopback_is_never_connected_to_however_it_is_spelt(trap: tuple[int, list[str]], host: str) -> None:
    port, met = trap
    with pytest.raises((Refused, Later)):
        await send(WebhookChannel(named(f"http://{host}:{port}/")))
    await asyncio.sleep(0)
    assert met == []


class Rebinding(AbstractResolver):
    """A name that is public when it is first looked up, and ours ever after."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)]

    async def close(self) -> None:
        return None


async def test_a_name_that_is_rebound_is_judged_at_each_connection(trap: tuple[int, list[str]]) -> None:
    port, met = trap
    resolver = Rebinding("127.0.0.1")
    channel = WebhookChannel(named(f"http://rebinds.example:{port}/"), resolver=resolver)
    for _ in range(2):
        with pytest.raises(Refused, match="not public"):
            await channel.send(letter())
    await channel.close()
    assert met == []


@pytest.mark.parametrize(
    "address",
    [
        *("10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
        *("255.255.255.255", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::", "192.0.2.1", "198.18.0.1"),
        *("2002:7f00:1::", "64:ff9b::7f00:1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "64:ff9b::a9fe:a9fe"),
    ],
)
async def test_no_address_inside_is_connected_to_whatever_name_leads_there(address: str) -> None:
    assert not public(address)
    with pytest.raises(Refused, match="not public"):
        await send(WebhookChannel(named("http://metadata.example/"), resolver=Rebinding(address)))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_public_addresses_are(address: str) -> None:
    assert public(address)


async def test_a_named_private_host_may_be_told() -> None:
    got = []

    async def keep(request: web.Request) -> web.Response:
        got.append(request.path)
        return web.Response()

    async with receiver(keep) as port:
        one = named(f"http://127.0.0.1:{port}/in")
        [allowed] = channels.from_settings(Settings(webhooks=(one,), private_hosts=("127.0.0.1",)))
        [refused] = channels.from_settings(Settings(webhooks=(one,), private_hosts=("10.0.0.1",)))
        await _tried(allowed)
        with pytest.raises(Refused):
            await _tried(refused)
    assert got == ["/in"]


async def _tried(channel: Channel) -> None:
    try:
        await channel.send(letter())
    finally:
        await channel.close()


def test_settings_of_webhooks_are_checked_and_their_secrets_never_repeated() -> None:
    good = {"name": "ops", "url": "https://ops.example/in", "secrets": [OLD]}
    told = load(environ={"ESCALATION_WEBHOOKS": msgspec.json.encode([good]).decode()})
    assert told.webhooks == (Webhook("ops", "https://ops.example/in", (OLD,)),)
    for wrong in (
        {"url": "ftp://x"},
        {"url": "https://me:pass@x/"},
        {"secrets": ["hush"]},
        {"name": "A b"},
        {"more": 1},
    ):
        with pytest.raises(SettingsError, match="ESCALATION_WEBHOOKS") as refusal:
            load(environ={"ESCALATION_WEBHOOKS": msgspec.json.encode([good | wrong]).decode()})
        assert OLD not in str(refusal.value)
        assert "hush" not in str(refusal.value)
    with pytest.raises(SettingsError, match="must be JSON"):
        load(environ={"ESCALATION_WEBHOOKS": "https://ops.example"})


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="webhook:ops"):
        channels.from_settings(Settings(webhooks=(named("https://a.example"), named("https://b.example"))))


async def test_no_proxy_of_the_environment_is_asked(
    monkeypatch: pytest.MonkeyPatch, trap: tuple[int, list[str]]
) -> None:
    port, met = trap
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    with pytest.raises((Refused, Later)):
        await send(WebhookChannel(named("http://x.invalid/"), resolver=Rebinding("192.0.2.1")))
    assert met == []
