"""OCEL 2.0 (JSON) for object-centric process mining: transitions are events, each about an escalation, its ticket, its
customer and the people in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from machines.escalation import RULES
from service import answers
from service.export.source import Source
from service.submit import encode

OBJECTS = ("escalation", "ticket", "customer", "person")
_TEXT = ("state", "source", "reason", "hash")


async def ocel(source: Source) -> AsyncIterator[bytes]:
    """Types, then events a page at a time, then the objects that they are about.

    The objects are kept in mind until then: their ids, each once, which is some hundred bytes for each escalation.
    """
    attributes = [{"name": name, "type": "string"} for name in _TEXT] + [{"name": "level", "type": "integer"}]
    types = {
        "objectTypes": [{"name": name, "attributes": []} for name in OBJECTS],
        "eventTypes": [{"name": trigger, "attributes": attributes} for trigger in RULES],
    }
    yield encode(types)[:-1] + b',"events":[\n'
    seen: dict[tuple[str, str], None] = {}
    first = True
    async for rows in source.rows():
        told = []
        for row in rows:
            about = _about(row)
            seen.update(dict.fromkeys((kind, id_) for kind, id_, _ in about))
            told.append(encode(_event(row, about)))
        yield (b"" if first else b",\n") + b",\n".join(told)
        first = False
    objects = (encode({"id": f"{kind}:{id_}", "type": kind, "attributes": []}) for kind, id_ in seen)
    yield b'\n],"objects":[\n' + b",\n".join(objects) + b"\n]}\n"


def _about(row: answers.Kept) -> list[tuple[str, str, str]]:
    """What an event is about: kind, id, and as what."""
    told = [
        ("escalation", row.escalation_id, "escalation"),
        ("ticket", row.ticket_id, "ticket"),
        ("customer", row.customer_id, "customer"),
        ("person", row.actor, "actor"),
    ]
    if row.owner is not None:
        told.append(("person", row.owner, "owner"))
    return told


def _event(row: answers.Kept, about: list[tuple[str, str, str]]) -> dict[str, Any]:
    t = answers.transition(row, row.hash, row.text)
    values = {"state": t.dest, "source": t.source or "none", "reason": t.reason, "hash": t.hash, "level": t.level}
    return {
        "id": f"{t.escalation_id}/{t.version}",
        "type": t.trigger,
        "time": t.at,
        "attributes": [{"name": name, "value": value} for name, value in values.items()],
        "relationships": [{"objectId": f"{kind}:{id_}", "qualifier": as_} for kind, id_, as_ in about],
    }
