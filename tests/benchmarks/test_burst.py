"""What must be found in a burst is what the machine finds in one ticket's life after the other."""

from __future__ import annotations

from machines.asked import Report
from machines.values import Ticket
from service.hearing.words import find
from tests.benchmarks import arrivals
from tests.machines.cast import NOW
from tests.machines.play import Play

SHORT = arrivals.policy()


def test_what_is_said_to_be_found_is_what_each_ticket_comes_to() -> None:
    seen = set[str]()
    for each in arrivals.drawn(150, seed=1):
        play = Play(each.tier, policy=SHORT, clocks=True)
        facts = {name: value for name, value in each.facts(NOW).items() if name in ("priority", "status", "subject")}
        found = find(SHORT, Report(Ticket(each.id, subject=facts["subject"])))
        play.report(**facts, opened_at=NOW, first_responded_at=NOW if each.answered else None, found=found)
        play.until(arrivals.ENDS)
        situations = play.e.situations if play.e else ()
        told = sorted((s.situation, s.detail.get("clock", ""), s.at - NOW) for s in situations)
        assert told == each.situations(), each
        assert play.ticket is not None
        assert sorted((w.clock, w.percent) for w in play.ticket.warned) == each.warnings()
        seen.update(situation for situation, *_ in told)
    assert seen == {"sla_breach", "p0_outage", "p1_unresolved", "security_flag"}


def test_a_burst_is_the_same_for_the_same_seed() -> None:
    assert arrivals.drawn(20, 1) == arrivals.drawn(20, 1) != arrivals.drawn(20, 2)
