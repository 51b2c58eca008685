"""A ticket-event file: what happened at some help desk, one event per line, in the order of its instants.

JSON, one object a line (NDJSON; `.gz` is unpacked). Each has `at`, an instant with its offset, and one of:

    {"at": …, "ticket": "INC1", "facts": {…}}      all facts of a ticket: the body of PUT /v1/tickets/INC1
    {"at": …, "ticket": "INC1", "contact": {…}}    something said on it: the body of POST /v1/tickets/INC1/contacts
    {"at": …, "customer": "acme", "facts": {…}}    the body of PUT /v1/customers/acme
    {"at": …, "person": "mia", "facts": {…}}       the body of PUT /v1/people/mia

Empty lines are passed over, and count. A file is read twice: nothing of it is sent before all of it is sound.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from service.door import Id, Instant, fit
from service.routes.customers import CustomerFields
from service.routes.people import PersonFields
from service.routes.tickets import ContactFacts, TicketFacts

Kind = Literal["ticket", "contact", "customer", "person"]
KINDS: dict[Kind, tuple[type[Struct], str]] = {
    "ticket": (TicketFacts, "facts"),
    "contact": (ContactFacts, "contact"),
    "customer": (CustomerFields, "facts"),
    "person": (PersonFields, "facts"),
}
WRONG = (ValueError, msgspec.MsgspecError)
TOLD = 20
"""How many bad lines are told at most."""


class Event(Struct, frozen=True):
    """One event of a file; `line` counts from 1, `body` is sent as it stands."""

    line: int
    at: datetime
    kind: Kind
    id: str
    body: dict[str, Any]


class FileError(ValueError):
    """A file that can't be replayed: every bad line, by its number, and what is wrong with it."""


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    at: Instant
    ticket: Id | None = None
    customer: Id | None = None
    person: Id | None = None
    facts: dict[str, Any] | None = None
    contact: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Line).decode


def read(path: Path, begin: int = 1) -> Iterator[Event]:
    """The events of a file from line `begin` on. Raises FileError at the first line that isn't one."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if number >= begin and text.strip():
                try:
                    yield _event(number, text)
                except WRONG as error:
                    raise FileError(f"line {number}: {error}") from None


def check(path: Path) -> tuple[int, datetime, datetime]:
    """How many events there are, and the first and last instant; raises FileError with every line that is wrong."""
    wrong: list[str] = []
    count, first, last = 0, None, None
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                event = _event(number, text)
                _check_body(event)
                if last and event.at < last:
                    raise ValueError(f"at: {event.at:%FT%TZ} is before the event of the line before; sort the file")
            except WRONG as error:
                wrong.append(f"line {number}: {error}")
                continue
            count, first, last = count + 1, first or event.at, event.at
    if wrong:
        more = f"\n… and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
        raise FileError("\n".join(wrong[:TOLD]) + more)
    if first is None or last is None:
        raise FileError("there is no event in it")
    return count, first, last


def write(at: datetime, kind: Kind, name: str, body: dict[str, Any]) -> bytes:
    """A line of such a file."""
    about = "ticket" if kind == "contact" else kind
    return msgspec.json.encode({"at": at, about: name, KINDS[kind][1]: body}) + b"\n"


def _event(number: int, text: bytes) -> Event:
    line = _decode(text)
    about = [name for name in ("ticket", "customer", "person") if getattr(line, name) is not None]
    if len(about) != 1:
        raise ValueError("it must be about one thing: a `ticket`, a `customer` or a `person`")
    kind: Kind = "contact" if line.contact is not None else about[0]  # type: ignore[assignment]  # one of the three
    body = line.facts if line.contact is None else line.contact
    if body is None or (line.contact is not None and (line.facts is not None or about != ["ticket"])):
        raise ValueError("it must have `facts`, or for a ticket `contact`, and not both")
    if line.at.tzinfo is None:
        raise ValueError("at: must say its offset, like 2016-03-01T09:00:00Z")
    return Event(number, line.at.astimezone(UTC), kind, getattr(line, about[0]), body)


def _check_body(event: Event) -> None:
    """What the service would refuse as a field is told before anything is sent."""
    kind, name = KINDS[event.kind]
    _, problems = fit(event.body, kind)
    if problems:
        raise ValueError("; ".join(f"{name}.{p.field}: {p.message}" for p in problems))
