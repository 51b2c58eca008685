"""Erasing a customer: nothing of theirs is left in a dump of the database, and every hash and proof still verifies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

import sql
from service import binaries, database, verify
from service.proof.notes import Signer, Verifier
from service.proof.offline import Report, checkpoints
from service.proof.offline import verify as verify_export
from service.proof.sealer import Sealer
from service.proof.tree import included, leaf
from service.routes import erasures
from tests.service.conftest import Answer, Service
from tests.service.inbound.post import send, written
from tests.service.test_feed import listen

_, SIGNER = Signer.made("escalations.example")
VERIFIER = Verifier(SIGNER.public)
SECRET = "xyzzy"
"""Stands in everything that acme writes, or that tells who they are."""
BOSS = f"boss@{SECRET}.example"
BRIEF: dict[str, Any] = {name: f"{name} {SECRET}" for name in ("issue", "reason", "current_status", "needed")}
FACTS = {
    "subject": f"Down at {SECRET}",
    "description": f"{SECRET} can't work",
    "tags": [SECRET],
    "product": f"{SECRET}-shop",
    "issue_key": f"{SECRET.upper()}-7",
}


async def dump(url: str) -> str:
    """The whole database as SQL."""
    program = binaries.find().folder / "pg_dump"
    process = await asyncio.create_subprocess_exec(program, url, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    assert process.returncode == 0
    return told.decode()


async def erase(service: Service, customer: str = "acme", who: str = "root") -> Answer:
    """What the door answers."""
    return await service.call(who, "DELETE", f"/v1/customers/{customer}")


async def says(service: Service, ticket: str, body: str, **more: Any) -> Any:
    """Something that acme's contact says on a ticket."""
    key = more.pop("Idempotency_Key", None)
    headers = {"Idempotency_Key": key} if key else {}
    contact = {"channel": "reply", "sender": BOSS, "author_role": "customer", "body": f"{body} {SECRET}", **more}
    return (await service.call("desk", "POST", f"/v1/tickets/{ticket}/contacts", contact, **headers)).ok(201)


async def ended(service: Service, ticket: str = "T-1") -> str:
    """An escalation of acme's, from its opening to its end, with texts in every place that takes one."""
    customer = {"name": f"Acme {SECRET}", "tier": "enterprise", "contacts": [BOSS], "language": "de"}
    (await service.call("desk", "PUT", "/v1/customers/acme", customer)).ok()
    await service.ticket(ticket, **FACTS)
    await service.ticket(ticket, **FACTS | {"subject": f"An older word of {SECRET}"}, updated_at="2026-01-05T08:00:01Z")
    await says(service, ticket, "Before there is an escalation", Idempotency_Key=f"{SECRET}-1{ticket}")
    body = {"ticket_id": ticket, "situation": "blocking_business_process", "reason": f"Says {SECRET}", "brief": BRIEF}
    e = str((await service.call("ann", "POST", "/v1/escalations", body)).ok(201)["escalation"]["id"])
    to = str((await service.call("ann", "GET", f"/v1/escalations/{e}")).ok()["handoff"]["to"])
    (await service.act("lee", e, "reassign", to="mia", reason=SECRET)).problem(403, "not_permitted")
    (await service.act("ann", e, "brief", to=to, **BRIEF)).ok(201)
    (await service.act(to, e, "accept")).ok(201)
    (await service.act(to, e, "act", authority="pull_engineers", detail=f"For {SECRET}")).ok(201)
    (await service.act(to, e, "note", text=f"Seen at {SECRET}", Idempotency_Key=f"{SECRET}-2")).ok(201)
    (await service.act(to, e, "update_customer", text=f"Dear {SECRET}", workaround=f"Use {SECRET}")).ok(201)
    await says(service, ticket, "And then", subject=f"ESCALATE {SECRET}", Idempotency_Key=f"{SECRET}-3{ticket}")
    await says(service, ticket, "Look-alike", subject=f"ЕSCALATE {SECRET}")
    (await send(service, written(f"[{ticket}] {SECRET}", SECRET, sender=f"eve@{SECRET}.example"))).ok(202)
    (await send(service, written(f"No ticket {SECRET}", SECRET, sender=BOSS))).ok(202)
    await service.ticket(ticket, **FACTS, status="solved", resolved_at="2026-01-05T11:00:00Z")
    (await service.act(to, e, "de_escalate", criterion="issue_resolved")).ok(201)
    (await service.act(to, e, "complete_step", step="confirm_with_customer", detail=f"{SECRET} says so")).ok(201)
    (await service.act(to, e, "complete_step", step="update_ticket")).ok(201)
    (await service.act(to, e, "complete_step", step="document_lessons", detail=f"Of {SECRET}")).ok(201)
    (await service.act(to, e, "close")).ok(201)
    await service.db.execute("UPDATE outbox SET error = $1 WHERE audience = 'customer'", f"550 <{BOSS}> unknown")
    return e


