"""The ids of our own mails: an answer to one is about its ticket, whatever its subject says.

They name the planned message (`outbox`: escalation, version, ordinal), so nothing has to be kept to know them again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

_OURS = re.compile(r"escalation\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,9})\.(\d{1,4})@.+")


class Planned(Struct, frozen=True):
    """Which planned message a mail carries."""

    escalation_id: str
    version: int
    ordinal: int


def message_id(message: Planned, domain: str) -> str:
    """The Message-ID, without its angle brackets, of the mail that carries this message."""
    return f"escalation.{message.escalation_id}.{message.version}.{message.ordinal}@{domain}"


def ours(ids: Iterable[str]) -> list[Planned]:
    """Those of these Message-IDs that have the form of ours; whether we sent them, the outbox knows."""
    found = (_OURS.fullmatch(each) for each in ids)
    return [Planned(match[1], int(match[2]), int(match[3])) for match in found if match]
