"""Faults that the database itself is made to have: it refuses, it is slow to commit."""

from __future__ import annotations

import asyncpg


async def refuse_history(db: asyncpg.Connection, code: str, *, times: int = 1, at_commit: bool = False) -> None:
    """The next `times` writes of history end with this SQLSTATE; `at_commit`: only when they commit."""
    await db.execute("CREATE SEQUENCE refusals")
    await db.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN"
        f" IF nextval('refusals') <= {times} THEN RAISE EXCEPTION 'made up' USING ERRCODE = '{code}'; END IF;"
        " RETURN new; END $$"
    )
    when = "CONSTRAINT TRIGGER refuse AFTER INSERT ON history DEFERRABLE INITIALLY DEFERRED"
    plain = "TRIGGER refuse BEFORE INSERT ON history"
    await db.execute(f"CREATE {when if at_commit else plain} FOR EACH ROW EXECUTE FUNCTION refuse()")


async def slow_commit(db: asyncpg.Connection, table: str) -> None:
    """Whoever wrote to this table waits in COMMIT for as long as `db` holds advisory lock 1 (`let_commit` ends it)."""
    await db.execute("SELECT pg_advisory_lock(1)")
    await db.execute(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " SET lock_timeout = 0 AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN new; END $$"
    )
    await db.execute(
        f"CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION dawdle()"
    )


async def let_commit(db: asyncpg.Connection) -> None:
    """End `slow_commit`."""
    await db.execute("SELECT pg_advisory_unlock(1)")


async def blocked(db: asyncpg.Connection, backends: int) -> None:
    """Return when this many backends of the database wait for a lock that others hold."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while await db.fetchval(waiting) < backends:
        pass
