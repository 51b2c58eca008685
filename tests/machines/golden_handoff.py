"""Golden: briefs, handoffs, people, words, and what may open. Source: `domain.md`, "Handoff" and "Channels"."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from machines.asked import THE_CLOCK, BriefText, Request
from machines.values import Brief, Escalation, Ticket
from tests.machines.cast import (
    ACME,
    HOUR,
    LOWERED,
    MINUTE,
    OWNER,
    REQUEST,
    SERVICE,
    SOLVED,
    TEXT,
    ending,
    escalation,
    offered,
    pending,
    person,
    situation,
    ticket,
)
from tests.machines.golden import Case
from tests.machines.golden_evidence import REPRIORITIZED, WORKAROUND


def cases() -> Iterator[Case]:
    """Briefs, handoffs, people, words, opening."""
    yield from _briefs()
    yield from _handoffs()
    yield from _people()
    yield from _words()
    yield from _opening()


BLANKS = [replace(TEXT, **{name: blank}) for name in TEXT.__struct_fields__ for blank in ("", "  \n")]


def _briefs() -> Iterator[Case]:
    """A brief is the document's template; no field blank. The clock's is filled from the ticket."""
    where: tuple[tuple[str, Escalation, dict[str, Any], Ticket], ...] = (
        ("engage", escalation("open"), {}, ticket()),
        ("escalate", escalation("l2"), {"reason": "r"}, ticket()),
        ("step_down", ending("priority_lowered", level=3), {"level": 1}, LOWERED),
    )
    for trigger, e, fields, t in where:
        says = f"{trigger}: brief complete"
        for brief in BLANKS:
            yield Case(says, trigger, OWNER, "422 brief_complete", e, t, {**fields, "brief": brief})
    yield Case("engage: brief", "engage", OWNER, "422 brief_complete", escalation("open"), ticket())
    yield Case("engage: the clock's brief is filled in", "engage", THE_CLOCK, "201 l1", escalation("open"), ticket())
    says = "brief: no field blank"
    for brief in BLANKS:
        yield _brief(says, "422 brief_complete", pending("l2"), brief=brief)
    yield _brief("brief: handoff pending", "422 handoff_pending", escalation("l2", handoff=_accepted_by("offered2")))
    yield _brief("brief: there is a handoff", "422 handoff_pending", escalation("l2", handoff=_accepted_by("offered2")))
    yield _brief("brief: addressed to whom it is offered", "422 brief_addressed_to_offered", pending("l2"), to="eng")
    yield _brief("brief: may be replaced by a better one", "201 l2", pending("l2", by="own"))
    yield _brief("brief: whoever is engaged may write it, even who it is offered to", "201 l2",
                 pending("l2", engaged=("offered2",)), by=offered(2))  # fmt: skip


def _accepted_by(to: str) -> Any:
    h = escalation("l2").handoff
    assert h is not None
    return replace(h, to=to)


def _brief(
    says: str, expect: str, e: Escalation, *, brief: BriefText = TEXT, to: str = "offered2", by: Any = OWNER
) -> Case:
    fields = {"to": to, **{name: getattr(brief, name) for name in brief.__struct_fields__}}
    return Case(says, "brief", by, expect, e, ticket(), fields)


def _handoffs() -> Iterator[Case]:
    """Accept, decline, reassign, and what a pending handoff holds up."""
    who, h = offered(2), pending("l2").handoff
    assert h is not None
    for status in ("accepted", "declined", "superseded"):
        e = pending("l2", handoff=replace(h, status=status))
        yield Case(f"accept: handoff pending, not {status}", "accept", who, "422 handoff_pending", e, ticket())
        yield Case(
            f"decline: handoff pending, not {status}",
            "decline",
            who,
            "422 handoff_pending",
            e,
            ticket(),
            {"reason": "r"},
        )
    yield Case("accept: a brief", "accept", who, "422 briefed", pending("l2", by=None), ticket())
    to_another = pending("l2", handoff=replace(h, brief=Brief("eng", "eng", "s")))
    yield Case("accept: a brief addressed to them", "accept", who, "422 briefed", to_another, ticket())
    own = pending("l2", by="offered2")
    yield Case("accept: written by somebody else", "accept", who, "403 briefed_by_another", own, ticket())
    by_clock = pending("l2", by="clock")
    yield Case("accept: the clock counts as somebody else", "accept", who, "201 l2", by_clock, ticket())
    to_nobody = pending("l2", handoff=replace(h, to=None, status="offered", brief=Brief("clock", None, "s")))
    yield Case("accept: offered to nobody", "accept", who, "403 who briefed", to_nobody, ticket())
    yield Case("decline: reason", "decline", who, "422 reason_given", pending("l2"), ticket(), {"reason": " "})
    for n in range(1, 5):
        for level in range(5):
            says = f"reassign: `to` on the roster, level >= {n}, not {level}"
            expect = f"201 l{n}" if level >= n else "422 successor_on_roster"
            fields = {"to": f"stranger{level}", "reason": "r"}
            yield Case(says, "reassign", OWNER, expect, escalation(f"l{n}"), ticket(), fields)
    e = escalation("l2", owner="stranger3")
    for says, expect, fields in (
        ("reassign: `to` on the roster", "422 successor_on_roster", {"to": "unheard_of", "reason": "r"}),
        ("reassign: `to` is not the owner", "422 successor_not_owner", {"to": "stranger3", "reason": "r"}),
        ("reassign: reason", "422 reason_given", {"to": "stranger2", "reason": ""}),
        ("reassign: all failures are told", "422 reason_given successor_on_roster", {"to": "own", "reason": ""}),
    ):
        yield Case(says, "reassign", person("stranger3", 3), expect, e, ticket(), fields)
    goes_up = {"reason": "r", "brief": TEXT}
    says = "escalate: no handoff pending and not yet overdue"
    for due, expect in (
        (HOUR, "422 handoff_settled"),
        (MINUTE, "422 handoff_settled"),
        (timedelta(0), "201 l3"),
        (-HOUR, "201 l3"),
    ):
        yield Case(f"{says}, due in {due}", "escalate", OWNER, expect, pending("l2", due=due), ticket(), goes_up)
        says_clock = "escalate: the clock supersedes one"
        yield Case(says_clock, "escalate", THE_CLOCK, "201 l3", pending("l2", due=due), ticket(), internal=True)
    says = "de_escalate: no handoff pending (issue_resolved may supersede it)"
    yield Case(says, "de_escalate", OWNER, "201 de_escalating", pending("l2"), SOLVED, {"criterion": "issue_resolved"})
    for criterion, t in (
        ("workaround_accepted", ticket()),
        ("priority_lowered", LOWERED),
        ("request_withdrawn", ticket()),
    ):
        e = pending("l2", acts=(WORKAROUND, REPRIORITIZED))
        fields = {"criterion": criterion, "evidence": "said"}
        yield Case(says, "de_escalate", OWNER, "422 handoff_answered", e, t, fields)
        e = escalation("l2", acts=(WORKAROUND, REPRIORITIZED))
        yield Case(says, "de_escalate", OWNER, "201 de_escalating", e, t, fields)


def _people() -> Iterator[Case]:
    """Join and disengage."""
    for state in ("l1", "de_escalating"):
        e = ending(engaged=("own", "eng")) if state == "de_escalating" else escalation(state, engaged=("own", "eng"))
        for says, expect, fields in (
            ("join: reason", "422 reason_given", {"person": "stranger2", "reason": " "}),
            ("join: not engaged yet", "422 not_engaged", {"person": "eng", "reason": "r"}),
            ("join: somebody known", "422 person_on_roster", {"person": "unheard_of", "reason": "r"}),
        ):
            yield Case(says, "join", OWNER, expect, e, ticket(), fields)
        for says, expect, fields in (
            ("disengage: is engaged", "422 is_engaged", {"person": "stranger2"}),
            ("disengage: is not the owner, who stays until the accept", "422 not_owner", {"person": "own"}),
            ("disengage: is not the owner, who stays until the accept", "422 not_owner", {}),
        ):
            yield Case(says, "disengage", OWNER, expect, e, ticket(), fields)


def _words() -> Iterator[Case]:
    """Reasons, texts and codes."""
    for blank in ("", " \n\t"):
        yield Case("resume: reason", "resume", OWNER, "422 reason_given", ending(), ticket(), {"reason": blank})
        yield Case(
            "update_customer: text",
            "update_customer",
            OWNER,
            "422 text_given",
            escalation("l1"),
            ticket(),
            {"text": blank},
        )
        yield Case("note: text", "note", OWNER, "422 text_given", escalation("l1"), ticket(), {"text": blank})
        fields = {"situation": REQUEST, "reason": blank}
        yield Case(
            "dismiss_situation: reason",
            "dismiss_situation",
            OWNER,
            "422 reason_given",
            escalation("l1"),
            ticket(),
            fields,
        )
    absent = {"situation": "sla_breach", "reason": "r"}
    says = "dismiss_situation: one that it has"
    yield Case(says, "dismiss_situation", OWNER, "422 situation_present", escalation("l1"), ticket(), absent)
    says = "escalate: a reason code of a level's `When`"
    codes: tuple[str, ...] = ("initial_escalation", "sla_concerns", "technical_complexity", "resource_needs")
    codes = (*codes, "customer_satisfaction_risk", "extended_outage", "major_incident", "legal_pr_implications")
    for code in (*codes, "boredom"):
        coded = {"reason": "r", "brief": TEXT, "code": code}
        yield Case(
            says, "escalate", OWNER, "201 l2" if code in codes else "422 code_known", escalation("l1"), ticket(), coded
        )
    repaged = pending("l4", due=timedelta(0))
    yield Case("repage: a handoff is pending", "repage", THE_CLOCK, "201 l4", repaged, ticket(), internal=True)
    says = "repage: only an unanswered L4"
    yield Case(says, "repage", THE_CLOCK, "422 handoff_pending", escalation("l4"), ticket(), internal=True)
    says = "rate: the survey's answer, once"
    rated = escalation("closed", csat=4)
    yield Case(says, "rate", THE_CLOCK, "422 not_rated", rated, ticket(), {"score": 5}, internal=True)


CHANNELS = """
                 enterprise professional starter
