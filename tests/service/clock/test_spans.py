"""Windows of time are looked for among the numbers that spans tell of, and never lose a row."""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg
import pytest

from service import pages, verify
from service.housekeeping import span
from service.proof.horizon import Horizon
from tests.service.clock.conftest import HOUR, START, Town, text

SECOND = timedelta(seconds=1)


async def told(town: Town, rows: int) -> int:
    """Spans of so many rows each, as many as are complete."""
    horizon, count = Horizon(), 0
    await horizon.complete(town.service.db)  # another test's transaction may still be open
    while await span(town.service.db, horizon, rows):
        count += 1
    return count


@pytest.mark.parametrize(("rows", "few"), [(1, pages.FEW), (3, 0), (1000, pages.FEW)])
async def test_a_window_has_the_same_rows_with_spans_and_without(
    town: Town, rows: int, few: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pages, "FEW", few)
    monkeypatch.setattr(pages, "NEAR", 3)  # so that moves are looked for near and far

    async def window(since: datetime | None, until: datetime | None, order: str, more: str = "") -> list[int]:
        asked = f"/v1/history?order={order}&limit=500{more}"
        asked += f"&since={text(since)}" if since else ""
        asked += f"&until={text(until)}" if until else ""
        return [row["seq"] for row in (await town.service.call("aud", "GET", asked)).ok()["items"]]

    for hour in range(4):
        await town.at(START + hour * HOUR)
        await town.report(f"T-{hour}")
        await town.asks(f"T-{hour}", "blocking_business_process")
    instants = [None, *(START + n * HOUR / 2 for n in range(-1, 8)), START + SECOND]
    asked = [
        (since, until, order, more)
        for since in instants
        for until in instants
        for order in ("asc", "desc")
        for more in ("", "&customer_id=acme", "&trigger=open")
    ][::3]
    before = [await window(*each) for each in asked]
    spans = await told(town, rows)
    assert (spans == 0) == (rows == 1000)
    await town.at(START + 5 * HOUR)
    await town.report("T-9")
    assert [await window(*each) for each in asked if each[1]] == [
        seqs for each, seqs in zip(asked, before, strict=True) if each[1]
    ]
    assert await window(START + 5 * HOUR, None, "asc") == await town.service.db.fetchval(
        "SELECT array_agg(seq ORDER BY seq) FROM history WHERE at >= $1", START + 5 * HOUR
    )


async def test_rows_whose_order_is_not_that_of_time_are_in_their_windows_too(town: Town):
    """A clock that was set back: what is numbered later happened earlier."""
    await town.report("T-1")
    await town.asks("T-1", "blocking_business_process")
    await town.service.db.execute("UPDATE virtual_clock SET now = now - interval '3 hours'")
    await town.report("T-2")
    await town.asks("T-2", "blocking_business_process")
    await told(town, 1)
    rows = (await town.service.call("aud", "GET", "/v1/history?limit=500")).ok()["items"]
    assert [row["at"] for row in rows] != sorted(row["at"] for row in rows)
    early = f"/v1/history?limit=500&until={text(START - HOUR)}"
    late = f"/v1/history?limit=500&since={text(START - HOUR)}"
    found = [(await town.service.call("aud", "GET", each)).ok()["items"] for each in (early, late)]
    assert [row["ticket_id"] for row in found[0]] == [row["ticket_id"] for row in rows if row["ticket_id"] == "T-2"]
    assert [row["ticket_id"] for row in found[1]] == [row["ticket_id"] for row in rows if row["ticket_id"] == "T-1"]


async def test_two_nodes_that_tell_of_the_same_rows_leave_one_span(town: Town):
    await town.report("T-1")
    await town.asks("T-1", "blocking_business_process")
    assert await told(town, 2) > 0
    spans = await town.service.db.fetch("SELECT after_seq, last_seq FROM history_span ORDER BY after_seq")
    assert [row["after_seq"] for row in spans] == [0, *(row["last_seq"] for row in spans[:-1])]
    assert await told(town, 2) == 0


async def test_a_span_that_tells_other_instants_than_its_rows_have_is_found(town: Town):
    await town.report("T-1")
    await town.asks("T-1", "blocking_business_process")
    wrong = "INSERT INTO history_span SELECT 0, max(seq), '2001-01-01', '2001-01-02' FROM history"
    await town.service.db.execute(wrong)
    (finding,) = await verify.run(town.service.database_url)
    assert (finding.claim, finding.where.split()[0]) == ("V4", "history_span")
    with pytest.raises(asyncpg.RestrictViolationError):
        await town.service.db.execute("DELETE FROM history_span")
    async with town.service.db.transaction():
        await town.service.db.execute("SET LOCAL session_replication_role = replica")
        await town.service.db.execute("DELETE FROM history_span")
