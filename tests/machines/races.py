"""What must hold of every race: two commands, both possible on the state that was seen; the first is decided on it, the
second on what the first left.

Every outcome is serial: the second's edge is one of the walk's, where all invariants were checked. What is said here
is who wins, in the house's words, written down apart from the guards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from machines.asked import Fire, Transition
from machines.values import Escalation
from tests.machines.walk import Key, Leg, Node, Walk

NEVER_BOTH = """
accept            | accept · brief · decline · fire respond
escalate          | escalate · fire respond
de_escalate       | accept · brief · decline · de_escalate · escalate · reassign · fire respond
engage            | engage · withdraw · fire engage
withdraw          | withdraw · engage · dismiss_situation · fire engage
resume            | resume · step_down · complete_step · close
step_down         | step_down · resume · complete_step · close
close             | close · resume · step_down · complete_step · act · fire update
fire engage       | fire engage · engage · withdraw
fire respond      | fire respond
fire update       | fire update
fire p1           | fire p1
fire resolution   | fire resolution
dismiss_situation | fire engage
join              | join
disengage         | disengage
"""
"""Once the first has won, the second finds nothing that it could do."""

ANSWERS = ("accept", "brief", "decline")
AGAIN = {"brief", "reassign", "act", "complete_step", "update_customer", "Heard", "report", "request", "duty", "Rearm"}
"""What may be said twice: two decisions, two texts, two contacts. The rest of the alphabet happens once."""


EXCLUDED = {
    (first.strip(), second.strip())
    for first, seconds in (line.split("|") for line in NEVER_BOTH.strip().split("\n"))
    for second in seconds.split("·")
}


# Who races -------------------------------------------------------------------------------------------------------


class Race(Struct, frozen=True):
    """Two commands, both possible on `seen`: `first` led to `left`, where `second` led to `ends` (none: to nothing)."""

    seen: Node
    first: Leg
    left: Node
    second: Leg
    ends: list[Key]


def races(walk: Walk) -> Iterator[Race]:
    """Every pair of commands, or of a drift and a command, in both orders."""
    for here, legs in walk.legs.items():
        seen, seconds = walk.nodes[here], {leg.label: leg for leg in legs if leg.label}.values()
        for first in legs:
            left, stale = walk.nodes[first.there], first.stale
            led = walk.clicked.get(first.there, {}) | walk.asked[first.there]
            for second in seconds:
                gone = isinstance(second.ask, Fire) and second.ask.kind in stale
                yield Race(seen, first, left, second, [] if gone else led[second.label])


# Rules ------------------------------------------------------------------------------------------------------------

Rule = Callable[[Race, list[Node]], bool]
RULES: list[Rule] = []
"""Each is asked where both won: may that be?"""


def rule(check: Rule) -> Rule:
    """List it."""
    RULES.append(check)
    return check


def _e(e: Escalation | None) -> Escalation:
    assert e is not None
    return e


@rule
def of_two_that_exclude_each_other_one_wins(race: Race, ends: list[Node]) -> bool:
    return (race.first.name, race.second.name) not in EXCLUDED


@rule
def an_answer_is_to_the_offer_that_stands(race: Race, ends: list[Node]) -> bool:
    """It was given to an earlier offer; it counts only where the same person is offered it still, or anew."""
    if race.second.name not in ANSWERS:
        return True
    assert isinstance(race.second.ask, Transition)
    h, to = _e(race.left.e).handoff, getattr(race.second.ask.fields, "to", race.second.who.id)
    return h is not None and h.pending and h.to == to


@rule
def firing_and_accepting_never_both_win(race: Race, ends: list[Node]) -> bool:
    """The offer that was due is gone: what is accepted is the next level's, or the one that L4 pages for again."""
    if (race.first.name, race.second.name) != ("fire respond", "accept"):
        return True
    seen, left = _e(race.seen.e), _e(race.left.e)
    return left.level > seen.level or left.level == 4


@rule
def the_same_command_twice_is_once(race: Race, ends: list[Node]) -> bool:
    if race.first.label != race.second.label or race.first.name in AGAIN:
        return True
    # The same person may be offered the next level, and decline that as well.
    return race.first.name == "decline" and _e(race.left.e).level > _e(race.seen.e).level


@rule
def a_late_click_brings_back_no_state_and_no_owner(race: Race, ends: list[Node]) -> bool:
    seen, left = race.seen.e, race.left.e
    if seen is None or left is None or not isinstance(race.second.ask, Transition):
        return True
    states = {seen.state} - {left.state}
    owners = {seen.owner} - {left.owner}
    return not any(_e(end.e).state in states or _e(end.e).owner in owners for end in ends)


@rule
def what_was_withdrawn_or_closed_is_not_moved_by_a_late_click(race: Race, ends: list[Node]) -> bool:
    left = race.left.e
    return left is None or left.state != "closed" or not isinstance(race.second.ask, Transition)


class Told(Struct):
    """What the races of a walk tell: how many there were, which pairs met, and of each broken rule the first race."""

    count: int = 0
    met: set[tuple[str, str]] = set()
    broken: dict[str, str] = {}


def judged(walk: Walk) -> Told:
    """Run every race of a walk through the rules."""
    told = Told()
    for race in races(walk):
        told.count += 1
        told.met.add((race.first.name, race.second.name))
        if race.ends:
            ends = [walk.nodes[there] for there in race.ends]
            for check in RULES:
                if not check(race, ends):
                    told.broken.setdefault(check.__name__, _tell(race, ends))
    return told


def _tell(race: Race, ends: list[Node]) -> str:
    return f"{race.first.label} then {race.second.label}: {race.seen.e} -> {race.left.e} -> {ends[0].e}"
