"""The company's identity provider (OpenID Connect): what it says of itself, its keys, and whom its tokens name.

A token is taken only if all of it is right: signed by a key of the provider's that its `kid` names, with an algorithm
that the settings list (asymmetric ones alone), by that issuer, for that audience, now. What is in a token's header
beside that (`jku`, `jwk`, `x5u`) is never looked at. Whom it names is looked up anew for each request, like a key's
principal.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode

import aiohttp
import asyncpg
import msgspec
import structlog
from joserfc import jwk, jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from msgspec import Struct

import sql
from service import auth
from service.config import LOOPBACK_OR_TLS, Oidc

T = TypeVar("T")
log = structlog.get_logger(__name__)

WITHIN, READS_AT_MOST, MOST_KEYS = 5.0, 256 * 1024, 50
"""Seconds for a call of the provider, bytes of its answer, keys of its set."""
ANEW_AFTER, ASKS_AGAIN_AFTER = 3600.0, 10.0
"""Seconds after which the keys are fetched again: in peace, and at the soonest for a `kid` that is not among them."""
LEEWAY, FRESH = 60, 600
"""Seconds by which clocks may differ, and by which an ID token is new enough to sign in with."""
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderError(Exception):
    """The provider can't be reached, or answers what no provider may; the message says which."""


class TokenError(Exception):
    """A token, or what came with it, is not taken; the message says why."""


