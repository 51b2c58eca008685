"""A real standby of the tests' Postgres: a base backup of it, that streams."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from service.binaries import usable


def stop(process: subprocess.Popen[Any]) -> None:
    """At once and with all its processes: those of a postmaster that is killed find out by themselves, and touch their
    folder until then."""
    process.send_signal(signal.SIGQUIT)
    process.wait()


class Standby:
    """It runs until it is stopped; `url` is the same database's on it."""

    def __init__(self, url: str, process: subprocess.Popen[str], db: asyncpg.Connection) -> None:
        self.url, self.process, self.db = url, process, db

    def stop(self) -> None:
        """As a power cut would."""
        stop(self.process)


@asynccontextmanager
async def standby_of(url: str) -> AsyncIterator[Standby]:
    """One of the server at this url."""
    parts = urlsplit(url)
    folder = Path(tempfile.mkdtemp(prefix="standby-"))
    cluster = folder / "cluster"
    cluster.mkdir(0o700)
    binaries = (await asyncio.to_thread(usable, folder, None)).folder
    env = os.environ | {"PGPASSWORD": parts.password or ""}
    how: dict[str, Any] = {"cwd": cluster, "env": env, "stdin": subprocess.DEVNULL}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, cluster):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        how |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    where = ["-h", str(parts.hostname), "-p", str(parts.port), "-U", str(parts.username)]
    options = ["-X", "stream", "-R", "--checkpoint=fast", "--no-sync"]
    copying: list[str | Path] = [binaries / "pg_basebackup", "-D", ".", *where, *options]
    await asyncio.to_thread(lambda: subprocess.run(copying, check=True, capture_output=True, **how))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 200}
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        starting: list[str | Path] = [binaries / "postgres", "-D", ".", *words]
        process = await asyncio.to_thread(lambda: subprocess.Popen(starting, stdout=log, stderr=log, **how))
    there = parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()
    try:
        standby = Standby(there, process, await _answers(there))
        try:
            yield standby
        finally:
            standby.db.terminate()
    finally:
        await asyncio.to_thread(stop, process)
        shutil.rmtree(folder)


async def _answers(url: str) -> asyncpg.Connection:
    async with asyncio.timeout(240):  # however busy the machine is
        while True:
            try:
                return await asyncpg.connect(url)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
