"""An identity provider on loopback that speaks OpenID Connect with real keys, and lies when it is told to."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import BasicAuth, web
from joserfc import jwk, jwt

CLIENT, SECRET, AUDIENCE = "matrix", "s3cret:with%signs", "escalation-api"


@dataclass
class Provider:
    """`person` is who is signed in there. `claims` and `header` are what tokens say otherwise than they should (None:
    what they leave out); `make` makes them in place of joserfc, which forges nothing."""

    base: str = ""
    person: dict[str, Any] = field(default_factory=lambda: {"email": "lee@ours.example", "email_verified": True})
    first: jwk.Key = field(default_factory=lambda: jwk.ECKey.generate_key("P-256", {"kid": "one"}))
    signs: jwk.Key = field(init=False)
    published: list[jwk.Key] = field(init=False)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    make: Callable[[jwk.Key, dict[str, Any], dict[str, Any]], str] | None = None
    discovery: dict[str, Any] = field(default_factory=dict)
    refuses: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    reusable: bool = False
    broken: bool = False
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signs = self.first
        self.published = [self.first]

    def behave(self) -> None:
        """Tell the truth again, as lee."""
        self.__dict__.update(Provider(base=self.base, first=self.first).__dict__)

    def token(self, audience: str, **more: Any) -> str:
        """A token about whoever is signed in, with the changes that were asked for."""
        now = int(time.time())
        claims = {"iss": self.base, "sub": "248289", "aud": audience, "iat": now, "exp": now + 300}
        claims |= self.person | more | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "ES256", "kid": self.signs.kid} | self.header
        header = {name: value for name, value in header.items() if value is not None}
        if self.make is not None:
            return self.make(self.signs, header, claims)
        return jwt.encode(header, claims, self.signs, algorithms=[header["alg"]])

    # The protocol -------------------------------------------------------------------------------------------------

    async def configuration(self, request: web.Request) -> web.Response:
        """What it says of itself."""
        self.asked.append("configuration")
        said = {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "jwks_uri": f"{self.base}/keys",
        }
        return web.json_response(said | self.discovery)

    async def keys(self, request: web.Request) -> web.Response:
        """The public halves."""
        self.asked.append("keys")
        if self.broken:
            raise web.HTTPInternalServerError
        return web.json_response({"keys": [key.as_dict(private=False) for key in self.published]})

    async def authorize(self, request: web.Request) -> web.Response:
        """Whoever comes is signed in already, and led back."""
        query = dict(request.query)
        assert query["client_id"] == CLIENT
        assert query["response_type"] == "code"
        assert "openid" in query["scope"].split()
        told = {"state": query["state"], "iss": self.base}
        if self.refuses:
            told |= {"error": "access_denied", "error_description": self.refuses}
        else:
            told["code"] = secrets.token_urlsafe(16)
            self.codes[told["code"]] = query
        raise web.HTTPFound(f"{query['redirect_uri']}?{urlencode(told)}")

    async def redeem(self, request: web.Request) -> web.Response:
        """A code for a token, once, to the client that began with it."""
        self.asked.append("token")
        given = {name: values[0] for name, values in parse_qs(await request.text()).items()}
        begun = self.codes.get(given["code"]) if self.reusable else self.codes.pop(given["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(given["code_verifier"].encode()).digest()).rstrip(b"=")
        client = BasicAuth.decode(request.headers["Authorization"])
        if begun is None or challenge.decode() != begun["code_challenge"] or begun["code_challenge_method"] != "S256":
            return web.json_response({"error": "invalid_grant"}, status=400)
        assert (client.login, client.password) == (CLIENT, "s3cret%3Awith%25signs")
        assert given["redirect_uri"] == begun["redirect_uri"]
        return web.json_response({"id_token": self.token(CLIENT, nonce=begun["nonce"]), "access_token": "none of ours"})


@asynccontextmanager
async def providing(host: str = "127.0.0.1") -> AsyncIterator[Provider]:
    """A provider that runs, under a name of this machine's."""
    provider = Provider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.configuration)
    app.router.add_get("/keys", provider.keys)
    app.router.add_get("/authorize", provider.authorize)
    app.router.add_post("/token", provider.redeem)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.base = f"http://{host}:{runner.addresses[0][1]}"
    provider.behave()
    try:
        yield provider
    finally:
        await runner.cleanup()


def query_of(url: str) -> dict[str, str]:
    """What an address says, each name once."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
