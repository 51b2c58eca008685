"""The verifier finds every tampering that a superuser can do, and nothing in a healthy database after a load."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

import sql
from machines.history import Record, digest
from machines.values import Escalation
from service import verify
from service.verify import EVERY_ESCALATION
from tests.service.engine.lives import Lives
from tests.service.engine.town import Town, alone, together

STEPS = ("confirm_with_customer", "update_ticket", "document_lessons")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_found_after_a_random_load(town: Town, seed: int):
    lives = Lives(town, [town.engine(), town.engine()], seed)
    told = await lives.run(400)
    while await town.db.fetchval("SELECT count(DISTINCT state) FROM history") < 5:
        told += await lives.run(50)
        assert len(told) < 4000, "this load does not go everywhere: open, l3, l4, de_escalating and closed"
    assert {answer.status for answer in told} >= {201, 403, 409, 422}
    assert await town.db.fetchval("SELECT count(*) FROM history WHERE reason IN ('response_overdue', 'unanswered')")
    assert await verify.run(town.url) == []


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Town]:
    """A small healthy town, to be tampered with: T-1 accepted, T-2 offered, T-3 closed, T-4 open, T-5 a P1."""
    db = await asyncpg.connect(database_url)
    town = Town(database_url, db)
    await town.settle_down()
    engine = town.engine()
    await db.execute("INSERT INTO customer (id, name, tier) VALUES ('beta', 'Beta', 'professional')")
    one, _, three = await town.standing(engine, "T-1", "T-2", "T-3", accepted=False)
    await alone(engine, town.report("T-3", status="solved"))
    await together(
        engine,
        [
            town.call("dan", one, "accept"),
            town.call("dan", one, "act", authority="approve_service_credit", detail="100"),
            town.call("dan", one, "note", text="so far"),
            town.call("dan", three, "accept"),
            town.call("dan", three, "de_escalate", criterion="issue_resolved"),
            *(town.call("dan", three, "complete_step", step=step, detail="done") for step in STEPS),
            town.call("dan", three, "close"),
            town.report("T-4", customer="beta", opened_at=datetime.now(UTC)),
            town.report("T-5", priority="p1", opened_at=datetime.now(UTC)),
        ],
    )
    assert await verify.run(database_url) == []
    await db.execute("SET session_replication_role = replica")
    yield town
    await engine.stop()
    await db.close()


async def found(town: Town, tampering: str) -> set[str]:
    """Do these statements as superuser, past triggers and foreign keys; the claims that are then found broken."""
    *first, last = tampering.split("; ")
    for statement in first:
        await town.db.execute(statement)
    done = await town.db.execute(last)
    assert done.split()[-1] != "0", "nothing was tampered with"
    return {finding.claim for finding in await verify.run(town.url)}


T1 = "(SELECT id FROM escalation WHERE ticket_id = 'T-1')"

ROWS = {
    "a row in the middle": (f"DELETE FROM history WHERE escalation_id = {T1} AND version = 3", {"V4"}),
    "the first row": (f"DELETE FROM history WHERE escalation_id = {T1} AND version = 1", {"V4"}),
    "the tail": (f"DELETE FROM history WHERE escalation_id = {T1} AND version = 5", {"V3"}),
    "a longer tail": (f"DELETE FROM history WHERE escalation_id = {T1} AND version > 2", {"V3"}),
    "a whole history": (f"DELETE FROM history WHERE escalation_id = {T1}", {"V3"}),
    "a whole row": ("DELETE FROM escalation WHERE ticket_id = 'T-1'", {"V3"}),
    "everything of one": ("WITH h AS (DELETE FROM history WHERE ticket_id = 'T-1')"
                          " DELETE FROM escalation WHERE ticket_id = 'T-1'", {"V5"}),
    "a message": (f"DELETE FROM outbox WHERE escalation_id = {T1} AND version = 2 AND ordinal = 0", {"V5"}),
    "all messages": ("TRUNCATE outbox; SELECT", {"V5"}),
    "a timer": ("DELETE FROM timer WHERE kind = 'respond' AND ticket_id = 'T-2'", {"V6"}),
    "an engage timer": ("DELETE FROM timer WHERE kind = 'engage' AND ticket_id = 'T-4'", {"V6"}),
    "a P1 timer": ("DELETE FROM timer WHERE kind = 'p1'", {"V6"}),
    "a P1 timer's instant": ("UPDATE timer SET due_at = due_at + interval '1 s' WHERE kind = 'p1'", {"V6"}),
    "an SLA clock's timer": ("DELETE FROM timer WHERE kind = 'resolution' AND ticket_id = 'T-4'", {"V6"}),
    "an SLA clock's instant": ("UPDATE timer SET due_at = due_at + interval '1 s' WHERE kind = 'first_response'"
                               " AND ticket_id = 'T-4'", {"V6"}),
    "what an SLA clock is read from": ("UPDATE ticket SET phases = '[]' WHERE id = 'T-4'", {"V6"}),
    "a P1's end": ("UPDATE ticket SET status = 'solved' WHERE id = 'T-5'", {"V6"}),
    "an update timer": ("DELETE FROM timer WHERE kind = 'update' AND ticket_id = 'T-1'", {"V6"}),
}  # fmt: skip


@pytest.mark.parametrize("what", ROWS)
async def test_what_was_removed_is_missed(scene: Town, what: str):
    statement, claims = ROWS[what]
    assert await found(scene, statement) >= claims


CHANGES = {
    "a message doubled": ("INSERT INTO outbox (escalation_id, version, ordinal, ticket_id, customer_id, audience,"
                          " recipient, template, payload, planned_at) SELECT escalation_id, version, 99, ticket_id,"
                          " customer_id, audience, recipient, template, payload, planned_at FROM outbox"
                          f" WHERE escalation_id = {T1} AND version = 2 AND ordinal = 0", "V5"),
    "a message moved": (f"UPDATE outbox SET version = 3, ordinal = 9 WHERE escalation_id = {T1} AND version = 2"
                        " AND ordinal = 0", "V5"),
    "a message of nowhere": ("INSERT INTO outbox (escalation_id, version, ordinal, ticket_id, customer_id, audience,"
                             " recipient, template, payload, planned_at) SELECT gen_random_uuid(), 1, 0, 'T-1',"
                             " 'acme', 'customer', 'acme', 'escalated', '{}', now()", "V5"),
    "a timer moved": ("UPDATE timer SET due_at = due_at + interval '1 microsecond' WHERE ticket_id = 'T-2'", "V6"),
    "a timer of nothing": ("INSERT INTO timer VALUES ('T-3', 'respond', now())", "V6"),
    "a timer of another kind": ("UPDATE timer SET kind = 'engage' WHERE ticket_id = 'T-1' AND kind = 'update'", "V6"),
    "a count of what somebody holds": ("UPDATE holding SET held = held + 1 WHERE person = 'dan'", "V3"),
    "a word in a text": ("UPDATE said SET text = jsonb_set(text::jsonb, '{detail}', '\"1000\"')"
                         " WHERE text::jsonb ? 'detail'", "V4"),
    "a salt": ("UPDATE said SET salt = repeat('0', 32)", "V4"),
    "two rows swapped": (f"UPDATE history SET version = 0 WHERE escalation_id = {T1} AND version = 4; "
                         f"UPDATE history SET version = 4 WHERE escalation_id = {T1} AND version = 5; "
                         f"UPDATE history SET version = 5 WHERE escalation_id = {T1} AND version = 0", "V4"),
    "a row of another's history": (f"UPDATE history SET escalation_id = {T1}, version = 6"
                                   " WHERE ticket_id = 'T-2' AND version = 2", "V4"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
async def test_what_was_added_or_moved_is_found(scene: Town, what: str):
    statement, claim = CHANGES[what]
    assert claim in await found(scene, statement)


CHECKS = "SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'c'"
OTHER: dict[str, Callable[[str], str]] = {
    "text": lambda name: f"coalesce({name}, '') || 'x'",
    "xid8": lambda _: "'1'",
    "uuid": lambda _: "gen_random_uuid()",
    "integer": lambda name: f"coalesce({name}, 0) + 1",
    "bigint": lambda name: f"{name} + 1000000",
    "smallint": lambda name: f"coalesce({name}, 1) % 4 + 1",
    "json": lambda name: f"coalesce({name}::jsonb, '{{}}') || '[\"tampered\"]'",
    "text[]": lambda name: f"{name} || '{{tampered}}'",
    "timestamp with time zone": lambda name: f"coalesce({name}, now()) + interval '1 microsecond'",
}
"""Another value of each type."""


async def columns(db: asyncpg.Connection, table: str) -> dict[str, str]:
    """The columns of a table that can be written, and their types."""
    rows = await db.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
        " WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        table,
    )
    return {row["attname"]: row["type"] for row in rows}


async def unseen(town: Town, table: str, claims: set[str], where: str, others: dict[str, str]) -> list[str]:
    """The columns of a table that can be changed in one row without these claims being found broken."""
    missed = []
    for name, kind in (await columns(town.db, table)).items():
        tampering = town.db.transaction()
        await tampering.start()
        for row in await town.db.fetch(CHECKS, table):
            await town.db.execute(f"ALTER TABLE {table} DROP CONSTRAINT {row['conname']}")
        other = others.get(name) or OTHER[kind](name)
        assert await town.db.execute(f"UPDATE {table} SET {name} = {other} WHERE {where}") == "UPDATE 1"
        if not claims & {finding.claim for finding in await verify.findings(town.db)}:
            missed.append(name)
        await tampering.rollback()
    return missed


async def test_every_column_of_a_history_row_is_under_its_hash(scene: Town):
    others = {"hash": "repeat('0', 64)", "prev": "repeat('0', 64)"}
    where = "ticket_id = 'T-1' AND version = 5"
    # xid: which transaction wrote it, for the feed's horizon; it is no part of the record.
    assert await unseen(scene, "history", {"V4"}, where, others) == ["xid"]


async def test_every_column_of_an_escalation_is_the_fold_of_its_history(scene: Town):
    assert (await columns(scene.db, "escalation")).keys() == set(Escalation.__struct_fields__)
    others = {
        "situations": "situations::jsonb || situations::jsonb",
        "acts": "'[]'",
        "steps": """'{"document_lessons": {"done_at": "2026-01-05T09:00:00Z", "by": "dan"}}'""",
        "handoff": "jsonb_set(handoff::jsonb, '{to}', '\"vic\"')",
    }
    assert await unseen(scene, "escalation", {"V3"}, "ticket_id = 'T-1'", others) == []


async def test_rows_that_are_no_rows_any_more_are_findings_too(scene: Town):
    await scene.db.execute("ALTER TABLE escalation DROP CONSTRAINT state_is_known")
    assert await found(scene, "UPDATE escalation SET state = 'l9' WHERE ticket_id = 'T-1'") >= {"V3"}
    assert await found(scene, "UPDATE history SET detail = '[]' WHERE ticket_id = 'T-2' AND version = 1") >= {"V4"}


async def rewrite(
    town: Town, ticket: str, version: int, change: Callable[[dict[str, Any]], None], *, alone: bool = False
) -> None:
    """Forge one row of a history, and every hash after it, and the head: the chain is whole again.

    `alone`: only that row and its own hash.
    """
    prev = "0" * 64
    for row in await town.db.fetch(sql.query("verify.chains"), *EVERY_ESCALATION):
        record = msgspec.json.decode(row["record"])
        if record["ticket_id"] != ticket:
            continue
        if alone and record["version"] != version:
            prev = row["hash"]
            continue
        record["prev"] = prev
        if record["version"] == version:
            change(record)
        prev = digest(msgspec.convert(record, Record))
        await town.db.execute(
            "UPDATE history SET prev = $1, hash = $2, actor = $3, actor_level = $4, changed = $5"
            " WHERE ticket_id = $6 AND version = $7",
            record["prev"],
            prev,
            record["actor"],
            record["actor_level"],
            msgspec.json.encode(record["changed"]).decode(),
            ticket,
            record["version"],
        )
    if not alone:
        await town.db.execute("UPDATE escalation SET head = $1 WHERE ticket_id = $2", prev, ticket)


async def claims(town: Town) -> list[str]:
    """The claims that are found broken, each once."""
    return sorted({finding.claim for finding in await verify.run(town.url)})


async def test_an_act_without_its_authority_is_found_in_a_chain_that_is_whole(scene: Town):
    def by_a_lead(record: dict[str, Any]) -> None:
        record.update(actor="lee", actor_level=1)

    await rewrite(scene, "T-1", 4, by_a_lead)
    assert await claims(scene) == ["V7"]


@pytest.mark.parametrize("brief", [None, {"by": "dan", "to": "dan"}, {"by": "ann", "to": "vic"}])
async def test_an_accept_without_a_brief_by_another_is_found_in_a_chain_that_is_whole(
    scene: Town, brief: dict[str, str] | None
):
    said = await scene.db.fetchval("SELECT handoff -> 'brief' ->> 'said' FROM escalation WHERE ticket_id = 'T-1'")
    forged = brief and {**brief, "said": said}

    def unbriefed(record: dict[str, Any]) -> None:
        record["changed"]["handoff"]["brief"] = forged

    await rewrite(scene, "T-1", 3, unbriefed)
    await scene.db.execute(
        "UPDATE escalation SET handoff = jsonb_set(handoff::jsonb, '{brief}', $1) WHERE ticket_id = 'T-1'",
        msgspec.json.encode(forged).decode(),
    )
    assert await claims(scene) == ["V7"]


async def test_an_unanswered_level_without_a_clock_is_found_in_a_chain_that_is_whole(scene: Town):
    def clockless(record: dict[str, Any]) -> None:
        record["changed"]["page_by"] = None

    await rewrite(scene, "T-2", 2, clockless)
    await scene.db.execute("UPDATE escalation SET page_by = NULL WHERE ticket_id = 'T-2'")
    await scene.db.execute("DELETE FROM timer WHERE ticket_id = 'T-2' AND kind = 'respond'")
    assert await claims(scene) == ["V6"]


async def test_a_row_with_a_right_hash_of_its_own_is_found_by_the_row_after_it(scene: Town):
    await rewrite(scene, "T-1", 4, lambda record: record.update(actor="vic", actor_level=4), alone=True)
    assert await claims(scene) == ["V4"]


async def test_a_rewritten_history_is_found_by_the_row_that_was_not(scene: Town):
    def other_owner(record: dict[str, Any]) -> None:
        record["changed"]["owner"] = "vic"

    await rewrite(scene, "T-1", 3, other_owner)
    assert await claims(scene) == ["V3"]


async def test_erasing_what_a_customer_said_is_no_tampering(scene: Town):
    await scene.db.execute("DELETE FROM said")
    assert await claims(scene) == []


async def test_finding_tells_its_progress(scene: Town):
    heard: list[tuple[int, int]] = []
    assert await verify.run(scene.url, progress=lambda done, of: heard.append((done, of))) == []
    assert heard[-1] == (await scene.db.fetchval("SELECT count(*) FROM history"),) * 2
