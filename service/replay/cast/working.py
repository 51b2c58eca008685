"""At a level with an owner: decisions, customer updates or none, others who join, and things somebody may not."""

from __future__ import annotations

from datetime import datetime
from random import Random

from service.replay.cast import endings, words
from service.replay.cast.answering import leaves, reassigns, soon
from service.replay.cast.members import AUDITOR, DESK, PEOPLE, at_level, level_of
from service.replay.cast.watched import Step, Turn, Watched, after, do, instant, refused

_FURTHER = {1: 0.2, 2: 0.15, 3: 0.12, 4: 0.0}
"""How often an owner takes it one level up."""
_ODDS = {"decide": 0.75, "note": 0.3, "overreach": 0.28, "company": 0.2, "reassign": 0.12, "stale": 0.06}
_EAGER = 4
"""So many customer updates an owner sends without fail; then news get rare, and deadlines pass."""


def work(w: Watched) -> Turn | None:
    """The owner's next turn: what was drawn for this level when it was accepted, and customer updates between."""
    rng = w.rng_now()
    if w.solved:
        return Turn(max(w.since, w.event_at) + after(rng, 15, 180), endings.issue_resolved(w))
    if w.lowered and w.rng("lowered", w.highest, w.level).random() < 0.7:
        return Turn(max(w.since, w.event_at) + after(rng, 20, 90), endings.priority_lowered(w, rng))
    if w.log[-1]["reason"] == "shift_ended" and (passes_on := leaves(w, rng)):
        return passes_on
    piece, update = _piece(w, rng), _update(w)
    if piece is None or (update is not None and update.at <= piece.at):
        return update
    return piece


# Work -------------------------------------------------------------------------------------------------------------


def _drawn(w: Watched) -> list[str]:
    """What an owner will do at this level, in this order."""
    rng = w.rng("work", w.level, w.phase()[0]["at"])
    found = [name for name, odds in _ODDS.items() if rng.random() < odds]
    rng.shuffle(found)
    if rng.random() < _FURTHER[w.level]:
        found.append("further")
    elif (luck := rng.random()) < 0.18:
        found.append("workaround" if luck < 0.1 else "withdrawn" if luck < 0.15 else "dismissed")
    return found


def _piece(w: Watched, rng: Random) -> Turn | None:
    drawn, done = _drawn(w), w.played()
    if done >= len(drawn):
        return None
    steps: tuple[Step, ...]
    match drawn[done]:
        case "decide":
            steps = (endings.decide(w, rng, rng.choice(tuple(words.DECISIONS[w.level])), w.level),)
        case "note":
            steps = (do(rng.choice((w.owner, DESK)), "note", text=rng.choice(words.NOTES)),)
        case "overreach":
            steps = (*_overreach(w, rng), do(w.owner, "note", text="I was told who may, and asked them"))
        case "company":
            steps = _company(w, rng)
        case "reassign":
            steps = reassigns(w, rng, w.since)
        case "stale":
            late = Step(w.owner, "transition", {"trigger": "note", "text": "Written before lunch"}, 412, stale=True)
            steps = (late, do(w.owner, "note", text="Written again, on what stands now"))
        case "further":
            steps = _further(w, rng)
        case "workaround":
            steps = endings.workaround_accepted(w, rng)
        case "withdrawn":
            steps = endings.request_withdrawn(w, rng)
        case _:
            steps = endings.all_dismissed(w)
    return Turn(w.since + soon(rng, w), steps)


def _overreach(w: Watched, rng: Random) -> tuple[Step, ...]:
    """Things that somebody tries, and may not."""
    owner = w.owner
    match rng.randrange(6):
        case 0:  # a lead approves a credit, also where the escalation stands high enough for it
            credit = {"authority": "approve_service_credit", "detail": "Ten days of service credited"}
            lead, joins = _engaged(w, rng, 1)
            return *joins, refused(lead, 403, "actor_holds_authority", "act", **credit)
        case 1:  # a director changes a contract
            clause = {"authority": "modify_contract", "detail": "One month free, in writing"}
            director, joins = _engaged(w, rng, 3)
            return *joins, refused(director, 403, "actor_holds_authority", "act", **clause)
        case 2 if w.level < 3 and level_of(owner) < 3 and not any(s["level"] == 4 for s in w.live["situations"]):
            fields = {"reason": "Straight to the top", "brief": words.brief(rng, w.subject, "Now")}
            return (refused(owner, 403, "within_reach", "escalate", level=4, **fields),)
        case 3:  # a name of the machine's inside
            return (refused(owner, 409, "move_exists", "to_closed"),)
        case 4:
            return (refused(owner, 422, "not_owner", "disengage"),)
        case _:
            return (refused(AUDITOR, 403, None, "dismiss_situation", situation="sla_breach", reason="Noise"),)


def _engaged(w: Watched, rng: Random, level: int) -> tuple[str, tuple[Step, ...]]:
    """Somebody of this level who is engaged, joining if need be."""
    for person in w.live["engaged"]:
        if level_of(person) == level:
            return str(person), ()
    person = rng.choice(at_level(level))
    return person, (do(person, "join", reason="Following this for my team"),)


def _company(w: Watched, rng: Random) -> tuple[Step, ...]:
    """Somebody joins, and leaves again or stays."""
    left = [p.id for p in PEOPLE if p.level and p.id not in w.live["engaged"]]
    if not left:
        return (do(w.owner, "note", text="Everybody is in on this"),)
    guest = rng.choice(left)
    joins = do(guest, "join", reason="We had the same last month")
    if rng.random() < 0.5:
        joins = do(w.owner, "join", person=guest, reason="Knows this product best")
    return (joins, do(guest, "disengage")) if rng.random() < 0.5 else (joins,)


def _further(w: Watched, rng: Random) -> tuple[Step, ...]:
    """The owner takes it to the next level, with a reason code of that level."""
    reason = rng.choice(words.WHY_FURTHER)
    code = rng.choice(words.FURTHER[w.level + 1])
    fields = {"reason": reason, "code": code, "brief": words.brief(rng, w.subject, reason)}
    tries = []
    if rng.random() < 0.1 and all(s["level"] <= w.level for s in w.live["situations"]):
        tries.append(refused(DESK, 403, None, "escalate", **fields))
    return (*tries, do(w.owner, "escalate", **fields))


# The customer -----------------------------------------------------------------------------------------------------


def _update(w: Watched) -> Turn | None:
    """The next word to the customer: before it is due, or after somebody was reminded."""
    sent = sum(row["trigger"] == "update_customer" for row in w.entered())
    by = w.live["next_update_by"]
    rng = w.rng("update", w.live["opened_at"], w.level, sent, by or w.since)
    eager = sent < _EAGER
    if by is None:  # missed: the clock has reminded the owner, and asks no more until there is news
        at: datetime = w.since + (after(rng, 20, 240) if eager else after(rng, 1200, 2400 * (1 + sent // _EAGER)))
    elif rng.random() < (0.82 if eager else 0.2):
        at = max(w.since, instant(by) - after(rng, 2, 25))
    else:
        return None
    workaround = {"workaround": words.WORKAROUND} if rng.random() < 0.2 else {}
    return Turn(at, (do(w.owner, "update_customer", text=rng.choice(words.UPDATES), **workaround),))
