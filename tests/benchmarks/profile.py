"""Where the time goes: processor time for each counted call, of everybody, and of the service room by room.

Two runs of `ours` with all connections. The first is undisturbed: what the service, all processes of Postgres and the
load generator took of the processor, by the system's own count, on the calls that were counted. The second is under a
sampler (`sampled.py`), which tells the shares of the service's rooms. A sample belongs to the innermost function that
is of a room; what the standard library or C code does belongs to whoever called it. The event loop's part holds what
has no Python function at all: waiting for sockets, reading and writing them, asyncpg's decoding of replies.
"""

import os
import signal
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from . import cpu, load
from .bench import Bench, Watch
from .database import settle
from .ours import SCRIPT
from .process import ProgramError
from .stage import Made, service

_LEAST_WARMUP = 2.0
_SHOWN = 25

# The first that a sample's stack, from the inside, has a place in. `path part` or `path part:function`.
_ROOMS = (
    ("transitions, the library", ("/transitions/",)),
    ("HTTP: aiohttp", ("/aiohttp/", "/multidict/", "/yarl/")),
    ("asyncpg", ("/asyncpg/",)),
    ("log and metrics", ("/structlog/", "/logging/", "service/log.py", "/prometheus_client/", "service/metrics.py")),
    ("seal: history's hash", ("machines/history.py:seal", "machines/history.py:said_hash")),
    ("rows and their JSON", ("service/rows.py:Rows", "service/rows.py:_json")),
    ("decide", ("machines/",)),
    ("the answer's JSON", ("service/answers.py", "service/submit.py:render", "service/submit.py:done")),
    ("engine and batch: facts' JSON", ("service/engine.py", "service/batch.py", "service/asks.py")),
    ("door, authentication, validation", ("service/routes/", "service/door.py", "service/auth.py", "service/body.py",
                                          "service/submit.py", "service/rows.py:fingerprint", "service/problems.py")),
    ("HTTP: our server", ("service/server.py", "service/app.py")),
)  # fmt: skip
_DOOR = "service/rows.py:fingerprint"
_LOOP = "event loop, sockets, replies of Postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Microseconds of processor time for each counted call; `rooms` are the service's, and add up to it."""

    calls: float
    sampled_calls: float
    service: float
    postgres: float | None
    client: float
    waiting: float
    rooms: dict[str, float]
    functions: dict[str, float]
    load: tuple[float, float, float]


async def profile(bench: Bench, watch: Watch) -> Profile:
    """Run twice and look."""
    async with bench.stage.copy("profile") as made:
        async with service(made.url) as (port, pid):
            await _load(bench, made, port, max(bench.warmup, _LEAST_WARMUP))
            postgres = bench.server.postmaster
            await settle(bench.server)
            before = cpu.spent(pid), cpu.spent_by_tree(postgres) if postgres else 0.0
            async with watch.turn("profile, undisturbed", bench.seconds):
                outcome = await _load(bench, made, port, bench.seconds)
            after = cpu.spent(pid), cpu.spent_by_tree(postgres) if postgres else 0.0
        calls = outcome.accepted * outcome.seconds
        with tempfile.TemporaryDirectory(prefix="samples-") as folder:
            file = Path(folder) / "samples.json"
            os.environ["BENCH_SAMPLES"] = str(file)
            async with service(made.url, ("-m", "tests.benchmarks.sampled")) as (port, pid):
                await _load(bench, made, port, max(bench.warmup, _LEAST_WARMUP))
                os.kill(pid, signal.SIGUSR1)
                async with watch.turn("profile, sampled", bench.seconds):
                    sampled = await _load(bench, made, port, bench.seconds)
            stacks = msgspec.json.decode(file.read_bytes(), type=list[tuple[list[str], int]])
    took = after[0] - before[0]
    rooms, functions = _shares(stacks)
    return Profile(
        calls=outcome.accepted,
        sampled_calls=sampled.accepted,
        service=took / calls * 1e6,
        postgres=(after[1] - before[1]) / calls * 1e6 if postgres else None,
        client=outcome.client_cpu * outcome.seconds / calls * 1e6,
        waiting=max(0.0, 1 - took / outcome.seconds),
        rooms={room: share * took / calls * 1e6 for room, share in rooms.items()},
        functions={name: share * took / calls * 1e6 for name, share in functions.items()},
        load=os.getloadavg(),
    )


async def _load(bench: Bench, made: Made, port: int, seconds: float) -> load.Outcome:
    outcome = await load.run(
        load.Plan(
            port=port,
            script=SCRIPT,
            arguments={"keys": dict(made.keys)},
            connections=bench.connections,
            warmup=0,
            seconds=seconds,
            # Other tickets than those of the run before on the same database.
            seed=int.from_bytes(os.urandom(4)),
        )
    )
    if outcome.refused or outcome.broken:
        raise ProgramError(f"not every call was answered 2xx: {outcome.refused}, broken {outcome.broken}")
    return outcome


# Rooms ------------------------------------------------------------------------------------------------------------


def _shares(stacks: list[tuple[list[str], int]]) -> tuple[dict[str, float], dict[str, float]]:
    rooms: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for stack, n in stacks:
        rooms[_room(stack)] += n
        functions[_short(stack[0])] += n
    total = max(1, sum(rooms.values()))
    return (
        {room: n / total for room, n in rooms.most_common()},
        {name: n / total for name, n in functions.most_common(_SHOWN)},
    )


def _room(stack: list[str]) -> str:
    if any(_DOOR in frame for frame in stack):
        return "door, authentication, validation"
    for frame in stack:
        for room, places in _ROOMS:
            if any(place in frame for place in places):
                return room
    return _LOOP


def _short(frame: str) -> str:
    file, _, function = frame.rpartition(":")
    return f"{'/'.join(Path(file).parts[-2:])}:{function}"


def print_profile(console: Console, found: Profile) -> None:
    """A table: whose time, and the service's room by room."""
    table = Table(
        title=f"where the time goes, at {found.calls:,.0f} counted calls a second",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("", no_wrap=True)
    table.add_column("µs a call", justify="right")
    table.add_column("of the service", justify="right")
    table.add_row("the service's process", f"{found.service:.0f}", f"waits {found.waiting:.0%} of the time")
    for room, took in found.rooms.items():
        table.add_row(f"  {room}", f"{took:.0f}", f"{took / found.service:.0%}" if found.service else "")
    table.add_row("Postgres, all processes", "not seen" if found.postgres is None else f"{found.postgres:.0f}", "")
    table.add_row("the load generator", f"{found.client:.0f}", "")
    console.print(table)
    average = ", ".join(f"{each:.1f}" for each in found.load)
    console.print(f"under the sampler {found.sampled_calls:,.0f} a second; load {average}", style="dim")
    console.print("\n".join(f"  {took:5.0f}  {name}" for name, took in found.functions.items()), style="dim")
