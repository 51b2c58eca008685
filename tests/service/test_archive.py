"""Old months of history go into files, with every proof kept, and nobody is answered less without being told."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from service import archive, database, verify
from service.archive import ArchiveError, Month
from service.proof.notes import Signer, Verifier
from service.proof.offline import Report, checkpoints, kept, merged, verify_part
from service.proof.offline import verify as verify_export
from service.proof.part import Part
from service.proof.sealer import Sealer
from service.proof.tree import included
from tests.service.clock.conftest import HOUR, START, Town, text, town  # noqa: F401  # a fixture

_, SIGNER = Signer.made("escalations.example")
VERIFIER = Verifier(SIGNER.public)
DAY = timedelta(days=1)
FEBRUARY = datetime(2026, 2, 10, 9, tzinfo=UTC)
LATER = datetime(2026, 8, 1, tzinfo=UTC)
"""Before this everything of January was over."""


class Kept:
    """A town with two escalations of January, over, and one of February that is live; and its checkpoints."""

    def __init__(self, town: Town, notes: Path) -> None:  # noqa: F811
        self.town, self.notes, self.ids = town, notes, list[str]()

    async def ended(self, ticket: str) -> None:
        """An escalation from its opening to its end."""
        await self.town.report(ticket)
        e = (await self.town.asks(ticket, "blocking_business_process"))["id"]
        self.ids.append(e)
        await self.town.act("mia", e, "accept")
        now = (await self.town.service.call("desk", "GET", "/v1/clock")).ok()["now"]
        await self.town.at(datetime.fromisoformat(now) + HOUR)
        await self.town.report(ticket, status="solved", opened_at=text(START), resolved_at=now)
        await self.town.act("mia", e, "de_escalate", criterion="issue_resolved")
        for step in ("confirm_with_customer", "update_ticket", "document_lessons"):
            await self.town.act("mia", e, "complete_step", step=step, detail=f"Did {step}", tags=["pattern"])
        await self.town.act("mia", e, "close")

    async def seal(self) -> None:
        """Everything."""
        pool = await database.connect(self.town.service.database_url)
        assert await Sealer(pool, SIGNER, self.notes).seal(patience=10.0) > 0
        await pool.close()

    async def months(self) -> dict[str, Month]:
        """As the command sees them."""
        async with archive.owner(self.town.service.database_url) as conn:
            return {month.name: month for month in await archive.months(conn, LATER)}

    async def archived(self, folder: Path) -> Path:
        """January in a file."""
        month = (await self.months())["2026_01"]
        async with archive.owner(self.town.service.database_url) as conn:
            file, sha256 = await archive.write(conn, month, folder, lambda rows: None)
            await archive.take_off(conn, month, file, sha256, "test")
        return file

    async def ask(self, path: str) -> Any:
        """What the auditor is answered."""
        return await self.town.service.call("aud", "GET", path)

    def heads(self, report: Report) -> Any:
        """The checkpoints that were kept."""
        return checkpoints(self.notes.read_text(), VERIFIER, report)


@pytest.fixture
async def over(town: Town, tmp_path: Path) -> Kept:  # noqa: F811
    """All of it, sealed."""
    await town.service.db.execute("SELECT make_history_partitions('2026-01-01', 3)")
    over = Kept(town, tmp_path / "checkpoints")
    await over.ended("T-1")
    await town.at(START + DAY)
    await over.ended("T-2")
    await town.at(FEBRUARY)
    await town.report("T-3")
    await town.asks("T-3", "blocking_business_process")
    await over.seal()
    await town.service.db.execute("UPDATE outbox SET status = 'parked' WHERE status = 'planned'")
    return over


async def test_an_archive_alone_is_proved_by_its_proof_and_the_checkpoints_that_were_kept(over: Kept, tmp_path: Path):
    file = await over.archived(tmp_path / "old")
    report = Report()
    part = msgspec.json.decode((tmp_path / "old" / "history_2026_01.proof.json").read_bytes(), type=Part)
    head = kept(part.note, VERIFIER, over.heads(report), report)
    rows = file.read_bytes().splitlines()
    assert verify_part(rows, part, head, report).findings == []
    assert (report.rows, report.escalations, report.sealed) == (len(rows), 2, len(rows))
    changed = [{**json.loads(rows[3]), "actor": "nobody"}]
    for tampered in (
        [*rows[:3], json.dumps(changed[0]).encode(), *rows[4:]],
        rows[:-1],
        [*rows, rows[-1]],
        [rows[1], rows[0], *rows[2:]],
        [json.dumps({**json.loads(rows[0]), "place": 1}).encode(), *rows[1:]],
    ):
        assert verify_part(tampered, part, head, Report()).findings


async def test_an_export_and_the_archive_beside_it_are_the_whole_history(over: Kept, tmp_path: Path):
    file = await over.archived(tmp_path / "old")
    told = await over.ask("/v1/history/export")
    assert told.headers["Escalation-Archives"] == "2026_01"
    export = told.raw.splitlines(keepends=True)
    report = Report()
    verify_export(merged([export, file.read_bytes().splitlines(keepends=True)]), over.heads(report), report)
    assert (report.findings, report.escalations) == ([], 3)
    assert verify_export(export, over.heads(Report()), Report()).findings, "without it, something is missing"


async def test_the_command_verifies_an_archive_without_a_database(over: Kept, tmp_path: Path):
    file = await over.archived(tmp_path / "old")
    args = ["verify-history", str(file), "--proof", str(file.with_name("history_2026_01.proof.json"))]
    args += ["--checkpoints", str(over.notes), "--key", SIGNER.public]
    told = subprocess.run(  # noqa: ASYNC221  # nothing else runs here
        [sys.executable, "-m", "service", *args], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "of 2 escalations" in told.stdout


async def test_the_command_says_what_may_go_writes_it_and_drops_it(over: Kept, tmp_path: Path):
    def command(*args: str) -> str:
        env = {"ESCALATION_DATABASE_URL": over.town.service.database_url, "PATH": ""}
        call = [sys.executable, "-m", "service", "archive", *args]
        told = subprocess.run(call, capture_output=True, text=True, env=env, check=False)
        return told.stdout if told.returncode == 0 else f"{told.returncode}: {told.stderr}"

    listed = command()
    assert [line.split()[-1] for line in listed.splitlines() if "2026_01" in line] == ["yes"]
    assert "is not closed" in listed
    assert "nothing was changed" in command("2026_01", "--to", str(tmp_path), "--dry-run")
    assert "is not archived" in command("2026_01", "--drop")
    assert "2 escalations" in command("2026_01", "--to", str(tmp_path))
    assert "dropped" in command("2026_01", "--drop")
    assert "there is no month 2026_01" in command("2026_01")
    assert "is not closed" in command("2026_02", "--to", str(tmp_path))


async def test_every_row_can_be_proved_and_the_verifier_finds_nothing_after_it(over: Kept, tmp_path: Path):
    seqs = [row["seq"] for row in await over.town.service.db.fetch("SELECT seq FROM history ORDER BY seq")]
    await over.archived(tmp_path)
    for seq in seqs:
        proof = (await over.ask(f"/v1/history/proof?seq={seq}")).ok()
        path = [bytes.fromhex(node) for node in proof["proof"]]
        assert included(bytes.fromhex(proof["leaf"]), proof["index"], proof["size"], path, bytes.fromhex(proof["head"]))
    assert await verify.run(over.town.service.database_url) == []
    await over.town.service.db.execute("SET session_replication_role = replica")
    await over.town.service.db.execute("UPDATE archived_row SET hash = repeat('0', 64) WHERE seq = $1", seqs[2])
    assert await verify.run(over.town.service.database_url) != []
    await over.town.service.db.execute(
        "UPDATE archived_row a SET hash = (SELECT hash FROM history_2026_01 h WHERE h.seq = a.seq)"
    )
    await over.town.service.db.execute("SET session_replication_role = origin")


async def test_whoever_asks_about_an_archived_month_is_told_which_archive(over: Kept, tmp_path: Path):
    file = await over.archived(tmp_path)
    one, then = over.ids[0], text(START + DAY / 2)
    named = [{"month": "2026_01", "file": str(file)}]
    for query in ("", f"?escalation_id={one}", "?ticket_id=T-1", "?customer_id=acme", "?actor=mia", f"?until={then}"):
        assert (await over.ask(f"/v1/history{query}")).ok()["archives"] == named, query
    for query in ("?ticket_id=T-3", f"?since={text(FEBRUARY)}", "?customer_id=beta"):
        assert "archives" not in (await over.ask(f"/v1/history{query}")).ok(), query
    for path in (
        f"/v1/escalations/{one}?as_of={then}",
        f"/v1/escalations/{one}/story",
        f"/v1/escalations?as_of={then}",
        f"/v1/escalations?state=closed&as_of={then}",
        f"/v1/escalations?owner=mia&as_of={then}",
        f"/v1/escalations?state=l2&as_of={text(START + HOUR / 2)}",
        "/v1/events?after=0",
    ):
        problem = (await over.ask(path)).problem(410, "archived")
        assert "2026_01" in problem["detail"], path
    assert (await over.ask(f"/v1/escalations/{one}")).ok()["state"] == "closed"
    assert len((await over.ask(f"/v1/escalations?state=l2&as_of={text(FEBRUARY)}")).ok()["items"]) == 1


async def test_a_month_stays_while_anything_of_it_is_not_over(over: Kept):
    assert {name: month.hindrances == () for name, month in (await over.months()).items()} == {
        "2026_01": True,
        "2026_02": False,
    }
    db = over.town.service.db
    for statement, why in (
        ("UPDATE outbox SET status = 'planned' WHERE escalation_id = $1::uuid", "not sent yet"),
        ("UPDATE escalation SET updated_at = '2026-09-01' WHERE id = $1::uuid", "too lately"),
        ("UPDATE escalation SET head = repeat('0', 64) WHERE id = $1::uuid", "run verify"),
        ("UPDATE escalation SET follows = $1::uuid WHERE closed_at IS NULL", "follows one of it"),
    ):
        undone = db.transaction()
        await undone.start()
        await db.execute(statement, over.ids[0])
        (found, *_) = await archive.months(db, LATER)
        await undone.rollback()
        assert len(found.hindrances) == 1, statement
        assert why in found.hindrances[0]
    assert any("is not closed" in why for why in (await over.months())["2026_02"].hindrances)


async def test_what_is_not_sealed_stays(over: Kept, tmp_path: Path):
    db = over.town.service.db
    undone = db.transaction()
    await undone.start()
    await db.execute("SET LOCAL session_replication_role = replica")
    await db.execute("DELETE FROM checkpoint")
    (found, *_) = await archive.months(db, LATER)
    await undone.rollback()
    with pytest.raises(ArchiveError, match="not sealed"):
        await archive.write(db, found, tmp_path / "none", lambda rows: None)
    assert not list((tmp_path / "none").iterdir())


async def test_a_month_to_which_something_was_written_meanwhile_stays(over: Kept, tmp_path: Path):
    month = (await over.months())["2026_01"]
    async with archive.owner(over.town.service.database_url) as conn:
        file, sha256 = await archive.write(conn, month, tmp_path, lambda rows: None)
        fewer = msgspec.structs.replace(month, rows=month.rows - 1)
        with pytest.raises(ArchiveError, match="meanwhile"):
            await archive.take_off(conn, fewer, file, sha256, "test")
    assert await over.town.service.db.fetchval("SELECT count(*) FROM archive") == 0
    assert (await over.ask(f"/v1/history?escalation_id={over.ids[0]}")).ok()["items"]


async def test_nothing_is_written_beside_an_archived_history(over: Kept, tmp_path: Path):
    await over.archived(tmp_path)
    with pytest.raises(asyncpg.CheckViolationError, match="is_archived"):
        await over.town.service.db.execute(
            "INSERT INTO history SELECT (h).* FROM (SELECT h FROM history_2026_01 h ORDER BY seq DESC LIMIT 1) AS last"
        )


async def test_a_table_is_dropped_only_while_its_file_is_what_was_written(over: Kept, tmp_path: Path):
    async with archive.owner(over.town.service.database_url) as conn:
        with pytest.raises(ArchiveError, match="not archived"):
            await archive.drop(conn, "2026_01")
        file = await over.archived(tmp_path)
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        with pytest.raises(ArchiveError, match="not what was written"):
            await archive.drop(conn, "2026_01")
        file.unlink()
        with pytest.raises(ArchiveError, match="can't be read"):
            await archive.drop(conn, "2026_01")
        file.write_bytes(whole)
        await archive.drop(conn, "2026_01")
        assert await conn.fetchval("SELECT to_regclass('history_2026_01')") is None
    assert await verify.run(over.town.service.database_url) == []


async def test_what_was_said_is_in_no_archive_and_erased_with_its_customer(over: Kept, tmp_path: Path):
    file = await over.archived(tmp_path)
    assert b"can't wait" not in file.read_bytes()
    said = "SELECT count(*) FROM said s JOIN archived_row a ON a.said = s.id"
    assert await over.town.service.db.fetchval(said) > 0
    await over.town.service.db.execute(
        "SELECT erase_tickets(gen_random_uuid(), 'acme', ARRAY['T-1', 'T-2'], 'root', 'r')"
    )
    assert await over.town.service.db.fetchval(said) == 0
