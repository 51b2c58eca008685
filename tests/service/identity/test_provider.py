"""What a provider may answer, and be: silent, without end, another one; and how settings name one."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from service.config import Oidc, SettingsError, load
from service.issuer import ASKS_AGAIN_AFTER, READS_AT_MOST, Issuer, ProviderError, TokenError
from tests.service.conftest import Service, running
from tests.service.identity.conftest import There
from tests.service.identity.provider import AUDIENCE, CLIENT, Provider, providing

RIGHT = '{"issuer": "https://id.example", "client_id": "matrix"'


def settings(provider: Provider, **more: Any) -> Oidc:
    return Oidc(**{"issuer": provider.base, "client_id": CLIENT, "api_audience": AUDIENCE, **more})


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "http://id.example/keys"},
        {"token_endpoint": "file:///etc/passwd"},
        {"authorization_endpoint": None},
        {"more": "x" * READS_AT_MOST},
    ],
    ids=["another issuer", "no TLS", "a file", "nowhere to go", "without end"],
)
async def test_a_provider_that_says_what_none_may_is_not_asked_further(said: dict[str, Any]) -> None:
    async with providing() as provider:
        provider.discovery = said
        issuer = Issuer(settings(provider))
        with pytest.raises(ProviderError):
            await issuer.begin("http://127.0.0.1/back", "state", "nonce", "challenge")
        assert provider.asked == ["configuration"]
        await issuer.close()


async def test_a_provider_that_leads_elsewhere_is_not_followed() -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPFound("http://169.254.169.254/")

    async with providing() as provider:
        provider.configuration = elsewhere  # type: ignore[method-assign]
        issuer = Issuer(settings(provider, issuer=f"{provider.base}/none"))
        with pytest.raises(ProviderError):
            await issuer.begin("http://127.0.0.1/back", "state", "nonce", "challenge")
        await issuer.close()


async def test_keys_that_cannot_be_had_are_asked_for_now_and_then_not_by_each_call() -> None:
    now = [2_000_000_000.0]
    async with providing() as provider:
        provider.broken = True
        issuer = Issuer(settings(provider), lambda: now[0])
        for _ in range(3):
            with pytest.raises(ProviderError):
                await issuer.bearer(provider.token(AUDIENCE))
        assert provider.asked.count("keys") == 1
        provider.broken, now[0] = False, now[0] + ASKS_AGAIN_AFTER + 1
        with pytest.raises(TokenError):  # by that clock it is over: its key was there
            await issuer.bearer(provider.token(AUDIENCE))
        assert provider.asked.count("keys") == 2
        await issuer.close()


async def test_while_the_provider_is_silent_pages_and_calls_say_so_and_keys_go_on(database_url: str) -> None:
    async with providing() as provider:
        gone = settings(provider)
        token = provider.token(AUDIENCE)
    async with running(database_url, oidc=gone) as service:
        told = await service.call(None, "GET", "/sign-in/oidc")
        assert told.status == 503
        assert b"identity provider can" in told.raw
        told = await service.call(None, "GET", "/v1/history", Authorization=f"Bearer {token}")
        told.problem(503, "unavailable")
        (await service.call("lee", "GET", "/v1/history")).ok()


async def test_ids_may_be_named_in_place_of_addresses_and_endpoints_in_place_of_discovery(database_url: str) -> None:
    async with providing() as provider:
        explicit = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        ends = {name: provider.base + path for name, path in explicit.items()}
        by_id = settings(provider, claim="preferred_username", names="id", client_secret="s3cret:with%signs", **ends)
        async with running(database_url, oidc=by_id) as service:
            there = There(service, provider)
            provider.person = {"preferred_username": "aud"}  # a principal without a place on the roster
            assert (await there.sign_in()).status == 303
            assert b"<strong>aud</strong>, auditor" in (await there.get("/")).raw
            assert "configuration" not in provider.asked
            provider.person = {"preferred_username": "nobody"}
            assert (await there.other_browser().sign_in()).status == 403
            provider.person = {"preferred_username": "desk"}
            ticket = {"customer_id": "acme", "priority": "p3", "status": "open", "subject": "By token"}
            body = ticket | {"opened_at": "2026-01-05T08:00:00Z"}
            (await service.call(None, "PUT", "/v1/tickets/T-1", body, Authorization=there.bearer())).ok()


async def test_without_a_provider_there_is_no_such_way_in(service: Service) -> None:
    assert (await service.call(None, "GET", "/sign-in/oidc")).status == 404
    assert (await service.call(None, "GET", "/sign-in/oidc/back?code=x&state=y")).status == 404
    assert b"/sign-in/oidc" not in (await service.call(None, "GET", "/sign-in")).raw


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (RIGHT, "JSON"),
        (RIGHT.replace("https", "http") + "}", "issuer"),
        (RIGHT + ', "algorithms": ["HS256"]}', "algorithms"),
        (RIGHT + ', "algorithms": ["none"]}', "algorithms"),
        (RIGHT + ', "algorithms": []}', "algorithms"),
        (RIGHT + ', "jwks_uri": "https://id.example/keys"}', "go together"),
        (RIGHT + ', "api_audience": "matrix"}', "must not be client_id"),
        (RIGHT + ', "scopes": ["email"]}', "must have openid"),
        (RIGHT + ', "secret": "x"}', "secret"),
    ],
)
def test_settings_that_name_no_provider_are_refused_with_why(given: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as refused:
        load(environ={"ESCALATION_OIDC": given})
    assert "id.example" not in str(refused.value)


def test_settings_name_a_provider() -> None:
    found = load(environ={"ESCALATION_OIDC": RIGHT + ', "client_secret": "s"}'}).oidc
    assert found == Oidc(issuer="https://id.example", client_id="matrix", client_secret="s")
