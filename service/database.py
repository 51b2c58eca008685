"""The database: pools whose role owns nothing, and bringing it to the newest schema."""

import asyncio
import hashlib
import time
from collections.abc import Iterable
from typing import Any

import asyncpg
import structlog

import sql
from sql import Migration

ROLE = "escalation_service"

# Any number will do that no other program on the same database uses.
_MIGRATION_LOCK = 0x65736361
MONTHS = 4
"""Months of history that have a partition of their own: the last one, this one, and two to come."""
_POLL_EVERY = 0.1

log = structlog.get_logger(__name__)

LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asked in the moment between the server's farewell and its hanging up
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # this node had stopped, and its rows were freed
    asyncpg.ReadOnlySQLTransactionError,  # this server is a standby now
)
"""What ends a connection, whatever was asked on it."""
PASSES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a background role survives: it looks again later."""


class MigrationError(RuntimeError):
    """The database could not be brought to the newest schema; nothing half-done is left in it."""


async def connect(
    url: str,
    *,
    min_size: int = 1,
    max_size: int = 8,
    role: str = ROLE,
    statement_timeout: float = 5.0,
    application_name: str = "escalation-matrix",
) -> asyncpg.Pool:
    """A pool of connections that act as `role`; `statement_timeout` in seconds, 0 for none.

    For reads: filters that were not given are planned away, so each statement is planned with its values.
    """
    how = _how(role, statement_timeout, application_name)
    settings = how["server_settings"] | {"plan_cache_mode": "force_custom_plan"}
    return await asyncpg.create_pool(
        url,
        min_size=min_size,
        max_size=max_size,
        reset=_nothing_to_reset,
        **how | {"server_settings": settings},
    )


BY_KEY = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""For the engine, whose statements look up by key alone: planned once, and never as a scan because a table was
empty when they were."""


async def open_connection(
    url: str,
    *,
    role: str = ROLE,
    statement_timeout: float = 5.0,
    application_name: str = "escalation-matrix engine",
    connection_class: type[asyncpg.Connection] = asyncpg.Connection,
) -> asyncpg.Connection:
    """One connection outside any pool, made like those of `connect`, and planned for the engine's look-ups by key."""
    how = _how(role, statement_timeout, application_name) | {"connection_class": connection_class}
    return await asyncpg.connect(url, **how | {"server_settings": how["server_settings"] | BY_KEY})


def _how(role: str, statement_timeout: float, application_name: str) -> dict[str, Any]:
    return {
        "server_settings": {
            "role": role,
            "application_name": application_name,
            "timezone": "UTC",
            "jit": "off",
            # A stopped or lost node must let go of its rows, and nobody waits for them for long.
            "lock_timeout": "2s",
            "statement_timeout": f"{statement_timeout * 1000:.0f}",
            "idle_in_transaction_session_timeout": "3s",
        },
        "timeout": 10,
        # Against a server that has gone silent, where its own timeout cannot reach us.
        "command_timeout": statement_timeout + 5 if statement_timeout else None,
        # Every statement is prepared once a connection and stays so. Behind pgbouncer in
        # transaction mode that needs its max_prepared_statements (1.21).
        "statement_cache_size": 500,
        "max_cached_statement_lifetime": 0,
        "max_cacheable_statement_size": 0,
    }


async def _nothing_to_reset(_: object) -> None:
    # The default sends four commands at each release, against session state that we never make.
    # What asyncpg does before, a rollback of a transaction left open, stays.
    return


async def prepare(url: str, *, months: int = MONTHS) -> list[Migration]:
    """Migrate to this program's schema, and give it this program's moves and first policy.

    `months` of history get a partition each in advance.
    """
    from machines import escalation, matrix

    text = matrix.dump(matrix.parse(matrix.default_text(), version=1))
    return await migrate(url, moves=escalation.moves(), policy=text, months=months)


