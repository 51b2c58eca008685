"""Each named constraint refuses what its name claims, whoever writes: here it is the tables' owner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCENE = """
INSERT INTO principal (id, role) VALUES ('ann', 'agent');
INSERT INTO api_key (id, principal_id, digest) VALUES ('k', 'ann', repeat('0', 64));
INSERT INTO person (id, name, level) VALUES ('ann', 'Ann', 0);
INSERT INTO customer (id, name, tier) VALUES ('acme', 'Acme', 'enterprise');
INSERT INTO ticket (id, revision, customer_id, opened_at) VALUES ('T-1', 1, 'acme', now()), ('T-2', 0, NULL, NULL);
INSERT INTO contact (id, ticket_id, customer_id, revision, at, received_at, channel, sender, author_role, verified,
    request, by)
    VALUES (gen_random_uuid(), 'T-1', 'acme', 2, now(), now(), 'reply', 'c', 'customer', true, false, 'ann');
INSERT INTO history (seq, escalation_id, version, at, move, state, level, ticket_id, customer_id, actor, actor_level,
    reason, detail, guards, policy_version, changed, messages, request_id, command, prev, hash)
    SELECT 1, '01a20c09-0301-76f9-8658-b3ebd38e7940', 1, now(), id, 'open', 0, 'T-1', 'acme', 'ann', 0, 'opened', '{}',
    '{}', 1, '{}', 0, 'r', gen_random_uuid(), repeat('0', 64), repeat('1', 64) FROM allowed_move WHERE trigger = 'open';
INSERT INTO escalation (id, ticket_id, customer_id, tier, state, level, target_level, opened_at, opened_by,
    policy_version, version, situations, engaged, chain, steps, acts, opened_revision, de_escalated_revision,
    updated_at, head)
    VALUES ('01a20c09-0301-76f9-8658-b3ebd38e7940', 'T-1', 'acme', 'enterprise', 'open', 0, 3, now(), 'ann', 1, 1,
    '[]', '{}', '{}', '{}', '[]', 1, 0, now(), repeat('1', 64));
INSERT INTO timer VALUES ('T-1', 'engage', now());
INSERT INTO outbox (escalation_id, version, ordinal, ticket_id, customer_id, audience, recipient, template, payload,
    planned_at)
    VALUES ('01a20c09-0301-76f9-8658-b3ebd38e7940', 1, 0, 'T-1', 'acme', 'customer', 'acme', 't', '{}', now());
INSERT INTO rota (id, name, time_zone, shifts) VALUES ('leads', 'Leads', 'UTC', '[]');
INSERT INTO rota_window VALUES ('leads', 'ann', now(), now() + interval '1 hour');
INSERT INTO kept_mail (id, why, subject, body, by) VALUES (gen_random_uuid(), 'no_ticket', 'Help', 'Down', 'desk');
INSERT INTO denial (id, at, status, trigger, actor, failed, request_id)
    VALUES (gen_random_uuid(), now(), 403, 'act', 'ann', '[]', 'r');
INSERT INTO session (digest, key_id, until) VALUES (repeat('2', 64), 'k', now() + interval '1 hour');
INSERT INTO review (week) VALUES ('2026-W01');
INSERT INTO review_note VALUES (gen_random_uuid(), '2026-W01', 'Seen', 'ann');
INSERT INTO review_action (id, week, text, owner, by) VALUES (gen_random_uuid(), '2026-W01', 'Mend it', 'ann', 'ann');
"""
"""One row of everything, each as it may be."""


def archived(**changed: str) -> str:
    """An archive that is as it must be, but for this."""
    row = {
        "month": "'2024_11'",
        "lowest": "'00000000-0000-0000-0000-000000000001'",
        "below": "'00000000-0000-0000-0000-000000000002'",
        "rows": "1",
        "escalations": "1",
        "first_seq": "1",
        "last_seq": "1",
        "since": "now()",
        "until": "now()",
        "file": "'f'",
        "sha256": "repeat('0', 64)",
        "by": "'ann'",
        **changed,
    }
    return f"INSERT INTO archive ({', '.join(row)}) VALUES ({', '.join(row.values())})"


def again(table: str, **changes: str) -> str:
    """The scene's row of a table once more, with these columns (SQL expressions) changed."""
    given = ", ".join(f"'{name}', {value}" for name, value in changes.items())
    changed = f"jsonb_populate_record(r, jsonb_build_object({given}))"
    return f"INSERT INTO {table} SELECT ({changed}).* FROM {table} r LIMIT 1"


def history(**changes: str) -> str:
    """The scene's row of history as its second version, changed."""
    return again("history", **{"version": "2", **changes})


