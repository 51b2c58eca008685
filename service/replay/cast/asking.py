"""Who wants a ticket escalated, when, and why; and what is done before a level is called.

What the facts begin by themselves (a P0, a P1 that waits) nobody has to ask for. Of the others the seed decides.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Literal

from machines.values import Tier
from service.replay.cast import words
from service.replay.cast.members import AUDITOR, DESK, at_level
from service.replay.cast.watched import EVIDENCE, Step, Turn, Watched, after, do, instant, refused

Asks = Literal["nobody", "call", "account_manager", "wrong_channel", "desk", "manual"]

_ASKS: dict[Tier, tuple[tuple[Asks, int], ...]] = {
    "enterprise": (("call", 45), ("account_manager", 20), ("desk", 5), ("manual", 30)),
    "professional": (("wrong_channel", 20), ("desk", 30), ("manual", 50)),
    "starter": (("wrong_channel", 30), ("desk", 40), ("manual", 30)),
}
_WISHED: dict[Tier, float] = {"enterprise": 0.14, "professional": 0.06, "starter": 0.08}
"""How many tickets of a tier somebody wants escalated."""
_REASONS = (
    ("blocking_business_process", 30),
    ("workaround_unacceptable", 25),
    ("priority_disagreement", 20),
    ("executive_visibility", 15),
    ("regulatory_compliance", 10),
)
assert {reason for reason, _ in _REASONS} == words.MANUAL.keys()


def _one(rng: Random, odds: tuple[tuple[str, int], ...]) -> str:
    return rng.choices([name for name, _ in odds], [weight for _, weight in odds])[0]


# A wish -----------------------------------------------------------------------------------------------------------


def wish(w: Watched, at: datetime, eager: float) -> datetime | None:
    """When somebody will want this ticket escalated, counted from its first event; None: nobody ever."""
    rng = w.rng("wish")
    if rng.random() >= _WISHED[w.tier] * eager:
        return None
    return at + after(rng, 10, rng.choice((120, 600, 1800)))


def ask(w: Watched) -> Turn | None:
    """Somebody asks, unless it is solved by then, or escalated already."""
    if w.wish is None or w.solved or w.escalation is not None:
        return None
    rng = w.rng("ask")
    agent = rng.choice(w.shifts.there(0, w.wish))
    steps: tuple[Step, ...]
    match _one(rng, _ASKS[w.tier]):
        case "call" | "account_manager" as channel:
            steps = (contact(w, channel, "This can't wait: who else can look at it?"),)
        case "wrong_channel":
            called = contact(w, "call", "I want your manager to look at this", channel_refused=True)
            wanted = _asked(agent, w, "customer_request", "They called: no line for their tier, the wish stands")
            steps = (called, wanted)
        case "desk":
            steps = (_asked(DESK, w, "customer_request", "Ticked `escalate` in the customer's portal"),)
        case _:
            situation = _one(rng, _REASONS)
            reason = rng.choice(words.MANUAL[situation])
            brief = words.brief(rng, w.subject, reason) if rng.random() < 0.7 else None
            steps = (_asked(agent, w, situation, reason, brief),)
    return Turn(w.wish, steps)


def object_(w: Watched) -> Turn | None:
    """The customer objects after closing: a new escalation, which names the one that it follows."""
    rng = w.rng_now()
    if rng.random() >= 0.04 or w.live["criterion"] != "issue_resolved":
        return None
    brief = words.brief(rng, w.subject, words.OBJECTION)
    at = w.since + after(rng, 60, 1500)
    step = _asked(rng.choice(w.shifts.there(0, at)), w, "workaround_unacceptable", words.OBJECTION, brief)
    return Turn(at, (step,))


def contact(w: Watched, channel: str, text: str, *, channel_refused: bool = False) -> Step:
    """The customer says something."""
    body = {"channel": channel, "sender": w.sender, "author_role": "customer", "body": text}
    return Step(DESK, "contact", body, channel_refused=channel_refused)


def _asked(who: str, w: Watched, situation: str, reason: str, brief: words.Brief | None = None) -> Step:
    told = {"ticket_id": w.ticket, "situation": situation, "reason": reason}
    return Step(who, "ask", told if brief is None else {**told, "brief": brief})


# While it is open -------------------------------------------------------------------------------------------------


def while_open(w: Watched) -> Turn | None:
    """An agent engages before the deadline, somebody withdraws it, or everybody waits until the clock does."""
    rng, by, since = w.rng_now(), w.live["engage_by"], w.since
    if w.solved:  # before its newest situation began: the clock let it run its course
        return Turn(since + after(rng, 20, 60), (do(w.owner, "withdraw", criterion="issue_resolved"),))
    left = instant(by) - since if by else timedelta(hours=4)
    at = since + timedelta(seconds=int(left.total_seconds() * rng.uniform(0.1, 0.8)))
    luck = rng.random()
    if by and (luck > 0.75 or left < timedelta(minutes=2)):
        return None  # too late: the clock engages
    return Turn(at, _withdraws(w, rng) if luck < 0.12 else _engages(w, rng))


def _engages(w: Watched, rng: Random) -> tuple[Step, ...]:
    agent, target = w.owner, int(w.live["target_level"])
    brief = words.brief(rng, w.subject, "The customer should not wait for our deadline")
    tries = []
    if target > 1 and rng.random() < 0.3:
        tries.append(refused(agent, 403, "opening_within_reach", "engage", level=target - 1, brief=brief))
    if rng.random() < 0.15:
        tries.append(refused(agent, 422, "brief_complete", "engage", brief={**brief, "needed": " "}))
    if rng.random() < 0.1:
        tries.append(refused(AUDITOR, 403, None, "note", text="I only wanted to say"))
    return (*tries, do(agent, "engage", brief=brief))


def _withdraws(w: Watched, rng: Random) -> tuple[Step, ...]:
    """It ends before a level was called."""
    said = contact(w, "portal", "Found another way meanwhile")
    if rng.random() < 0.5:
        fields = {"criterion": "workaround_accepted", "evidence": EVIDENCE}
        lead = rng.choice(at_level(1))
        return said, refused(w.owner, 403, "withdrawing_level", "withdraw", **fields), do(lead, "withdraw", **fields)
    return said, do(w.owner, "withdraw", criterion="request_withdrawn", evidence=EVIDENCE)
