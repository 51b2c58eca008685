"""What a replay of the real log finds is what a few lines count in the log itself."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from service import replay, verify
from service.config import Settings
from service.demo import stage
from service.replay import Ask, keys_for
from service.replay.cast.members import Member
from service.replay.servicenow import events
from tests.service.replay import counts

LOG = Path(__file__).parents[4] / "shared" / "data" / "servicenow-2016-03.csv.gz"


async def test_p0s_and_p1s_by_tier_are_those_of_the_log(database_url: str, tmp_path: Path):
    if not LOG.exists():
        pytest.skip(f"the event log is not here: {LOG.name} belongs in ../shared/data")
    log = counts.rows(LOG)
    urgent = {row["number"] for row in log if row["priority"][0] in "12" and row["opened_at"].startswith("2/3/2016")}
    some = set(sorted(urgent)[::4])
    rows = [row for row in log if row["number"] in some]
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(events(rows)))
    async with stage.service_on(Settings(port=0), database_url) as base:
        keys = await keys_for(database_url, (Member(replay.LONE, replay.LONE, "admin"),))
        await replay.run(Ask(file, base), keys, Console(file=io.StringIO()))
    wanted = counts.wanted(rows)
    assert {situation for situation, _ in wanted} == {"tickets", "p0_outage", "p1_unresolved"}
    assert await counts.found(database_url) == wanted
    assert await verify.run(database_url) == []
