"""What becomes of an incident, drawn once: who asks for an escalation, how it ends, what is left standing.

A P0 escalates by itself. A P1 that waits would do so after 4 or 8 hours, which no demo on the system's clock has: an
agent escalates it for a manual reason. Of the others the seed decides: about a third are escalated by somebody.
"""

from __future__ import annotations

from random import Random
from typing import Literal

from msgspec import Struct

from machines.values import Tier
from service.demo.incidents import Incident
from service.demo.words import MANUAL

Asks = Literal["nobody", "call", "account_manager", "wrong_channel", "desk", "manual"]
Ends = Literal["issue_resolved", "workaround_accepted", "request_withdrawn", "dismissed", "withdrawn_open"]
Stays = Literal["no", "open", "offered", "owned", "de_escalating"]


class Plan(Struct, frozen=True):
    """`asks`: who wants it escalated; `reason`: a manual situation; `ends`: by which criterion; `stays`: where the
    demo leaves it, for whoever plays on."""

    asks: Asks
    reason: str
    ends: Ends
    stays: Stays


_ASKS: dict[Tier, tuple[tuple[Asks, int], ...]] = {
    "enterprise": (("nobody", 30), ("call", 30), ("account_manager", 15), ("desk", 5), ("manual", 20)),
    "professional": (("nobody", 74), ("wrong_channel", 6), ("desk", 8), ("manual", 12)),
    "starter": (("nobody", 50), ("wrong_channel", 15), ("desk", 20), ("manual", 15)),
}
_REASONS = (
    ("blocking_business_process", 30),
    ("workaround_unacceptable", 25),
    ("priority_disagreement", 20),
    ("executive_visibility", 15),
    ("regulatory_compliance", 10),
)
_ENDS: tuple[tuple[Ends, int], ...] = (
    ("issue_resolved", 50),
    ("workaround_accepted", 20),
    ("request_withdrawn", 12),
    ("dismissed", 8),
    ("withdrawn_open", 10),
)
_STAYS: tuple[tuple[Stays, int], ...] = (("no", 88), ("open", 3), ("offered", 3), ("owned", 3), ("de_escalating", 3))
assert {reason for reason, _ in _REASONS} == MANUAL.keys()


def draw(incident: Incident, rng: Random) -> Plan:
    """The plan of an incident. All of it is drawn, needed or not, so that other odds for one move nothing else."""
    asks, reason, ends, stays = (_one(rng, odds) for odds in (_ASKS[incident.tier], _REASONS, _ENDS, _STAYS))
    if incident.highest == "p0":
        asks = "nobody"
    elif incident.highest == "p1":
        asks = "manual"
    return Plan(asks, reason, ends, stays)  # type: ignore[arg-type]  # the odds name them


def _one(rng: Random, odds: tuple[tuple[str, int], ...]) -> str:
    return rng.choices([name for name, _ in odds], [weight for _, weight in odds])[0]
