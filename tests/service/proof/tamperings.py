"""What somebody who owns the database can do to history, and whether what is found afterwards names it.

Each tampering changes the rows of an export (a copy) and answers the places that it touched, from 0, as they were
before. The last `OPEN` rows are not sealed yet: they are only as good as their chains, and are left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import msgspec

from machines.history import GENESIS, Record, digest
from service.proof.offline import Found, Line

OPEN = 2
Rows = list[dict[str, Any]]
Tampering = Callable[[Rows, Random], set[int]]
_line = msgspec.json.Decoder(Line).decode


def copied(rows: Rows) -> Rows:
    """Rows that may be changed."""
    return json.loads(json.dumps(rows))  # type: ignore[no-any-return]


def written(rows: Rows) -> list[bytes]:
    """As lines of an export; what is bytes already stays as it is."""
    return [row["raw"] if "raw" in row else msgspec.json.encode(row) for row in rows]


def rewritten(rows: Rows) -> Rows:
    """The same with fresh hashes, each following the one before."""
    heads: dict[str, str] = {}
    for row in rows:
        row["prev"] = heads.get(row["escalation_id"], GENESIS)
        row["hash"] = heads[row["escalation_id"]] = _digest(row)
    return rows


def _digest(row: dict[str, Any]) -> str:
    return digest(msgspec.convert({n: row[n] for n in Record.__struct_fields__}, Record, strict=False))


def _one(rows: Rows, rng: Random) -> int:
    return rng.randrange(len(rows) - OPEN)


def another_value(rows: Rows, rng: Random) -> set[int]:
    """A field says something else."""
    place = _one(rows, rng)
    row = rows[place]
    name = rng.choice([n for n in Record.__struct_fields__ if isinstance(row[n], str | int)])
    row[name] = row[name] + 1 if isinstance(row[name], int) else row[name] + "x"
    return {place}


def flipped_bit(rows: Rows, rng: Random) -> set[int]:
    """One bit of a row, wherever. One that leaves it saying the same, or its text erased, is no tampering."""
    while True:
        place = _one(rows, rng)
        raw = bytearray(msgspec.json.encode(rows[place]))
        was = _line(bytes(raw))
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        try:
            now = _line(bytes(raw))
        except (msgspec.MsgspecError, ValueError):
            now = None
        if now is not None and now.salt is not None and was.salt == now.salt.lower():
            now = msgspec.structs.replace(now, salt=was.salt)  # the same bytes in hex
        erased = now is not None and (now.text, now.salt) != (was.text, was.salt) and None in (now.text, now.salt)
        if now != was and not erased:
            rows[place] = {"raw": bytes(raw)}
            return {place}


def deleted(rows: Rows, rng: Random) -> set[int]:
    """A row is gone."""
    place = _one(rows, rng)
    del rows[place]
    return {place}


def inserted(rows: Rows, rng: Random) -> set[int]:
    """A row that never was."""
    place = _one(rows, rng)
    rows.insert(place, {**rows[place], "reason": "put in"})
    return {place}


def moved(rows: Rows, rng: Random) -> set[int]:
    """Two rows change places."""
    one, two = rng.sample(range(len(rows) - OPEN), 2)
    rows[one], rows[two] = rows[two], rows[one]
    return {one, two}


def swapped(rows: Rows, rng: Random) -> set[int]:
    """Two rows change what they say, and keep their numbers' order."""
    one, two = rng.sample(range(len(rows) - OPEN), 2)
    rows[one], rows[two] = {**rows[two], "seq": rows[one]["seq"]}, {**rows[one], "seq": rows[two]["seq"]}
    return {one, two}


def cut_end(rows: Rows, rng: Random) -> set[int]:
    """The newest rows are gone."""
    place, end = _one(rows, rng), len(rows)
    del rows[place:]
    return set(range(place, end))


def rewritten_row(rows: Rows, rng: Random) -> set[int]:
    """A row says something else, and all hashes are made anew."""
    place = _one(rows, rng)
    rows[place]["actor"] = "somebody-else"
    rewritten(rows)
    return {place}


def rewritten_without(rows: Rows, rng: Random) -> set[int]:
    """An escalation never was, and all hashes are made anew."""
    which = rows[_one(rows, rng)]["escalation_id"]
    gone = {place for place, row in enumerate(rows) if row["escalation_id"] == which}
    rows[:] = rewritten([row for row in rows if row["escalation_id"] != which])
    return gone


def restored_backup(rows: Rows, rng: Random) -> set[int]:
    """An older backup was restored, and other things happened since."""
    place = _one(rows, rng)
    for row in rows[place:]:
        row["reason"] = "written after the restore"
    rewritten(rows)
    return set(range(place, len(rows)))


def another_text(rows: Rows, rng: Random) -> set[int]:
    """Somebody never said that."""
    place = rng.choice([place for place, row in enumerate(rows) if row["text"]])
    rows[place]["text"] = {"text": "Something else"}
    return {place}


def rehashed_row(rows: Rows, rng: Random) -> set[int]:
    """A fresh hash for one row alone, the last of its escalation among them."""
    place = _one(rows, rng)
    rows[place]["reason"] = "another"
    rows[place]["hash"] = _digest(rows[place])
    return {place}


TAMPERINGS: tuple[Tampering, ...] = (
    *(another_value, flipped_bit, deleted, inserted, moved, swapped, cut_end, rewritten_row, rewritten_without),
    *(restored_backup, another_text, rehashed_row),
)


def _seq(row: dict[str, Any]) -> int | None:
    """Its number, if it still has one."""
    if "raw" not in row:
        return int(row["seq"])
    try:
        return _line(row["raw"]).seq
    except (msgspec.MsgspecError, ValueError):
        return None


def named(found: Iterable[Found], rows: Rows, changed: Rows, touched: set[int]) -> bool:
    """Whether a finding says where it was: at a row that was touched, by the number that it had or has now, or at the
    one that follows it on its escalation and lacks it; in a span of sealed rows in which one of those lies; or at the
    end, which is gone or another one's."""
    near = {seq for place in touched if place < len(changed) and (seq := _seq(changed[place]))}
    for place in touched:
        row = rows[place]
        later = (r["seq"] for r in rows[place + 1 :] if r["escalation_id"] == row["escalation_id"])
        near |= {row["seq"], next(later, row["seq"])}
    for each in found:
        if match := re.match(r"seq (\d+) ", each.where):
            hit = int(match[1]) in near
        elif match := re.match(r"rows (\d+) to (\d+)$", each.where):
            hit = any(int(match[1]) <= place + 1 <= int(match[2]) for place in touched)
        elif match := re.match(r"line (\d+)$", each.where):
            hit = int(match[1]) - 1 in touched
        else:
            hit = each.where == "the end" and max(touched) >= len(rows) - OPEN - 1
        if hit:
            return True
    return False
