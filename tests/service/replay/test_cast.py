"""The cast asks of nothing but what the service and the file can tell: so it goes on after any interruption."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.replay.cast.playing import next_turn
from service.replay.cast.shifts import Shifts
from service.replay.cast.watched import Watched

BEGAN = datetime(2016, 3, 2, 9, tzinfo=UTC)
"""When it began to de-escalate."""
ROWS = (("de_escalate", BEGAN), ("complete_step", BEGAN + timedelta(hours=1)))


@pytest.mark.parametrize("criterion", ["workaround_accepted", "request_withdrawn"])
@pytest.mark.parametrize(("reported_at", "is_proof"), [(BEGAN, False), (BEGAN + timedelta(minutes=1), True)])
def test_that_the_ticket_was_updated_is_said_once_it_was_reported_since_de_escalating(
    criterion: str, reported_at: datetime, is_proof: bool
):
    w = Watched("INC1", 1, Shifts(1))
    w.facts, w.told = {"status": "open", "priority": "p1", "subject": "Down"}, [(reported_at, "p1")]
    w.log = [{"trigger": trigger, "at": at.isoformat()} for trigger, at in ROWS]
    steps: dict[str, object] = {"confirm_with_customer": {}}
    w.escalation = {"state": "de_escalating", "steps": steps, "criterion": criterion, "owner": "mia"}
    w.escalation |= {"handoff": None, "version": 8, "opened_at": BEGAN.isoformat(), "level": 2}
    turn = next_turn(w)
    assert (turn is not None) == is_proof
    if turn is not None:
        assert turn.steps[0].body["step"] == "update_ticket"