class _Said(Struct, frozen=True):
    """What a provider says of itself, as far as it matters here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Tokens(Struct, frozen=True):
    """What it answers to a code."""

    id_token: str


class _Keys(Struct, frozen=True):
    """Its keys, as it publishes them."""

    keys: list[dict[str, Any]]


class Issuer:
    """The provider of these settings. `now` is the wall clock, in seconds since 1970: tokens know no other."""

    def __init__(self, settings: Oidc, now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._now = now
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=WITHIN), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._said: _Said | None = None
        self._keys: jwk.KeySet | None = None
        self._fetched = self._asked = float("-inf")
        self._alone = asyncio.Lock()

    async def close(self) -> None:
        """Hang up."""
        await self._session.close()

    # Signing in ---------------------------------------------------------------------------------------------------

    async def begin(self, back: str, state: str, nonce: str, challenge: str) -> str:
        """Where a browser goes to sign in; it is led `back` with a code. Raises ProviderError."""
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": back,
            "scope": " ".join(self.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        at = (await self._itself()).authorization_endpoint
        return f"{at}{'&' if '?' in at else '?'}{urlencode(asked)}"

    async def redeem(self, code: str, back: str, verifier: str) -> str:
        """The ID token for a code. Raises TokenError where the provider refuses it, ProviderError."""
        said, settings = await self._itself(), self.settings
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        headers = {"Accept": "application/json"}
        if settings.client_secret and "client_secret_basic" in said.token_endpoint_auth_methods_supported:
            pair = (quote_plus(settings.client_id), quote_plus(settings.client_secret))
            headers["Authorization"] = aiohttp.encode_basic_auth(*pair)
        else:
            form["client_id"] = settings.client_id
            form |= {"client_secret": settings.client_secret} if settings.client_secret else {}
        told = await self._ask("POST", said.token_endpoint, _Tokens, refusal=TokenError, data=form, headers=headers)
        return told.id_token

    async def signed_in(self, id_token: str, nonce: str) -> str:
        """Whom an ID token names, by the claim that the settings say. Raises TokenError, ProviderError."""
        claims = await self._checked(id_token, self.settings.client_id, nonce={"essential": True, "value": nonce})
        audience, party = claims["aud"], claims.get("azp")
        if party != self.settings.client_id if party is not None else isinstance(audience, list) and len(audience) > 1:
            raise TokenError("it was made for another party")
        if claims["iat"] < self._now() - FRESH:
            raise TokenError("it was made too long ago")
        return self._named(claims)

    # Calling the API ----------------------------------------------------------------------------------------------

    async def bearer(self, token: str) -> tuple[str, datetime]:
        """Whom a token for our API names, and until when it is good. Raises TokenError, ProviderError."""
        claims = await self._checked(token, self.settings.api_audience)
        return self._named(claims), datetime.fromtimestamp(claims["exp"] + LEEWAY, UTC)

    # Tokens -------------------------------------------------------------------------------------------------------

    async def _checked(self, token: str, audience: str, **wanted: Any) -> dict[str, Any]:
        registry = jws.JWSRegistry(algorithms=self.settings.algorithms, strict_check_header=False)
        registry.max_header_length = 2048
        must = jwt.JWTClaimsRegistry(
            now=int(self._now()),
            leeway=LEEWAY,
            iss={"essential": True, "value": self.settings.issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            iat={"essential": True},
            exp={"essential": True, "allow_blank": True},
            **wanted,
        )
        try:
            try:
                told = jwt.decode(token, await self._keyring(), self.settings.algorithms, registry)
            except InvalidKeyIdError:
                # The provider may have begun to sign with another one.
                told = jwt.decode(token, await self._keyring(anew=True), self.settings.algorithms, registry)
            must.validate(told.claims)
            if told.claims["exp"] > 2**33:  # the year 2242
                raise TokenError("it is good for centuries")
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise TokenError(f"{type(error).__name__}: {error}"[:200]) from error
        return told.claims

    def _named(self, claims: dict[str, Any]) -> str:
        name = self.settings.claim
        value = claims.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 254 or not value.isprintable():
            raise TokenError(f"it does not say `{name}`")
        if name == "email" and claims.get("email_verified") not in (True, "true"):
            raise TokenError("its address was never verified")
        return value

    async def _keyring(self, *, anew: bool = False) -> jwk.KeySet:
        """The provider's keys. Whoever asks for them anew gets the old ones where they were asked for just now."""
        async with self._alone:
            now = self._now()
            old = self._fetched < now - ANEW_AFTER or anew
            lately = self._asked > now - ASKS_AGAIN_AFTER
            if self._keys is not None and (not old or lately):
                return self._keys
            if self._keys is None and lately:  # whoever calls meanwhile need not wait for a silent provider too
                raise ProviderError("its keys could not be had just now")
            self._asked = now
            try:
                told = await self._ask("GET", (await self._itself()).jwks_uri, _Keys)
                # What signs with a shared secret is no key here, whoever publishes it.
                public = [key for key in told.keys[:MOST_KEYS] if key.get("kty") in ("RSA", "EC", "OKP")]
                self._keys = jwk.KeySet.import_key_set({"keys": public})
            except (ProviderError, JoseError, ValueError, TypeError, KeyError) as error:
                if self._keys is None:
                    raise ProviderError(f"its keys can't be had: {error}"[:200]) from error
                log.warning("provider_keys_kept", error=f"{type(error).__name__}: {error}"[:200])
            else:
                self._fetched = now
            return self._keys

    # The provider -------------------------------------------------------------------------------------------------

    async def _itself(self) -> _Said:
        if self._said is None:
            settings = self.settings
            if settings.jwks_uri:
                explicit = (settings.authorization_endpoint, settings.token_endpoint, settings.jwks_uri)
                self._said = _Said(settings.issuer, *explicit)
            else:
                at = f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration"
                said = await self._ask("GET", at, _Said)
                if said.issuer != settings.issuer:
                    raise ProviderError("it says that it is another issuer")
                if not all(re.match(LOOPBACK_OR_TLS, getattr(said, name)) for name in _ENDPOINTS):
                    raise ProviderError("an endpoint of it is without TLS")
                self._said = said
        return self._said

    async def _ask(
        self, method: str, url: str, kind: type[T], refusal: type[Exception] = ProviderError, **more: Any
    ) -> T:
        try:
            async with self._session.request(method, url, allow_redirects=False, **more) as told:
                body = b""
                async for part in told.content.iter_chunked(16 * 1024):
                    body += part
                    if len(body) > READS_AT_MOST:
                        raise ProviderError("it answers without end")
                if told.status != 200:
                    raise (refusal if 400 <= told.status < 500 else ProviderError)(f"it answers {told.status}")
            return msgspec.json.decode(body, type=kind)
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            raise ProviderError(f"{type(error).__name__}: {error}"[:200]) from error


async def token_of(conn: asyncpg.Connection, settings: Oidc, named: str, until: datetime | None = None) -> auth.Token:
    """Whoever here is named so by the provider; raises TokenError where that is nobody, or more than one."""
    if settings.names == "id":
        return auth.person(named, until)
    found = await conn.fetchval(sql.query("principal.by_email"), named)
    if len(found) != 1:
        raise TokenError("nobody here has that address" if not found else "several people here have that address")
    return auth.person(found[0], until)
