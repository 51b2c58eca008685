"""The verifier: reads a live database in one snapshot and finds every row that is not as the rules say.

V3: history replays to the current row, and what is counted of the rows is right. V4: versions are gap-free, every
hash is right and follows the one before, and sealed rows are those that were sealed. V5: one outbox row per planned
message. V6: what waits has exactly its timer. V7: nobody owns by accept without a brief from another. (V1 and V2,
acknowledged and refused changes, need the clients' own log.) It changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime

import asyncpg
import msgspec
from msgspec import Struct

import sql
from machines.decided import Said
from machines.history import GENESIS, Record, digest, fold, said_hash
from machines.matrix import Policy, load
from machines.values import Customer, Escalation, Ticket
from machines.waiting import waits
from service.proof.check import sealed

PREFETCH = 500
EVERY_ESCALATION = ("00000000-0000-0000-0000-000000000000", None)
"""After which id, and up to which: all of them. A slice ends with an id."""
EVERY_TICKET, EVERY_SPAN = ("", None), (-1, None)
Stored = tuple[str, str]
"""A row of history as JSON, and the hash that is stored with it."""


class Finding(Struct, frozen=True):
    """One thing that is not as it must be: which claim (V3 …), where, and what was found."""

    claim: str
    where: str
    what: str


_escalation = msgspec.json.Decoder(Escalation)
_ticket, _customer = msgspec.json.Decoder(Ticket), msgspec.json.Decoder(Customer)
_armed = msgspec.json.Decoder(dict[str, datetime])
_record = msgspec.json.Decoder(Record)


async def run(url: str, *, progress: Callable[[int, int], None] = lambda done, of: None) -> list[Finding]:
    """Every finding in the database at this url; none is what must be. `progress` hears rows done, of how many."""
    conn = await asyncpg.connect(url, server_settings={"timezone": "UTC", "application_name": "escalation-verify"})
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            return await findings(conn, progress)
    finally:
        await conn.close()


async def findings(
    conn: asyncpg.Connection, progress: Callable[[int, int], None] = lambda done, of: None
) -> list[Finding]:
    """Every finding that this connection's transaction sees; its time zone is UTC."""
    policies = await known_policies(conn)
    of_all = await conn.fetchval("SELECT count(*) FROM history")
    parts = (
        of_escalations(conn, policies, *EVERY_ESCALATION, heard=lambda done: progress(done, of_all)),
        sealed_rows(conn),
        of_archives(conn),
        of_spans(conn, *EVERY_SPAN),
        of_counts(conn),
        of_tickets(conn, policies, *EVERY_TICKET),
    )
    return [finding for part in parts async for finding in part]


async def known_policies(conn: asyncpg.Connection) -> dict[int, Policy]:
    """Every policy by its version."""
    rows = await conn.fetch(sql.query("verify.known_versions"))
    return {row["version"]: load(row["document"], row["version"]) for row in rows}


async def of_escalations(
    conn: asyncpg.Connection,
    policies: dict[int, Policy],
    after: str,
    upto: str | None,
    *,
    heard: Callable[[int], None] = lambda done: None,
) -> AsyncIterator[Finding]:
    """V3 to V7 of the escalations between these ids, as far as it needs no other; `heard` is told rows done."""
    async for finding in _chains(conn, policies, after, upto, heard):
        yield finding
    between = (after, upto)
    async for row in conn.cursor(sql.query("verify.texts"), *between, prefetch=PREFETCH):
        said = Said("", "", row["salt"], msgspec.json.decode(row["text"]))
        if said_hash(said) != row["said_hash"]:
            where = f"{row['escalation_id']} version {row['version']}"
            yield Finding("V4", where, "what was said there is not what was hashed")
    for row in await conn.fetch(sql.query("verify.messages"), *between):
        where = f"{row['escalation_id']} version {row['version']}"
        yield Finding("V5", where, f"planned {row['planned']} messages, the outbox has {row['found']}")
    for row in await conn.fetch(sql.query("verify.stray_messages"), *between):
        where = f"{row['escalation_id']} version {row['version']}"
        yield Finding("V5", where, f"{row['found']} outbox rows that no transition planned")
    for row in await conn.fetch(sql.query("verify.unanswered_without_timer"), *between):
        yield Finding("V6", row["escalation_id"], f"unanswered at {row['state']}, and no clock runs")
    for row in await conn.fetch(sql.query("verify.answered_with_timer"), *between):
        yield Finding("V6", row["escalation_id"], f"answered at {row['state']}, and a response clock runs")
    for row in await conn.fetch(sql.query("verify.accepts_without_brief"), *between):
        where = f"{row['escalation_id']} version {row['version']}"
        yield Finding("V7", where, "was accepted without a brief by somebody else")


async def _chains(
    conn: asyncpg.Connection,
    policies: dict[int, Policy],
    after: str,
    upto: str | None,
    heard: Callable[[int], None],
) -> AsyncIterator[Finding]:
    """V3, V4 and the authority of acts: each escalation beside its history, both in the order of ids."""
    rows = aiter(conn.cursor(sql.query("verify.escalations"), after, upto, prefetch=PREFETCH))
    row = await anext(rows, None)
    async for which, chain in _histories(conn, after, upto, heard):
        while row is not None and row["id"] < which:
            yield _without_history(row["id"])
            row = await anext(rows, None)
        stands = None
        if row is not None and row["id"] == which:
            stands, row = row["row"], await anext(rows, None)
        for finding in check_chain(which, chain, stands, policies):
            yield finding
    while row is not None:
        yield _without_history(row["id"])
        row = await anext(rows, None)