MESSAGE = "escalation_id, version, ordinal, ticket_id, customer_id, audience, recipient, template, payload, planned_at"

REFUSED = {
    "there_is_one_clock": ["INSERT INTO virtual_clock VALUES (false, now())"],
    "there_is_one_audit": ["INSERT INTO audit VALUES (false, 'tickets', '', 0, 0, 0, now())"],
    "role_is_known": ["UPDATE principal SET role = 'boss'", "UPDATE principal SET role = 'clock'"],
    "level_is_0_to_4": [
        "UPDATE principal SET level = 5",
        "UPDATE person SET level = -1",
        "UPDATE person SET level = 5",
        "UPDATE escalation SET state = 'closed', closed_at = now(), level = 5",
    ],
    "only_people_have_a_level": [
        f"INSERT INTO principal (id, role, level) VALUES ('x', '{role}', 1)" for role in ("service", "auditor", "admin")
    ],
    "only_services_act_for_people": ["UPDATE principal SET may = '{accept}'"],
    "digest_is_sha256": [
        "UPDATE api_key SET digest = 'the secret itself'",
        "UPDATE session SET digest = 'the cookie itself'",
    ],
    "a_session_ends": ["UPDATE session SET until = began_at"],
    "begun_by_a_key_or_by_an_attempt": [
        "UPDATE session SET key_id = NULL",
        "UPDATE session SET who = 'lee', attempt = 'state'",
        "UPDATE session SET attempt = 'state'",
    ],
    "an_attempt_begins_one_session": [
        "INSERT INTO session (digest, who, attempt, until) SELECT repeat(n::text, 64), 'lee', 'state',"
        " clock_timestamp() + interval '1 hour' FROM generate_series(3, 4) AS n",
    ],
    "tier_is_known": ["UPDATE customer SET tier = 'gold'"],
    "priority_is_known": ["UPDATE ticket SET priority = 'p4'"],
    "status_is_known": ["UPDATE ticket SET status = 'reopened'", "UPDATE outbox SET status = 'sent'"],
    "a_reported_ticket_has_its_facts": [
        "UPDATE ticket SET customer_id = NULL WHERE id = 'T-1'",
        "UPDATE ticket SET opened_at = NULL WHERE id = 'T-1'",
        "UPDATE ticket SET revision = 1 WHERE id = 'T-2'",
    ],
    "channel_is_known": ["UPDATE contact SET channel = 'fax'"],
    "author_is_known": ["UPDATE contact SET author_role = 'bot'"],
    "reason_is_known": ["UPDATE kept_mail SET why = 'spam'"],
    "automatic_is_known": ["UPDATE kept_mail SET automatic = 'robot'"],
    "a_stranger_wrote_on_a_ticket": ["UPDATE kept_mail SET why = 'stranger'"],
    "every_eighth_height": ["INSERT INTO tree_tile VALUES (4, 0, repeat('x', 32)::bytea)"],
    "at_most_256_nodes": [f"INSERT INTO tree_tile VALUES (0, 0, repeat('x', {size})::bytea)" for size in (0, 33, 8224)],
    "a_span_goes_forward": [
        "INSERT INTO history_span VALUES (2, 2, now(), now())",
        "INSERT INTO history_span VALUES (0, 2, now(), now() - interval '1 second')",
    ],
    "an_archive_is_a_month": [archived(month="'january'")],
    "archive_sum_is_sha256": [archived(sha256="'short'")],
    "an_archive_has_rows": [
        archived(rows="0"),
        archived(below="'00000000-0000-0000-0000-000000000001'"),
        archived(last_seq="0"),
        archived(until="now() - interval '1 second'"),
    ],
    "archived_hash_is_sha256": ["INSERT INTO archived_row VALUES (1, gen_random_uuid(), 1, 'short')"],
    "archived_versions_are_unique": [
        "INSERT INTO archived_row SELECT seq, '00000000-0000-0000-0000-000000000001', 1, repeat('0', 64)"
        " FROM generate_series(1, 2) AS seq"
    ],
    "a_row_ends_one_checkpoint": [
        "INSERT INTO checkpoint SELECT size, 7, 'h', now(), 'n' FROM generate_series(1, 2) AS size"
    ],
    "a_revision_is_one_contact": [again("contact", id="gen_random_uuid()")],
    "a_move_is_listed_once": [
        "INSERT INTO allowed_move (trigger, source, dest) VALUES ('open', NULL, 'open')",
        "INSERT INTO allowed_move (trigger, source, dest) VALUES ('close', 'de_escalating', 'closed')",
    ],
    "every_change_has_a_reason": [history(reason="''")],
    "prev_is_sha256": [history(prev="'0'")],
    "hash_is_sha256": [history(hash="''")],
    "versions_are_unique": [again("history", seq="2")],
    "only_allowed_moves": [
        history(move="0"),
        history(state="'closed'"),
        history(move="(SELECT id FROM allowed_move WHERE trigger = 'close')"),
    ],
    "a_text_has_its_hash": [history(said="gen_random_uuid()"), history(said_hash="repeat('0', 64)")],
    "a_state_has_its_history": [
        "UPDATE escalation SET state = 'l3', level = 3, handoff = '{}'",
        "UPDATE escalation SET version = 2",
        "UPDATE escalation SET state = 'l1', level = 1, handoff = '{}', version = 2",
        "UPDATE escalation SET state = 'closed', closed_at = now()",
        again("escalation", id="gen_random_uuid()", ticket_id="'T-2'"),
    ],
    "closed_has_its_instant": ["UPDATE escalation SET state = 'closed'", "UPDATE escalation SET closed_at = now()"],
    "closed_has_no_timer": [
        f"UPDATE escalation SET state = 'closed', closed_at = now(), {clock} = now()"
        for clock in ("engage_by", "page_by", "next_update_by")
    ],
    "level_fits_state": [
        "UPDATE escalation SET level = 1",
        *(f"UPDATE escalation SET state = 'l{n}', level = {n % 4 + 1}, handoff = '{{}}'" for n in (1, 2, 3, 4)),
    ],
    "de_escalating_has_a_criterion": ["UPDATE escalation SET state = 'de_escalating'"],
    "only_an_ending_notifies": ["UPDATE escalation SET notifying = 1"],
    "a_window_ends_after_it_begins": [
        "INSERT INTO rota_window VALUES ('leads', 'ann', now(), now())",
        "INSERT INTO rota_window VALUES ('leads', 'ann', now(), now() - interval '1 hour')",
    ],
    "a_level_has_a_handoff": [f"UPDATE escalation SET state = 'l{n}', level = {n}" for n in (1, 2, 3, 4)],
    "the_owner_is_engaged": ["UPDATE escalation SET owner = 'ann'"],
    "state_is_known": ["UPDATE escalation SET state = 'l5'"],
    "target_is_a_level": ["UPDATE escalation SET target_level = 0", "UPDATE escalation SET target_level = 5"],
    "csat_is_1_to_5": ["UPDATE escalation SET csat = 0", "UPDATE escalation SET csat = 6"],
    "one_live_escalation_per_ticket": [again("escalation", id="gen_random_uuid()")],
    "kind_is_known": ["UPDATE timer SET kind = 'lunch'"],
    "audience_is_known": ["UPDATE outbox SET audience = 'everybody'"],
    "delivered_somewhere": [
        "UPDATE outbox SET status = 'delivered', delivered_at = now()",
        "UPDATE outbox SET status = 'delivered', target = 'inbox'",
    ],
    "one_row_per_planned_message": [f"INSERT INTO outbox ({MESSAGE}) SELECT {MESSAGE} FROM outbox"],
    "week_is_iso": [f"INSERT INTO review (week) VALUES ('{week}')" for week in ("2026-W00", "2026-W54", "26-W1")],
    "who_signs_says_when": ["UPDATE review SET signed_by = 'ann'", "UPDATE review SET signed_at = now()"],
    "a_note_says_something": ["UPDATE review_note SET text = E' \\n'"],
    "an_action_says_something": ["UPDATE review_action SET text = ''"],
    "who_is_done_says_when": ["UPDATE review_action SET done_by = 'ann'", "UPDATE review_action SET done_at = now()"],
    "a_signed_review_is_closed": [
        f"UPDATE review SET signed_by = 'ann', signed_at = now(); {statement}"
        for statement in (
            "INSERT INTO review_note VALUES (gen_random_uuid(), '2026-W01', 'late', 'ann')",
            "INSERT INTO review_mark SELECT '2026-W01', id, 'ann' FROM escalation",
            "INSERT INTO review_action (id, week, text, owner, by)"
            " VALUES (gen_random_uuid(), '2026-W01', 'late', 'ann', 'ann')",
        )
    ],
    "a_signature_stays": ["UPDATE review SET signed_by = 'ann', signed_at = now(); UPDATE review SET signed_at = NULL"],
    "status_is_a_refusal": ["UPDATE denial SET status = 404", "UPDATE denial SET status = 201"],
}
"""By the claim that each constraint's name makes: statements that break it, and nothing else."""

