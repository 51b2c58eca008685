"""What arrives in a burst: tickets that are drawn, and, in a few lines of their own, what must be found on each.

The spans are short enough to be waited for, and are put into a policy of the burst's own. What must be found is said
in the document's words from what was drawn; nothing of the machine is asked.
"""

import dataclasses
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import structs

from machines.document import PRIORITIES, TIERS, Clock, Target
from machines.matrix import Policy, check, default_text, parse
from machines.values import ClockName, Tier

from .lives import CUSTOMERS
from .load import Conversation, Reply, request

SECOND = timedelta(seconds=1)
FIRST, RESOLUTION = 8 * SECOND, 16 * SECOND
"""Both clocks of every P0, P1 and P2, whatever its tier: all of a burst warn and breach at the same instants."""
WARNS_AT = (50, 75)
SOON = 10 * SECOND
"""By then a P0 that is not called at once is engaged, and a flagged text."""
P1_AFTER: dict[Tier, timedelta] = {"enterprise": 12 * SECOND, "professional": 14 * SECOND}
ENDS = RESOLUTION
"""After this nothing of a burst is due any more, but what people are given hours for."""
FLAGGED = "A vulnerability lets anybody read our invoices"
CLOCKS: tuple[ClockName, ...] = ("first_response", "resolution")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One ticket as it was drawn. `answered`: on arrival; `waits`: for the customer, so that one clock stands still."""

    id: str
    customer: int
    priority: str
    answered: bool
    waits: bool
    flagged: bool

    @property
    def tier(self) -> Tier:
        """The tier that `lives.settle` gave its customer."""
        return TIERS[self.customer % 3]

    def facts(self, opened: datetime) -> dict[str, Any]:
        """The report."""
        return {
            "customer_id": CUSTOMERS[self.customer],
            "priority": self.priority,
            "status": "pending" if self.waits else "open",
            "subject": FLAGGED if self.flagged else "Payments fail at checkout",
            "opened_at": opened.isoformat(),
            **({"first_responded_at": opened.isoformat()} if self.answered else {}),
        }

    def clocks(self) -> list[tuple[str, timedelta]]:
        """The clocks that run out, and when."""
        run = []
        if not self.answered:
            run.append(("first_response", FIRST))
        if not self.waits:
            run.append(("resolution", RESOLUTION))
        return run

    def warnings(self) -> list[tuple[str, int]]:
        """Which percents of which clock must have been told in the end."""
        return [(clock, percent) for clock, _ in self.clocks() for percent in (*WARNS_AT, 100)]

    def situations(self) -> list[tuple[str, str, timedelta]]:
        """What must have begun in the end: the situation, which clock, and how long after the opening."""
        found = [("sla_breach", clock, after) for clock, after in self.clocks()]
        if self.priority == "p0":
            found.append(("p0_outage", "", timedelta(0)))
        if self.priority == "p1" and self.tier in P1_AFTER:
            found.append(("p1_unresolved", "", P1_AFTER[self.tier]))
        if self.flagged:
            found.append(("security_flag", "", timedelta(0)))
        return sorted(found)


def drawn(count: int, seed: int) -> list[Arrival]:
    """The tickets of a burst; the same for the same seed. No customer says the same thing three times: that would be a
    repeated contact, of whichever comes third."""
    rng = random.Random(f"burst/{seed}")
    found, said = list[Arrival](), Counter[int]()
    for n in range(count):
        each = Arrival(
            id=f"burst-{n:05}",
            customer=rng.randrange(len(CUSTOMERS)),
            priority=rng.choice(PRIORITIES[:3]),
            answered=rng.random() < 0.2,
            waits=rng.random() < 0.2,
            flagged=rng.random() < 0.2,
        )
        said[each.customer] += each.flagged
        found.append(each if said[each.customer] < 3 else dataclasses.replace(each, flagged=False))
    return found


def policy() -> Policy:
    """The default one with these spans."""
    document = parse(default_text()).document
    short = Target(FIRST, RESOLUTION, "default")
    sla = {tier: {p: row if p == "p3" else short for p, row in document.sla[tier].items()} for tier in TIERS}
    matrix = dict(document.matrix)
    for situation in ("p0_outage", "security_flag"):
        cells = {tier: matrix[situation].cell(tier) for tier in TIERS}
        soon = {tier: cell if cell.at_once else structs.replace(cell, within=SOON) for tier, cell in cells.items()}
        matrix[situation] = structs.replace(matrix[situation], **soon)
    p1 = {tier: structs.replace(matrix["p1_unresolved"].cell(tier), after=after) for tier, after in P1_AFTER.items()}
    matrix["p1_unresolved"] = structs.replace(matrix["p1_unresolved"], **p1)
    clocks = {name: Clock(document.clocks[name].paused_in, WARNS_AT, "default") for name in CLOCKS}
    return check(structs.replace(document, sla=sla, matrix=matrix, clocks=clocks), 2)


# What is said -----------------------------------------------------------------------------------------------------


def live(connection: int, connections: int, rng: random.Random, *, keys: Mapping[str, str], count: int) -> Conversation:
    """This connection's share of so many tickets whose clocks run for days."""
    for n in range(connection, count, connections):
        facts = {
            "customer_id": CUSTOMERS[rng.randrange(len(CUSTOMERS))],
            "priority": "p3",
            "status": rng.choice(("new", "open", "pending", "on_hold")),
            "subject": "A question about an invoice",
            "opened_at": datetime.now().astimezone().isoformat(),
        }
        _well((yield _put(f"live-{n:05}", facts, keys)))


def arrive(
    connection: int,
    connections: int,
    rng: random.Random,
    *,
    keys: Mapping[str, str],
    count: int,
    seed: int,
    opened: str,
) -> Conversation:
    """This connection's share of the burst, all opened at one instant."""
    for each in drawn(count, seed)[connection::connections]:
        _well((yield _put(each.id, each.facts(datetime.fromisoformat(opened)), keys)))


def _put(ticket: str, facts: dict[str, Any], keys: Mapping[str, str]) -> bytes:
    headers = {"Authorization": f"Bearer {keys['desk']}"}
    return request("PUT", f"/v1/tickets/{ticket}", msgspec.json.encode(facts), headers)


def _well(reply: Reply) -> None:
    if reply.status != 200:
        raise ValueError(f"answered {reply.status}: {reply.body[:500].decode(errors='replace')}")
