"""One decision, without any I/O: `machines.decide.decide` on what python-statemachine is asked to do.

Measured: `escalate` from level 1 to 2 by the engaged owner, with a whole brief, decisions a second. The guards are
those that `statemachine.py` asks too (who may, reach, no handoff pending, a complete brief), and those that the rival
leaves out; the answer is the whole decision: the new row, the history entry with every field that changed and the
text's id and salt, the timer, four messages, and to whom of a roster of twelve it is offered. Not included: the
database, the hash, JSON.

Beside it stands python-statemachine's machine *made per row* (`statemachine`): `decide` knows nothing from one call
to the next either, and is given a row that was just made each time, as a service is that loaded it. The other figure
(`statemachine-kept`) is of a machine that no service could keep. Unfair to the product: it decides more.

    python -m tests.benchmarks.decide WARMUP SECONDS      prints {rate} as JSON
"""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec

from machines import fields as given
from machines import matrix
from machines.asked import Actor, BriefText, Command, Transition
from machines.case import Facts
from machines.decide import decide
from machines.decided import Decision, Refusal
from machines.values import Customer, Escalation, Handoff, Person, Situation, State, Ticket

from .bench import Bench, Measure, Sample
from .lives import PEOPLE
from .process import output_of
from .statemachine import MOST

_OVERHEAD = 30.0
# So often the clock is read: seldom enough not to be measured; as at the rival's.
_BETWEEN_LOOKS = 50


class Decide:
    """The product's decision."""

    name = "decide"
    title = "machines.decide"
    unit = "decisions/s"
    settings = ("one process",)

    @asynccontextmanager
    async def ready(self, bench: Bench, setting: str) -> AsyncIterator[Measure]:
        """The program is over with its measurement."""

        async def measure(warmup: float, seconds: float) -> Sample:
            warmup, seconds = min(warmup, MOST), min(seconds, MOST)
            argv = [sys.executable, "-m", "tests.benchmarks.decide", str(warmup), str(seconds)]
            answer = await output_of(argv, within=warmup + seconds + _OVERHEAD)
            return msgspec.json.decode(answer, type=Sample)

        yield measure


_NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_POLICY = matrix.parse(matrix.default_text())
_ROSTER = {name: Person(name, name.capitalize(), level, on_duty=True) for name, level in PEOPLE.items()}
_CUSTOMER = Customer("acme", "Acme", "enterprise")
_TICKET = Ticket("T-1", 1, 1, "acme", "p2", "open", "Checkout fails", opened_at=_NOW)
_ACTOR = Actor("lee", "lead", 1)
_FIELDS = given.Escalate(
    "technical complexity", BriefText("Checkout fails", "technical complexity", "Restarted twice", "engineers")
)
_ID = "019b8d3c-0000-7000-8000-000000000000"


def _row() -> Escalation:
    """An escalation at level 1 that its owner has accepted."""
    return Escalation(
        _ID,
        "T-1",
        "acme",
        "enterprise",
        State.L1,
        1,
        1,
        "lee",
        _NOW,
        "desk",
        1,
        version=3,
        situations=(Situation("workaround_unacceptable", _NOW, "manual", 1, "desk"),),
        engaged=("abe", "lee"),
        chain=("abe", "lee"),
        handoff=Handoff("accepted", "lee", 1, _NOW, briefed_at=_NOW, accepted_at=_NOW),
        next_update_by=_NOW + timedelta(hours=1),
        updated_at=_NOW,
    )


def _once(now: datetime) -> Decision | Refusal:
    facts = Facts(_ACTOR, _row(), _TICKET, _CUSTOMER, _ROSTER)
    return decide(facts, Command(_ID, Transition(_ID, "escalate", _FIELDS), "request"), _POLICY, now)


def _main(warmup: float, seconds: float) -> None:
    now = _NOW + timedelta(minutes=10)
    told = _once(now)
    assert isinstance(told, Decision), told
    assert told.escalation is not None
    assert (told.escalation.state, told.escalation.level, len(told.entries)) == (State.L2, 2, 1)
    begin = time.perf_counter() + warmup
    end = begin + seconds
    count = 0
    while (looked := time.perf_counter()) < end:
        for _ in range(_BETWEEN_LOOKS):
            _once(now)
        if looked >= begin:
            count += _BETWEEN_LOOKS
    sys.stdout.buffer.write(msgspec.json.encode(Sample(rate=count / seconds)))


if __name__ == "__main__":
    _main(float(sys.argv[1]), float(sys.argv[2]))
