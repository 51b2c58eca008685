# mypy: disable-error-code="import-not-found"
"""The workflow called from threads of its own process, without HTTP: all that DBOS can do.

Reads {ids, warmup, seconds, seed} as JSON from its input; prints {rate, p50, p99} (milliseconds).
"""

import json
import random
import sys
import threading
import time

from dbos import DBOS
from dbos_work import THREADS, change_level

_DETAIL = '{"reason":"technical complexity","needed":"engineers"}'


def main() -> None:
    plan = json.load(sys.stdin)
    DBOS.launch()
    begin = time.perf_counter() + plan["warmup"]
    end = begin + plan["seconds"]
    latencies: list[float] = []

    def keep_changing(thread: int) -> None:
        rng = random.Random(f"{plan['seed']}/{thread}")
        mine = plan["ids"][thread::THREADS]
        raised: set[str] = set()
        while (asked := time.perf_counter()) < end:
            drawn = rng.choice(mine)
            trigger = "step_down" if drawn in raised else "escalate"
            assert change_level(drawn, trigger, _DETAIL) is not None
            raised ^= {drawn}
            if begin <= (answered := time.perf_counter()) < end:
                latencies.append(answered - asked)

    threads = [threading.Thread(target=keep_changing, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    DBOS.destroy()
    latencies.sort()
    json.dump(
        {
            "rate": len(latencies) / plan["seconds"],
            "p50": latencies[len(latencies) // 2] * 1e3,
            "p99": latencies[int(0.99 * len(latencies))] * 1e3,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
