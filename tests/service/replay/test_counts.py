"""What a replay of the real log finds is what a few lines count in the log itself."""

from __future__ import annotations

import io
from collections import defaultdict
from datetime import date
from pathlib import Path

import asyncpg
import pytest
from msgspec.structs import replace
from rich.console import Console

from machines.calendar import WEEKDAYS
from machines.document import TIERS, Hours
from machines.matrix import check, default_text, dump, parse
from service import replay, verify
from service.config import Settings
from service.demo import stage
from service.replay import Ask, keys_for
from service.replay.cast.members import Member
from service.replay.servicenow import events
from tests.service.replay import counts
from tests.service.replay.repeat_counts import KEY
from tests.service.replay.sla_counts import ALWAYS, worked

LOG = Path(__file__).parents[4] / "shared" / "data" / "servicenow-2016-03.csv.gz"


LUNCH = (("09:00", "12:30"), ("13:30", "17:00"))
EASTER = ("2016-03-25", "2016-03-28")
OFFICE = Hours(
    "Europe/Berlin",
    {day: tuple("-".join(period) for period in LUNCH) for day in WEEKDAYS[:5]},
    tuple(date.fromisoformat(day) for day in EASTER),
    origin="default",
)
"""Summer time begins on the Sunday between."""


@pytest.mark.parametrize("hours", [None, OFFICE], ids=["always", "office hours"])
async def test_p0s_p1s_repeats_and_breaches_by_tier_are_those_of_the_log(
    database_url: str, tmp_path: Path, hours: Hours | None
):
    if not LOG.exists():
        pytest.skip(f"the event log is not here: {LOG.name} belongs in ../shared/data")
    log = counts.rows(LOG)
    urgent = {row["number"] for row in log if row["priority"][0] in "12" and row["opened_at"].startswith("2/3/2016")}
    some = {*sorted(urgent)[::4], *thrice(log)}
    rows = [row for row in log if row["number"] in some]
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(events(rows)))
    async with stage.service_on(Settings(port=0), database_url) as base:
        if hours:
            await publish(database_url, hours)
        keys = await keys_for(database_url, (Member(replay.LONE, replay.LONE, "admin"),))
        await replay.run(Ask(file, base), keys, Console(file=io.StringIO()))
    wanted = counts.wanted(rows, (), worked("Europe/Berlin", LUNCH, EASTER) if hours else ALWAYS)
    assert {situation.split()[0] for situation, _ in wanted} == {
        *("tickets", "p0_outage", "p1_unresolved", "repeated_contact", "sla")
    }
    assert await counts.found(database_url) == wanted
    assert await verify.run(database_url) == []


def thrice(log: list[dict[str, str]]) -> list[str]:
    """The first three incidents of one issue."""
    of_issue = defaultdict[tuple[str, ...], list[str]](list)
    for row in log:
        of = of_issue[row["location"], *(row[name] for name in KEY)]
        if row["u_symptom"] != "?" and row["incident_state"] == "New" and row["number"] not in of:
            of.append(row["number"])
        if len(of) == 3:
            return of
    raise AssertionError("the log has no issue that came three times")


async def publish(url: str, hours: Hours) -> None:
    """The default policy with these hours for every tier, as its second version."""
    document = parse(default_text()).document
    policy = check(replace(document, calendars=dict.fromkeys(TIERS, hours)), 2)
    conn = await asyncpg.connect(url)
    try:
        statement = "INSERT INTO policy (version, document, published_by) VALUES ($1, $2, 'root')"
        await conn.execute(statement, policy.version, dump(policy))
    finally:
        await conn.close()
