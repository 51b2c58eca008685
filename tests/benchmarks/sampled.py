"""The service under a sampler, for `--profile`: nothing of this is in the product.

    python -m tests.benchmarks.sampled serve …      with BENCH_SAMPLES naming the file that is written at the end

Every two milliseconds of processor time the process gets SIGPROF, and notes which Python functions it is in. By time
of the processor and not by a thread's clock: a thread that samples gets its turn where the interpreter lets go of its
lock, which is around system calls, and would find little else. What C code does counts for the function that called
it. Sampling begins with SIGUSR1.
"""

import json
import os
import signal
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

EVERY = 0.002

_seen: Counter[tuple[CodeType, ...]] = Counter()


def _note(_signal: int, frame: FrameType | None) -> None:
    stack = []
    while frame is not None:
        stack.append(frame.f_code)
        frame = frame.f_back
    _seen[tuple(stack)] += 1


def _begin(_signal: int, _frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)


def main() -> None:
    """Serve as the command line does, and write down what was seen."""
    from service.__main__ import main as serve

    signal.signal(signal.SIGPROF, _note)
    signal.signal(signal.SIGUSR1, _begin)
    try:
        serve()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        stacks = [[[f"{code.co_filename}:{code.co_qualname}" for code in stack], n] for stack, n in _seen.items()]
        Path(os.environ["BENCH_SAMPLES"]).write_text(json.dumps(stacks), "utf-8")


if __name__ == "__main__":
    main()
