"""Whoever is offered a handoff answers in time, declines, or is late: then the clock takes it further up."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from service.replay.cast import words
from service.replay.cast.members import at_level
from service.replay.cast.watched import Step, Turn, Watched, after, do, instant, refused

_NO_CLOCK = timedelta(minutes=90)
"""How long people take at L4, where an answer is due at once."""


def answer(w: Watched) -> Turn | None:
    """The person to whom it is offered does something, or nothing."""
    to = w.offered_to
    if to is None:
        return None  # nobody is on duty up to L4: the clock pages
    rng = w.rng_now()
    rows = w.entered()
    offered_at = instant(w.live["handoff"]["offered_at"])
    by = w.live["respond_by"]
    within = (instant(by) - offered_at if by else timedelta()) or _NO_CLOCK
    passed_on = any(row["trigger"] in ("accept", "reassign") for row in rows)
    luck = rng.random()
    if luck < 0.1 and not any(row["trigger"] == "decline" for row in rows):
        at = offered_at + within * rng.uniform(0.05, 0.5)
        return _turn(at, do(to, "decline", reason=rng.choice(words.DECLINES)))
    if luck < 0.24 and w.level < 4:
        return None  # late
    late_at_the_top = w.level == 4 and luck < 0.4 and not passed_on
    at = offered_at + within * (rng.uniform(1.2, 4.0) if late_at_the_top else rng.uniform(0.03, 0.9))
    return _turn(at, *_late_ones(w, to), *_tries(w, rng, to), *_accepts(w, rng, to))


def _turn(at: object, *steps: Step) -> Turn:
    assert hasattr(at, "replace")
    return Turn(at.replace(microsecond=0), steps)


def _late_ones(w: Watched, to: str) -> tuple[Step, ...]:
    """Whoever was too late finds out when they try to accept it all the same."""
    newest = w.entered()[0]
    late = newest["detail"].get("superseded") if newest["actor"] == "clock" else None
    return (refused(late, 403, None, "accept"),) if late and late != to else ()


def _tries(w: Watched, rng: Random, to: str) -> tuple[Step, ...]:
    luck = rng.random()
    if luck < 0.1:
        other = rng.choice([person for person in at_level(w.level) if person != to] or at_level(1))
        return (refused(other, 403, None, "accept"),)
    if luck < 0.17 and w.level < 4 and w.owner != to:  # at L4 what is due at once is overdue at once
        fields = {"reason": "Why wait", "brief": words.brief(rng, w.subject, "Why wait")}
        return (refused(w.owner, 422, "handoff_settled", "escalate", **fields),)
    return ()


def _accepts(w: Watched, rng: Random, to: str) -> tuple[Step, ...]:
    luck = rng.random()
    owner_briefs = do(w.owner, "brief", to=to, **words.brief(rng, w.subject, "As said on the phone"))
    if luck < 0.1 and w.owner != to:
        return owner_briefs, do(to, "accept")
    if luck < 0.17 and w.owner != to and to not in w.live["engaged"]:
        # Nobody both briefs and accepts the same handoff: somebody else has to write the brief again.
        own = do(to, "brief", to=to, **words.brief(rng, w.subject, "I know it already"))
        joins = do(to, "join", reason="Looking in before I take it")
        return joins, own, refused(to, 403, "briefed_by_another", "accept"), owner_briefs, do(to, "accept")
    return (do(to, "accept"),)


def reassigns(w: Watched, rng: Random, at: datetime) -> tuple[Step, ...]:
    """The owner passes it on within the level; unless that is accepted, the owner stays."""
    there = [person for person in w.shifts.there(w.level, at) if person != w.owner]
    to = rng.choice(there or [person for person in at_level(w.level) if person != w.owner])
    return (do(w.owner, "reassign", to=to, reason=rng.choice(words.PASSED_ON)),)


def leaves(w: Watched, rng: Random) -> Turn | None:
    """An owner whose shift has ended reassigns it to whoever is there now, or keeps it overnight."""
    at = w.since + after(rng, 2, 20)
    there = [person for person in w.shifts.there(w.level, at) if person != w.owner and w.shifts.on_duty(person, at)]
    if not there or rng.random() < 0.3:
        return None
    return Turn(at, (do(w.owner, "reassign", to=rng.choice(there), reason="My shift has ended"),))


def soon(rng: Random, w: Watched) -> timedelta:
    """How long the next piece of work takes."""
    return after(rng, 10, 60 if w.tier == "enterprise" else 150)
