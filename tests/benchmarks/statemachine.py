"""One decision, without any I/O: python-statemachine, beside which `machines.decide` is put.

Measured: `escalate` from level 1 to 2 on a machine of the same seven states, with the guards that
the product asks there (who may, reach, no handoff pending, a complete brief), which then sets the
row's fields and appends one record (`rivals/apps/statemachine_decide.py`).

Fair: two ways are shown. `statemachine` makes a machine for each row, as its docs do with a model
that was just loaded; that is what `decide` answers to, which knows nothing from one call to the
next. `statemachine-kept` reuses one machine and puts its row back, which no service could, so that
nothing but the transition is left. Unfair to the product: its decision holds timers, messages and
the full history entry besides, and names every guard that failed, where the rival stops at one.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from .bench import Bench, Measure, Sample
from .process import output_of
from .rivals.environment import APPS, python_of

_OVERHEAD = 30.0
MOST = 2.0
"""Seconds of a turn, at most: nothing is waited for, and so little varies."""


@dataclass(frozen=True, slots=True)
class StateMachine:
    """python-statemachine, its machine made for each row or kept."""

    name: str
    title: str
    how: str
    unit: str = "decisions/s"
    settings: tuple[str, ...] = ("one process",)

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """Its environment; the program is over with its measurement."""
        python = await python_of("statemachine", bench.cache)

        async def measure(warmup: float, seconds: float) -> Sample:
            warmup, seconds = min(warmup, MOST), min(seconds, MOST)
            program = APPS / "statemachine_decide.py"
            answer = await output_of(
                [python, program, self.how, str(warmup), str(seconds)],
                within=warmup + seconds + _OVERHEAD,
            )
            return msgspec.json.decode(answer, type=Sample)

        yield measure


MADE = StateMachine("statemachine", "python-statemachine", "made")
KEPT = StateMachine("statemachine-kept", "python-statemachine, one machine reused", "kept")
