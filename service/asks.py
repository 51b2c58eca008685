"""What a batch's commands need to be read before they can be decided: the arguments of the engine's queries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from machines.asked import ChainTold, Duty, Fire, Heard, MovePolicy, Rearm, Report, Request, Transition
from machines.values import WAITING
from machines.world import ticket_of

if TYPE_CHECKING:
    from service.batch import Job

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""What can be the id of an escalation or contact; anything else is nowhere."""
PLACING = frozenset(("engage", "escalate", "decline", "resume", "step_down", "reassign", "join"))
"""Triggers that look at the roster. Others read only the people who call."""


class Wants(Struct):
    """Ids to lock and to read. `made` are tickets to make if missing, `openings` those that may open an escalation."""

    tickets: list[str] = []
    made: list[str] = []
    escalations: list[str] = []
    openings: list[str] = []
    keys: list[str] = []
    people: list[str] = []
    customers: list[str] = []
    contacts: list[str] = []
    answer_keys: list[str] = []
    answer_names: list[str] = []
    roster: bool = False
    draws: int = 0
    waiting: list[str] = []

    def arguments(self, located: dict[str, str]) -> tuple[Any, ...]:
        """The arguments of `engine.facts`, in its order."""
        tickets = sorted({*self.tickets, *(located[e] for e in self.escalations if e in located)})
        return (
            tickets,
            self.escalations,
            self.openings,
            self.keys,
            self.people,
            self.customers,
            self.contacts,
            self.answer_keys,
            self.answer_names,
            self.roster,
            self.draws,
            self.waiting,
        )


def wants(jobs: Iterable[Job], *, at_once: bool = False) -> Wants:
    """Collect what these commands need, each id once and sorted; `at_once`: and whatever may be due at once by them,
    for which no numbers are drawn: they are counted then."""
    want = Wants(roster=at_once)
    tickets, made, escalations, keys, people, customers, contacts, waiting = (set[str]() for _ in range(8))
    for job in jobs:
        ask = job.command.ask
        keys.add(job.key)
        if job.on_behalf_of:
            people.add(job.on_behalf_of)
        if job.idempotency_key:
            want.answer_keys.append(job.key)
            want.answer_names.append(job.idempotency_key)
        if isinstance(ask, Transition):
            if UUID.fullmatch(ask.escalation_id):
                escalations.add(ask.escalation_id)
            want.draws += 2
            want.roster = want.roster or ask.trigger in PLACING
            evidence = getattr(ask.fields, "evidence", None)
            if evidence and UUID.fullmatch(evidence):
                contacts.add(evidence)
            continue
        ticket_id = ticket_of(job.command)
        assert ticket_id is not None
        tickets.add(ticket_id)
        want.draws += 3 if isinstance(ask, Fire | Duty | Rearm | ChainTold) else 9 if isinstance(ask, Request) else 12
        want.roster = True
        if isinstance(ask, Rearm | MovePolicy) or (isinstance(ask, Fire) and ask.kind in WAITING):
            waiting.add(ticket_id)
        if isinstance(ask, Heard) and ask.once:
            contacts.add(ask.id)
        if isinstance(ask, Report):
            made.add(ticket_id)
            customers.add(ask.ticket.customer_id or "")
    if at_once:
        want.draws = 0
    want.tickets, want.made, want.escalations = sorted(tickets), sorted(made), sorted(escalations)
    want.openings = want.tickets
    want.keys, want.people, want.customers = sorted(keys), sorted(people), sorted(customers)
    want.contacts, want.waiting = sorted(contacts), sorted(waiting)
    return want


def split(jobs: Iterable[Job], located: dict[str, str], skipped: set[str]) -> tuple[list[Job], list[Job]]:
    """Those whose ticket is ours, and those whose ticket is locked elsewhere; `located` maps escalations to tickets."""
    ours: list[Job] = []
    passed: list[Job] = []
    for job in jobs:
        (passed if located.get(job.subject, job.subject) in skipped else ours).append(job)
    return ours, passed
