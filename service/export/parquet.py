"""Parquet for data frames: the table's columns, with their types. `pyarrow`, which it needs, is loaded only here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from service import answers
from service.export.source import Source
from service.submit import encode

GROUP = 10_000
"""Rows of one group, which is what is held in memory."""


async def parquet(source: Source) -> AsyncIterator[bytes]:
    """A group of rows at a time; what a file of this kind says of its groups comes at its end."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    schema, written = _schema(pa), _Written()
    writer = ParquetWriter(written, schema, compression="zstd")
    waiting: list[dict[str, Any]] = []

    def write(rows: list[dict[str, Any]]) -> None:
        writer.write_table(pa.Table.from_pylist(rows, schema))

    async for rows in source.rows():
        waiting += [_cells(answers.transition(row, row.hash, row.text)) for row in rows]
        if len(waiting) >= GROUP:
            await asyncio.to_thread(write, waiting)
            waiting = []
            yield written.taken()
    if waiting:
        await asyncio.to_thread(write, waiting)
    writer.close()
    yield written.taken()


def _schema(pa: Any) -> Any:
    text, number = pa.string(), pa.int32()
    kinds = {"seq": pa.int64(), "at": pa.timestamp("us", "UTC"), "escalation_id": text, "version": number}
    kinds |= {"trigger": text, "from": text, "to": text, "level": number, "owner": text, "ticket_id": text}
    kinds |= {"customer_id": text, "actor": text, "on_behalf_of": text, "reason": text, "detail": text}
    kinds |= {"guards": pa.list_(text), "policy_version": number, "request_id": text, "hash": text}
    return pa.schema(list(kinds.items()))


def _cells(t: answers.TransitionAnswer) -> dict[str, Any]:
    told = {name: getattr(t, name) for name in t.__struct_fields__ if name not in ("source", "dest", "detail")}
    return told | {"from": t.source, "to": t.dest, "guards": list(t.guards), "detail": encode(t.detail).decode()}


class _Written:
    """A file that is never kept: what was written to it is taken away."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0

    def write(self, part: Any) -> int:
        """More of it."""
        told = bytes(part)
        self._parts.append(told)
        self._at += len(told)
        return len(told)

    def tell(self) -> int:
        """How much was written in all."""
        return self._at

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is held."""

    def readable(self) -> bool:
        """It is not for reading."""
        return False

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def seekable(self) -> bool:
        """It has no way back."""
        return False

    def taken(self) -> bytes:
        """What was written since the last time."""
        told, self._parts = b"".join(self._parts), []
        return told
