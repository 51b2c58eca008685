"""History lies in partitions by the month in which the escalation was opened; a chain never straddles two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from machines.case import Mint


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the owner. Foreign keys are off: it is about where rows land."""
    conn = await asyncpg.connect(database_url)
    await conn.execute("SET session_replication_role = replica")
    yield conn
    await conn.close()


INSERT = (
    "INSERT INTO history (seq, escalation_id, version, at, move, state, level, ticket_id, customer_id, actor,"
    " actor_level, reason, detail, guards, policy_version, changed, messages, request_id, command, prev, hash)"
    " VALUES (1, $1, $2, now(), 1, 'open', 0, 'T', 'c', 'a', 0, 'r', '{}', '{}', 1, '{}', 0, 'r', gen_random_uuid(),"
    " repeat('0', 64), repeat('0', 64)) RETURNING tableoid::regclass::text"
)


MAKE_24 = "SELECT make_history_partitions(now() - interval '1 month', 24)"


async def lands(db: asyncpg.Connection, opened: datetime, *, version: int = 1) -> str:
    """The partition of an escalation opened then."""
    return str(await db.fetchval(INSERT, Mint().uuid7(opened), version))


async def test_an_id_of_this_month_lands_in_its_partition(db: asyncpg.Connection):
    now = datetime.now(UTC)
    assert await lands(db, now) == f"history_{now:%Y_%m}"


async def test_so_do_last_month_and_the_months_to_come(db: asyncpg.Connection):
    await db.execute(MAKE_24)
    first = datetime.now(UTC).replace(day=1)
    for day in (first - timedelta(days=1), first + timedelta(days=40), first + timedelta(days=600)):
        assert await lands(db, day) == f"history_{day:%Y_%m}"


@pytest.mark.parametrize("year", [1970, 2000, 2020, 2190])
async def test_what_no_month_was_made_for_goes_to_the_rest(db: asyncpg.Connection, year: int):
    assert await lands(db, datetime(year, 6, 15, tzinfo=UTC)) == "history_rest"


async def test_a_month_begins_with_its_first_millisecond(db: asyncpg.Connection):
    first = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert await lands(db, first) == f"history_{first:%Y_%m}"
    before = first - timedelta(milliseconds=1)
    assert await lands(db, before) == f"history_{before:%Y_%m}"


async def test_a_later_version_lies_with_the_first_whenever_it_is_written(db: asyncpg.Connection):
    escalation = Mint().uuid7(datetime.now(UTC))
    places = {await db.fetchval(INSERT, escalation, version) for version in range(1, 5)}
    assert len(places) == 1


async def test_making_partitions_again_makes_none(db: asyncpg.Connection):
    await db.execute(MAKE_24)
    assert await db.fetchval(MAKE_24) == 0
    assert await db.fetchval("SELECT make_history_partitions(now() + interval '30 months', 2)") == 2


async def test_two_nodes_that_make_one_month_at_once_make_it_once(db: asyncpg.Connection, database_url: str):
    other = await asyncpg.connect(database_url)
    async with db.transaction():
        assert await db.fetchval("SELECT make_history_partitions('2031-05-20', 1)") == 1
        second = asyncio.create_task(other.fetchval("SELECT make_history_partitions('2031-05-20', 1)"))
        while not await db.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            assert not second.done()
    assert await second == 0
    await other.close()


async def test_a_month_that_the_rest_has_rows_of_stays_there_and_the_others_are_made(db: asyncpg.Connection):
    late = datetime.now(UTC).replace(day=15) + timedelta(days=31 * 30)
    assert await lands(db, late) == "history_rest"
    made = await db.fetchval("SELECT make_history_partitions($1, 3)", late)
    assert made == 2
    assert await lands(db, late) == "history_rest"


async def test_a_new_partition_is_append_only_and_readable_like_the_others(db: asyncpg.Connection):
    await db.execute("SELECT make_history_partitions('2031-05-20', 1)")
    name, may = "history_2031_05", "SELECT has_table_privilege('escalation_service', $1, $2)"
    assert await lands(db, datetime(2031, 5, 31, tzinfo=UTC)) == name
    assert await db.fetchval(may, name, "SELECT")
    assert not await db.fetchval(may, name, "UPDATE, DELETE, TRUNCATE")
    await db.execute("RESET session_replication_role")
    for statement in ("TRUNCATE {} CASCADE", "DELETE FROM {}", "UPDATE {} SET reason = 'another'"):
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await db.execute(statement.format(name))


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"])
async def test_months_are_of_utc_whatever_the_zone_of_who_makes_them(db: asyncpg.Connection, zone: str):
    await db.execute(f"SET timezone = '{zone}'")
    assert await db.fetchval("SELECT make_history_partitions('2031-01-15', 24)") == 24
    for month in range(1, 13):
        first = datetime(2031, month, 1, tzinfo=UTC)
        assert await lands(db, first) == f"history_{first:%Y_%m}"
        last = first - timedelta(milliseconds=1)
        assert await lands(db, last) == (f"history_{last:%Y_%m}" if month > 1 else "history_rest")
