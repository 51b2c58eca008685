"""OWASP API2:2023, broken authentication: nothing but a good key is one, and a session is no more than its key.

Revoked, retired and demoted keys: `tests/service/http/test_keys.py`; cookies and forms: `tests/service/console`;
signed hooks: `tests/service/inbound`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.service.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORM = {"Content_Type": "application/x-www-form-urlencoded"}


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _jwt(key: bytes | None, **head: Any) -> str:
    """A token that says it is an admin's, signed with whatever an attacker has."""
    claims = {"sub": "root", "role": "admin", "iss": "https://evil.example", "exp": 4_000_000_000}
    signed = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(claims).encode())}"
    return f"{signed}.{_b64(hmac.digest(key, signed.encode(), hashlib.sha256)) if key is not None else ''}"


TOKENS = {
    "no algorithm": _jwt(None, alg="none"),
    "an algorithm in other letters": _jwt(None, alg="nOnE"),
    "an empty secret": _jwt(b"", alg="HS256"),
    "a guessed secret": _jwt(b"secret", alg="HS256"),
    "a key that is a path": _jwt(b"", alg="HS256", kid="../../../../dev/null"),
    "a key that is a query": _jwt(b"x", alg="HS256", kid="' UNION SELECT 'x"),
    "a key from elsewhere": _jwt(b"x", alg="HS256", jku="http://127.0.0.1:9/keys", x5u="http://127.0.0.1:9/"),
    "a key of its own": _jwt(b"x", alg="HS256", jwk={"kty": "oct", "k": _b64(b"x")}),
    "no token at all": "..",
}


@pytest.mark.parametrize("what", TOKENS)
async def test_a_token_that_nobody_trusted_has_signed_is_401(shared_service: Service, what: str) -> None:
    for path in ("/v1/history", "/v1/people/ann", "/"):
        answer = await shared_service.call(None, "GET", path, Authorization=f"Bearer {TOKENS[what]}")
        assert answer.status == 401, path


async def test_a_key_counts_nowhere_but_in_its_header(shared_service: Service) -> None:
    key = shared_service.keys["root"]
    for path in (f"/v1/people?access_token={key}", f"/v1/people?key={key}"):
        assert (await shared_service.call(None, "GET", path)).status == 401
    elsewhere: tuple[dict[str, Any], ...] = (
        {"Cookie": f"session={key}"},
        {"Cookie": f"Authorization=Bearer {key}"},
        {"X_Api_Key": key},
        {"Authorization": f"Basic {base64.b64encode(f'root:{key}'.encode()).decode()}"},
        {"Proxy_Authorization": f"Bearer {key}"},
    )
    for headers in elsewhere:
        assert (await shared_service.call(None, "GET", "/v1/people", **headers)).status == 401, headers


async def test_whether_a_key_exists_is_not_told(shared_service: Service) -> None:
    kind, which, secret = shared_service.keys["root"].split("_", 2)
    unknown = f"{kind}_{'0' * 16}_{secret}"
    wrong = f"{kind}_{which}_{'x' * len(secret)}"
    told = [
        await shared_service.call(None, "GET", "/v1/people", Authorization=f"Bearer {key}") for key in (unknown, wrong)
    ]
    assert [answer.problem(401, "unknown_key") for answer in told] == [told[0].body] * 2
    pages = []
    for key in (unknown, wrong):
        raw = urlencode({"key": key, "to": "/"}).encode()
        page = await shared_service.call(None, "POST", "/sign-in", raw=raw, **FORM)
        assert page.status == 401
        assert "Set-Cookie" not in page.headers
        pages.append(page.raw.replace(page.headers["X-Request-Id"].encode(), b""))
    assert pages[0] == pages[1]


async def test_a_session_opens_pages_and_no_door_of_the_api(shared_service: Service) -> None:
    cookie = await _signed_in(shared_service)
    assert (await shared_service.call(None, "GET", "/", Cookie=cookie)).status == 200
    assert (await shared_service.call(None, "GET", "/v1/people", Cookie=cookie)).status == 401
    assert (await shared_service.call(None, "PUT", "/v1/people/eve", {}, Cookie=cookie)).status == 401
    bearer = cookie.partition("=")[2]
    assert (await shared_service.call(None, "GET", "/v1/people", Authorization=f"Bearer {bearer}")).status == 401


async def test_signing_in_begins_a_new_session_whatever_cookie_was_brought(shared_service: Service) -> None:
    planted = "session=" + "a" * 43
    given = await _signed_in(shared_service, Cookie=planted)
    assert given != planted
    assert await _signed_in(shared_service, Cookie=given) != given
    assert (await shared_service.call(None, "GET", "/", Cookie=planted)).status == 303


async def _signed_in(service: Service, **headers: str) -> str:
    """The cookie of a new session of an admin's."""
    raw = urlencode({"key": service.keys["root"], "to": "/"}).encode()
    told = await service.call(None, "POST", "/sign-in", raw=raw, **FORM, **headers)
    assert told.status == 303
    return told.headers["Set-Cookie"].partition(";")[0]
