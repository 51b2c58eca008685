"""What happened, asked of the service afterwards, and checked against what the cast was told meanwhile."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct

from service.demo.cast import AUDITOR, DESK
from service.demo.client import Client, StoryError

Row = dict[str, Any]


class Tally(Struct):
    """Everything that the service has recorded: history, escalations and denials, as its API answers them."""

    history: list[Row]
    escalations: list[Row]
    denials: list[Row]

    @property
    def highest(self) -> Counter[tuple[str, int]]:
        """How many escalations of a tier reached a level at most (0: withdrawn, or still waiting, while open)."""
        reached: dict[str, int] = {}
        for row in self.history:
            reached[row["escalation_id"]] = max(reached.get(row["escalation_id"], 0), row["level"])
        return Counter((e["tier"], reached[e["id"]]) for e in self.escalations)

    @property
    def endings(self) -> Counter[tuple[str, str]]:
        """How each ended, or where it still stands, by tier."""
        return Counter((_ending(e), e["tier"]) for e in self.escalations)

    @property
    def triggers(self) -> Counter[tuple[str, str]]:
        """How often each trigger was fired, by people, services and the clock."""
        kinds = {"clock": "clock", DESK: "service"}
        return Counter((row["trigger"], kinds.get(row["actor"], "person")) for row in self.history)

    @property
    def guards(self) -> Counter[tuple[str, int]]:
        """How often each guard refused, and with which status the attempt was answered."""
        return Counter((failure["guard"], d["status"]) for d in self.denials for failure in d["failed"])

    @property
    def sentences(self) -> dict[str, str]:
        """What a guard tells those whom it refuses."""
        return {failure["guard"]: failure["message"] for d in self.denials for failure in d["failed"]}


def _ending(e: Row) -> str:
    if e["state"] != "closed":
        return f"stands at {e['state']}"
    return f"withdrawn: {e['criterion']}" if e["level"] == 0 else f"closed: {e['criterion']}"


async def take(client: Client) -> Tally:
    """Read it all, as the auditor. Raises StoryError where an acknowledged change or a refusal is not on record."""

    async def every(path: str) -> list[Row]:
        return [item async for item in client.pages(AUDITOR, path)]

    tally = Tally(await every("/v1/history"), await every("/v1/escalations"), await every("/v1/denials"))
    recorded = {(row["escalation_id"], row["version"]) for row in tally.history}
    if missing := client.acknowledged - recorded:
        raise StoryError(f"{len(missing)} acknowledged transitions are not in history: {sorted(missing)[:5]}")
    if len(tally.denials) != client.denied:
        raise StoryError(f"the cast was refused {client.denied} times, {len(tally.denials)} denials are recorded")
    return tally
