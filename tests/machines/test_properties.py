"""Properties over random lives of several tickets, decided as the engine does: batches of commands on one world."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from machines.asked import THE_CLOCK, Actor, Ask, Command, Duty, Fire, Heard, Report, Request, Transition
from machines.case import Mint
from machines.clock import armed
from machines.decide import decide, possible
from machines.decided import Decision, Refusal, Said
from machines.escalation import RULES
from machines.history import GENESIS, Record, canonical, digest, fold, said_hash, seal
from machines.values import LEVEL_ROLE, WAITING, Contact, Customer, Escalation, Person, Ticket
from machines.waiting import waits
from machines.world import Snapshot, World, holders
from tests.machines.cast import NOW, POLICY, TEXT, mint
from tests.machines.play import roster

PEOPLE = roster("ann0", "bob0", "lee1", "lou1", "mia2", "dan3", "vic4")
CUSTOMERS = [
    Customer("acme", "Acme", "enterprise", "max", ("kim@acme.example",)),
    Customer("zenith", "Zenith", "starter"),
    Customer("globex", "Globex", "professional"),
]
TICKETS = ("T-1", "T-2", "T-3")
MANUAL = ("workaround_unacceptable", "blocking_business_process", "customer_request", "executive_visibility")
CRITERIA = ("issue_resolved", "workaround_accepted", "priority_lowered", "request_withdrawn")
STEPS = ("confirm_with_customer", "update_ticket", "notify_chain", "document_lessons")
SPANS = tuple(timedelta(minutes=m) for m in (0, 1, 20, 60, 300))
DESK = Actor("desk", "service")
P2 = Report(Ticket("T-1", customer_id="acme", priority="p2", status="open", subject="Down", opened_at=NOW))
ENDING = ("withdraw", "de_escalate", "complete_step", "complete_step", "complete_step", "close", "step_down")
CALLABLE = (*(name for name, rule in RULES.items() if rule.fields), *ENDING, *ENDING)

same = settings(max_examples=50, deadline=None, derandomize=True, database=None)
"""The same examples every time."""


class Lives:
    """Several tickets' rows, as a database would keep them, and a batch's world over them."""

    def __init__(self) -> None:
        self.now = NOW
        self.people = dict(PEOPLE)
        self.tickets: dict[str, Ticket] = {}
        self.rows: dict[str, Escalation] = {}
        self.contacts: dict[str, Contact] = {}
        self.timers: dict[tuple[str, str], datetime] = {}
        self.chains: dict[str, list[tuple[Record, str]]] = {}
        self.mint = mint()
        self.seq = 0
        self.begin()

    def live(self, ticket: str) -> Escalation | None:
        """The ticket's escalation that is not closed."""
        return next((e for e in self.rows.values() if e.ticket_id == ticket and e.state != "closed"), None)

    def held(self) -> dict[str, int]:
        """How many each person holds or is offered, counted from the rows."""
        return {name: sum(name in holders(e) for e in self.rows.values()) for name in self.people}

    def begin(self) -> None:
        """A new batch: the world is read from the rows, as JSON."""
        held = self.held()
        closed = {e.ticket_id: e.id for e in self.rows.values() if e.state == "closed"}
        waiting: dict[str, Any] = {}
        for (ticket, kind), due in self.timers.items():
            if kind in WAITING:
                waiting.setdefault(ticket, {})[kind] = due
        read = Snapshot(
            now=self.now,
            policy_version=1,
            people=[replace(p, held=held[p.id]) for p in self.people.values()],
            customers=CUSTOMERS,
            tickets=list(self.tickets.values()),
            escalations=list(self.rows.values()),
            follows=closed,
            contacts=list(self.contacts.values()),
            waiting=waiting,
        )
        again = msgspec.json.decode(msgspec.json.encode(read), type=Snapshot)
        self.world = World(again, {1: POLICY}, self.mint)

    def decide(self, actor: Actor, ask: Ask) -> Decision | Refusal | None:
        """Decide it, and check that deciding is pure; absorb what is decided, and check the rows."""
        command = Command(f"c{self.seq}", ask, "r")
        if self.world.must_wait(command):
            self.begin()
        known = self.world.facts(command, actor)
        before = msgspec.json.encode([known.escalation, known.ticket, known.customer, known.roster, known.contacts])
        drawn = [replace(known, mint=mint()) for _ in range(2)]
        policy = self.world.policy_of(known.escalation)
        told = possible(known, policy, self.now) if isinstance(ask, Transition) and known.escalation else []
        one, two = (decide(facts, command, policy, self.now) for facts in drawn)
        assert one == two, "the same facts and command have one answer"
        assert before == msgspec.json.encode(
            [known.escalation, known.ticket, known.customer, known.roster, known.contacts]
        ), "the facts are as they were"
        got = self.world.decide(command, actor)
        if isinstance(got, Refusal):
            assert got.status in (403, 404, 409, 412, 422)
            return got
        if isinstance(ask, Transition):
            assert next(p for p in told if p.trigger == ask.trigger).allowed, "what happens was told to be possible"
        self._write(got)
        self.world.absorb(got)
        roster_ = self.world.facts(command, actor).roster
        assert {p.id: p.held for p in roster_.values()} == self.held(), "held counts are those of the rows"
        return got

    def _write(self, got: Decision) -> None:
        if got.ticket is not None and not got.stale:
            self.tickets[got.ticket.id] = got.ticket
        if got.contact is not None:
            self.contacts[got.contact.id] = got.contact
        e = got.escalation
        for entry in got.entries:
            self.seq += 1
            chain = self.chains.setdefault(entry.escalation_id, [])
            prev = chain[-1][1] if chain else ""
            record, text, hash_ = seal(entry, seq=self.seq, request_id="r", command="c", prev=prev)
            assert text == canonical(msgspec.to_builtins(record))
            chain.append((msgspec.json.decode(text, type=Record), hash_))
        if got.entries:
            assert e is not None
            self.rows[e.id] = replace(e, head=self.chains[e.id][-1][1])
            self.check(e.id)
        ticket = got.ticket.id if got.ticket else e.ticket_id if e else ""
        for kind, due in got.timers.items():
            self.timers.pop((ticket, kind), None)
            if due is not None:
                self.timers[ticket, kind] = due
        for name, known in self.tickets.items():
            tier = next(c.tier for c in CUSTOMERS if c.id == known.customer_id)
            every = {**armed(self.live(name)), **waits(known, tier, POLICY)}
            wanted = {kind: due for kind, due in every.items() if due is not None}
            assert {k: due for (t, k), due in self.timers.items() if t == name} == wanted

    def check(self, id_: str) -> None:
        """History folds to the row; every hash is right and names the one before."""
        chain = self.chains[id_]
        assert fold(chain) == self.rows[id_]
        prev = GENESIS
        for n, (record, hash_) in enumerate(chain, 1):
            assert (record.version, record.prev, digest(record)) == (n, prev, hash_)
            prev = hash_