IMPLIED = {
    "a_move_has_one_dest": "allowed_move_pkey: it is there for history's foreign key to refer to",
}

BY_TRIGGER = {"a_state_has_its_history", "a_signed_review_is_closed", "a_signature_stays"}
"""Claims about more than one row, or about how it was before."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(postgres_url: str, template: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the owner to a database with one row of everything. Tests roll back."""
    name = f"test_{uuid4().hex}"
    server = await asyncpg.connect(postgres_url)
    await server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    db = await asyncpg.connect(f"{postgres_url.rpartition('/')[0]}/{name}")
    async with db.transaction():
        await db.execute(SCENE)
    yield db
    await db.close()
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.close()


@pytest.mark.parametrize(
    ("claim", "statement"), [(claim, statement) for claim, statements in REFUSED.items() for statement in statements]
)
async def test_a_constraint_refuses_what_its_name_claims(scene: asyncpg.Connection, claim: str, statement: str):
    if statement.startswith("INSERT INTO escalation SELECT"):
        statement = await _listed(scene, statement)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as caught:
        await scene.execute(f"BEGIN; {statement}; SET CONSTRAINTS ALL IMMEDIATE")
    await scene.execute("ROLLBACK")
    assert await claimed(scene, caught.value) == claim


async def _listed(db: asyncpg.Connection, statement: str) -> str:
    """The same without the generated column."""
    names = await db.fetchval(
        "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = 'escalation'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
    )
    populated = statement.partition("SELECT (")[2].partition(").*")[0]
    another = f"SELECT ({populated}).* FROM escalation r LIMIT 1"
    return f"INSERT INTO escalation ({names}) SELECT {names} FROM ({another}) AS another"


