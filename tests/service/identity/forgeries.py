"""Tokens that nobody must take, by what is wrong with them: what a provider is told to do (`Provider`)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwk, jws, jwt

OTHER = jwk.ECKey.generate_key("P-256", {"kid": "one"})
"""A key of nobody's, under a name of the provider's."""


def _part(said: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


def _forged(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token by hand: libraries refuse to make such ones."""
    signed = f"{_part(header)}.{_part(claims)}"
    return f"{signed}.{base64.urlsafe_b64encode(sign(signed.encode())).rstrip(b'=').decode()}"


def _unsigned(key: jwk.Key, header: dict[str, Any], claims: dict[str, Any]) -> str:
    return _forged(header | {"alg": "none"}, claims, lambda signed: b"")


def _by_the_public_key_as_a_secret(key: jwk.Key, header: dict[str, Any], claims: dict[str, Any]) -> str:
    assert isinstance(key, jwk.ECKey)
    secret = key.as_pem(private=False)
    return _forged(header | {"alg": "HS256"}, claims, lambda signed: hmac.digest(secret, signed, "sha256"))


def by_hand(**more: Any) -> Callable[[jwk.Key, dict[str, Any], dict[str, Any]], str]:
    """A maker of tokens whose key and everything else are right, with this in their header."""

    def make(key: jwk.Key, header: dict[str, Any], claims: dict[str, Any]) -> str:
        assert isinstance(key, jwk.ECKey)
        assert key.private_key is not None
        private = key.private_key

        def sign(signed: bytes) -> bytes:
            r, s = decode_dss_signature(private.sign(signed, ECDSA(SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)

        return _forged(header | more, claims, sign)

    return make


def _by(key: jwk.Key, algorithm: str, **more: Any) -> Callable[[jwk.Key, dict[str, Any], dict[str, Any]], str]:
    def make(_: jwk.Key, header: dict[str, Any], claims: dict[str, Any]) -> str:
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        return jwt.encode(header | {"alg": algorithm} | more, claims, key, [algorithm], registry)

    return make


OF_SIGNING_IN = ("another party", "several audiences, and no party", "made long ago", "another nonce", "no nonce")
"""What is asked of an ID token alone."""
WRONG: dict[str, dict[str, Any]] = {
    "unsigned": {"make": _unsigned},
    "signed by the public key as if it were a secret": {"make": _by_the_public_key_as_a_secret},
    "signed by another key of that name": {"make": _by(OTHER, "ES256")},
    "signed by the key that it brings": {"make": _by(OTHER, "ES256", jwk=OTHER.as_dict(private=False))},
    "an unknown key": {"make": _by(OTHER, "ES256", kid="nobody's")},
    "a path for a key": {"make": _by(OTHER, "ES256", kid="../../../../dev/null")},
    "an algorithm that is not listed": {"make": _by(jwk.RSAKey.generate_key(2048, {"kid": "one"}), "PS256")},
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "no issuer": {"claims": {"iss": None}},
    "another audience": {"claims": {"aud": "another"}},
    "no audience": {"claims": {"aud": None}},
    "another party": {"claims": {"azp": "another"}},
    "several audiences, and no party": {"claims": {"aud": ["matrix", "another"]}},
    "over": {"claims": {"exp": 1_700_000_000}},
    "never over": {"claims": {"exp": None}},
    "good for ever": {"claims": {"exp": 10**300}},
    "not yet made": {"claims": {"iat": 4_000_000_000}},
    "made long ago": {"claims": {"iat": 1_700_000_000}},
    "not yet good": {"claims": {"nbf": 4_000_000_000}},
    "another nonce": {"claims": {"nonce": "replayed"}},
    "no nonce": {"claims": {"nonce": None}},
    "no subject": {"claims": {"sub": None}},
    "an address that nobody verified": {"claims": {"email_verified": False}},
    "no address": {"claims": {"email": None}},
    "an address that is none": {"claims": {"email": ["lee@ours.example"]}},
    "a header that must be understood": {"make": by_hand(crit=["only_on_mondays"], only_on_mondays=True)},
    "no token": {"make": lambda key, header, claims: "not.a.token"},
    "half a token": {"make": lambda key, header, claims: "e30"},
}
