"""What is said to the product: whole escalations, from the ticket's report to the close.

One life is 17 calls of six people at four levels: a report, a request with a brief, three levels each accepted (with
an update to the customer and two decisions between), a note, the solved report, four steps, the close. All of it is
what a help desk and its people would send: each call has a bearer key, each POST an Idempotency-Key, and every field
is checked. The first report writes no history: it is asked, and not counted. Whatever is not answered 2xx ends the
run as failed.
"""

import random
from collections.abc import Generator, Mapping
from typing import Any

import msgspec

from .load import Aside, Conversation, Reply, request

_AT_LEVEL = (("abe", "ada", "ann", "art"), ("lee", "liz", "lou"), ("mia", "mo"), ("dan", "dot"), ("vic",))
PEOPLE = {name: level for level, names in enumerate(_AT_LEVEL) for name in names}
"""The roster: who is on duty, and at which level."""
PRINCIPALS = {
    "root": "admin",
    "desk": "service",
    **{name: ("agent", "lead", "manager", "director", "executive")[level] for name, level in PEOPLE.items()},
}
"""Who has a key, and its role."""
CUSTOMERS = tuple(f"customer-{n:03}" for n in range(100))
TIERS = ("enterprise", "professional", "starter")
CALLS, COUNTED = 17, 16
"""Calls of a life, and how many of them write history."""

_encode = msgspec.json.encode
_BRIEF = {
    "issue": "Payments fail at checkout",
    "reason": "technical complexity",
    "current_status": "Restarted twice, logs attached",
    "needed": "engineers",
}
_FACTS = {
    "priority": "p2",
    "status": "open",
    "subject": "Payments fail at checkout",
    "opened_at": "2026-01-05T09:00:00Z",
    "sla": {
        "first_response_by": "2199-01-01T00:00:00Z",
        "resolution_by": "2199-01-01T00:00:00Z",
    },
}
# Calls after which an escalation of the background is left alone, at least and at most: it stays live.
_LEFT_AFTER = (2, 6)


class _Said(msgspec.Struct):
    id: str
    handoff: dict[str, Any] | None = None


class _Answer(msgspec.Struct):
    escalation: _Said | None = None


_answer = msgspec.json.Decoder(_Answer)
Life = Generator[bytes, Reply, None]


def settle(connection: int, connections: int, rng: random.Random, *, keys: Mapping[str, str]) -> Conversation:
    """Put the people and the customers there."""
    headers = {"Authorization": f"Bearer {keys['root']}"}
    for name, level in PEOPLE.items():
        person = {"name": name.capitalize(), "level": level, "on_duty": True, "email": f"{name}@example.com"}
        _well((yield request("PUT", f"/v1/people/{name}", _encode(person), headers)))
    for n, customer in enumerate(CUSTOMERS):
        facts = {"name": f"Customer {n}", "tier": TIERS[n % 3], "contacts": [f"boss@{customer}.example.com"]}
        _well((yield request("PUT", f"/v1/customers/{customer}", _encode(facts), headers)))


def fill(connection: int, connections: int, rng: random.Random, *, keys: Mapping[str, str], count: int) -> Conversation:
    """This connection's share of `count` escalations that were begun and stay live."""
    for _ in range(connection, count, connections):
        life, calls = _life(f"A-{connection:04}", rng, keys), rng.randint(*_LEFT_AFTER)
        say = next(life)
        for _ in range(calls):
            say = life.send((yield say))


def lives(
    connection: int, connections: int, rng: random.Random, *, keys: Mapping[str, str], most: int | None = None
) -> Conversation:
    """One life after the other, each of a ticket of its own; `most`: no more than so many."""
    lived = 0
    while most is None or lived < most:
        yield from _life(f"B-{connection:04}", rng, keys)
        lived += 1


def _life(prefix: str, rng: random.Random, keys: Mapping[str, str]) -> Life:
    ticket = f"{prefix}-{rng.getrandbits(64):016x}"
    n = rng.randrange(len(CUSTOMERS))
    facts = {**_FACTS, "customer_id": CUSTOMERS[n]}
    said = 0

    def post(who: str, path: str, **body: Any) -> bytes:
        nonlocal said
        said += 1
        headers = {"Authorization": f"Bearer {keys[who]}", "Idempotency-Key": f"{ticket}/{said}"}
        return request("POST", path, _encode(body), headers)

    def report(**more: Any) -> bytes:
        headers = {"Authorization": f"Bearer {keys['desk']}"}
        return request("PUT", f"/v1/tickets/{ticket}", _encode({**facts, **more}), headers)

    _well((yield Aside(report())))
    e = _opened(
        (
            yield post(
                "desk",
                "/v1/escalations",
                ticket_id=ticket,
                situation="workaround_unacceptable",
                reason="We cannot work",
                brief=_BRIEF,
                level=1,
            )
        )
    )
    path = f"/v1/escalations/{e.id}/transitions"
    who = _offered(e)
    _well((yield post(who, path, trigger="accept")))
    _well((yield post(who, path, trigger="update_customer", text="We are on it and write again within the hour")))
    for _ in range(2):
        who = _offered(_opened((yield post(who, path, trigger="escalate", reason="needs engineers", brief=_BRIEF))))
        _well((yield post(who, path, trigger="accept")))
        _well((yield post(who, path, trigger="act", authority="assign_resources", detail="Two engineers, now")))
    _well((yield post(who, path, trigger="note", text="The pool of connections was exhausted")))
    _well((yield report(status="solved")))
    _well((yield post(who, path, trigger="de_escalate", criterion="issue_resolved")))
    _well((yield post(who, path, trigger="complete_step", step="confirm_with_customer", detail="Mail of 10:40")))
    _well((yield post(who, path, trigger="complete_step", step="update_ticket")))
    lesson = {"step": "document_lessons", "detail": "The pool was too small", "tags": ["pattern"]}
    _well((yield post(who, path, trigger="complete_step", **lesson)))
    _well((yield post(who, path, trigger="close")))


def _well(reply: Reply) -> None:
    if not 200 <= reply.status < 300:
        raise ValueError(f"answered {reply.status}: {reply.body[:500].decode(errors='replace')}")


def _opened(reply: Reply) -> _Said:
    _well(reply)
    e = _answer.decode(reply.body).escalation
    assert e is not None
    return e


def _offered(e: _Said) -> str:
    assert e.handoff is not None
    who: str = e.handoff["to"]
    return who