async def claimed(db: asyncpg.Connection, error: asyncpg.PostgresError) -> str:
    """The constraint that refused; where it is a partition's, the one of the whole table."""
    whole = await db.fetchval(
        "SELECT p.conname FROM pg_constraint c JOIN pg_constraint p ON p.oid = c.conparentid WHERE c.conname = $1",
        error.constraint_name,
    )
    return str(whole or error.constraint_name)


async def test_every_named_constraint_is_tried(scene: asyncpg.Connection):
    named = await scene.fetch(
        "SELECT DISTINCT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conparentid = 0"
        " AND conislocal AND contype IN ('c', 'u', 'f', 'x') AND conname !~ '_(pkey|fkey|key)$'"
        " UNION SELECT indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        " WHERE indisunique AND relnamespace = 'public'::regnamespace AND NOT EXISTS"
        " (SELECT FROM pg_constraint WHERE conindid = indexrelid)"
    )
    assert {row["conname"] for row in named} | BY_TRIGGER == REFUSED.keys() | IMPLIED.keys()


async def test_a_version_is_one_row_whatever_its_state(scene: asyncpg.Connection):
    engaged = "(SELECT id FROM allowed_move WHERE trigger = 'engage' AND dest = 'l1')"
    with pytest.raises(asyncpg.UniqueViolationError) as caught:
        await scene.execute(again("history", state="'l1'", move=engaged))
    assert await claimed(scene, caught.value) == "versions_are_unique"


async def test_a_hand_written_update_fails_without_its_history_row(scene: asyncpg.Connection):
    moved = "UPDATE escalation SET state = 'l1', level = 1, handoff = '{}', version = 2"
    by_hand = scene.transaction()
    await by_hand.start()
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="a_state_has_its_history"):
        await scene.execute(moved)
    await by_hand.rollback()
    both = scene.transaction()
    await both.start()
    engaged = "(SELECT id FROM allowed_move WHERE trigger = 'engage' AND dest = 'l1')"
    await scene.execute(history(state="'l1'", move=engaged))
    await scene.execute(moved)
    await both.rollback()


async def test_a_closed_one_leaves_room_for_the_next_on_its_ticket(scene: asyncpg.Connection):
    attempt = scene.transaction()
    await attempt.start()
    withdrawn, next_one = "(SELECT id FROM allowed_move WHERE trigger = 'withdraw')", f"'{uuid4()}'"
    await scene.execute(history(state="'closed'", move=withdrawn))
    await scene.execute("UPDATE escalation SET state = 'closed', closed_at = now(), version = 2")
    await scene.execute(again("history", escalation_id=next_one))
    another = again("escalation", id=next_one, state="'open'", version="1", closed_at="NULL")
    await scene.execute(await _listed(scene, another))
    assert await scene.fetchval("SELECT count(*) FROM escalation WHERE state <> 'closed'") == 1
    await attempt.rollback()