async def others(service: Service) -> None:
    """What beta says, which is nobody else's business."""
    await service.ticket("T-9", customer_id="beta", subject="beta's own subject")
    contact = {"channel": "reply", "sender": "boss@beta.example", "author_role": "customer", "body": "beta's own words"}
    (await service.call("desk", "POST", "/v1/tickets/T-9/contacts", contact)).ok(201)


@pytest.fixture
async def pool(service: Service) -> AsyncIterator[asyncpg.Pool]:
    """For a sealer."""
    pool = await database.connect(service.database_url)
    yield pool
    await pool.close()


async def test_no_plaintext_is_left_in_a_dump_and_every_proof_still_verifies(
    service: Service, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    notes = tmp_path / "checkpoints"
    await others(service)
    e = await ended(service)
    await Sealer(pool, SIGNER, notes).seal(patience=10.0)
    hashes = await service.db.fetch("SELECT seq, hash FROM history ORDER BY seq")
    before = await dump(service.database_url)
    assert before.lower().count(SECRET) > 40
    told = (await erase(service)).ok()
    after = (await dump(service.database_url)).lower()
    left = [line for line in after.splitlines() if SECRET in line]
    assert left == []
    assert "beta's own words" in after
    assert "beta's own subject" in after
    assert (told["customer_id"], told["by"], told["contacts"], told["mails"]) == ("acme", "root", 3, 2)
    assert (told["tickets"], told["reports"]) == (1, 3)
    assert all(told[name] for name in ("texts", "messages", "repeats", "answers"))
    # What can be proved: the rows, in the database, over HTTP, and from an export alone.
    assert await service.db.fetch("SELECT seq, hash FROM history ORDER BY seq") == hashes
    assert await verify.run(service.database_url) == []
    for index, row in enumerate(hashes):
        proof = (await service.call("aud", "GET", f"/v1/history/proof?seq={row['seq']}")).ok()
        head, path = VERIFIER.read(proof["note"]), [bytes.fromhex(node) for node in proof["proof"]]
        assert included(leaf(bytes.fromhex(row["hash"])), index, head.size, path, bytes.fromhex(head.head))
    export, report = (await service.call("aud", "GET", "/v1/history/export")).raw, Report()
    verify_export(export.splitlines(), checkpoints(notes.read_text(), VERIFIER, report), report)
    assert (report.findings, report.sealed) == ([], len(hashes))
    # And what is left can be read.
    story = (await service.call("aud", "GET", f"/v1/escalations/{e}/story")).ok()
    assert SECRET not in json.dumps(story).lower()
    assert len(story["transitions"]) == story["escalation"]["version"]
    contacts = (await service.call("aud", "GET", "/v1/tickets/T-1/contacts")).ok()["items"]
    assert {(c["sender"], c["word"]) for c in contacts} == {("erased", None)}
    assert (await service.call("aud", "GET", "/v1/customers/acme")).ok() == {
        "id": "acme",
        "name": "erased",
        "tier": "enterprise",
        "account_manager": None,
        "contacts": [],
        "language": None,
    }


async def test_asking_again_is_answered_as_before_and_erases_what_has_come_since(service: Service) -> None:
    await ended(service)
    first = (await erase(service)).ok()
    assert (await erase(service)).ok() == first
    assert (await service.call("aud", "GET", "/v1/erasures?customer_id=acme")).ok()["items"] == [first]
    await says(service, "T-1", "One more thing")
    second = (await erase(service)).ok()
    assert (second["texts"], second["contacts"], second["tickets"]) == (1, 1, 0)
    assert (await service.call("root", "GET", "/v1/erasures?limit=1")).ok()["items"] == [second]
    cursor = (await service.call("root", "GET", "/v1/erasures?limit=1")).ok()["next_cursor"]
    assert (await service.call("root", "GET", f"/v1/erasures?limit=1&cursor={cursor}")).ok()["items"] == [first]


async def test_while_an_escalation_is_live_nothing_is_erased(service: Service) -> None:
    await ended(service)
    live = await service.opened("T-2")
    told = (await erase(service)).problem(409, "still_live")
    assert live in told["detail"]
    assert await service.db.fetchval("SELECT count(*) FROM erasure") == 0
    assert SECRET in await dump(service.database_url)


async def test_one_that_is_opened_meanwhile_stops_it_and_what_was_done_is_recorded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended(service, "T-1")
    live = await service.opened("T-2")
    monkeypatch.setattr(erasures, "AT_ONCE", 1)
    arguments = ("6e0f7c1e-1111-4222-8333-444455556666", "acme", ["T-2"], "root", "r")
    with pytest.raises(asyncpg.RestrictViolationError, match="is not closed") as refused:
        await service.db.execute("SELECT erase_tickets($1::uuid, $2, $3::text[], $4, $5)", *arguments)
    assert refused.value.detail == live
    monkeypatch.setattr(sql, "query", _none_live(sql.query))
    assert live in (await erase(service)).problem(409, "still_live")["detail"]
    monkeypatch.undo()
    [part] = (await service.call("root", "GET", "/v1/erasures")).ok()["items"]
    assert part["at"] is None
    assert part["tickets"] == 1


def _none_live(query: Any) -> Any:
    """As if no escalation had been live when the door looked."""
    return lambda name: query(name) + " OFFSET 100" if name == "erasure.live" else query(name)


async def test_only_admins_erase_and_only_they_and_auditors_read_who_was(service: Service) -> None:
    for who in ("desk", "ann", "lee", "vic", "aud"):
        (await erase(service, who=who)).problem(403, "not_permitted")
    for who in ("desk", "ann", "vic"):
        (await service.call(who, "GET", "/v1/erasures")).problem(403, "not_permitted")
    (await erase(service, "nobody")).problem(404, "not_found")
    assert (await service.call("aud", "GET", "/v1/erasures")).ok()["items"] == []
    assert (await erase(service, "solo")).ok()["texts"] == 0


async def test_a_ticket_that_became_anothers_keeps_what_is_the_others(service: Service) -> None:
    await service.ticket("T-1", subject=f"{SECRET} first")
    await says(service, "T-1", "Mine")
    await service.ticket("T-1", customer_id="beta", subject="Now it is beta's")
    (await erase(service)).ok()
    left = await dump(service.database_url)
    assert SECRET not in left
    assert "Now it is beta's" in left


async def test_what_a_node_keeps_in_mind_of_the_feed_is_forgotten(service: Service) -> None:
    stream = await listen(service, "?after=0")  # from now on this node keeps what is new in mind
    await ended(service)
    seqs = [row["seq"] for row in await service.db.fetch("SELECT seq FROM history ORDER BY seq")]
    assert await stream.take(len(seqs)) == seqs
    (await erase(service)).ok()
    await others(service)
    await service.opened("T-8")  # and when this is told, the erasure is known
    await stream.take(1)
    again = await listen(service, "?after=0")
    async with asyncio.timeout(20):
        async for block in again.blocks():
            assert SECRET not in block.get("data", "").lower()
            if block.get("id") == str(seqs[-1]):
                break


async def test_nothing_is_sent_any_more_of_what_was_planned(service: Service) -> None:
    await ended(service)
    (await erase(service)).ok()
    rows = await service.db.fetch("SELECT DISTINCT status, payload::text AS payload, error FROM outbox")
    assert {tuple(row) for row in rows} == {("parked", "{}", "erased")}


async def test_the_service_itself_may_delete_no_text(service: Service) -> None:
    await ended(service)
    conn = await database.open_connection(service.database_url)
    for statement in (
        "DELETE FROM said",
        "UPDATE contact SET sender = 'x'",
        "UPDATE ticket_event SET facts = '{}'",
        "UPDATE outbox SET payload = '{}'",
        "DELETE FROM erasure",
        "UPDATE erasure SET by = 'nobody'",
        "INSERT INTO erasure (id, customer_id, by, request_id, begun_at) VALUES (gen_random_uuid(), '', '', '', now())",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)
    await conn.close()


async def test_an_erasure_is_told_by_the_names_of_its_columns(service: Service) -> None:
    columns = await service.db.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'erasure'::regclass AND attnum > 0"
    )
    assert {row["attname"] for row in columns} == {f.name for f in msgspec.structs.fields(erasures.ErasureAnswer)}
