"""Whatever is done to a history whose heads were kept elsewhere is found, from an export and the public key alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from machines.history import GENESIS, Record, digest
from service import database
from service.proof.notes import NoteError, Signer, Verifier
from service.proof.offline import Report, checkpoints, verify
from service.proof.sealer import Sealer
from tests.service.conftest import Service

pytestmark = pytest.mark.asyncio(loop_scope="module")

_, SIGNER = Signer.made("escalations.example")
VERIFIER = Verifier(SIGNER.public)
Rows = list[dict[str, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(shared_service: Service, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Rows, str]]:
    """An export, and the checkpoints made on the way: one for each escalation, and two rows after the last."""
    notes = tmp_path_factory.mktemp("kept") / "checkpoints"
    pool = await database.connect(shared_service.database_url)
    sealer = Sealer(pool, SIGNER, notes)
    for n in range(6):
        e, to = await shared_service.held(f"T-{n}")
        (await shared_service.act(to, e, "note", text=f"Seen {n}")).ok(201)
        assert await sealer.seal() > 0
    for n in range(2):
        (await shared_service.act("ann", e, "note", text=f"Later {n}")).ok(201)
    raw = (await shared_service.call("aud", "GET", "/v1/history/export")).raw
    await pool.close()
    yield [json.loads(line) for line in raw.splitlines()], notes.read_text()


def checked(rows: Rows, notes: str) -> Report:
    """What is found."""
    report = Report()
    return verify([msgspec.json.encode(row) for row in rows], checkpoints(notes, VERIFIER, report), report)


def copied(rows: Rows) -> Rows:
    """Rows that may be changed."""
    return json.loads(json.dumps(rows))  # type: ignore[no-any-return]


def rewritten(rows: Rows) -> Rows:
    """The same with fresh hashes, each following the one before: what whoever owns the database can do."""
    heads: dict[str, str] = {}
    for row in rows:
        row["prev"] = heads.get(row["escalation_id"], GENESIS)
        row["hash"] = digest(msgspec.convert({n: row[n] for n in Record.__struct_fields__}, Record, strict=False))
        heads[row["escalation_id"]] = row["hash"]
    return rows


async def test_an_honest_history_is_found_to_be_so(town: tuple[Rows, str]):
    rows, _ = town
    report = checked(*town)
    assert (report.findings, report.rows, report.escalations) == ([], len(rows), 6)
    assert report.sealed == len(rows) - 2
    assert report.last is not None


async def test_erased_texts_change_nothing(town: tuple[Rows, str]):
    rows = [{**row, "text": None, "salt": None} for row in town[0]]
    assert checked(rows, town[1]).findings == []


def flip(rows: Rows, rng: Random) -> None:
    row = rng.choice(rows[:-2])
    name = rng.choice([n for n in Record.__struct_fields__ if isinstance(row[n], str | int)])
    row[name] = row[name] + 1 if isinstance(row[name], int) else row[name] + "x"


def drop(rows: Rows, rng: Random) -> None:
    del rows[rng.randrange(len(rows) - 2)]


def insert(rows: Rows, rng: Random) -> None:
    at = rng.randrange(len(rows) - 2)
    rows.insert(at, {**rows[at], "reason": "put in"})


def swap(rows: Rows, rng: Random) -> None:
    one, two = rng.sample(range(len(rows) - 2), 2)
    rows[one], rows[two] = rows[two], rows[one]


def swap_contents(rows: Rows, rng: Random) -> None:
    """Two rows change places and keep their numbers' order."""
    one, two = rng.sample(range(len(rows) - 2), 2)
    rows[one], rows[two] = {**rows[two], "seq": rows[one]["seq"]}, {**rows[one], "seq": rows[two]["seq"]}


def cut(rows: Rows, rng: Random) -> None:
    del rows[rng.randrange(len(rows) - 2) :]


def rewrite(rows: Rows, rng: Random) -> None:
    row = rng.choice(rows[:-2])
    row["actor"] = "somebody-else"
    rewritten(rows)


def rewrite_without(rows: Rows, rng: Random) -> None:
    """An escalation was never there."""
    which = rng.choice(rows)["escalation_id"]
    rows[:] = rewritten([row for row in rows if row["escalation_id"] != which])


