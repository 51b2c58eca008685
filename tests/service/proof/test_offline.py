"""Whatever is done to a history whose heads were kept elsewhere is found, from an export and the public key alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import msgspec
import pytest
import pytest_asyncio

from service import database
from service.proof.notes import NoteError, Signer, Verifier
from service.proof.offline import Report, checkpoints, verify
from service.proof.sealer import Sealer
from tests.service.conftest import Service
from tests.service.proof.tamperings import TAMPERINGS, Rows, Tampering, copied, named, rewritten, written

pytestmark = pytest.mark.asyncio(loop_scope="module")

_, SIGNER = Signer.made("escalations.example")
VERIFIER = Verifier(SIGNER.public)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(shared_service: Service, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Rows, str]]:
    """An export, and the checkpoints made on the way: one for each escalation, and two rows after the last."""
    notes = tmp_path_factory.mktemp("kept") / "checkpoints"
    pool = await database.connect(shared_service.database_url)
    sealer = Sealer(pool, SIGNER, notes)
    for n in range(6):
        e, to = await shared_service.held(f"T-{n}")
        (await shared_service.act(to, e, "note", text=f"Seen {n}")).ok(201)
        assert await sealer.seal(patience=10.0) > 0
    for n in range(2):
        (await shared_service.act("ann", e, "note", text=f"Later {n}")).ok(201)
    raw = (await shared_service.call("aud", "GET", "/v1/history/export")).raw
    await pool.close()
    yield [json.loads(line) for line in raw.splitlines()], notes.read_text()


def checked(rows: Rows, notes: str) -> Report:
    """What is found."""
    report = Report()
    return verify(written(rows), checkpoints(notes, VERIFIER, report), report)


async def test_an_honest_history_is_found_to_be_so(town: tuple[Rows, str]):
    rows, _ = town
    report = checked(*town)
    assert (report.findings, report.rows, report.escalations) == ([], len(rows), 6)
    assert report.sealed == len(rows) - 2
    assert report.last is not None


async def test_erased_texts_change_nothing(town: tuple[Rows, str]):
    rows = [{**row, "text": None, "salt": None} for row in town[0]]
    assert checked(rows, town[1]).findings == []


@pytest.mark.parametrize("tamper", TAMPERINGS)
async def test_every_tampering_is_found_and_named(town: tuple[Rows, str], tamper: Tampering):
    for seed in range(40):
        rows = copied(town[0])
        touched = tamper(rows, Random(seed))
        findings = checked(rows, town[1]).findings
        assert findings, f"seed {seed}: nothing was found"
        assert named(findings, town[0], rows, touched), f"seed {seed}: {touched} was touched, {findings} found"


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
    rubbish = [b'{"seq": 1}', b"", b'{"seq": "\xee"}', b"[" * 100_000]
    lines = [*rubbish, *(msgspec.json.encode(row) for row in town[0])]
    found = verify(lines, checkpoints(town[1], VERIFIER, report), report).findings
    assert [each.where for each in found] == ["line 1", "line 2", "line 3", "line 4"]


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
