"""The service appends, and owns nothing; history is append-only even for its owner."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from service import database

APPENDS = {"history", "denial", "said", "ticket_event", "contact", "policy", "checkpoint", "history_span"}
APPENDS |= {"review", "review_mark", "review_note", "review_action"}
CHANGES = {
    *("principal", "api_key", "person", "customer", "escalation", "virtual_clock", "reported", "tree_tile", "rota"),
    *("audit", "rearming"),
}
REMOVES = {"ticket", "timer", "answered", "holding", "session"}


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the service has it."""
    conn = await database.open_connection(database_url)
    yield conn
    await conn.close()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the tables' owner."""
    conn = await asyncpg.connect(database_url)
    yield conn
    await conn.close()


async def partitions(conn: asyncpg.Connection) -> list[str]:
    """History and its partitions."""
    rows = await conn.fetch("SELECT relid::regclass::text AS name FROM pg_partition_tree('history')")
    return [row["name"] for row in rows]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET reason = 'another'",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "ALTER TABLE {} DISABLE TRIGGER history_is_append_only",
        "ALTER TABLE {} DROP CONSTRAINT hash_is_sha256",
        "ALTER TABLE {} ADD COLUMN more text",
        "ALTER TABLE {} OWNER TO escalation_service",
        "DROP TABLE {}",
        "DROP TRIGGER history_is_append_only ON {}",
        "CREATE TRIGGER mine BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION history_is_append_only()",
        "CREATE RULE mine AS ON INSERT TO {} DO INSTEAD NOTHING",
        "GRANT DELETE ON {} TO escalation_service",
    ],
)
async def test_the_service_can_change_nothing_of_history(served: asyncpg.Connection, statement: str):
    for name in await partitions(served):
        try:
            await served.execute(statement.format(name))
        except asyncpg.InsufficientPrivilegeError:
            continue
        granted = await served.fetchval("SELECT has_table_privilege($1, 'DELETE')", name)
        assert statement.startswith("GRANT"), f"{name}: {statement} was done"
        assert not granted, "a GRANT without the right to grant is a warning"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine ()",
        "CREATE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN old; END'",
        "CREATE OR REPLACE FUNCTION service_now() RETURNS timestamptz LANGUAGE sql RETURN now()",
        "ALTER TABLE escalation DROP CONSTRAINT the_owner_is_engaged",
        "DROP TRIGGER a_state_has_its_history ON escalation",
        "ALTER TABLE escalation DISABLE TRIGGER ALL",
        "ALTER SEQUENCE history_seq RESTART",
        "SELECT setval('history_seq', 1)",
        "SET session_replication_role = replica",
        "INSERT INTO allowed_move (trigger, source, dest) VALUES ('hop', 'open', 'closed')",
        "DELETE FROM allowed_move",
        "UPDATE policy SET document = '{}'",
        "DELETE FROM denial",
        "UPDATE said SET text = '{}'",
        "UPDATE outbox SET payload = '{}'",
        "DELETE FROM escalation",
        "TRUNCATE answered",
        "CREATE TABLE history_2040_01 PARTITION OF history FOR VALUES FROM (first_id_of('2040-01-01')) TO"
        " (first_id_of('2040-02-01'))",
    ],
)
async def test_nor_of_the_rules(served: asyncpg.Connection, statement: str):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await served.execute(statement)


async def test_it_may_have_partitions_made_and_owns_them_no_more_than_the_others(
    served: asyncpg.Connection, owner: asyncpg.Connection
):
    assert await served.fetchval("SELECT make_history_partitions('2040-01-01', 1)") == 1
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await served.execute("TRUNCATE history_2040_01")
    theirs = "SELECT relowner = 'escalation_service'::regrole FROM pg_class WHERE relname = 'history_2040_01'"
    assert await owner.fetchval(theirs) is False
    function = "make_history_partitions(timestamptz, integer)"
    public = "SELECT bool_or(grantee = 0) FROM aclexplode((SELECT proacl FROM pg_proc WHERE oid = $1::regprocedure))"
    assert await owner.fetchval(public, function) is False


