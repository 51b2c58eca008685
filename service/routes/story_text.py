"""A story as a record for people to read: every instant, who, with which authority, why, and what came of it.

It is plain text, 120 columns wide where names allow. What people wrote is indented and bears no control characters, so
that nothing they wrote can pass for a line of the record.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from machines.messages import plain
from machines.retold import Change
from machines.values import CLOCK
from service.routes.clocks import ClockAnswer, SpanAnswer
from service.routes.deliveries import DeliveryAnswer
from service.routes.denials import DenialAnswer
from service.routes.story_parts import StoryAct, StoryAnswer, StoryHandoff, StoryTransition

WIDTH, LABEL = 120, 11
LONGEST = 100_000
"""Characters of one text: the longest that a door takes."""
STANDING = {"owner": "the owner", "offered": "to whom it was offered", "engaged": "engaged"}
_NAMED = {"engage_by": "engage by", "respond_by": "answer by", "next_update_by": "next update by"}
_IN_HEADING = ("state", "level", "closed_at")
"""Changes that the heading of a transition tells already."""


def written(story: StoryAnswer) -> str:
    """The whole record."""
    lines = [*_head(story), *_happened(story), *_handoffs(story), *_acts(story), *_clocks(story), *_foot(story)]
    return "\n".join(lines) + "\n"


def _head(story: StoryAnswer) -> Iterator[str]:
    e = story.escalation
    yield f"ESCALATION {e.id}"
    yield f"of ticket {e.ticket_id}: {_line(story.subject) or '(no subject)'}"
    yield ""
    yield from _field("customer", f"{_line(story.customer)} ({e.customer_id}), {e.tier}")
    owner = f"owned by {_name(story, e.owner)}" if e.owner else "owned by nobody yet"
    ended = f", closed {_at(e.closed_at)}" if e.closed_at else ""
    yield from _field("stands", f"{e.state}, level {e.level}, {owner}")
    yield from _field("opened", f"{_at(e.opened_at)}{ended}")
    if e.criterion:
        yield from _field("criterion", _words(e.criterion))
    yield from _field("policy", f"version {e.policy_version}")
    counts = [f"{len(story.transitions)} transitions"]
    counts += [f"{len(part)} {name}" for part, name in _counted(story) if part is not None]
    yield from _field("told", f"{_at(story.told_at)}: {', '.join(counts)}")


def _counted(story: StoryAnswer) -> tuple[tuple[list[Any] | None, str], ...]:
    return ((story.denials, "refused attempts"), (story.messages, "messages"))


# What happened ----------------------------------------------------------------------------------------------------


def _happened(story: StoryAnswer) -> Iterator[str]:
    """Transitions and refused attempts, in the order in which they happened; of one instant, what was done first."""
    sent = defaultdict[int, list[DeliveryAnswer]](list)
    for message in story.messages or ():
        sent[message.version].append(message)
    blocks = [(t.at, 0, t.version, _transition(story, t, sent[t.version])) for t in story.transitions]
    blocks += [(d.at, 1, n, _denial(story, d)) for n, d in enumerate(story.denials or ())]
    yield from _title("What happened")
    for n, (_, _, _, block) in enumerate(sorted(blocks, key=lambda block: block[:3])):
        if n:
            yield ""
        yield from block


def _transition(story: StoryAnswer, t: StoryTransition, sent: Iterable[DeliveryAnswer]) -> Iterator[str]:
    moved = f"{t.source or 'nothing'} → {t.dest}" if t.source != t.dest else f"stays {t.dest}"
    yield f"{_at(t.at)}  {t.version}. {t.trigger}: {moved}"
    yield from _field("who", _who(story, t))
    yield from _field("why", _words(t.reason) if t.reason.isidentifier() else t.reason)
    for name, text in _said(t.detail):
        yield from _field(name, text)
    if t.trigger == "act":
        held = next(act.held_from for act in story.acts if act.version == t.version)
        yield from _field("authority", f"{t.detail.get('authority')}, held from level {held} up")
    if given := {k: v for k, v in t.detail.items() if k not in (*_TEXTS, "authority")}:
        yield from _field("given", "; ".join(f"{_words(k)}: {_value(v)}" for k, v in given.items()))
    yield from _field("guards", f"{', '.join(t.guards)} (policy version {t.policy_version})")
    changed = [_change(story, change) for change in t.changes if change.field not in _IN_HEADING]
    yield from _field("so", "; ".join(changed) or "nothing changes; it is kept")
    for message in sent:
        yield from _field("sent", _message(story, message))
    yield from _field("hash", t.hash)


_TEXTS = ("reason", "text", "detail", "workaround", "issue", "current_status", "needed", "brief", "clock_brief")


def _said(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What people wrote, field by field; a brief's fields are told as its own."""
    for name in _TEXTS:
        told = detail.get(name)
        if isinstance(told, dict):
            yield from ((f"brief: {_words(inner)}", str(text)) for inner, text in told.items() if text)
        elif told:
            yield _words(name), str(told)


