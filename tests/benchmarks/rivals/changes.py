"""What is said to a rival: one level change after the other, up and down."""

import random
from collections.abc import Sequence

import msgspec

from ..load import Conversation, request

SCRIPT = f"{__name__}:changes"
PATH = "/escalations/{id}/transitions"


def changes(
    connection: int,
    connections: int,
    rng: random.Random,
    *,
    ids: Sequence[str],
    authorization: str | None = None,
) -> Conversation:
    """Draw one of this connection's own escalations; up if it stands at level 1, else down."""
    headers = {"Authorization": authorization} if authorization else {}
    mine = ids[connection::connections]
    raised: set[str] = set()
    while True:
        drawn = rng.choice(mine)
        body = {
            "trigger": "step_down" if drawn in raised else "escalate",
            "reason": "technical complexity",
            "needed": "engineers",
        }
        path = PATH.format(id=drawn)
        reply = yield request("POST", path, msgspec.json.encode(body), headers)
        # A conflict means that it stood at the other level all along.
        if reply.status in (201, 409):
            raised ^= {drawn}
