"""What `GET …/clocks` explains is what the timer is armed for, whatever calendars, pauses and reports there were.

No service runs here: the answer is a function of the ticket, its policy and the instant that is now.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from machines.document import CLOCKS
from machines.sla import armed
from machines.values import Warned
from service.routes.clocks import explained
from tests.machines.cast import MINUTE
from tests.machines.test_calendar import NIGHTS
from tests.machines.test_sla import policies, replayed, reports

HOUR = timedelta(hours=1)
UNIT = {"H": HOUR, "M": MINUTE, "S": timedelta(seconds=1)}


def span(text: str) -> timedelta:
    """An ISO 8601 duration of hours, minutes and seconds."""
    found, number = timedelta(0), ""
    for each in text.removeprefix("PT"):
        if each in UNIT:
            found, number = found + float(number) * UNIT[each], ""
        else:
            number += each
    return found


@settings(max_examples=150, deadline=None)
@given(
    policies(),
    st.sampled_from(NIGHTS),
    reports(),
    st.one_of(st.none(), st.integers(-10, 2500)),
    st.sampled_from(CLOCKS),
    st.sampled_from((0, 0, 50, 75, 90, 100)),
    st.integers(0, 4000),
)
def test_the_deadline_that_is_explained_is_what_the_timer_is_armed_for(by, opened, events, answer, clock, told, later):
    answered = None if answer is None else opened + answer * MINUTE
    ticket = replayed(opened, events, answered)
    if told:
        ticket = replace(ticket, warned=(Warned(clock, told, opened),))
    now = max(ticket.phases[-1].at, answered or opened) + later * MINUTE
    got, due = explained(clock, ticket, by, now), armed(ticket, by)[clock]
    marks = [mark.at for mark in got.warns if mark.percent > told]
    wanted = min(marks, default=got.due_at)
    reopened = [b.at for a, b in zip(ticket.phases, ticket.phases[1:], strict=False) if a.over and not b.over]
    if got.state in ("met", "paused") or told == 100 or ticket.over:
        assert due is None
    elif got.state == "breached" and got.breached_at is not None and got.breached_at < max(reopened, default=opened):
        assert due is None, "what was missed before it was solved is not begun by reopening it"
    else:
        assert due == wanted
    if got.arithmetic and got.due_at is not None:
        sum_ = got.arithmetic
        assert span(sum_.left) == max(span(sum_.target) - span(sum_.counted), timedelta(0))
        ran = next(each for each in reversed(got.spans) if not each.paused)
        assert by.document.calendars[ran.tier].counted(sum_.since, got.due_at) == span(sum_.left)