async def test_the_service_owns_nothing(owner: asyncpg.Connection):
    owned = await owner.fetch(
        "SELECT classid::regclass::text, objid FROM pg_shdepend"
        " WHERE refobjid = 'escalation_service'::regrole AND deptype = 'o'"
    )
    assert owned == []
    role = await owner.fetchrow("SELECT * FROM pg_roles WHERE rolname = 'escalation_service'")
    powers = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls", "rolcanlogin")
    assert [role[power] for power in powers] == [False] * len(powers)


async def test_its_rights_are_these_and_no_others(owner: asyncpg.Connection):
    rows = await owner.fetch(
        "SELECT relname, array_agg(lower(privilege_type) ORDER BY privilege_type) AS may"
        " FROM pg_class, aclexplode(relacl) WHERE grantee = 'escalation_service'::regrole AND NOT relispartition"
        " AND relkind IN ('r', 'p', 'S') AND relnamespace = 'public'::regnamespace GROUP BY 1"
    )
    rights = {row["relname"]: set(row["may"]) for row in rows}
    expected = {name: {"select"} for name in rights}
    expected |= {name: {"select", "insert"} for name in APPENDS | {"outbox"}}
    expected |= {name: {"select", "insert", "update"} for name in CHANGES}
    expected |= {name: {"select", "insert", "update", "delete"} for name in REMOVES}
    expected |= {name: {"select", "insert", "delete"} for name in ("kept_mail", "rota_window")}
    expected |= {"history_seq": {"usage"}}
    assert rights == expected
    single = await owner.fetch(
        "SELECT attrelid::regclass::text || '.' || attname AS name, privilege_type FROM pg_attribute,"
        " aclexplode(attacl) WHERE grantee = 'escalation_service'::regrole"
    )
    columns = {
        "outbox": (
            *("status", "attempts", "next_try_at", "target", "leased_until", "first_tried_at"),
            *("delivered_at", "error", "passed", "receipt", "together", "told_in"),
        ),
        "review": ("signed_by", "signed_at"),
        "review_action": ("done_by", "done_at"),
    }
    assert {(row["name"], row["privilege_type"]) for row in single} == {
        (f"{table}.{column}", "UPDATE") for table, names in columns.items() for column in names
    }


@pytest.mark.parametrize("statement", ["UPDATE {} SET reason = 'another'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
async def test_history_is_append_only_for_its_owner_too(owner: asyncpg.Connection, statement: str):
    await owner.execute("SET session_replication_role = replica")
    for month in ("2001-01-01", "2026-01-05"):
        await owner.execute(
            "INSERT INTO history (seq, escalation_id, version, at, move, state, level, ticket_id, customer_id, actor,"
            " actor_level, reason, detail, guards, policy_version, changed, messages, request_id, command, prev, hash)"
            f" VALUES (1, first_id_of('{month}'), 1, now(), 1, 'open', 0, 'T', 'c', 'a', 0, 'r', '{{}}', '{{}}', 1,"
            " '{}', 0, 'r', gen_random_uuid(), repeat('0', 64), repeat('0', 64))"
        )
    await owner.execute("RESET session_replication_role")
    for name in ("history", "history_rest", *await partitions(owner)):
        empty = await owner.fetchval(f"SELECT count(*) = 0 FROM {name}")
        if empty and not statement.startswith("TRUNCATE"):
            continue
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await owner.execute(statement.format(name))


async def test_even_with_the_role_a_state_is_not_moved_by_hand(served: asyncpg.Connection, owner: asyncpg.Connection):
    await owner.execute(
        "INSERT INTO customer (id, name, tier) VALUES ('c', 'C', 'starter');"
        "INSERT INTO ticket (id, revision, customer_id, opened_at) VALUES ('T', 1, 'c', now())"
    )
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="a_state_has_its_history"):
        await served.execute(
            "INSERT INTO escalation (id, ticket_id, customer_id, tier, state, level, target_level, opened_at,"
            " opened_by, policy_version, version, situations, engaged, chain, steps, acts, opened_revision,"
            " de_escalated_revision, updated_at, head)"
            " VALUES (gen_random_uuid(), 'T', 'c', 'starter', 'open', 0, 1, now(), 'a', 1, 1, '[]',"
            " '{}', '{}', '{}', '[]', 1, 0, now(), '')"
        )
