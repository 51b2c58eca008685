"""Signatures of what comes in: an HMAC over the very bytes that were sent, in the form that each sender documents.

Compared in constant time. A header that is missing or not in its form is a wrong signature, never an error.
"""

from __future__ import annotations

import hmac


def slack(secret: str, timestamp: str, raw: bytes, presented: str) -> bool:
    """`X-Slack-Signature`: `v0=` and the hex HMAC-SHA256 of `v0:{timestamp}:{body}`. Its age is another question."""
    return _same(presented, "v0=" + _hex(secret, b"v0:" + timestamp.encode(errors="replace") + b":" + raw))


def _hex(secret: str, signed: bytes, how: str = "sha256") -> str:
    return hmac.digest(secret.encode(), signed, how).hex()


def _same(presented: str, expected: str) -> bool:
    return hmac.compare_digest(presented.encode(errors="replace"), expected.encode())
