"""The auditor finds, slice by slice, what the verifier finds at once, and timers that should have fired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

import service.auditor
from service import database, verify
from service.auditor import EVERY, SHARE, Auditor, Stand, following, sliced
from service.metrics import Metrics
from tests.service.conftest import running
from tests.service.engine.test_verify import CHANGES, ROWS, T1, scene
from tests.service.engine.town import Town

__all__ = ["scene"]
TAMPERINGS = {
    **{f"without {name}": text for name, (text, _) in ROWS.items()},
    **{n: t for n, (t, _) in CHANGES.items()},
}
AGO = datetime(2026, 1, 5, 9, tzinfo=UTC)


@asynccontextmanager
async def auditing(url: str, **how: Any) -> AsyncIterator[tuple[Auditor, Metrics]]:
    """An auditor of this database, as a node has it."""
    pool, metrics = await database.connect(url), Metrics()
    yield Auditor(pool, metrics, **{"late_after": 30.0, **how}), metrics
    await pool.close()


async def whole_round(auditor: Auditor) -> list[dict[str, Any]]:
    """Look until everything was looked at; what was logged meanwhile."""
    begun = auditor.stand.rounds
    with capture_logs() as told:
        while auditor.stand.rounds == begun:
            assert await auditor.look()
    return [dict(each) for each in told if each["event"] != "audit_round_ended"]


async def found_in_slices(conn: asyncpg.Connection) -> list[verify.Finding]:
    """Everything that one round finds."""
    stand, found, ended = Stand(), list[verify.Finding](), False
    while not ended:
        upto, more = await sliced(conn, stand)
        found += more
        stand, ended = following(stand, upto, len(more))
    return found


async def test_slices_of_one_find_exactly_what_the_verifier_finds(scene: Town, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service.auditor, "SLICE", {"escalations": 1, "tickets": 1, "spans": 1})
    for what, tampering in TAMPERINGS.items():
        done = scene.db.transaction()
        await done.start()
        for statement in tampering.split("; "):
            await scene.db.execute(statement)
        wanted = await verify.findings(scene.db)
        assert wanted, what
        assert sorted(map(str, await found_in_slices(scene.db))) == sorted(map(str, wanted)), what
        await done.rollback()
    async with scene.db.transaction():
        assert await found_in_slices(scene.db) == []


async def test_a_slice_writes_nothing_and_holds_up_no_feed(scene: Town):
    async with scene.db.transaction(isolation="repeatable_read", readonly=True):
        await scene.db.fetchval(service.auditor.LOCK)
        assert await found_in_slices(scene.db) == []
        assert await scene.db.fetchval("SELECT pg_current_xact_id_if_assigned()") is None


async def test_a_sound_database_is_found_to_be_well_round_after_round(scene: Town):
    async with auditing(scene.url, late_after=None) as (auditor, metrics):
        assert auditor.unwell() == "has not looked yet"
        for n in (1, 2):
            assert await whole_round(auditor) == []
            assert (auditor.stand.rounds, auditor.unwell()) == (n, None)
    text = metrics.text().decode()
    assert "escalation_audit_found 0.0" in text
    assert 'escalation_audit_slices_total{part="escalations"} 2.0' in text


async def test_a_finding_is_logged_counted_and_gone_a_round_after_it_was_mended(scene: Town):
    async with auditing(scene.url, late_after=None) as (auditor, metrics):
        await scene.db.execute(f"UPDATE escalation SET target_level = 4 WHERE id = {T1}")
        (told,) = await whole_round(auditor)
        assert (told["event"], told["claim"], told["log_level"]) == ("invariant_broken", "V3", "error")
        assert "target_level differ" in told["what"]
        assert auditor.unwell() == "an invariant is broken"
        text = metrics.text().decode()
        assert 'escalation_audit_findings_total{claim="V3"} 1.0' in text
        assert "escalation_audit_found 1.0" in text
        await scene.db.execute(f"UPDATE escalation SET target_level = 3 WHERE id = {T1}")
        assert await whole_round(auditor) == []
        assert auditor.unwell() is None


async def test_a_timer_that_should_have_fired_is_told_once_and_keeps_all_from_being_well(scene: Town):
    async with auditing(scene.url) as (auditor, metrics):
        of_one = "UPDATE timer SET due_at = service_now() - interval '{} seconds' WHERE ticket_id = 'T-1'"
        await scene.db.execute(of_one.format(20))
        with capture_logs() as told:
            await auditor.look()
        assert not [each for each in told if each["event"] == "timer_stood_late"]
        await scene.db.execute(of_one.format(31) + " AND kind = 'update'")
        with capture_logs() as told:
            await auditor.look()
            await auditor.look()
        late = [each for each in told if each["event"] == "timer_stood_late"]
        assert [(each["ticket_id"], each["kind"]) for each in late] == [("T-1", "update")]
        assert late[0]["late_s"] >= 31
        assert auditor.unwell() in ("1 timers are late", "an invariant is broken")  # that was moved by hand
        assert "escalation_audit_late_timers 1.0" in metrics.text().decode()
        await scene.db.execute("DELETE FROM timer WHERE ticket_id = 'T-1'")
        await auditor.look()
        assert "escalation_audit_late_timers 0.0" in metrics.text().decode()


async def test_one_node_looks_at_a_time_and_another_goes_on_where_it_stopped(
    scene: Town, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service.auditor, "SLICE", {"escalations": 1, "tickets": 1, "spans": 1})
    async with auditing(scene.url, late_after=None) as (one, _), auditing(scene.url, late_after=None) as (two, _):
        assert await one.look()
        async with scene.db.transaction():
            assert await scene.db.fetchval(service.auditor.LOCK), "a third node is at it"
            assert not await two.look()
            assert two.stand == one.stand.__class__(**{**_told(one.stand), "now": two.stand.now})
            assert two.unwell() is None
        assert await two.look()
        assert two.stand.after > one.stand.after


def _told(stand: Stand) -> dict[str, Any]:
    return {name: getattr(stand, name) for name in stand.__struct_fields__}


async def test_a_part_that_takes_too_long_is_passed_over_and_said_so(scene: Town, monkeypatch: pytest.MonkeyPatch):
    async def endless(conn: asyncpg.Connection, stand: Stand) -> tuple[str | None, list[verify.Finding]]:
        await conn.execute("SET LOCAL statement_timeout = '1ms'; SELECT pg_sleep(60)")
        return None, []

    async with auditing(scene.url, late_after=None) as (auditor, _):
        monkeypatch.setattr(service.auditor, "sliced", endless)
        with capture_logs() as told:
            assert await auditor.look()
        assert [each["event"] for each in told] == ["audit_slice_took_too_long"]
        assert (auditor.stand.part, auditor.stand.rounds) == ("tickets", 0)


async def test_without_a_database_nothing_is_well_and_it_looks_again(scene: Town):
    async with auditing(scene.url, late_after=None) as (auditor, _):
        await auditor.look()
        assert auditor.unwell() is None
        await scene.db.execute("ALTER TABLE audit RENAME TO another")
        with capture_logs() as told:
            assert not await auditor.look()
        assert [each["event"] for each in told] == ["audit_failed"]
        assert str(auditor.unwell()).startswith("could not look")
        await scene.db.execute("ALTER TABLE another RENAME TO audit")
        await auditor.look()
        assert auditor.unwell() is None


async def test_when_no_node_looks_for_long_nothing_is_well(scene: Town):
    async with auditing(scene.url, late_after=None) as (auditor, _):
        await auditor.look()
        await scene.db.execute("UPDATE audit SET looked_at = looked_at - interval '1 hour'")
        async with scene.db.transaction():
            assert await scene.db.fetchval(service.auditor.LOCK)
            await auditor.look()
        assert str(auditor.unwell()).startswith("nobody has looked for 36")


async def test_it_rests_fifty_times_as_long_as_it_looked(scene: Town):
    class Enough(Exception):  # noqa: N818
        pass

    instants, rests = iter([0.0, 0.001, 10.0, 10.1, 20.0, 24.0]), list[float]()

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 3:
            raise Enough

    async with auditing(scene.url, late_after=None, clock=lambda: next(instants), sleep=rest) as (auditor, _):
        with pytest.raises(Enough):
            await auditor.run()
    assert rests == pytest.approx([EVERY, 0.1 / SHARE, 4 / SHARE])
    assert SHARE <= 0.02


def test_a_round_goes_through_every_part_and_counts_what_it_found():
    stand, parts, ended = Stand(), ["escalations"], False
    for upto in ("x", None, None, "5", None, None):
        assert not ended
        stand, ended = following(stand, upto, 1)
        parts.append(stand.part)
    assert parts == ["escalations", "escalations", "tickets", "spans", "spans", "counts", "escalations"]
    assert (ended, stand) == (True, Stand(found_before=6, rounds=1))


async def test_a_node_audits_and_the_measures_tell_when(database_url: str):
    async with running(database_url, audits=True) as service:
        before = datetime.now(UTC) - timedelta(minutes=5)
        while True:
            text = (await service.call("aud", "GET", "/metrics")).raw.decode()
            (line,) = [x for x in text.splitlines() if x.startswith("escalation_audit_looked_timestamp_seconds ")]
            if float(line.split()[1]) > before.timestamp():
                break


async def test_a_node_that_was_told_not_to_audits_nothing(database_url: str):
    async with running(database_url, audits=False) as service:
        text = (await service.call("aud", "GET", "/metrics")).raw.decode()
        assert "escalation_audit_looked_timestamp_seconds 0.0" in text
        assert "auditor" not in {task.get_name() for task in asyncio.all_tasks()}
