"""Signatures of what comes in: an HMAC over the very bytes that were sent, in the form that each sender documents.

Compared in constant time. A header that is missing or not in its form is a wrong signature, never an error.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping

from msgspec import Struct


def slack(secret: str, timestamp: str, raw: bytes, presented: str) -> bool:
    """`X-Slack-Signature`: `v0=` and the hex HMAC-SHA256 of `v0:{timestamp}:{body}`. Its age is another question."""
    return _same(presented, "v0=" + _hex(secret, b"v0:" + timestamp.encode(errors="replace") + b":" + raw))


def _zendesk(secret: str, headers: Mapping[str, str], raw: bytes) -> bool:
    stamped = headers.get("X-Zendesk-Webhook-Signature-Timestamp", "").encode(errors="replace") + raw
    expected = base64.b64encode(hmac.digest(secret.encode(), stamped, hashlib.sha256)).decode()
    return _same(headers.get("X-Zendesk-Webhook-Signature", ""), expected)


def _pagerduty(secret: str, headers: Mapping[str, str], raw: bytes) -> bool:
    """One for each secret that is in use while secrets are changed: one of them must be ours."""
    expected = "v1=" + _hex(secret, raw)
    presented = headers.get("X-PagerDuty-Signature", "").split(",")[:MOST]
    return any(_same(each.strip(), expected) for each in presented)


def _zammad(secret: str, headers: Mapping[str, str], raw: bytes) -> bool:
    return _same(headers.get("X-Hub-Signature", ""), "sha1=" + _hex(secret, raw, "sha1"))


def _jira(secret: str, headers: Mapping[str, str], raw: bytes) -> bool:
    return _same(headers.get("X-Hub-Signature", ""), "sha256=" + _hex(secret, raw))


MOST = 10
"""Signatures of one request that are looked at."""


class Signature(Struct, frozen=True):
    """How a sender signs: the header that holds it, and whether it is that of these headers and this body."""

    header: str
    holds: Callable[[str, Mapping[str, str], bytes], bool]


SIGNATURES = {
    "zendesk": Signature("X-Zendesk-Webhook-Signature", _zendesk),
    "pagerduty": Signature("X-PagerDuty-Signature", _pagerduty),
    "zammad": Signature("X-Hub-Signature", _zammad),
    "jira": Signature("X-Hub-Signature", _jira),
}
"""The adapters whose senders sign what they send, as of their public documentation; the others only send a key."""


def _hex(secret: str, signed: bytes, how: str = "sha256") -> str:
    return hmac.digest(secret.encode(), signed, how).hex()


def _same(presented: str, expected: str) -> bool:
    return hmac.compare_digest(presented.encode(errors="replace"), expected.encode())
