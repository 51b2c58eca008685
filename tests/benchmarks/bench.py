"""Contenders, taking turns: what is measured, how often, and what is made of it."""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from . import cpu, load
from .database import Server, settle
from .process import ROOT, ProgramError
from .stage import Stage

# Seconds for which each setting of a rival is tried before the turns, and warmed up for it; each is
# tried more than once, and its best counts: what disturbs a trial only ever makes it slower.
_TRIALS = 2
_TRIAL = 2.0
_TRIAL_WARMUP = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where and how long to measure. Times in seconds."""

    server: Server
    stage: Stage
    seconds: float = 6.0
    warmup: float = 2.0
    rounds: int = 3
    connections: int = 64
    timers: int = 100_000
    live: int = 5_000
    arriving: int = 500
    seed: int = 1
    # Whether the product's verifier looks at what the product's turns left.
    verify: bool = False
    cache: Path = ROOT / ".bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One turn: how many a second, and latencies in milliseconds where the client sees them."""

    rate: float
    p50: float | None = None
    p99: float | None = None
    # Cores that were busy for Postgres, and for all that was started here: service, client, rival.
    postgres: float | None = None
    others: float | None = None
    # What a reader must know of this turn: refusals, the client's share of a core.
    notes: Mapping[str, object] = field(default_factory=dict)


Measure = Callable[[float, float], Awaitable[Sample]]
"""Measure once: (seconds of warm-up, seconds) → Sample."""


class Contender(Protocol):
    """Something that is measured."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""

    @property
    def title(self) -> str:
        """What it is called in the table."""

    @property
    def unit(self) -> str:
        """Of what it does so many; only contenders of one unit are compared."""

    @property
    def settings(self) -> tuple[str, ...]:
        """What may be set differently; the best in a short trial is measured. At least one."""

    def ready(self, bench: Bench, setting: str) -> AbstractAsyncContextManager[Measure]:
        """Start it, on a database of its own, for as long as the context lasts.

        Raises ProgramError; MissingError where a part that it needs is not on this machine.
        """


class Watch(Protocol):
    """Is told what is going on."""

    def turn(self, title: str, seconds: float) -> AbstractAsyncContextManager[None]:
        """Something begins that should take about so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What became of one contender: its samples, or why there are none."""

    name: str
    title: str
    unit: str
    setting: str = ""
    trials: Mapping[str, float] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    failure: str | None = None

    @property
    def rate(self) -> float | None:
        """The median of the turns."""
        return statistics.median(each.rate for each in self.samples) if self.samples else None


def expected(contenders: Sequence[Contender], bench: Bench) -> float:
    """Seconds that `measure` will report to its watch, if nothing fails."""
    trials = sum(len(each.settings) for each in contenders if len(each.settings) > 1)
    turns = len(contenders) * bench.rounds
    return _TRIALS * trials * (_TRIAL_WARMUP + _TRIAL) + turns * (bench.warmup + bench.seconds)


async def measure(contenders: Sequence[Contender], bench: Bench, watch: Watch) -> list[Figure]:
    """Try settings, then let the contenders take turns. A contender that fails stops no other."""
    settings: dict[str, str] = {}
    trials: dict[str, dict[str, float]] = {}
    samples: dict[str, list[Sample]] = {each.name: [] for each in contenders}
    failures: dict[str, str] = {}

    for contender in contenders:
        settings[contender.name] = contender.settings[0]
        if len(contender.settings) == 1:
            continue
        tried = trials[contender.name] = {}
        try:
            for setting in contender.settings * _TRIALS:
                sample = await _turn(contender, setting, bench, watch, _TRIAL_WARMUP, _TRIAL)
                tried[setting] = max(sample.rate, tried.get(setting, 0.0))
            settings[contender.name] = max(tried, key=tried.__getitem__)
        except ProgramError as error:
            failures[contender.name] = str(error)

    for _ in range(bench.rounds):
        for contender in contenders:
            if contender.name in failures:
                continue
            try:
                samples[contender.name].append(
                    await _turn(
                        contender,
                        settings[contender.name],
                        bench,
                        watch,
                        bench.warmup,
                        bench.seconds,
                    )
                )
            except ProgramError as error:
                failures[contender.name] = str(error)

    return [
        Figure(
            name=each.name,
            title=each.title,
            unit=each.unit,
            setting=settings[each.name],
            trials=trials.get(each.name, {}),
            samples=tuple(samples[each.name]),
            failure=failures.get(each.name),
        )
        for each in contenders
    ]


async def _turn(
    contender: Contender,
    setting: str,
    bench: Bench,
    watch: Watch,
    warmup: float,
    seconds: float,
) -> Sample:
    async with (
        watch.turn(f"{contender.title}, {setting}", warmup + seconds),
        contender.ready(bench, setting) as measure_once,
    ):
        await settle(bench.server)
        async with cpu.watching(bench.server.postmaster, warmup, seconds) as cores:
            sample = await measure_once(warmup, seconds)
        if cores.postgres is None or cores.others is None or sample.postgres is not None:
            return sample  # not known, or watched by who knows better when it was at work
        return replace(sample, postgres=cores.postgres, others=cores.others)


def over_http(bench: Bench, port: int, script: str, arguments: Mapping[str, Any]) -> Measure:
    """Measure what listens on that port by the one load generator; a reply of 2xx counts."""

    async def measure_once(warmup: float, seconds: float) -> Sample:
        outcome = await load.run(
            load.Plan(
                port=port,
                script=script,
                arguments=dict(arguments),
                connections=bench.connections,
                warmup=warmup,
                seconds=seconds,
                seed=bench.seed,
            )
        )
        return Sample(
            rate=outcome.accepted,
            p50=outcome.p50,
            p99=outcome.p99,
            notes={
                "refused": outcome.refused,
                "broken": outcome.broken,
                "client_cpu": round(outcome.client_cpu, 3),
            },
        )

    return measure_once
