"""The survey's link: it names the escalation, and is signed, so that nobody answers for another's."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from uuid import UUID

_ABOUT = b"survey "
_SIGNED = 16
"""Bytes of the signature."""


def token(escalation_id: str, secret: str) -> str:
    """43 characters for a URL: the escalation's id, and HMAC-SHA256 over it."""
    which = UUID(escalation_id).bytes
    return base64.urlsafe_b64encode(which + _signature(which, secret)).decode().rstrip("=")


def answered_for(text: str, secrets: Iterable[str]) -> str | None:
    """The escalation of a token that one of these secrets signed; None for anything else."""
    if len(text) != 43 or not text.isascii():
        return None
    try:
        raw = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    which, signature = raw[:_SIGNED], raw[_SIGNED:]
    if any(hmac.compare_digest(_signature(which, secret), signature) for secret in secrets):
        return str(UUID(bytes=which))
    return None


def _signature(which: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode(), _ABOUT + which, hashlib.sha256)[:_SIGNED]
