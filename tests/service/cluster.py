"""A PostgreSQL server that a test may kill, copy, promote and rewind: as durable as the embedded one, run as the same
user, in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg

from service.binaries import Binaries, usable
from service.supervisor import SUPERUSER, Plan, Server, free_port

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "wal_log_hints": "on",
    "wal_keep_size": "512MB",
    "jit": "off",
}
"""`wal_log_hints`, and the segments that are kept: so that one that was killed can be rewound."""
HERE = "."
STARTS_WITHIN = 240.0
"""Seconds, however busy the machine is."""


class Cluster:
    """One server. `name` is what its upstream knows it by; `settings` are its own beside SETTINGS."""

    def __init__(self, name: str, password: str, settings: Mapping[str, str] | None = None) -> None:
        self.name, self.password, self.port = name, password, free_port()
        self._settings = SETTINGS | {"cluster_name": name} | dict(settings or {})
        self.folder = Path(tempfile.mkdtemp(prefix=f"cluster-{name}-"))
        self.data = self.folder / "cluster"
        self._own(self.folder)
        self._binaries: Binaries | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgres://{SUPERUSER}:{self.password}@{self.address}/{database}"

    async def connect(self, database: str = "postgres") -> asyncpg.Connection:
        """A connection, as soon as it takes one."""
        async with asyncio.timeout(STARTS_WITHIN):
            while True:
                with suppress(OSError, asyncpg.PostgresError):
                    return await asyncpg.connect(self.url(database), timeout=5)
                await asyncio.sleep(0.05)

    async def make(self) -> None:
        """An empty cluster, made as the embedded one is."""
        found = await self._found()
        (self.folder / "password").write_text(self.password)
        await asyncio.to_thread(Server(Plan(self.folder, found.folder, found.major)).initialise)
        # Not on the command line alone: rewinding starts it without one, and needs the segments that are kept.
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())

    async def copy(self, url: str) -> None:
        """Its files become a base backup of the server at this url, whose standby it will be."""
        await asyncio.to_thread(shutil.rmtree, self.data, ignore_errors=True)
        self.data.mkdir(0o700)
        self._own(self.data)
        await self._tool("pg_basebackup", "-D", HERE, "-d", url, "-X", "stream", "-R", "--checkpoint=fast", "--no-sync")

    async def rewind(self, url: str) -> None:
        """Its files become those of the server at this url, by what differs since they parted, and it its standby."""
        source = url.rpartition("/")[0] + "/postgres"
        await self._tool("pg_rewind", f"--target-pgdata={HERE}", f"--source-server={source}", "-R", "--no-sync")

    async def start(self) -> None:
        """Start it; `connect` tells when it takes connections."""
        found = await self._found()
        words = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        starting: list[str | Path] = [found.folder / "postgres", "-D", HERE, "-p", str(self.port), *words]
        with (self.folder / "log").open("ab") as log:
            how: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **self._how()}
            self._process = await asyncio.to_thread(lambda: subprocess.Popen(starting, **how))

    def kill(self) -> None:
        """kill -9 of all its processes, as when its machine dies."""
        assert self._process is not None
        pid = self._process.pid
        with suppress(FileNotFoundError):  # not on Linux: they end by themselves
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """At once and with all its processes: those of a postmaster that is killed find out by themselves, and touch
        their folder until then."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def remove(self) -> None:
        """Stop it, and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _found(self) -> Binaries:
        if self._binaries is None:
            self._binaries = await asyncio.to_thread(usable, self.folder, None)
        return self._binaries

    async def _tool(self, name: str, *words: str) -> None:
        """Run one of PostgreSQL's own; RuntimeError with what it said where it failed."""
        tool = (await self._found()).folder / name
        how: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, **self._how()}
        done = await asyncio.to_thread(lambda: subprocess.run([tool, *words], check=False, **how))
        if done.returncode:
            raise RuntimeError(f"{name} of {self.name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _how(self) -> dict[str, Any]:
        how: dict[str, Any] = {"cwd": self.data, "env": os.environ | {"PGPASSWORD": self.password}}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            how |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        return how

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