call             x          .            .
account_manager  x          .            .
reply            .          .            .
portal           .          .            .
"""
"""Which contact is a customer's request in itself. A reply is one only with the word, the portal never; the emergency
contact is for P0 security issues."""


def _opening() -> Iterator[Case]:
    """`open`: ticket known; situation known to the policy; the channel is allowed for this tier and case."""
    for e, trigger in ((None, "open"), (escalation("l2"), "add_situation"), (ending(), "add_situation")):
        to = str(e.state) if e else "open"
        to = "l2" if to == "de_escalating" else to  # a situation that arrives resumes
        ask = Request("T-1", REQUEST, "r")
        says = f"{trigger}: ticket known"
        yield Case(says, trigger, OWNER, f"201 {to}", e, ticket(), ask=ask)
        yield Case(says, trigger, OWNER, "422 ticket_known", e, Ticket("T-1"), ask=ask)
        yield Case(
            says, trigger, SERVICE, "422 situation_known ticket_known", e, None, ask=ask, known={"customer": None}
        )
        says = f"{trigger}: situation known to the policy"
        yield Case(says, trigger, OWNER, "422 situation_known", e, ticket(), ask=replace(ask, situation="boredom"))
        says = f"{trigger}: who may"
        for who in ("auditor", "admin"):
            yield Case(says, trigger, replace(OWNER, id=who, role=who), "403 who", e, ticket(), ask=ask)
    head, *rows = CHANNELS.strip().splitlines()
    for row in rows:
        channel, *cells = row.split()
        for tier, cell in zip(head.split(), cells, strict=True):
            customer = replace(ACME, tier=tier)
            values = {"row": 1, "new": situation(REQUEST, 1), "channel": channel}
            if channel not in ("call", "account_manager"):
                continue
            for e, trigger in ((escalation("open", version=0), "open"), (escalation("l2"), "add_situation")):
                expect = f"201 {e.state}" if cell == "x" else "403 channel_allowed"
                says = f"Channels: {channel} of {tier}"
                known = {"customer": customer}
                yield Case(says, trigger, SERVICE, expect, e, ticket(), values, internal=True, known=known)
    flag = (situation("security_flag", 2),)
    values = {"row": 3, "new": situation("security_flag", 3), "channel": "emergency"}
    for e, trigger in ((escalation("l2", situations=flag), "add_situation"), (escalation("l2"), "add_situation")):
        for priority in ("p0", "p1"):
            fits = priority == "p0" and e.situations == flag
            says = f"Channels: emergency contact, P0 security issues only ({priority})"
            expect = "201 l2" if fits else "403 channel_allowed"
            t = ticket(priority=priority)
            yield Case(says, trigger, SERVICE, expect, e, t, values, internal=True)
    draft = escalation("open", version=0, situations=flag, target_level=3)
    yield Case(says, "open", SERVICE, "403 channel_allowed", draft, ticket(priority="p0"), values, internal=True)
