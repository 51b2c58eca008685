"""All that the page of one escalation shows, read by the same queries as the API's answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

import asyncpg
import msgspec
from aiohttp import web
from msgspec import Struct

import sql
from machines.asked import Transition
from machines.case import BRIEF
from machines.decide import Possible
from machines.document import CLOCKS
from machines.matrix import Policy, load
from machines.values import CLOCK, Customer, Escalation, Step, Ticket
from service import answers, pages
from service.batch import Reply
from service.consider import may_call
from service.console.forms import Choice
from service.console.sessions import Visitor
from service.console.words import instant, spoken
from service.door import nowhere
from service.pages import Wanted
from service.problems import Refused
from service.reads import connection
from service.routes import clocks, deliveries, people, tickets
from service.routes.deliveries import DeliveryAnswer
from service.submit import HOUSE, House, job_of, transitioned

MOST_ROWS, MOST_MESSAGES, MOST_PEOPLE, MOST_CONTACTS = 300, 200, 500, 100
STEPS: tuple[Step, ...] = get_args(Step)

_escalation = msgspec.json.Decoder(Escalation).decode
_texts = msgspec.json.Decoder(answers.Texts).decode
_ticket = msgspec.json.Decoder(Ticket).decode
_customer = msgspec.json.Decoder(Customer).decode
_delivery = msgspec.json.Decoder(deliveries.DeliveryAnswer).decode
_person = msgspec.json.Decoder(people.Kept).decode
_contact = msgspec.json.Decoder(tickets.Kept).decode


class Scene(Struct, frozen=True):
    """One escalation as this visitor may see it. `history` is newest first; `deliveries` and `contacts` are None for
    whom they are not meant."""

    escalation: Escalation
    steps: Mapping[str, answers.StepAnswer]
    ticket: Ticket
    customer: Customer
    policy: Policy
    now: datetime
    history: Sequence[answers.TransitionAnswer]
    brief: Mapping[str, str] | None
    clocks: Sequence[clocks.ClockAnswer]
    deliveries: Sequence[DeliveryAnswer] | None
    contacts: Sequence[tickets.Kept] | None
    roster: Mapping[str, people.Kept]
    possible: Sequence[Possible]

    def name(self, who: str | None) -> str:
        """How somebody is called: a person by their name, a principal or a role as they are."""
        if who is None:
            return "nobody"
        return "the clock" if who == CLOCK else self.roster[who].name if who in self.roster else who

    def names(self, who: Iterable[str]) -> str:
        """Several of them."""
        return ", ".join(self.name(each) for each in who)

    def recipient(self, message: DeliveryAnswer) -> str:
        """Whom a message is for."""
        if message.audience == "customer":
            return self.customer.name
        return "the help desk" if message.audience == "help_desk" else self.name(message.recipient)

    @property
    def ordered(self) -> list[Possible]:
        """What may be called, what answers an offer and goes on with the work first."""
        return sorted(self.possible, key=lambda p: _FIRST.index(p.trigger) if p.trigger in _FIRST else len(_FIRST))

    def missing_steps(self) -> list[Step]:
        """Those of the de-escalation that are not done, in their order."""
        return [step for step in STEPS if step not in self.escalation.steps]

    def choices(self, trigger: str) -> dict[str, Sequence[Choice]]:
        """What the fields of a trigger can be filled with."""
        e, policy = self.escalation, self.policy
        high = trigger in ("reassign", "brief")
        active = [p for p in self.roster.values() if p.active and (not high or p.level >= max(e.level, 1))]
        on_roster = [(p.id, f"{p.name} (L{p.level})" if p.level else p.name) for p in active]
        found: dict[str, Sequence[Choice]] = {
            "level": [(str(n), f"L{n}: {policy.level(n).name}") for n in range(1, 5)],
            "authority": [(name, f"{spoken(name)} (L{n})") for n, name in _by_level(policy.lowest_holder)],
            "code": [(name, f"{spoken(name)} (L{n})") for n in range(1, 5) for name in policy.level(n).codes],
            "situation": [(name, spoken(name)) for name in dict.fromkeys(s.situation for s in e.situations)],
            "step": [(step, spoken(step)) for step in self.missing_steps()],
            "evidence": [(c.id, _excerpt(c, self.now)) for c in self.contacts or () if c.author_role == "customer"],
        }
        # A longer roster is not one list to choose from: ids are typed then.
        return found if len(self.roster) >= MOST_PEOPLE else {**found, "to": on_roster, "person": on_roster}

    def filled(self, trigger: str) -> list[tuple[str, str]]:
        """What a form holds before anybody typed."""
        handoff = self.escalation.handoff
        if trigger == "brief" and handoff and handoff.to:
            return [("to", handoff.to)]
        return [("step", step) for step in self.missing_steps()[:1]] if trigger == "complete_step" else []


_FIRST = (
    "accept",
    "decline",
    "brief",
    "engage",
    "close",
    "complete_step",
    "update_customer",
    "escalate",
    "de_escalate",
)


def _by_level(holders: Mapping[str, int]) -> list[tuple[int, str]]:
    return sorted((n, name) for name, n in holders.items())


def _excerpt(contact: tickets.Kept, now: datetime) -> str:
    said = contact.text or {}
    text = str(said.get("subject") or said.get("body") or "")
    return f"{instant(contact.at, now)} {contact.channel} by {contact.sender}: {text}"[:120]


async def read(request: web.Request, visitor: Visitor, which: str) -> Scene:
    """The scene as it is now; raises 404."""
    house = request.app[HOUSE]
    job = job_of(request, visitor.token, Transition(which, "escalate"), transitioned, None)
    possible = await may_call(house, job)
    if isinstance(possible, Reply):
        if possible.status == 404:
            raise nowhere("There is no such escalation.")
        raise Refused(401, "unknown_key", "The API key is unknown, revoked, or its principal is retired.")
    async with connection(house.reads) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        return await _read(conn, house, visitor, which, possible)


async def _read(
    conn: asyncpg.Connection, house: House, visitor: Visitor, which: str, possible: list[Possible]
) -> Scene:
    row = await conn.fetchrow(sql.query("escalation.by_id"), which)
    if row is None:
        raise nowhere("There is no such escalation.")
    e = _escalation(row["row"])
    texts = _texts(row["texts"]) if row["texts"] else {}
    facts = await conn.fetchrow(sql.query("ticket.clocks"), e.ticket_id)
    ticket, now = _ticket(facts["ticket"]), facts["now"]
    goes_by = house.policies.known.get(facts["version"]) or load(facts["document"], facts["version"])
    rows = await pages.page(conn, Wanted(escalations=[which]), "desc", None, MOST_ROWS)
    kept = [answers.decode_history(each["row"]) for each in rows]
    roster = await conn.fetch(sql.query("person.page"), None, None, None, MOST_PEOPLE)
    sent = said = None
    if visitor.known.role in deliveries.READERS:
        sent = await conn.fetch(sql.query("outbox.page"), which, *(None,) * 6, MOST_MESSAGES)
    if visitor.known.role in tickets.READERS:
        said = await conn.fetch(sql.query("ticket.contacts"), e.ticket_id, e.opened_revision, MOST_CONTACTS)
    return Scene(
        escalation=e,
        steps=answers.escalation(e, texts).steps,
        ticket=ticket,
        customer=_customer(await conn.fetchval(sql.query("customer.by_id"), e.customer_id)),
        policy=house.policies.known[e.policy_version],
        now=now,
        history=[answers.transition(each, each.hash, each.text) for each in kept],
        brief=_brief(e, kept),
        clocks=[clocks.explained(clock, ticket, goes_by, now) for clock in CLOCKS if ticket.phases],
        deliveries=None if sent is None else [_delivery(each["row"]) for each in sent],
        contacts=None if said is None else [_contact(each["row"]) for each in said],
        roster={person.id: person for person in (_person(each["row"]) for each in roster)},
        possible=possible,
    )


def _brief(e: Escalation, kept: Sequence[answers.Kept]) -> dict[str, str] | None:
    """What the newest brief says; None where there is none, or it was erased."""
    brief = e.handoff and e.handoff.brief
    text: Any = next((row.text for row in kept if brief and row.said == brief.said), None) or {}
    if brief and brief.by == CLOCK:
        text = text.get("clock_brief") or text
    text = text.get("brief") or text
    return {name: str(text[name]) for name in BRIEF if text.get(name)} or None