def _without_history(which: str) -> Finding:
    return Finding("V3", which, "stands there with no history at all")


async def _histories(
    conn: asyncpg.Connection, after: str, upto: str | None, heard: Callable[[int], None]
) -> AsyncIterator[tuple[str, list[Stored]]]:
    """The history of one escalation after the other, each oldest first."""
    which, chain, done = "", list[Stored](), 0
    async for row in conn.cursor(sql.query("verify.chains"), after, upto, prefetch=PREFETCH):
        if row["escalation_id"] != which:
            if chain:
                yield which, chain
            which, chain = row["escalation_id"], []
        chain.append((row["record"], row["hash"]))
        done += 1
        if done % PREFETCH == 0:
            heard(done)
    if chain:
        yield which, chain
    heard(done)


def check_chain(which: str, chain: list[Stored], row: str | None, policies: dict[int, Policy]) -> list[Finding]:
    """What is wrong with one escalation's history, oldest first, and with the row that it leads to."""
    found: list[Finding] = []
    records: list[tuple[Record, str]] = []
    prev = GENESIS
    for wanted, (text, hash_) in enumerate(chain, start=1):
        where = f"{which} version {wanted}"
        try:
            record = _record.decode(text)
        except msgspec.ValidationError as error:
            found.append(Finding("V4", where, f"was changed after it was written: it is no record, {error}"))
            break
        if record.version != wanted:
            found.append(Finding("V4", where, f"is missing or doubled: version {record.version} stands there"))
            break
        if record.prev != prev:
            found.append(Finding("V4", where, "does not follow the row before it: its prev is another hash"))
        if digest(record) != hash_:
            found.append(Finding("V4", where, "was changed after it was written: its hash is another"))
        if record.trigger == "act" and not _held(record, policies):
            authority = record.detail.get("authority")
            found.append(Finding("V7", where, f"{record.actor} decided {authority} without holding it"))
        records.append((record, hash_))
        prev = hash_
    if row is None:
        return [*found, Finding("V3", which, "has history, and no row")]
    try:
        stands = _escalation.decode(row)
    except msgspec.ValidationError as error:
        return [*found, Finding("V3", which, f"its row is no escalation: {error}")]
    try:
        folded = fold(records)
    except (msgspec.ValidationError, TypeError) as error:
        return [*found, Finding("V3", which, f"its history does not fold to an escalation: {error}")]
    if folded != stands:
        names = [name for name in stands.__struct_fields__ if getattr(stands, name) != getattr(folded, name)]
        found.append(Finding("V3", which, f"its row is not the fold of its history: {', '.join(names)} differ"))
    return found


def _held(record: Record, policies: dict[int, Policy]) -> bool:
    policy = policies.get(record.policy_version)
    authority = str(record.detail.get("authority"))
    return policy is not None and policy.holds(min(record.actor_level, record.level), authority)


async def of_tickets(
    conn: asyncpg.Connection, policies: dict[int, Policy], after: str, upto: str | None
) -> AsyncIterator[Finding]:
    """V6 of the tickets between these ids: timers are what rows say, and what waits on a ticket by itself has exactly
    its own; `machines.waiting` says which."""
    for row in await conn.fetch(sql.query("verify.wrong_timers"), after, upto):
        where = f"ticket {row['ticket_id']}, {row['kind']}"
        yield Finding("V6", where, f"its row says {row['wanted']}, its timer {row['armed']}")
    async for row in conn.cursor(sql.query("verify.waiting"), after, upto, prefetch=PREFETCH):
        ticket, customer = _ticket.decode(row["ticket"]), _customer.decode(row["customer"])
        armed = _armed.decode(row["armed"])
        policy = policies.get(row["policy_version"])
        if policy is None:
            yield Finding("V6", f"ticket {ticket.id}", f"goes by a policy that is not there: {row['policy_version']}")
            continue
        for kind, wanted in waits(ticket, customer.tier, policy).items():
            if armed.get(kind) != wanted:
                found = f"its facts say {wanted}, its timer {armed.get(kind)}"
                yield Finding("V6", f"ticket {ticket.id}, {kind}", found)


async def of_archives(conn: asyncpg.Connection) -> AsyncIterator[Finding]:
    """V3 of escalations whose history lies in archives."""
    for row in await conn.fetch(sql.query("verify.archived_unlike")):
        yield Finding("V3", row["id"], "is not what its archived history leads to")


async def of_spans(conn: asyncpg.Connection, after: int, upto: int | None) -> AsyncIterator[Finding]:
    """V4 of what is told of stretches of history: windows of time are looked for by it."""
    for row in await conn.fetch(sql.query("verify.wrong_spans"), after, upto):
        where = f"history_span {row['after_seq']} to {row['last_seq']}"
        yield Finding("V4", where, f"tells other instants than {row['found']} of its rows have: windows miss them")


async def of_counts(conn: asyncpg.Connection) -> AsyncIterator[Finding]:
    """V3 of who holds how many."""
    for row in await conn.fetch(sql.query("verify.wrong_holdings")):
        where = f"person {row['person']}"
        yield Finding("V3", where, f"by the rows they hold {row['wanted']}, counted are {row['counted']}")


async def sealed_rows(conn: asyncpg.Connection) -> AsyncIterator[Finding]:
    """V4 of rows that a checkpoint is over."""
    async for where, what in sealed(conn):
        yield Finding("V4", where, what)