def another_text(rows: Rows, rng: Random) -> None:
    row = rng.choice([row for row in rows if row["text"]])
    row["text"] = {"text": "Something else"}


def rehash_one(rows: Rows, rng: Random) -> None:
    """A fresh hash for one row alone, the last of its escalation among them."""
    row = rng.choice(rows[:-2])
    row["reason"] = "another"
    row["hash"] = digest(msgspec.convert({n: row[n] for n in Record.__struct_fields__}, Record, strict=False))


TAMPERINGS = [flip, drop, insert, swap, swap_contents, cut, rewrite, rewrite_without, another_text, rehash_one]


@pytest.mark.parametrize("tamper", TAMPERINGS)
async def test_every_tampering_is_found_and_named(town: tuple[Rows, str], tamper: Callable[[Rows, Random], None]):
    for seed in range(40):
        rows = copied(town[0])
        tamper(rows, Random(seed))
        findings = checked(rows, town[1]).findings
        assert findings, f"seed {seed}: nothing was found"
        assert all(each.where.startswith(("seq", "rows", "line", "the end")) for each in findings)


async def test_a_backup_that_was_restored_is_an_older_history_than_the_checkpoints_say(town: tuple[Rows, str]):
    rows = copied(town[0])
    went_on = [*rows[: len(rows) // 2]]
    went_on += [{**row, "reason": "written after the restore"} for row in rows[len(rows) // 2 :]]
    found = checked(rewritten(went_on), town[1]).findings
    assert [each.where.split()[0] for each in found] == ["rows"]


async def test_two_heads_over_as_many_rows_are_a_fork(town: tuple[Rows, str]):
    rows, notes = town
    (last, *_) = reversed(checkpoints(notes, VERIFIER, Report()))
    forked = notes + SIGNER.sign(msgspec.structs.replace(last, head="ab" * 32))
    found = checked(rows, forked).findings
    assert [(each.where, "forks" in each.what) for each in found] == [("checkpoint 7", True)]


async def test_a_note_of_another_key_is_told_and_not_believed(town: tuple[Rows, str]):
    _, other = Signer.made("escalations.example")
    (last, *_) = reversed(checkpoints(town[1], VERIFIER, Report()))
    found = checked(town[0], town[1] + other.sign(msgspec.structs.replace(last, size=99)))
    assert [each.where for each in found.findings] == ["checkpoint 7"]


async def test_rubbish_among_the_lines_is_told_by_its_line(town: tuple[Rows, str]):
    report = Report()
    lines = [b'{"seq": 1}', *(msgspec.json.encode(row) for row in town[0])]
    found = verify(lines, checkpoints(town[1], VERIFIER, report), report).findings
    assert [each.where for each in found] == ["line 1"]


@pytest.mark.parametrize("tampered", [False, True])
async def test_the_command_needs_no_database(town: tuple[Rows, str], tmp_path: Path, tampered: bool):
    rows = copied(town[0])
    if tampered:
        rows[3]["actor"] = "nobody"
    export, notes = tmp_path / "history.ndjson", tmp_path / "checkpoints"
    export.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    notes.write_text(town[1])
    args = ["verify-history", str(export), "--checkpoints", str(notes), "--key", SIGNER.public]
    env = {"ESCALATION_DATABASE_URL": "postgres://nobody@127.0.0.1:1/nowhere", "PATH": ""}
    told = subprocess.run(  # noqa: ASYNC221  # nothing else runs here
        [sys.executable, "-m", "service", *args], capture_output=True, text=True, env=env, check=False
    )
    assert told.returncode == int(tampered), told.stderr
    if tampered:
        assert f"seq {rows[3]['seq']} " in told.stdout
        assert "hash is another" in told.stdout
    else:
        assert f"nothing found: {len(rows)} rows of 6 escalations, {len(rows) - 2} of them sealed" in told.stdout


async def test_a_key_that_is_none_is_told(town: tuple[Rows, str]):
    with pytest.raises(NoteError, match="name\\+id\\+base64"):
        Verifier("escalations.example")