def _who(story: StoryAnswer, t: StoryTransition) -> str:
    if t.actor == CLOCK:
        return f"the clock, by policy version {t.policy_version}"
    person = t.on_behalf_of or t.actor
    standing = [STANDING[name] for name in t.standing if name in STANDING]
    through = [f"through {t.actor}"] if t.on_behalf_of else []
    return ", ".join([_name(story, person), f"level {t.actor_level}", *standing, *through])


def _change(story: StoryAnswer, change: Change) -> str:
    name = _NAMED.get(change.field, _words(change.field))
    if change.field in ("engaged", "steps"):
        was, now = change.was or (), change.now or ()
        told = [f"+{_name(story, each)}" for each in now if each not in was]
        told += [f"-{_name(story, each)}" for each in was if each not in now]
        return f"{name} {', '.join(told)}"
    if change.field == "owner":
        return f"owner: {_name(story, change.was)} → {_name(story, change.now)}"
    return f"{name}: {_value(change.was)} → {_value(change.now)}"


def _message(story: StoryAnswer, m: DeliveryAnswer) -> str:
    to = _name(story, m.recipient) if m.audience in ("person", "account_manager") else m.recipient
    over = f" over {m.target}" if m.target else ""
    tries = f", {m.attempts} tries" if m.attempts > 1 else ""
    ended = f" {_at(m.delivered_at)}" if m.delivered_at else ""
    why = f": {_line(m.error)}" if m.error else ""
    return f"{_words(m.template)} to {to} ({_words(m.audience)}): {m.status}{ended}{over}{tries}{why}"


def _denial(story: StoryAnswer, d: DenialAnswer) -> Iterator[str]:
    yield f"{_at(d.at)}  --  refused: {d.trigger} ({d.status})"
    through = f", through {d.actor}" if d.on_behalf_of else ""
    yield from _field("who", f"{_name(story, d.on_behalf_of or d.actor)}{through}")
    for failure in d.failed:
        could = f" Could: {', '.join(_name(story, who) for who in failure.who_could)}." if failure.who_could else ""
        yield from _field("because", f"{failure.guard}: {failure.message}{could}")


# What follows from it -----------------------------------------------------------------------------------------------


def _handoffs(story: StoryAnswer) -> Iterator[str]:
    yield from _title("How ownership moved")
    for h in story.handoffs:
        yield f"{_at(h.offered_at)}  {h.offered}. level {h.level} to {_name(story, h.to)}: {_outcome(h)}"
        if h.brief is not None:
            told = "; ".join(
                f"{_words(name)}: {text}"
                for name in ("issue", "reason", "current_status", "needed")
                if (text := getattr(h.brief, name))
            )
            yield from _field("brief", f"by {_name(story, h.brief.by)}{': ' if told else ', erased'}{told}")
    if not story.handoffs:
        yield "No level was called."


def _outcome(h: StoryHandoff) -> str:
    if h.ended_at is None:
        return f"{h.status}, waits for an answer"
    return f"{h.status} {_at(h.ended_at)}, {_span(h.offered_at, h.ended_at)} after the offer (transition {h.ended})"


