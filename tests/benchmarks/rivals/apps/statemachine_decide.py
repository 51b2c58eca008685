# mypy: disable-error-code="import-not-found, misc"
# This runs in the rival's environment; python-statemachine is not in the one of the type checks.
"""`escalate` by python-statemachine: the same seven states, the same questions asked.

    python statemachine_decide.py kept|made WARMUP SECONDS      prints {rate} as JSON

`made`: a machine for each row, as a service does that loads a row, decides, and forgets it.
`kept`: one machine, whose row is put back between the decisions, as no service could.
"""

import json
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from statemachine import State, StateMachine

_RESPONDS_WITHIN = {2: timedelta(hours=2), 3: timedelta(hours=4), 4: timedelta(0)}
_BRIEF = {
    "issue": "Checkout fails",
    "reason": "technical complexity",
    "current_status": "Restarted twice",
    "needed": "engineers",
}
_GUARDS = ["actor_may", "within_reach", "no_handoff_pending", "brief_complete"]
# So often the clock is read: seldom enough not to be measured.
_BETWEEN_LOOKS = 50


@dataclass
class Row:
    state: str = "l1"
    level: int = 1
    version: int = 1
    owner: str | None = "ana"
    engaged: tuple[str, ...] = ("ana", "ben")
    handoff: str | None = None
    respond_by: datetime | None = None
    history: list[dict[str, Any]] = field(default_factory=list)


class Escalation(StateMachine):
    opened = State(initial=True, value="open")
    l1 = State()
    l2 = State()
    l3 = State()
    l4 = State()
    de_escalating = State()
    closed = State(final=True)

    engage = opened.to(l1) | opened.to(l2) | opened.to(l3) | opened.to(l4)
    withdraw = opened.to(closed)
    escalate = (
        l1.to(l2, cond=_GUARDS, on="enter_level")
        | l2.to(l3, cond=_GUARDS, on="enter_level")
        | l3.to(l4, cond=_GUARDS, on="enter_level")
    )
    de_escalate = l1.to(de_escalating) | l2.to(de_escalating) | l3.to(de_escalating) | l4.to(de_escalating)
    resume = de_escalating.to(l1) | de_escalating.to(l2) | de_escalating.to(l3) | de_escalating.to(l4)
    step_down = de_escalating.to(l1) | de_escalating.to(l2) | de_escalating.to(l3)
    close = de_escalating.to(closed)

    def actor_may(self, actor: str, actor_level: int) -> bool:
        row = self.model
        return actor in row.engaged or actor_level > row.level

    def within_reach(self, actor_level: int, level: int) -> bool:
        return level == self.model.level + 1 or actor_level >= level - 1

    def no_handoff_pending(self) -> bool:
        return self.model.handoff is None

    def brief_complete(self, brief: dict[str, str]) -> bool:
        return all(brief.get(part, "").strip() for part in _BRIEF)

    def enter_level(self, actor: str, level: int, brief: dict[str, str], now: datetime) -> None:
        row = self.model
        row.history.append(
            {
                "at": now,
                "actor": actor,
                "source": row.state,
                "dest": f"l{level}",
                "reason": brief["reason"],
            }
        )
        row.level = level
        row.version += 1
        row.handoff = "cleo"
        row.respond_by = now + _RESPONDS_WITHIN[level]


def once(machine: Escalation, now: datetime) -> None:
    machine.send("escalate", actor="ana", actor_level=0, level=2, brief=_BRIEF, now=now)


def main(how: str, warmup: float, seconds: float) -> None:
    now = datetime.now(UTC)
    machine = Escalation(Row())
    once(machine, now)
    assert (machine.model.state, machine.model.level, len(machine.model.history)) == ("l2", 2, 1)
    begin = time.perf_counter() + warmup
    end = begin + seconds
    count = 0
    while (looked := time.perf_counter()) < end:
        for _ in range(_BETWEEN_LOOKS):
            if how == "made":
                machine = Escalation(Row())
            else:
                machine.model.__init__()
            once(machine, now)
        if looked >= begin:
            count += _BETWEEN_LOOKS
    json.dump({"rate": count / seconds}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
