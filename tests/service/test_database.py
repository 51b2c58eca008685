"""Migrations, and what a connection of the service may do."""

import asyncio

import asyncpg
import pytest

from service import database
from service.database import MigrationError
from sql import Migration

STEPS = [
    Migration(1, "begin", "CREATE TABLE a (n integer PRIMARY KEY); INSERT INTO a VALUES (1)"),
    Migration(2, "index", "-- no transaction\nCREATE INDEX CONCURRENTLY a_n ON a (n)"),
    Migration(3, "slow", "INSERT INTO a SELECT 2 FROM pg_sleep(0.2)"),
]


async def rows(url: str, query: str) -> list[tuple[object, ...]]:
    """What a query gives, as the owner."""
    conn = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await conn.fetch(query)]
    finally:
        await conn.close()


async def test_ten_nodes_migrate_an_empty_database_at_once_and_each_step_is_applied_once(
    empty_database_url: str,
) -> None:
    applied = await asyncio.gather(*(database.migrate(empty_database_url, steps=STEPS) for _ in range(10)))
    assert sorted(len(each) for each in applied) == [0] * 9 + [3]
    assert await rows(empty_database_url, "SELECT n FROM a ORDER BY n") == [(1,), (2,)]
    listed = await rows(empty_database_url, "SELECT number, name FROM schema_migration ORDER BY 1")
    assert listed == [(1, "begin"), (2, "index"), (3, "slow")]


async def test_migrating_again_changes_nothing(empty_database_url: str) -> None:
    await database.migrate(empty_database_url, steps=STEPS)
    before = await rows(empty_database_url, "SELECT * FROM schema_migration")
    assert await database.migrate(empty_database_url, steps=STEPS) == []
    assert await rows(empty_database_url, "SELECT * FROM schema_migration") == before


async def test_a_step_that_fails_is_undone_and_those_before_it_stay(empty_database_url: str) -> None:
    bad = Migration(2, "bad", "CREATE TABLE b (); INSERT INTO nowhere VALUES (1)")
    with pytest.raises(MigrationError, match="0002_bad failed and was undone"):
        await database.migrate(empty_database_url, steps=[STEPS[0], bad])
    assert await rows(empty_database_url, "SELECT number FROM schema_migration") == [(1,)]
    assert await rows(empty_database_url, "SELECT to_regclass('b') IS NULL") == [(True,)]


async def test_a_step_that_was_changed_after_it_was_applied_is_refused(
    empty_database_url: str,
) -> None:
    await database.migrate(empty_database_url, steps=STEPS)
    changed = STEPS[0]._replace(text="SELECT 1")
    with pytest.raises(MigrationError, match="0001_begin was changed"):
        await database.migrate(empty_database_url, steps=[changed])


async def test_an_older_program_leaves_a_newer_database_as_it_is(empty_database_url: str) -> None:
    await database.migrate(empty_database_url, steps=STEPS)
    assert await database.migrate(empty_database_url, steps=STEPS[:1]) == []


async def test_a_node_does_not_wait_forever_for_another_that_migrates(
    empty_database_url: str,
) -> None:
    other = await asyncpg.connect(empty_database_url)
    await other.fetchval("SELECT pg_advisory_lock($1)", database._MIGRATION_LOCK)
    with pytest.raises(MigrationError, match="another node has been migrating"):
        await database.migrate(empty_database_url, steps=STEPS, within=0.2)
    await other.close()
    assert len(await database.migrate(empty_database_url, steps=STEPS)) == 3


async def test_preparing_again_adds_no_move_no_policy_and_no_partition(database_url: str) -> None:
    everything = """SELECT (SELECT count(*) FROM allowed_move), (SELECT count(*) FROM policy),
                           (SELECT count(*) FROM pg_inherits)"""
    before = await rows(database_url, everything)
    assert await database.prepare(database_url, months=2) == []
    assert await rows(database_url, everything) == before
    moves, policies, _ = before[0]
    assert moves
    assert policies == 1


async def test_the_service_owns_nothing_and_its_waits_are_limited(database_url: str) -> None:
    pool = await database.connect(database_url, max_size=1)
    try:
        assert await pool.fetchval("SELECT current_user") == "escalation_service"
        owned = "SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user"
        assert await pool.fetchval(owned) == 0
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "TimeZone")
        settings = [await pool.fetchval("SELECT current_setting($1)", name) for name in names]
        assert settings == ["2s", "5s", "3s", "UTC"]
        for statement in ("UPDATE history SET at = now()", "DELETE FROM history", "TRUNCATE history"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.execute(statement)
    finally:
        await pool.close()


async def test_a_transaction_left_open_does_not_survive_its_way_back_to_the_pool(
    database_url: str,
) -> None:
    pool = await database.connect(database_url, max_size=1)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncpg tells of it
    try:
        async with pool.acquire() as conn:
            await conn.execute("BEGIN")
        assert await pool.fetchval("SELECT pg_current_xact_id_if_assigned() IS NULL")
        async with pool.acquire() as conn:
            assert not conn.is_in_transaction()
    finally:
        await pool.close()