def pick(options: Any, n: int) -> Any:
    """One of these."""
    return options[n % len(options)]


def person(n: int) -> Actor:
    """One of the people."""
    p: Person = pick(list(PEOPLE.values()), n)
    return Actor(p.id, LEVEL_ROLE[p.level], p.level)


def call(lives: Lives, ticket: str, trigger: str, a: int, b: int) -> Ask | None:
    """A trigger on the ticket's escalation, with fields that have a chance."""
    ours = [e for e in lives.rows.values() if e.ticket_id == ticket]
    if not ours:
        return None
    e, kind = ours[-1], RULES[trigger].fields
    assert kind is not None
    evidence = next((c.id for c in lives.contacts.values() if c.ticket_id == ticket), None)
    to = e.handoff.to if e.handoff and e.handoff.to and trigger == "brief" else pick(list(PEOPLE), a)
    every = {
        "reason": "because",
        "brief": pick((TEXT, TEXT, replace(TEXT, needed=" ")), b),
        "level": pick((None, None, 1, 2, 3, 4), a) if trigger != "step_down" else pick((1, 2, 3), a),
        "code": pick((None, "extended_outage", "boredom"), b),
        "criterion": "issue_resolved" if lives.tickets[ticket].solved and a % 3 else pick(CRITERIA, a),
        "evidence": evidence,
        "to": to,
        "issue": "i",
        "current_status": "c",
        "needed": "n",
        "person": pick((None, *PEOPLE), b),
        "situation": pick([s.situation for s in e.situations] or ["none"], a),
        "authority": pick(("reprioritize_ticket", "approve_standard_workaround", "modify_contract"), a),
        "detail": pick(("done", "done", "done", ""), b // 3),
        "step": pick([s for s in STEPS if s not in e.steps] or STEPS, 0 if a % 4 else b),
        "text": "We are on it",
        "workaround": None,
    }
    return Transition(e.id, trigger, kind(**{k: v for k, v in every.items() if k in kind.__struct_fields__}))


def ask(lives: Lives, kind: int, who: int, a: int, b: int) -> tuple[Actor, Ask | None]:
    """One of everything that may be asked."""
    ticket = pick(TICKETS, b)
    known = lives.tickets.get(ticket)
    match kind:
        case 0:
            told = Ticket(
                ticket,
                customer_id=pick(CUSTOMERS, TICKETS.index(ticket)).id,
                priority=pick(("p2", "p3", "p1", "p3", "p2", "p0"), a),
                status=pick(("open", "solved", "solved"), b // 3) if known else "open",
                outage=pick((None, False), a // 4),
                subject="Down",
                opened_at=known.opened_at if known else lives.now,
            )
            return DESK, Report(told)
        case 1:
            return person(who), Request(ticket, pick(MANUAL, a), "because", pick((None, TEXT), b))
        case 2:
            channel = pick(("call", "portal", "account_manager", "reply", "emergency"), a)
            heard = Heard(f"k{len(lives.contacts)}", ticket, None, channel, "kim@acme.example", "customer", body="Help")
            return DESK, heard if known else None
        case 3:
            name = pick(list(PEOPLE), who)
            lives.people[name] = replace(lives.people[name], on_duty=not lives.people[name].on_duty)
            lives.begin()
            return THE_CLOCK, Duty(ticket, name)
        case 4:
            lives.now += pick(SPANS, a)
            if lives.timers:
                (t, timer), due = min(lives.timers.items(), key=lambda item: (item[1], item[0]))
                lives.now = max(lives.now, due)
                lives.begin()
                return THE_CLOCK, Fire(t, timer, due)  # type: ignore[arg-type]
            lives.begin()
            return THE_CLOCK, Fire(ticket, "respond", lives.now)
        case 5:
            e = lives.live(ticket)
            offered = e.handoff.to if e and e.handoff else None
            level = PEOPLE[offered].level if offered in PEOPLE else 0
            role = pick(("agent", "lead", "manager", "director", "executive"), level)
            return Actor(offered or "ann0", role, level), call(
                lives, ticket, pick(("accept", "accept", "decline"), a), a, b
            )
        case _:
            e = lives.live(ticket)
            owner = e.owner if e else None
            by = person(list(PEOPLE).index(owner)) if owner in PEOPLE and who % 4 else person(who)
            return by, call(lives, ticket, pick(CALLABLE, kind), a, b)


def operations(seed: int, length: int) -> list[tuple[int, int, int, int]]:
    """Random operations; a failure shrinks to its shortest prefix. Answers and calls are frequent, so lives go far."""
    random = Random(seed)
    kinds = random.choices((0, 1, 2, 3, 4, 5, 6), (3, 2, 2, 1, 3, 8, 60), k=length)
    n = random.randrange
    return [(kind + (n(len(CALLABLE)) if kind == 6 else 0), n(1000), n(1000), n(1000)) for kind in kinds]


@settings(same, max_examples=80)
@given(st.integers(0, 2**32 - 1), st.integers(60, 200))
def test_any_life_folds_verifies_is_decided_purely_and_keeps_timers_and_counts(seed, length):
    lives = Lives()
    for kind, who, a, b in [(0, 0, n, n) for n in range(3)] + operations(seed, length):
        actor, asked = ask(lives, kind, who, a, b)
        if asked is not None:
            lives.decide(actor, asked)
    for id_ in lives.rows:
        lives.check(id_)


# Canonical JSON ---------------------------------------------------------------------------------------------------

keys = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ_0123456789 -.", max_size=8)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
whole = st.integers(-(2**53) + 1, 2**53 - 1)
plain = st.none() | st.booleans() | whole | texts
values = st.recursive(plain, lambda v: st.lists(v, max_size=4) | st.dictionaries(keys, v, max_size=5), max_leaves=12)


@same
@given(values)
def test_canonical_json_is_that_of_rfc_8785(value):
    assert canonical(value) == rfc8785.dumps(value)


def test_control_characters_quotes_and_astral_ones_are_escaped_as_rfc_8785_says():
    every = "".join(map(chr, range(0x250))) + "\u2028\u2029\ufeff\U0001f600"
    assert canonical({"text": every}) == rfc8785.dumps({"text": every})


@same
@given(st.dictionaries(keys, texts, max_size=4), st.binary(min_size=16, max_size=16))
def test_what_was_said_is_hashed_with_its_salt(text, salt):
    said = Said("s", "acme", salt.hex(), text)
    assert said_hash(said) != said_hash(replace(said, salt=bytes(b ^ 1 for b in salt).hex()))
    assert said_hash(said) == said_hash(msgspec.json.decode(msgspec.json.encode(said), type=Said))


@same
@given(st.integers(0, 2**47), st.binary(min_size=10, max_size=10))
def test_ids_are_uuid7s_of_their_instant(microseconds, drawn):
    at = datetime(1971, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds * 50)
    made = Mint(lambda n: drawn[:n]).uuid7(at)
    assert (made[14], made[19] in "89ab", len(made)) == ("7", True, 36)
    assert int(made.replace("-", "")[:12], 16) == int(at.timestamp() * 1000)
    assert Mint(lambda n: drawn[:n]).uuid7(at + timedelta(milliseconds=1)) > made


def test_a_fresh_mint_never_repeats_itself():
    fresh = Mint()
    assert len({fresh.uuid7(NOW) for _ in range(1000)} | {fresh.salt() for _ in range(1000)}) == 2000


# Tampering --------------------------------------------------------------------------------------------------------


def test_a_changed_row_has_another_hash_and_a_changed_order_another_chain():
    lives = Lives()
    lives.decide(DESK, P2)
    lives.decide(person(0), Request("T-1", "executive_visibility", "because"))
    chain = next(iter(lives.chains.values()))
    record, hash_ = chain[0]
    for field, value in (("owner", "eve"), ("at", NOW + timedelta(seconds=1)), ("said_hash", None), ("guards", ())):
        assert digest(replace(record, **{field: value})) != hash_, field
    assert chain[1][0].prev == hash_


def test_people_named_like_nothing_survive_the_fold():
    for name in ("null", "None", "true", "0", "é\u2028\x00"):
        lives = Lives()
        lives.people[name] = Person(name, "Null", 3, on_duty=True)
        lives.begin()
        lives.decide(DESK, P2)
        for other in ("dan3", "vic4"):
            lives.people[other] = replace(lives.people[other], on_duty=False)
        lives.begin()
        lives.decide(person(0), Request("T-1", "executive_visibility", "because"))
        e = lives.live("T-1")
        assert e
        assert e.handoff
        assert e.handoff.to == name
        lives.decide(Actor(name, "director", 3), Transition(e.id, "accept", RULES["accept"].fields()))  # type: ignore[misc]
        assert lives.rows[e.id].owner == name
