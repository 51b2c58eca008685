"""What differs between two versions of a policy, cell by cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from machines.document import Document

ABSENT: Any = object()


class Difference(Struct, frozen=True):
    """A cell that is not the same: its path, and what stands there; null where it is not there at all.

    Of a list, only what is gone (`before`) and what is new (`after`); both whole where only the order is another.
    """

    path: str
    before: Any
    after: Any


def differences(before: Document, after: Document) -> tuple[Difference, ...]:
    """Every cell that differs, in the order of the document."""
    return tuple(_between("", _plain(before), _plain(after)))


def _plain(document: Document) -> Any:
    """As it is answered: instants, dates and spans are text, every list is one."""
    return msgspec.json.decode(msgspec.json.encode(document))


def _between(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if before == after:
        return
    before, after = _by_name(before), _by_name(after)
    if isinstance(before, dict) and isinstance(after, dict):
        for name in (*before, *(name for name in after if name not in before)):
            inner = f"{path}.{name}" if path else str(name)
            yield from _between(inner, before.get(name, ABSENT), after.get(name, ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        gone = [each for each in before if each not in after]
        new = [each for each in after if each not in before]
        yield Difference(path, gone, new) if gone or new else Difference(path, before, after)
    else:
        yield Difference(path, _shown(before), _shown(after))


def _by_name(value: Any) -> Any:
    """A list of things that have names, by their names: one more in the middle is one difference."""
    if isinstance(value, list) and value and all(isinstance(each, dict) and "name" in each for each in value):
        return {each["name"]: each for each in value}
    return value


def _shown(value: Any) -> Any:
    return None if value is ABSENT else value
