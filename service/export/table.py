"""CSV for spreadsheets. What a spreadsheet would take for a formula is quoted with an apostrophe, as OWASP advises."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator

from service import answers
from service.export.source import Source
from service.submit import encode

COLUMNS = (
    *("seq", "at", "escalation_id", "version", "trigger", "from", "to", "level", "owner", "ticket_id", "customer_id"),
    *("actor", "on_behalf_of", "reason", "detail", "guards", "policy_version", "request_id", "hash"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


async def table(source: Source) -> AsyncIterator[bytes]:
    """The heading, then a page of rows at a time; RFC 4180, UTF-8."""
    yield _written([COLUMNS])
    async for rows in source.rows():
        yield _written([_cells(answers.transition(row, row.hash, row.text)) for row in rows])


def _cells(t: answers.TransitionAnswer) -> tuple[str, ...]:
    told = (
        *(t.seq, t.at.isoformat().replace("+00:00", "Z"), t.escalation_id, t.version, t.trigger, t.source, t.dest),
        *(t.level, t.owner, t.ticket_id, t.customer_id, t.actor, t.on_behalf_of, t.reason, encode(t.detail).decode()),
        *(" ".join(t.guards), t.policy_version, t.request_id, t.hash),
    )
    return tuple(_harmless("" if cell is None else str(cell)) for cell in told)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _written(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
