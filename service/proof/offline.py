"""`verify-history`: whether an export is the history whose heads were published, told from the export, the checkpoints
and a public key alone. It needs no database and trusts none.

Each row must have the hash of what it holds, follow the row before it on its escalation, and stand in the order of
`seq`; and the tree over all rows must have the very heads that were signed. So a row that was changed, removed, put in
or moved is found; so is a history that was written anew with fresh hashes, cut at its end, forked, or taken back to an
older backup: as far as the newest checkpoint that somebody kept. What came after that is only as good as its chains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import pairwise
from typing import TypeVar

import msgspec
from msgspec import Struct

from machines.decided import Said
from machines.history import GENESIS, Record, digest, said_hash
from service.proof.notes import Checkpoint, NoteError, Verifier, split
from service.proof.part import Part, head_of
from service.proof.tree import Edge, leaf

MOST = 1000
"""Findings that are told one by one."""


class Line(Record, frozen=True):
    """A line of an export. `text` and `salt` are what was said there, null where nothing was or it was erased."""

    hash: str
    salt: str | None = None
    text: dict[str, object] | None = None


class Found(Struct, frozen=True):
    """One thing that is not as it must be."""

    where: str
    what: str


class Report(Struct):
    """What was read, and what is wrong with it; `findings` are at most MOST, `more` is how many there were besides."""

    rows: int = 0
    escalations: int = 0
    sealed: int = 0
    last: Checkpoint | None = None
    findings: list[Found] = []
    more: int = 0

    def find(self, where: str, what: str) -> None:
        """Note a finding."""
        if len(self.findings) < MOST:
            self.findings.append(Found(where, what))
        else:
            self.more += 1


class Placed(Line, frozen=True):
    """A line of an archive: `place` is which leaf of the tree it is, from 0."""

    place: int = msgspec.field(default=-1)


class _Numbered(Struct, frozen=True):
    seq: int


_line, _placed, _seq = msgspec.json.Decoder(Line), msgspec.json.Decoder(Placed), msgspec.json.Decoder(_Numbered)


def checkpoints(notes: str, verifier: Verifier, report: Report) -> list[Checkpoint]:
    """The signed heads, by size; what is wrong with them is noted. Raises NoteError where the file holds no notes."""
    by_size: dict[int, Checkpoint] = {}
    for n, note in enumerate(split(notes), 1):
        where = f"checkpoint {n}"
        try:
            told = verifier.read(note)
        except NoteError as error:
            report.find(where, str(error))
            continue
        other = by_size.setdefault(told.size, told)
        if (other.head, other.seq) != (told.head, told.seq):
            report.find(where, f"forks: another checkpoint over {told.size} rows was signed with another head")
    ordered = [by_size[size] for size in sorted(by_size)]
    for one, other in pairwise(ordered):
        if one.seq >= other.seq:
            report.find(f"checkpoint over {other.size} rows", f"ends at seq {other.seq}, a smaller one at {one.seq}")
    return ordered


def verify(
    lines: Iterable[bytes],
    heads: list[Checkpoint],
    report: Report,
    progress: Callable[[int], None] = lambda bytes_: None,
) -> Report:
    """Read an export through once, with memory for one hash per escalation. `progress` hears bytes read."""
    chains: dict[str, tuple[int, str]] = {}
    waiting, edge = iter(heads), Edge()
    head, good, broken = next(waiting, None), 0, False
    for row in _rows(lines, _line, chains, report, progress):
        edge.add(_leaf(row))
        while head is not None and edge.size >= head.size:
            if (edge.head.hex(), row.seq) == (head.head, head.seq):
                good, report.last = head.size, head
            elif not broken:  # from here on every head differs
                broken = True
                what = f"is not what was sealed at {head.at:%Y-%m-%d %H:%M:%S}Z: a row was changed, put in or removed"
                report.find(f"rows {good + 1} to {head.size}", what)
            head = next(waiting, None)
    report.escalations, report.sealed = len(chains), good
    if head is not None:
        heads_left = [head, *waiting]
        what = f"{heads_left[-1].size} rows were sealed, the last with seq {heads_left[-1].seq}; {report.rows} are here"
        report.find("the end", f"is cut off, or an older backup: {what}")
    return report


def verify_part(
    lines: Iterable[bytes],
    part: Part,
    head: Checkpoint,
    report: Report,
    progress: Callable[[int], None] = lambda bytes_: None,
) -> Report:
    """Read a part of history through once (an archive's rows), which must be in the tree with this signed head."""
    chains: dict[str, tuple[int, str]] = {}
    rows = _rows(lines, _placed, chains, report, progress)
    try:
        nodes = [bytes.fromhex(node) for node in part.nodes]
        found = head_of(head.size, ((row.place, _leaf(row)) for row in rows), nodes)
        if found.hex() != head.head:
            what = f"are not what was sealed at {head.at:%Y-%m-%d %H:%M:%S}Z: a row was changed, put in or removed"
            report.find("these rows", what)
        else:
            report.sealed, report.last = report.rows, head
    except ValueError as error:
        report.find("these rows", f"are no part of what was sealed: {error}")
        for _ in rows:  # what is wrong with each by itself is told all the same
            pass
    report.escalations = len(chains)
    if report.rows != part.rows:
        report.find("the part", f"had {part.rows} rows; {report.rows} are here")
    return report


def kept(note: str, verifier: Verifier, heads: list[Checkpoint], report: Report) -> Checkpoint:
    """The head that a part is proved by; noted where none of the kept checkpoints says so too. Raises NoteError."""
    head = verifier.read(note)
    if not any((head.size, head.head, head.seq) == (each.size, each.head, each.seq) for each in heads):
        report.find(f"checkpoint over {head.size} rows", "is with the part alone: none of those that were kept is it")
    return head


def merged(files: Sequence[Iterable[bytes]]) -> Iterable[bytes]:
    """The lines of several files, each in the order of seq, in that order: an export, and the archives of what is no
    more in it."""
    return files[0] if len(files) == 1 else merge(*files, key=_number)


def _number(line: bytes) -> int:
    try:
        return _seq.decode(line).seq
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return 0  # it is told where it stands first


L = TypeVar("L", bound=Line)


def _rows(
    lines: Iterable[bytes],
    decoder: msgspec.json.Decoder[L],
    chains: dict[str, tuple[int, str]],
    report: Report,
    progress: Callable[[int], None],
) -> Iterator[L]:
    """Each row, once it was held against itself and the one before it."""
    seq = 0
    for number, text in enumerate(lines, 1):
        progress(len(text))
        try:
            row = decoder.decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # ValueError: it is no UTF-8
            report.find(f"line {number}", f"is no row of history: {error}")
            continue
        report.rows += 1
        if row.seq <= seq:
            report.find(_named(row), f"stands after seq {seq}: it was moved, or is there twice")
        seq = max(seq, row.seq)
        _check(row, chains, report)
        yield row


def _leaf(row: Line) -> bytes:
    return leaf(bytes.fromhex(row.hash) if _is_hash(row.hash) else row.hash.encode())


def _check(row: Line, chains: dict[str, tuple[int, str]], report: Report) -> None:
    """One row by itself, and after the one before it."""
    record = Record(*(getattr(row, name) for name in Record.__struct_fields__))
    if digest(record) != row.hash:
        report.find(_named(row), "was changed after it was written: its hash is another")
    version, prev = chains.get(row.escalation_id, (0, GENESIS))
    if row.version != version + 1:
        report.find(_named(row), f"follows version {version} of its escalation: rows between are missing, or doubled")
    elif row.prev != prev:
        report.find(_named(row), "does not follow the row before it: its prev is another hash")
    chains[row.escalation_id] = (row.version, row.hash)
    if row.text is not None and row.salt is not None:
        try:
            told = said_hash(Said("", "", row.salt, row.text))
        except ValueError as error:
            told = f"none: {error}"
        if told != row.said_hash:
            report.find(_named(row), "what was said there is not what was hashed")


def _named(row: Line) -> str:
    return f"seq {row.seq} ({row.escalation_id} version {row.version}, {row.trigger})"


def _is_hash(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
