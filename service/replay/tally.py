"""What happened, asked of the service afterwards, and checked against what it acknowledged meanwhile."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from machines.document import Document
from machines.matrix import Policy
from machines.values import CLOCK
from service.replay.caller import Caller, Unexpected

Row = dict[str, Any]
ENTERS = ("engage", "escalate", "step_down")


class Answered(Struct, frozen=True):
    """How often a level was called, and how its people answered."""

    called: int = 0
    in_time: int = 0
    late: int = 0
    raised: int = 0
    ended: int = 0

    def plus(self, how: str) -> Answered:
        """One more call that was answered like this."""
        return msgspec.structs.replace(self, called=self.called + 1, **{how: getattr(self, how) + 1})


class Tally(Struct):
    """What the service has recorded, as its API answers it, and the policy by which deadlines are counted."""

    history: list[Row]
    escalations: list[Row]
    denials: list[Row]
    deliveries: Counter[tuple[str, str]]
    policy: Policy

    # Escalations -----------------------------------------------------------------------------------------------

    @property
    def chains(self) -> dict[str, list[Row]]:
        """The history of each escalation, oldest first."""
        found: dict[str, list[Row]] = {}
        for row in self.history:
            found.setdefault(row["escalation_id"], []).append(row)
        return found

    @property
    def highest(self) -> Counter[tuple[str, int]]:
        """How many escalations of a tier reached a level at most (0: withdrawn, or still waiting, while open)."""
        reached = {which: max(row["level"] for row in chain) for which, chain in self.chains.items()}
        return Counter((e["tier"], reached[e["id"]]) for e in self.escalations)

    @property
    def begun(self) -> Counter[tuple[str, str]]:
        """How many situations began, by situation and tier. Those that were dismissed count: history tells of them."""
        tiers = {e["id"]: e["tier"] for e in self.escalations}
        rows = (row for row in self.history if row["trigger"] in ("open", "add_situation"))
        return Counter((row["detail"]["situation"], tiers[row["escalation_id"]]) for row in rows)

    @property
    def endings(self) -> Counter[tuple[str, str]]:
        """How each ended, or where it still stands, by tier."""
        return Counter((_ending(e), e["tier"]) for e in self.escalations)

    @property
    def triggers(self) -> Counter[tuple[str, str]]:
        """How often each trigger was fired, by people, services and the clock."""
        return Counter((row["trigger"], self._kind(row["actor"])) for row in self.history)

    def _kind(self, actor: str) -> str:
        return "clock" if actor == CLOCK else "service" if actor in SERVICES else "person"

    @property
    def guards(self) -> Counter[tuple[str, int]]:
        """How often each guard refused, and with which status the attempt was answered."""
        return Counter((failure["guard"], d["status"]) for d in self.denials for failure in d["failed"])

    @property
    def sentences(self) -> dict[str, str]:
        """What a guard tells those whom it refuses."""
        return {failure["guard"]: failure["message"] for d in self.denials for failure in d["failed"]}

    # Deadlines -------------------------------------------------------------------------------------------------

    @property
    def lateness(self) -> list[timedelta]:
        """By how much each engage missed the earliest deadline of its situations; nothing where it was in time.

        What is reported after its deadline is engaged late: the service can't act on what it was not told.
        """
        chains, found = self.chains, []
        for e in self.escalations:
            engaged = next((instant(row["at"]) for row in chains[e["id"]] if row["trigger"] == "engage"), None)
            due = [by for s in e["situations"] if (by := self._due(s, e["tier"])) is not None]
            if engaged is not None and due:
                found.append(max(timedelta(), engaged - min(due)))
        return found

    def _due(self, situation: Row, tier: Any) -> datetime | None:
        cell = self.policy.cell(situation["situation"], tier)
        return None if cell.within is None else instant(situation["at"]) + cell.within

    @property
    def attainment(self) -> dict[int, Answered]:
        """How each level answered when it was called: in time, late, not (the clock raised it), or it ended before."""
        found = {level: Answered() for level in range(1, 5)}
        for chain in self.chains.values():
            for level, how in self._calls(chain):
                found[level] = found[level].plus(how)
        return found

    def _calls(self, chain: list[Row]) -> Iterator[tuple[int, str]]:
        called: Row | None = None
        for row in chain:
            if called is not None:
                level, by = called["level"], instant(called["at"]) + self.policy.respond_within(called["level"])
                if row["trigger"] == "accept":
                    yield level, "in_time" if instant(row["at"]) <= by else "late"
                    called = None
                elif row["trigger"] in ("escalate", "de_escalate"):
                    yield level, "raised" if row["actor"] == CLOCK and row["trigger"] == "escalate" else "ended"
                    called = None
            if row["trigger"] in ENTERS:
                called = row

    @property
    def handoffs(self) -> Counter[tuple[int, str]]:
        """How offers at a level went; `gap`: nobody was there, `shift_ended`: an owner was reminded of it."""
        found: Counter[tuple[int, str]] = Counter()
        for row in self.history:
            for level in row["detail"].get("coverage_gap", ()):
                found[level, "gap"] += 1
            if how := _handed(row):
                found[row["level"], how] += 1
        return found

    @property
    def story(self) -> list[Row]:
        """The history of one that ended, of those that are soon read the one in which most happened."""
        ended = {e["id"] for e in self.escalations if e["state"] == "closed"}
        told = [chain for which, chain in self.chains.items() if which in ended and len(chain) <= SOON_READ]
        return max(told, key=lambda chain: len({(row["trigger"], row["level"]) for row in chain}), default=[])

    # The same or not ---------------------------------------------------------------------------------------------

    @property
    def digest(self) -> str:
        """SHA-256 over every hash of history, in the order of its rows: equal only where everything is."""
        return _digest(row["hash"] for row in self.history)

    @property
    def outcome(self) -> str:
        """SHA-256 over who did what when, without ids, salts and hashes: what an interruption must not change."""
        names = ("ticket_id", "version", "at", "trigger", "from", "to", "level", "actor", "owner", "reason")
        told = (tuple(row[name] for name in names) for row in self.history)
        return _digest(sorted(map(repr, told)))


SOON_READ = 24
"""Rows that one still reads."""
_BY_CLOCK = {"went_off_duty": "left", "came_on_duty": "found", "unanswered": "lapsed"}


def _handed(row: Row) -> str | None:
    """What this row is in the life of a handoff, if anything."""
    match row["trigger"]:
        case "accept" | "reassign":
            return str(row["trigger"])
        case "decline":
            return _BY_CLOCK.get(row["reason"], "decline") if row["actor"] == CLOCK else "decline"
        case "remind" if row["reason"] == "shift_ended":
            return "shift_ended"
    return None


SERVICES = frozenset(("help-desk", "replay"))


def instant(text: str) -> datetime:
    """An instant as the service tells it."""
    return datetime.fromisoformat(text)


def _digest(parts: Any) -> str:
    made = hashlib.sha256()
    for part in parts:
        made.update(part.encode())
        made.update(b"\n")
    return made.hexdigest()


def _ending(e: Row) -> str:
    if e["state"] != "closed":
        return f"stands at {e['state']}"
    return f"withdrawn: {e['criterion']}" if e["level"] == 0 else f"closed: {e['criterion']}"


async def take(caller: Caller, who: str, *, denials: bool = True) -> Tally:
    """Read it all. Raises Unexpected where an acknowledged change or a refusal is not on record."""

    async def every(path: str) -> list[Row]:
        return [item async for item in caller.pages(who, path, f"tally{path.replace('/', '-')}")]

    deliveries: Counter[tuple[str, str]] = Counter()
    async for row in caller.pages(who, "/v1/deliveries", "tally-deliveries"):
        deliveries[row["template"], row["audience"]] += 1
    newest = (await every("/v1/policies"))[0]
    policy = Policy(msgspec.convert(newest["document"], Document, strict=False), newest["version"])
    refusals = await every("/v1/denials") if denials else []
    tally = Tally(await every("/v1/history"), await every("/v1/escalations"), refusals, deliveries, policy)
    recorded = {(row["escalation_id"], row["version"]) for row in tally.history}
    if missing := caller.acknowledged - recorded:
        raise Unexpected(f"{len(missing)} acknowledged transitions are not in history: {sorted(missing)[:5]}")
    if denials and len(refusals) < caller.denied:
        raise Unexpected(f"{caller.denied} attempts were refused, {len(refusals)} denials are recorded")
    return tally
