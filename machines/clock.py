"""What the clock does when a timer is due. A timer fires only if it is still armed for that very instant.

Timers are not kept by hand: `armed` derives them from the row, so what is unanswered always has its timer.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from machines import waiting
from machines.asked import ChainTold, Duty, Fire
from machines.story import Story, clock_does
from machines.values import WAITING, Escalation, Handoff, Person, State, TimerKind


def armed(e: Escalation | None) -> dict[TimerKind, datetime | None]:
    """The instants at which the clock acts on this escalation, by kind; a closed one has none left."""
    if e is None:
        return {"engage": None, "respond": None, "update": None}
    return {"engage": e.engage_by, "respond": e.page_by, "update": e.next_update_by}


def fire(story: Story, ask: Fire) -> dict[TimerKind, datetime | None]:
    """Act on a due timer; where it is no longer armed for that instant, change nothing.

    Every row that it makes keeps the instant at which it was due: a late timer is decided at the real now. Answers
    what becomes of a timer of the ticket's own, which no row of an escalation tells of.
    """
    if ask.due_at > story.now:
        return {}
    if ask.kind in WAITING:
        became = waiting.fire(story, ask)
        _keep_due(story, ask)
        return became
    e = story.live
    if e is None or armed(e)[ask.kind] != ask.due_at:
        return {}
    match ask.kind:
        case "engage":
            _engage(story, e)
        case "respond":
            _unanswered(story, e)
        case "update":
            clock_does(story, "remind", reason="update_missed", changes={"next_update_by": None})
    _keep_due(story, ask)
    return {}


def _keep_due(story: Story, ask: Fire) -> None:
    story.entries = [replace(entry, detail={**entry.detail, "due_at": ask.due_at}) for entry in story.entries]


def _engage(story: Story, e: Escalation) -> None:
    """`engage_by` has come: the escalation stands where the matrix wants it, from wherever it is."""
    if e.state == State.DE_ESCALATING:
        clock_does(story, "resume", reason="higher_row_due")
    clock_does(story, "engage" if e.state == State.OPEN else "escalate", level=e.target_level)


def _unanswered(story: Story, e: Escalation) -> None:
    """Nobody answered: a reassign lapses, a level escalates to the next, L4 pages again."""
    h = e.handoff
    assert h is not None
    if h.kind == "reassign":
        clock_does(story, "decline", reason="unanswered")
    elif e.level == 4:
        clock_does(story, "repage")
    else:
        clock_does(story, "escalate", level=e.level + 1, reason="response_overdue")


def on_duty_changed(story: Story, ask: Duty) -> None:
    """Off duty: an open offer passes on as a decline would, an owner is reminded to reassign. On duty: an offer to
    nobody finds somebody, at its level or above."""
    e, person = story.live, story.facts.roster.get(ask.person)
    if e is None or ask.version not in (None, e.version):
        return
    off, h = person is None or not person.on_duty, e.handoff
    if h is not None and h.pending:
        if h.to == ask.person and (off or (person is not None and person.level < h.level)):
            clock_does(story, "decline", reason="went_off_duty")
        elif not off and h.to is None and person is not None and _may_take(person, e, h):
            clock_does(story, "decline", reason="came_on_duty")
    if off and e.owner == ask.person:
        clock_does(story, "remind", reason="shift_ended")


def chain_told(story: Story, ask: ChainTold) -> None:
    """The step `notify_chain` is done, if it still waits for the messages of that version."""
    e = story.live
    if e is not None and e.notifying == ask.version:
        clock_does(story, "complete_step", step="notify_chain", planned=ask.version)


def _may_take(person: Person, e: Escalation, h: Handoff) -> bool:
    """Of the level or above; who declined it there is not offered it there again."""
    return person.level > e.level or (person.level == e.level and person.id not in h.declined)
