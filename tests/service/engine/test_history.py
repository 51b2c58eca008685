"""What is written down: one denial for each refused real attempt, and history whose hashes can be computed anew."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import rfc8785

import sql
from machines.asked import Transition
from service.batch import Policies
from service.config import Settings
from service.consider import consider
from service.database import connect
from service.submit import House
from service.verify import EVERY_ESCALATION
from tests.service.engine.town import Town, alone, together


async def denials(town: Town) -> list[tuple[int, str, str, tuple[str, ...]]]:
    """Every denial as (status, trigger, actor, guards)."""
    rows = await town.db.fetch("SELECT * FROM denial ORDER BY at, id")
    return [
        (row["status"], row["trigger"], row["actor"], tuple(f["guard"] for f in json.loads(row["failed"])))
        for row in rows
    ]


async def test_every_refused_real_attempt_is_one_denial(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    told = await together(
        engine,
        [
            town.call("lee", escalation, "act", authority="approve_service_credit", detail="a"),
            town.call("dan", escalation, "to_closed"),
            town.call("dan", escalation, "de_escalate", criterion="issue_resolved"),
            town.report("T-2", "aud"),
            town.request("T-9"),
        ],
    )
    assert [answer.status for answer in told] == [403, 409, 422, 403, 422]
    assert sorted(await denials(town)) == sorted(
        (answer.status, trigger, actor, answer.failed)
        for answer, (trigger, actor) in zip(
            told,
            [("act", "lee"), ("to_closed", "dan"), ("de_escalate", "dan"), ("open", "aud"), ("open", "ann")],
            strict=True,
        )
    )
    await alone(engine, town.call("dan", escalation, "de_escalate", criterion="issue_resolved"))
    assert len(await denials(town)) == 6, "the same attempt again is another"


async def test_what_is_no_refused_attempt_is_no_denial(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    stale = Transition(escalation, "note", town.transition(escalation, "note", text="a").fields, if_match=1)
    forged = town.call("dan", escalation, "accept")
    forged.digest = "0" * 64
    told = await together(
        engine,
        [
            town.call("dan", escalation, "note", text="fine"),
            town.call("dan", "nowhere", "accept"),
            town.job("dan", stale),
            town.report("T-2", customer="nobody"),
            forged,
        ],
    )
    assert [answer.status for answer in told] == [201, 404, 412, 422, 401]
    pool = await connect(town.url, min_size=1, max_size=1)
    house = House(engine, pool, Policies(), Settings())
    assert (await consider(house, town.call("dan", escalation, "accept"))).status == 422
    await pool.close()
    assert await denials(town) == []


async def test_a_denial_says_where_it_stood_and_holds_no_text(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    secret = "my password is hunter2"
    await alone(engine, town.call("lee", escalation, "act", authority="approve_service_credit", detail=secret))
    row = await town.db.fetchrow("SELECT * FROM denial")
    assert (str(row["escalation_id"]), row["ticket_id"], row["customer_id"], row["state"]) == (
        escalation,
        "T-1",
        "acme",
        "l3",
    )
    assert secret not in str(dict(row))


async def test_history_read_back_hashes_to_what_was_answered_and_stored(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    text = 'Ünïcödé \u2028 "quoted" \\ 😀 \t tab, and a number 1e3'
    told = await together(
        engine,
        [
            town.call("dan", escalation, "note", text=text),
            town.call("dan", escalation, "act", authority="approve_service_credit", detail=text),
            town.call("dan", escalation, "update_customer", text=text, workaround=text),
            town.call("dan", escalation, "reassign", to="vic", reason=text),
            town.call("vic", escalation, "decline", reason=text),
        ],
    )
    assert {answer.status for answer in told} == {201}
    prev = "0" * 64
    for row in await town.db.fetch(sql.query("verify.chains"), *EVERY_ESCALATION):
        record = json.loads(row["record"])
        at = datetime.fromisoformat(record["at"]).astimezone(UTC)
        record["at"] = at.isoformat().replace("+00:00", "Z")
        assert record["prev"] == prev
        prev = hashlib.sha256(rfc8785.dumps(record)).hexdigest()
        assert row["hash"] == prev
    assert told[-1].hash == prev
    assert await town.db.fetchval("SELECT head FROM escalation WHERE id = $1", escalation) == prev


async def test_what_was_said_is_hashed_with_its_salt_and_is_not_in_history(town: Town):
    engine = town.engine()
    (escalation,) = await town.standing(engine, "T-1")
    secret = "my password is hunter2"
    await alone(engine, town.call("dan", escalation, "update_customer", text=secret, workaround=secret))
    rows = await town.db.fetch("SELECT s.salt, s.text, h.said_hash FROM history h JOIN said s ON s.id = h.said")
    assert len(rows) >= 2
    for row in rows:
        text = rfc8785.dumps(json.loads(row["text"]))
        assert hashlib.sha256(bytes.fromhex(row["salt"]) + text).hexdigest() == row["said_hash"]
    assert not await town.db.fetchval("SELECT bool_or(h::text LIKE '%hunter2%') FROM history h")
    assert len({row["salt"] for row in rows}) == len(rows)


async def test_a_chain_is_each_escalations_own_and_seq_is_unique(town: Town):
    engine = town.engine()
    escalations = await town.standing(engine, *(f"T-{n}" for n in range(8)))
    await together(engine, [town.call("dan", each, "note", text="a") for each in escalations * 3])
    assert await town.db.fetchval("SELECT count(DISTINCT seq) = count(*) FROM history")
    assert await town.db.fetchval("SELECT count(DISTINCT escalation_id) FROM history WHERE prev = $1", "0" * 64) == 8
    before = "SELECT seq, lag(seq) OVER (PARTITION BY escalation_id ORDER BY version) AS before FROM history"
    assert await town.db.fetchval(f"SELECT bool_and(seq > before) FROM ({before}) AS h")
