"""XES (IEEE 1849) for process mining: a trace for each escalation, an event for each transition."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from itertools import groupby
from xml.sax.saxutils import quoteattr

from service import answers
from service.export.source import Source

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849-2016" xes.features="" xmlns="http://www.xes-standard.org/">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
<extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>
<classifier name="Trigger and state" keys="concept:name state"/>
"""
_UNSAID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to say."""


async def xes(source: Source) -> AsyncIterator[bytes]:
    """The log, a page of events at a time; a trace goes on where the page before ended."""
    yield HEAD.encode()
    which: str | None = None
    async for rows in source.chains():
        parts = []
        for escalation, events in groupby(rows, key=lambda row: row.escalation_id):
            told = list(events)
            if escalation != which:
                parts += ["" if which is None else "</trace>\n", _trace(told[0])]
                which = escalation
            parts += [_event(row) for row in told]
        yield "".join(parts).encode()
    yield b"</log>\n" if which is None else b"</trace>\n</log>\n"


def _trace(row: answers.Kept) -> str:
    names = (("concept:name", row.escalation_id), ("ticket", row.ticket_id), ("customer", row.customer_id))
    return "<trace>\n" + "".join(_string(*name) for name in names)


def _event(row: answers.Kept) -> str:
    t = answers.transition(row, row.hash, row.text)
    told = [
        _string("concept:name", t.trigger),
        _string("lifecycle:transition", "complete"),
        _string("org:resource", t.actor),
        f'<date key="time:timestamp" value="{t.at.isoformat(timespec="milliseconds")}"/>',
        _string("source", t.source or "none"),
        _string("state", t.dest),
        _string("reason", t.reason),
        _string("hash", t.hash),
        f'<int key="level" value="{t.level}"/>',
        f'<int key="seq" value="{t.seq}"/>',
    ]
    return f"<event>{''.join(told)}</event>\n"


def _string(key: str, value: str) -> str:
    return f"<string key={quoteattr(key)} value={quoteattr(_UNSAID.sub('', value))}/>"
