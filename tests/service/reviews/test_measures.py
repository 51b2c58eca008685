"""Each measure equals what plain Python counts in the history export, tickets and denials, to the last digit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

import sql
from service.reviews.measures import MEASURES
from tests.service.clock.conftest import START, Town, text
from tests.service.replay import measures
from tests.service.replay.measures import counted, different, exported

pytestmark = pytest.mark.asyncio(loop_scope="session")
WEEKS = [(START - timedelta(hours=9) + timedelta(weeks=n), timedelta(weeks=1)) for n in range(7)]
WINDOWS = [
    *WEEKS,
    (WEEKS[0][0], timedelta(weeks=6)),
    (START + timedelta(weeks=5, minutes=50), timedelta(hours=9)),
    (START + timedelta(weeks=5), timedelta(microseconds=1)),
]


async def read(town: Town, path: str) -> Any:
    """What an auditor is answered."""
    return (await town.service.call("aud", "GET", path)).ok()


async def record(town: Town) -> tuple[list[Any], list[Any], list[Any]]:
    """The export, the tickets with the tiers of their customers, and the denials, all over HTTP."""
    answer = await town.service.call("aud", "GET", "/v1/history/export")
    rows = exported(answer.raw)
    ids = {row["id"] for row in await town.service.db.fetch("SELECT id FROM ticket")}
    tiers = {each["id"]: each["tier"] for each in (await read(town, "/v1/customers"))["items"]}
    told = [(await read(town, f"/v1/tickets/{id_}"))["ticket"] for id_ in sorted(ids)]
    tickets = [{"opened_at": t["opened_at"], "tier": tiers[t["customer_id"]]} for t in told]
    denials = (await read(town, "/v1/denials?limit=500"))["items"]
    return rows, tickets, denials


@pytest.mark.parametrize(("since", "long"), WINDOWS, ids=[str(n) for n in range(len(WINDOWS))])
async def test_each_measure_is_what_is_counted_in_the_export(lived: Town, since: datetime, long: timedelta):
    until = since + long
    told = await read(lived, f"/v1/metrics/escalations?since={text(since)}&until={text(until)}")
    now = datetime.fromisoformat(told["told_at"])
    wanted = counted(*await record(lived), since, until, now)
    assert different(told, wanted) == []
    assert {name: len(told[name]) for name in MEASURES} == {name: len(rows) for name, rows in wanted.items()}


async def test_the_week_has_something_of_everything(lived: Town):
    """Else the comparison above would compare nothing."""
    told = (await read(lived, "/v1/reviews/2026-W07"))["measures"]
    everything = {name: next(iter(told[name])) for name in MEASURES}
    attainment, handoffs = everything["attainment"], everything["handoffs"]
    assert all(attainment[name] for name in ("in_time", "late", "missed", "ended", "attainment"))
    assert all(handoffs[name] for name in ("accepted", "unbriefed", "declined", "passed_on"))
    assert all(everything["coverage"][name] for name in ("skipped", "nobody"))
    assert all(everything["returns"][name] for name in ("opened", "follows", "resumed"))
    assert everything["lateness"]["late"] == 5
    assert {row["level"] for row in told["resolution"]} == {None, 3}
    assert {row["reason"] for row in told["reasons"]} >= {"p0_outage", "response_overdue", "handoff_declined"}
    assert everything["satisfaction"]["scores"] == [1, 1, 1, 0, 0]
    assert everything["denials"]["count"] > 1


async def test_the_review_holds_the_measures_of_its_week_and_of_the_four_before(lived: Town):
    review = await read(lived, "/v1/reviews/2026-W07")
    since, until = WEEKS[5][0], WEEKS[6][0]
    assert (review["since"], review["until"]) == (text(since), text(until))
    for name, (begin, end) in {"measures": (since, until), "before": (since - timedelta(weeks=4), since)}.items():
        alone = await read(lived, f"/v1/metrics/escalations?since={text(begin)}&until={text(end)}")
        assert review[name] == alone


async def test_the_command_compares_every_week_of_a_database(lived: Town):
    windows, found = await measures.compare(lived.service.database_url)
    assert (windows, found) == (8, [])


async def test_a_measure_that_counts_otherwise_is_found(lived: Town):
    told = await read(lived, f"/v1/metrics/escalations?since={text(WEEKS[0][0])}&until={text(WEEKS[6][0])}")
    now = datetime.fromisoformat(told["told_at"])
    wanted = counted(*await record(lived), WEEKS[0][0], WEEKS[6][0], now)
    for name in MEASURES:
        wrong = {**told, name: [{**told[name][0], "count": -1}, *told[name][1:]]}
        assert {line.partition(":")[0] for line in different(wrong, wanted)} == {name}


async def test_every_report_that_is_a_measure_is_compared(lived: Town):
    assert sql.reports().keys() - MEASURES.keys() == {"patterns", "issue_keys", "lessons"}


async def test_a_window_is_checked(lived: Town):
    for query in ("since=2026-01-05T00:00:00Z&until=2026-01-05T00:00:00Z", "since=2020-01-01T00:00:00Z", "from=1"):
        answer = await lived.service.call("aud", "GET", f"/v1/metrics/escalations?{query}")
        assert answer.fields() in ({"since"}, {"from"})
    week = await read(lived, "/v1/metrics/escalations")
    assert datetime.fromisoformat(week["until"]) - datetime.fromisoformat(week["since"]) == timedelta(days=7)
