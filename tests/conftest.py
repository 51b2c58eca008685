"""One Postgres for a whole run, shared by its workers, and a database of its own for each test.

The server is the product's own embedded one, without durability, in a folder of this run. Each
xdist worker adopts it; it ends, and the folder goes, soon after the last of them.
"""

import fcntl
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from service import database, postgres

# Migrated once: making a database from it takes 15 ms.
TEMPLATE = "migrated"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_url(testrun_uid: str) -> AsyncIterator[str]:
    """The server's URL, as its superuser, in its database of no interest."""
    async with await postgres.ensure(_folder(testrun_uid), scratch=True, grace=2.0) as server:
        yield server.url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(postgres_url: str, testrun_uid: str) -> str:
    """The name of a migrated database to make others from; nobody may connect to it."""
    with _alone(_folder(testrun_uid) / "template.lock"):
        conn = await asyncpg.connect(postgres_url)
        try:
            if not await conn.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE):
                await conn.execute("CREATE DATABASE migrating")
                await database.prepare(_named(postgres_url, "migrating"), months=2)
                await conn.execute(f"ALTER DATABASE migrating RENAME TO {TEMPLATE}")
        finally:
            await conn.execute("DROP DATABASE IF EXISTS migrating WITH (FORCE)")
            await conn.close()
    return TEMPLATE


@pytest.fixture
async def database_url(postgres_url: str, template: str) -> AsyncIterator[str]:
    """The URL of a migrated database for this test alone, as its owner."""
    async with database_from(postgres_url, template) as url:
        yield url


@pytest.fixture
async def empty_database_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a database without anything in it, for this test alone."""
    async with database_from(postgres_url, "template0") as url:
        yield url


@asynccontextmanager
async def database_from(server: str, template: str) -> AsyncIterator[str]:
    """The URL of a new database of this server, made from that one; it is dropped at the end."""
    name = f"test_{uuid4().hex}"
    conn = await asyncpg.connect(server)
    try:
        await conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield _named(server, name)
        await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await conn.close()


def _folder(run: str) -> Path:
    # In memory where there is enough: some disks take 400 ms over a database's 400 files.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2**31
    return (memory if roomy else Path(tempfile.gettempdir())) / f"escalation-tests-{run}"


def _named(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    # Blocks this worker's loop, on which nothing else runs yet.
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
