"""Mails for tests: written as mail programs write them, and spliced into real ones."""

from __future__ import annotations

import base64
import quopri
from pathlib import Path
from typing import Any

from tests.service.conftest import Answer, Service

BOSS = "boss@acme.example"
REAL = Path(__file__).parents[4] / "shared" / "data" / "mail"


def written(subject: str, text: str = "It is down.", *, sender: str = BOSS, **headers: str) -> bytes:
    """A plain mail; `message_id=…` becomes its header Message-ID, and so on."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"From: Boss <{sender}>\r\nSubject: {subject}\r\n{more}\r\n{text}\r\n".encode()


async def send(service: Service, raw: bytes, who: str = "desk", **headers: str) -> Answer:
    """Hand a mail in over HTTP."""
    return await service.call(who, "POST", "/v1/inbound/email", raw=raw, Content_Type="message/rfc822", **headers)


async def waiting(service: Service, query: str = "") -> list[dict[str, Any]]:
    """What waits for a person, newest first."""
    return list((await service.call("ann", "GET", f"/v1/inbound/email{query}")).ok()["items"])


def encoded(text: str, how: str) -> str:
    """Text as an encoded word: base64 or quoted-printable; `plain` leaves it."""
    if how == "plain":
        return text
    raw = text.encode()
    letter, packed = ("B", base64.b64encode(raw)) if how == "base64" else ("Q", quopri.encodestring(raw, header=True))
    return f"=?utf-8?{letter}?{packed.decode().replace('=' + chr(10), '')}?="


def spliced(raw: bytes, words: str, how: str) -> bytes:
    """The mail with these words put before whatever its subject says; where it has none, it gets one."""
    added = encoded(words, how).encode()
    line = b"\r\n" if b"\r\n" in raw[:2000] else b"\n"
    head, gap, rest = raw.partition(line + line)
    lines = head.split(line)
    for place, each in enumerate(lines):
        if each.lower().startswith(b"subject:"):
            lines[place] = b"Subject: " + added + b" " + each[8:].lstrip()
            break
    else:
        lines.insert(0, b"Subject: " + added)
    return line.join(lines) + gap + rest
