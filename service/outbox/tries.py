"""What comes of a try: delivered, tried again, passed to another channel, or parked. Pure."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Literal

from msgspec import Struct

from service.channels.letter import Later, Letter, Refused

FIRST_WAIT, LONGEST_WAIT = 1.0, 3600.0
"""Seconds before the second try, and between two at most: each wait is twice the one before, less up to a half."""
GIVES_UP_AFTER = timedelta(hours=48)
PASSES_AFTER = timedelta(minutes=2)
"""For how long a page for level 3 or above is tried over one channel while there is another: with the last try and
the way over the other one it arrives within five minutes."""
LONGEST_ERROR = 300


class Outcome(Struct, frozen=True):
    """What is to be marked. `wait`: seconds before the next try."""

    status: Literal["delivered", "planned", "passed", "parked"]
    wait: float = 0.0
    error: str | None = None
    receipt: str | None = None


def backoff(attempts: int, draw: float) -> float:
    """Seconds to wait after so many tries; `draw` is from 0 to 1."""
    whole = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempts - 1, 30))
    return whole * (1.0 - draw / 2)


def failed(letter: Letter, error: Refused | Later, another: bool, rng: random.Random) -> Outcome:
    """A try failed. `another`: some other channel reaches the recipient too."""
    why, tried_for = str(error)[:LONGEST_ERROR], letter.now - letter.first_tried_at
    if letter.urgent and another and (isinstance(error, Refused) or tried_for >= PASSES_AFTER):
        return Outcome("passed", error=why)
    if isinstance(error, Refused):
        return Outcome("parked", error=why)
    if tried_for >= GIVES_UP_AFTER:
        return Outcome("parked", error=f"given up after 48 hours: {why}"[:LONGEST_ERROR])
    wait = max(backoff(letter.attempts, rng.random()), error.after or 0.0)
    if letter.urgent and another:
        wait = min(wait, PASSES_AFTER.total_seconds() / 4)
    return Outcome("planned", wait, why)
