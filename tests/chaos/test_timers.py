"""Short races of real processes, and a service that is killed while it sets the clock."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from service import auth, verify
from tests.chaos.timers import race
from tests.chaos.town import Service, postgres_in, settle

SLA = {f"{clock}_by": "2199-01-01T00:00:00Z" for clock in ("first_response", "resolution")}
FACTS = {"customer_id": "acme", "status": "open", "subject": "Down", "sla": SLA}
TARGET = "2026-01-12T09:00:00Z"


async def test_of_a_node_that_is_stopped_in_mid_batch_and_goes_on_nothing_stale_is_written(tmp_path: Path):
    told = await race(timers=600, nodes=2, seed=1, stop=4.0, directory=tmp_path)
    assert told.findings == []
    assert (told.fired_once, told.fired_twice, told.never_fired, told.early, told.stale) == (600, 0, 0, 0, 0)
    assert told.left_when_stopped
    assert told.sound


@pytest.mark.parametrize("rows", [40])
async def test_killed_while_it_sets_the_clock_the_same_call_again_ends_in_the_same_place(tmp_path: Path, rows: int):
    """Once undisturbed, once killed after so many rows: the same rows at the same instants, and the same standing."""
    ends = [await _a_week(tmp_path / "whole", None), await _a_week(tmp_path / "killed", rows)]
    assert len(ends[0][0]) > 100
    assert ends[0] == ends[1]


async def _a_week(directory: Path, killed_after: int | None) -> tuple[list[Any], list[Any]]:
    """Unanswered escalations for a week; what happened when, and what stands."""
    async with postgres_in(directory / "postgres") as postgres:
        await settle(postgres.url)
        db = await asyncpg.connect(postgres.url, server_settings={"timezone": "UTC"})
        root = await auth.create_key(db, "root", "admin")
        service = Service(postgres.url, directory / "service.log", ESCALATION_CLOCK="virtual")
        await service.start()
        headers = {"Authorization": f"Bearer {root}"}
        async with aiohttp.ClientSession(headers=headers) as session:

            async def put(path: str, body: dict[str, Any]) -> None:
                async with session.put(service.base + path, json=body) as answer:
                    assert answer.status == 200, await answer.text()

            await put("/v1/clock", {"now": "2026-01-05T09:00:00Z"})
            for n in range(3):
                await put(f"/v1/tickets/T-{n}", {**FACTS, "priority": f"p{n % 2}", "opened_at": "2026-01-05T09:00:00Z"})
            setting = asyncio.create_task(put("/v1/clock", {"now": TARGET}))
            if killed_after is not None:
                while await db.fetchval("SELECT count(*) FROM history") < killed_after:  # noqa: ASYNC110
                    await asyncio.sleep(0)
                await service.kill()
                with pytest.raises((aiohttp.ClientError, OSError)):
                    await setting
                await service.start()
                setting = asyncio.create_task(put("/v1/clock", {"now": TARGET}))
            await setting
        assert await service.stop() == 0
        rows = await db.fetch(
            "SELECT h.ticket_id, h.version, m.trigger, h.state, h.at, h.detail ->> 'due_at' AS due_at FROM history h"
            " JOIN allowed_move m ON m.id = h.move ORDER BY h.ticket_id, h.version"
        )
        stands = await db.fetch("SELECT ticket_id, state, page_by, respond_by FROM escalation ORDER BY ticket_id")
        clock = await db.fetchval("SELECT now::text FROM virtual_clock")
        await db.close()
        assert await verify.run(postgres.url) == []
    return [tuple(row) for row in rows], [clock, *(tuple(row) for row in stands)]