async def migrate(
    url: str,
    *,
    moves: Iterable[tuple[str, str | None, str]] = (),
    policy: str | None = None,
    months: int = MONTHS,
    steps: list[Migration] | None = None,
    within: float = 60.0,
) -> list[Migration]:
    """Bring a database to the newest schema; any number of nodes may do so at once.

    Each step is one transaction, unless its first line is ``-- no transaction`` (then it is one
    statement). Afterwards `moves` that are missing are added to allowed_move, and `policy` (JSON)
    becomes version 1 where there is none. Returns the steps it applied. A database that is newer
    than this program is left as it is: while a release rolls out, both run. Raises MigrationError,
    also when another node has been migrating for `within` seconds.
    """
    wanted = sql.migrations() if steps is None else steps
    conn = await asyncpg.connect(url, timeout=10, server_settings={"application_name": "escalation-matrix migrate"})
    try:
        await _take_turn(conn, within)
        applied = await _apply(conn, wanted)
        if moves or policy:
            async with conn.transaction():
                await _seed(conn, list(moves), policy, months)
        return applied
    finally:
        await conn.close()  # and with it the lock


async def _take_turn(conn: asyncpg.Connection, within: float) -> None:
    # Polled: a wait inside pg_advisory_lock() is a transaction that CREATE INDEX CONCURRENTLY of
    # the node whose turn it is would wait for in turn.
    until = time.monotonic() + within
    while not await conn.fetchval(sql.query("migrate.try_lock"), _MIGRATION_LOCK):
        if time.monotonic() > until:
            raise MigrationError(
                f"another node has been migrating this database for {within:.0f} s. See what it "
                "does in pg_stat_activity (application_name 'escalation-matrix migrate')."
            )
        await asyncio.sleep(_POLL_EVERY)


async def _apply(conn: asyncpg.Connection, wanted: list[Migration]) -> list[Migration]:
    await conn.execute(sql.query("migrate.make_list"))
    known = {row["number"]: row["checksum"] for row in await conn.fetch(sql.query("migrate.list"))}
    applied = []
    for step in wanted:
        name = f"{step.number:04}_{step.name}"
        checksum = hashlib.sha256(step.text.encode()).hexdigest()
        if step.number in known:
            if known[step.number] != checksum:
                raise MigrationError(f"{name} was changed after this database had got it")
            continue
        note = (sql.query("migrate.note"), step.number, step.name, checksum)
        try:
            if step.text.startswith("-- no transaction"):
                await conn.execute(step.text)
                await conn.execute(*note)
            else:
                async with conn.transaction():
                    await conn.execute("SET LOCAL lock_timeout = '5s'")
                    await conn.execute(step.text)
                    await conn.execute(*note)
        except asyncpg.PostgresError as error:
            raise MigrationError(f"{name} failed and was undone: {error}") from error
        log.info("migration_applied", migration=name)
        applied.append(step)
    return applied


async def _seed(
    conn: asyncpg.Connection, moves: list[tuple[str, str | None, str]], policy: str | None, months: int
) -> None:
    triggers, sources, dests = zip(*moves, strict=True) if moves else ((), (), ())
    await conn.execute(sql.query("migrate.add_moves"), triggers, sources, dests)
    if policy is not None:
        await conn.execute(sql.query("migrate.add_first_policy"), policy)
    await conn.execute(sql.query("migrate.make_partitions"), months)
    await conn.execute(sql.query("migrate.let_this_login_serve"))


async def wait_until_it_answers(url: str, within: float = 30.0) -> None:
    """Return once the database takes connections; a service may be started before it.

    Raises what the last attempt raised: OSError, asyncpg.PostgresError or TimeoutError.
    """
    until = time.monotonic() + within
    while True:
        try:
            conn = await asyncpg.connect(url, timeout=5)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.InternalClientError):
            # The last: of the hosts that were named, none takes writes now.
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.2)
        else:
            await conn.close()
            return
