"""The schema is what the migrations lead to, and every query fits it, with the service's rights."""

from __future__ import annotations

import re

import asyncpg
import pytest

import sql
from service import database

CATALOG = {
    "tables": "SELECT relname, relkind, relpersistence, relispartition, reloptions, pg_get_expr(relpartbound, oid),"
    " obj_description(oid), pg_get_partkeydef(oid) FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S', 'v')",
    "columns": "SELECT attrelid::regclass::text, attnum, attname, format_type(atttypid, atttypmod), attnotnull,"
    " attidentity, attgenerated, attcollation::regcollation::text, pg_get_expr(adbin, adrelid),"
    " col_description(attrelid, attnum), attacl::text FROM pg_attribute a"
    " LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND adnum = attnum JOIN pg_class c ON c.oid = attrelid"
    " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped",
    "constraints": "SELECT conrelid::regclass::text, conname, contype, condeferrable, condeferred, convalidated,"
    " pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
    "indexes": "SELECT indrelid::regclass::text, pg_get_indexdef(indexrelid), indisvalid FROM pg_index i"
    " JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'public'::regnamespace",
    "triggers": "SELECT tgrelid::regclass::text, tgname, tgenabled, pg_get_triggerdef(t.oid) FROM pg_trigger t"
    " JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = 'public'::regnamespace AND NOT tgisinternal",
    "functions": "SELECT proname, pg_get_functiondef(oid), proacl::text, obj_description(oid) FROM pg_proc"
    " WHERE pronamespace = 'public'::regnamespace",
    "sequences": "SELECT sequencename, data_type, start_value, increment_by, cycle, cache_size FROM pg_sequences",
    "grants": "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    " AND relkind IN ('r', 'p', 'S')",
    "defaults": "SELECT defaclobjtype, defaclacl::text FROM pg_default_acl",
    "types": "SELECT typname, typtype FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype <> 'c'"
    " AND typname !~ '^_'",
}
"""Everything that a schema is made of."""


async def catalog(conn: asyncpg.Connection) -> dict[str, list[tuple[object, ...]]]:
    """What is there; of the migrations' own list, nothing."""
    found = {}
    for kind, text in CATALOG.items():
        rows = [tuple(row) for row in await conn.fetch(text)]
        found[kind] = sorted((row for row in rows if "schema_migration" not in str(row)), key=str)
    return found


async def test_a_fresh_schema_is_what_the_migrations_lead_to(empty_database_url: str, database_url: str):
    fresh, migrated = await asyncpg.connect(empty_database_url), await asyncpg.connect(database_url)
    await fresh.execute(sql.schema())
    months = await migrated.fetchval("SELECT count(*) FROM pg_partition_tree('history') WHERE isleaf") - 1
    await fresh.execute(f"SELECT make_history_partitions(now() - interval '1 month', {months})")
    mine, theirs = await catalog(fresh), await catalog(migrated)
    for kind in CATALOG:
        assert mine[kind] == theirs[kind], kind
    assert min(len(mine[kind]) for kind in ("tables", "constraints", "indexes", "triggers", "functions", "grants")) > 2
    await fresh.close()
    await migrated.close()


@pytest.fixture
async def served(database_url: str):
    """A connection as the service has it."""
    conn = await database.open_connection(database_url)
    yield conn
    await conn.close()


OWNERS = {"archiving", "migrate"}
"""Whose queries the owner runs."""
UTILITY = re.compile(r"^(--[^\n]*\n\s*)*(BEGIN|COMMIT|ROLLBACK|CREATE|DO|SET)\b")


async def test_every_query_prepares_on_the_schema(database_url: str):
    owner = await asyncpg.connect(database_url)
    for name, text in sql.queries().items():
        try:
            await owner.prepare(text)
        except asyncpg.PostgresError as error:
            pytest.fail(f"{name}: {error}")
    await owner.close()


async def test_the_service_may_run_every_query_but_migrations_own(served: asyncpg.Connection):
    tried = 0
    for name, text in sql.queries().items():
        if name.partition(".")[0] in OWNERS or UTILITY.match(text):
            continue
        try:
            await served.execute(f"EXPLAIN (GENERIC_PLAN) {text}")
        except asyncpg.PostgresError as error:
            pytest.fail(f"{name}: {error}")
        tried += 1
    assert tried > 20


async def test_every_report_prepares_too_and_is_one_select(served: asyncpg.Connection):
    reports = sql.reports()
    assert len(reports) > 10
    for name, report in reports.items():
        prepared = await served.prepare(report.text)
        assert len(prepared.get_parameters()) == len(report.parameters), name
        assert ";" not in re.sub(r"--[^\n]*", "", report.text), name


async def test_every_report_says_in_words_what_it_measures(served: asyncpg.Connection):
    for name, report in sql.reports().items():
        words, _, _ = report.text.partition("\nSELECT")
        told = " ".join(re.findall(r"^-- (.*)$", words.partition("\nWITH")[0], re.MULTILINE))
        assert len(told.split()) > 15, name


async def test_a_virtual_clock_of_before_goes_on_after_the_numbers_that_it_drew(empty_database_url: str):
    await database.migrate(empty_database_url, steps=sql.migrations()[:1])
    owner = await asyncpg.connect(empty_database_url)
    await owner.execute("INSERT INTO virtual_clock (now) VALUES (now())")
    drawn = await owner.fetchval("SELECT max(nextval('history_seq')) FROM generate_series(1, 5)")
    await database.migrate(empty_database_url)
    assert await owner.fetchval("SELECT next_seq FROM virtual_clock") == drawn + 1
    await owner.close()
