"""The small process that owns an embedded Postgres: starts it, restarts it, stops it.

It runs in a session of its own, started by the first user of a data directory and outliving that
one; nothing is tied to the thread or process that happened to be first. What lies in the directory:

    cluster/          PostgreSQL's own files
    password          of the superuser, 0600
    address           the port, once the server answers there; it stays the same over restarts
    supervisor.lock   held exclusively for as long as a supervisor lives
    users.lock        held shared by every user. When nobody has held it for `grace` seconds, the
                      supervisor takes it exclusively, stops the server and ends
    postgres.log      of the server and of this process

Started as root, the server itself runs as the owner of the cluster (``nobody`` in a new one), since
PostgreSQL refuses root. Such a user may not be able to walk to the directory (/root is closed, and
parents are not ours to open), so on Linux the server finds it as its working directory.
"""

import argparse
import fcntl
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUPERUSER = "postgres"

# Durable: fsync and synchronous_commit stay on. The rest spares latency on small machines.
# Errors are logged without statement and detail, which would hold what people wrote.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "wal_compression": "off",
    "max_connections": "200",
    "jit": "off",
    "track_io_timing": "off",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# For data that nobody will miss: tests.
_SCRATCH = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "1GB"}

_ATTEMPTS = 30
_STOP_WITHIN = 30.0
_LOOK_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What a supervisor is told by the user that starts it."""

    directory: Path
    binaries: Path
    version: int
    grace: float = 5.0
    scratch: bool = False

    def arguments(self) -> list[str]:
        """The command line that `main` reads back."""
        words = [str(self.directory), str(self.binaries), str(self.version), str(self.grace)]
        return [*words, "--scratch"] if self.scratch else words


class Server:
    """One PostgreSQL server process on one cluster, whoever started it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.cluster = plan.directory / "cluster"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def alive(self) -> bool:
        """Whether the process is there, ready or not."""
        if self._process is not None:
            return self._process.poll() is None
        if not _exists(self._pid):
            return False
        try:
            # A postmaster works in its cluster; a number alone may have gone to another process.
            return os.path.samefile(f"/proc/{self._pid}/cwd", self.cluster)
        except PermissionError:
            return False
        except OSError:
            return sys.platform != "linux"

    def initialise(self) -> None:
        """Make the cluster where there is none; an interrupted attempt leaves nothing behind."""
        if self.cluster.exists():
            return
        # In a folder that belongs to the server's user as a whole, since it may see no other.
        attempt = self.plan.directory / "initdb"
        new, password = attempt / "cluster", attempt / "password"
        shutil.rmtree(attempt, ignore_errors=True)
        new.mkdir(0o700, parents=True)
        password.touch(0o600)
        password.write_text((self.plan.directory / "password").read_text())
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for path in (attempt, new, password):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        locale = ["--no-locale"]
        if self.plan.version >= 17:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        words = [f"--username={SUPERUSER}", "--auth=scram-sha-256", "--pwfile=../password"]
        sync = ["--no-sync"] if self.plan.scratch else []
        how = self._how_to_run(new)
        words = ["-D", str(how.pop("path")), "--encoding=UTF8", *words, *locale, *sync]
        done = subprocess.run(
            [self.plan.binaries / "initdb", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **how,
        )
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{done.stdout}\n{done.stderr}")
        new.rename(self.cluster)
        shutil.rmtree(attempt)

    def start(self) -> None:
        """Start the server, or adopt the one that a killed supervisor left behind; wait for it.

        Raises RuntimeError when it ends again and again; PostgreSQL's reason is in the log.
        """
        if self._adopt():
            return
        last_port = _number_in(self.plan.directory / "address")
        for attempt in range(_ATTEMPTS):
            # The port is kept as long as it can be, so that pools find the server again.
            self.port = last_port if last_port and attempt < _ATTEMPTS // 2 else free_port()
            self._launch()
            while self.alive():  # for as long as recovery takes
                if self._says_ready() == (self._pid, self.port):
                    _write(self.plan.directory / "address", str(self.port))
                    return
                time.sleep(0.01)
            # After a kill -9 the dead server's last backends may hold its memory for a moment.
            time.sleep(min(0.05 * attempt, 1.0))
        raise RuntimeError("PostgreSQL does not start")

    def stop(self) -> None:
        """Stop it: open transactions are rolled back, everything committed is kept."""
        for how in (signal.SIGINT, signal.SIGQUIT):
            if self.alive():
                os.kill(self._pid, how)
            until = time.monotonic() + _STOP_WITHIN
            while self.alive() and time.monotonic() < until:
                time.sleep(0.02)

    def _launch(self) -> None:
        settings = _SETTINGS | (_SCRATCH if self.plan.scratch else {}) | {"port": str(self.port)}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        how = self._how_to_run(self.cluster)
        self._process = subprocess.Popen(
            [self.plan.binaries / "postgres", "-D", how.pop("path"), *words],
            stdin=subprocess.DEVNULL,
            **how,
        )
        self._pid = self._process.pid

    def _adopt(self) -> bool:
        file = self.cluster / "postmaster.pid"
        try:
            self._process, self._pid = None, int(file.read_text().splitlines()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return False
        if not self.alive():
            if _exists(self._pid):
                # After a power cut the number may be another's, which PostgreSQL would respect.
                file.unlink()
            return False
        while self.alive():
            pid, self.port = self._says_ready()
            if pid == self._pid:
                _write(self.plan.directory / "address", str(self.port))
                return True
            time.sleep(0.05)
        return False

    def _says_ready(self) -> tuple[int, int]:
        """Process and port, once the server takes connections; as pg_ctl reads them."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
            return (int(lines[0]), int(lines[3])) if lines[7].strip() == "ready" else (0, 0)
        except (FileNotFoundError, IndexError, ValueError):
            return 0, 0

    def _how_to_run(self, cluster: Path) -> dict[str, Any]:
        how: dict[str, Any] = {"path": cluster, "cwd": cluster}
        if os.geteuid() == 0:
            owner = cluster.stat()
            how |= {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
            if sys.platform == "linux":
                how["path"] = "/proc/self/cwd"
        return how


def run(plan: Plan) -> None:
    """Own the server until nobody has used it for the grace time, or until told to stop."""
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    users = os.open(plan.directory / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    server = Server(plan)
    server.initialise()
    server.start()
    print(f"supervisor: PostgreSQL runs on port {server.port}", flush=True)
    used_at = time.monotonic()
    while not stopping:
        time.sleep(min(_LOOK_EVERY, plan.grace))
        if not server.alive():
            print("supervisor: PostgreSQL ended unasked, starting it again", flush=True)
            server.start()
        if not _try_lock(users):
            used_at = time.monotonic()
        elif time.monotonic() - used_at >= plan.grace:
            break  # and keep the lock: whoever comes now waits for the end and starts anew
        else:
            fcntl.flock(users, fcntl.LOCK_UN)
    server.stop()
    print("supervisor: PostgreSQL is stopped", flush=True)
    if plan.scratch:
        shutil.rmtree(plan.directory, ignore_errors=True)


def main() -> None:
    """Detach from whoever started this process, and supervise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("binaries", type=Path)
    parser.add_argument("version", type=int)
    parser.add_argument("grace", type=float)
    parser.add_argument("--scratch", action="store_true")
    plan = Plan(**vars(parser.parse_args()))
    # The starter waits for the parent's end only, and is left with no child to reap.
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    try:
        run(plan)
    except (RuntimeError, OSError) as error:
        print(f"supervisor: {error}", flush=True)
        sys.exit(1)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def _number_in(file: Path) -> int:
    try:
        return int(file.read_text())
    except (FileNotFoundError, ValueError):
        return 0


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    # Below what systems hand to outgoing connections, which could hold the port at a restart.
    while True:
        port = random.randint(15_000, 29_999)  # noqa: S311
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _write(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


if __name__ == "__main__":
    main()