def _span(since: datetime, until: datetime) -> str:
    hours, seconds = divmod(int((until - since).total_seconds()), 3600)
    return f"{hours}:{seconds // 60:02}:{seconds % 60:02} h"


def _acts(story: StoryAnswer) -> Iterator[str]:
    yield from _title("What was decided")
    for act in story.acts:
        yield from _act(story, act)
    if not story.acts:
        yield "Nothing was decided with an authority."


def _act(story: StoryAnswer, act: StoryAct) -> Iterator[str]:
    yield f"{_at(act.at)}  {act.version}. {act.authority}, held from level {act.held_from} up"
    who = _name(story, act.on_behalf_of or act.actor)
    yield from _field("who", f"{who}, level {act.actor_level}; the escalation stood at level {act.level}")
    yield from _field("what", "(erased)" if act.detail is None else act.detail)


def _clocks(story: StoryAnswer) -> Iterator[str]:
    yield from _title("The ticket's SLA clocks")
    for clock in story.clocks:
        yield f"{_words(clock.clock)}: {clock.state}{_deadline(clock)}"
        for span in clock.spans:
            yield from _field("from", _spanned(span))
        for mark in clock.warned:
            yield from _field("warned", f"{mark.percent} % at {_at(mark.at)}")
    if not story.clocks:
        yield "None are kept for it."


def _deadline(clock: ClockAnswer) -> str:
    told = (("met", clock.met_at), ("breached", clock.breached_at), ("due", clock.due_at))
    found = [f"{name} {_at(at)}" for name, at in told if at is not None]
    return (", " + ", ".join(found)) if found else ""


def _spanned(span: SpanAnswer) -> str:
    until = _at(span.until) if span.until else "now"
    runs = "paused" if span.paused else f"counted {span.counted}"
    target = f" of {span.target} by {span.row}" if span.target else ""
    stood = f"{span.status}, {span.priority}, {span.tier}"
    return f"{_at(span.since)} to {until}: {runs} ({stood}), {span.total} in all{target}"


def _foot(story: StoryAnswer) -> Iterator[str]:
    yield ""
    for name in story.withheld:
        yield f"The {name} are withheld: the role of whoever asked for this may not read them."
    for name in story.left_off:
        yield f"There are more {name} than are told here: their list by escalation_id has all."
    newest = story.transitions[-1].hash if story.transitions else ""
    yield f"The hash of transition {len(story.transitions)} is {newest}."
    yield "Each hash is over its row and the hash before it: GET /v1/history and verify-history show that they hold."


# Words --------------------------------------------------------------------------------------------------------------


def _title(text: str) -> tuple[str, ...]:
    return ("", text.upper(), "")


def _field(name: str, text: str) -> Iterator[str]:
    """A labelled text, wrapped; each line of it stands behind its label."""
    indent = " " * (4 + LABEL)
    first = f"    {name:<{LABEL}}" if len(name) < LABEL else f"    {name} "
    for line in plain(text, LONGEST).split("\n") or [""]:
        wrapped = textwrap.wrap(line, WIDTH, initial_indent=first, subsequent_indent=indent, break_long_words=False)
        yield from wrapped or [first.rstrip()]
        first = indent


def _line(text: str) -> str:
    return " ".join(plain(text).split())


def _name(story: StoryAnswer, who: str | None) -> str:
    if who is None:
        return "nobody"
    if who == CLOCK:
        return "the clock"
    name = story.people.get(who)
    return who if name in (None, who) else f"{_line(str(name))} ({who})"


def _words(code: str) -> str:
    return code.replace("_", " ")


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, datetime):
        return _at(value)
    if isinstance(value, list | tuple):
        return ", ".join(_value(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
    return _line(str(value))


def _at(at: datetime | None) -> str:
    if at is None:
        return "never"
    exactly = f"{at:%Y-%m-%d %H:%M:%S}"
    return f"{exactly}.{at.microsecond:06}".rstrip("0") + "Z" if at.microsecond else f"{exactly}Z"
