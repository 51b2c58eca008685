-- The engine's own statements, in the order of its protocol. Rows travel as JSON whose keys are the columns' names.

-- name: begin()
BEGIN

-- name: lock(tickets, escalations, made)
-- Which tickets these commands are about, and which of them are ours now. Those locked elsewhere are skipped.
-- A ticket must exist to be locked: `made` are made if missing, and ours by that. Sorted, so that two batches can't wait
-- for each other in a ring. Of one that another batch makes meanwhile nothing is answered: it is not seen yet.
WITH made AS (
    INSERT INTO ticket (id) SELECT id FROM unnest($3::text[]) AS id ORDER BY id ON CONFLICT (id) DO NOTHING RETURNING id
), wanted AS (
    SELECT NULL::text AS escalation_id, t.id AS ticket_id FROM ticket t WHERE t.id = ANY ($1::text[])
    UNION ALL
    SELECT e.id::text, e.ticket_id FROM escalation e WHERE e.id = ANY ($2::uuid[])
), locked AS MATERIALIZED (
    SELECT t.id FROM ticket t WHERE t.id = ANY (ARRAY(SELECT ticket_id FROM wanted)) ORDER BY t.id FOR UPDATE SKIP LOCKED
)
SELECT NULL AS escalation_id, id AS ticket_id, true AS locked FROM made
UNION ALL
SELECT escalation_id, ticket_id, ticket_id IN (SELECT id FROM locked) FROM wanted

-- name: lock_waiting(tickets, escalations, made)
-- The same on the third try: waits, up to lock_timeout.
WITH made AS (
    INSERT INTO ticket (id) SELECT id FROM unnest($3::text[]) AS id ORDER BY id ON CONFLICT (id) DO NOTHING RETURNING id
), wanted AS (
    SELECT NULL::text AS escalation_id, t.id AS ticket_id FROM ticket t WHERE t.id = ANY ($1::text[])
    UNION ALL
    SELECT e.id::text, e.ticket_id FROM escalation e WHERE e.id = ANY ($2::uuid[])
), locked AS MATERIALIZED (
    SELECT t.id FROM ticket t WHERE t.id = ANY (ARRAY(SELECT ticket_id FROM wanted)) ORDER BY t.id FOR UPDATE
)
SELECT NULL AS escalation_id, id AS ticket_id, true AS locked FROM made
UNION ALL
SELECT escalation_id, ticket_id, ticket_id IN (SELECT id FROM locked) FROM wanted

-- name: facts(tickets, escalations, openings, keys, people, customers, contacts, answer_keys, answer_names, roster, draws, waiting)
-- Everything that deciding needs, as of after the locks, as one document: machines.world.Snapshot, and stored answers.
WITH wanted AS MATERIALIZED (
    SELECT e.* FROM escalation e WHERE e.ticket_id = ANY ($1::text[]) AND e.closed_at IS NULL
    UNION ALL
    SELECT e.* FROM escalation e WHERE e.id = ANY ($2::uuid[]) AND e.closed_at IS NOT NULL
), principals AS MATERIALIZED (
    SELECT k.id AS key, k.digest, p.id, p.role, p.level, p.may
    FROM api_key k JOIN principal p ON p.id = k.principal_id
    WHERE k.id = ANY ($4::text[]) AND k.revoked_at IS NULL AND p.active
      AND NOT EXISTS (SELECT FROM person h WHERE h.id = p.id AND NOT h.active)
    UNION ALL
    -- Whom a signed request or an identity provider names; where they have keys, they may no more than with those.
    SELECT 'person:' || n.id, '', n.id, coalesce(p.role, 'agent'), coalesce(p.level, h.level), coalesce(p.may, '{}')
    FROM (SELECT substr(key, 8) AS id FROM unnest($4::text[]) AS key WHERE key LIKE 'person:%') AS n
        LEFT JOIN person h ON h.id = n.id LEFT JOIN principal p ON p.id = n.id
    WHERE (h.id IS NOT NULL OR p.id IS NOT NULL) AND coalesce(h.active, true) AND coalesce(p.active, true)
), asked AS MATERIALIZED (
    -- Apart, so that answers are looked up by the whole of their key, and not by its second half among all principals.
    SELECT p.id AS principal_id, given.name
    FROM unnest($8::text[], $9::text[]) AS given(key, name) JOIN principals p ON p.key = given.key
)
SELECT json_build_object(
    'now', service_now(),
    'policy_version', (SELECT max(version) FROM policy),
    'seq', ARRAY(SELECT nextval('history_seq') FROM generate_series(1, $11::integer)),
    'principals', (SELECT coalesce(json_agg(p), '[]') FROM principals p),
    'people', (SELECT coalesce(json_agg(json_build_object('id', h.id, 'name', h.name, 'level', h.level, 'on_duty',
                   h.on_duty OR EXISTS (SELECT FROM jsonb_to_recordset(h.windows) w("from" timestamptz, until timestamptz)
                                        WHERE w."from" <= (SELECT service_now()) AND (SELECT service_now()) < w.until)
                       OR EXISTS (SELECT FROM rota_window w WHERE w.person = h.id
                                  AND w."from" <= (SELECT service_now()) AND (SELECT service_now()) < w.until),
                   'held', coalesce((SELECT sum(c.held) FROM holding c WHERE $10 AND c.person = h.id), 0))), '[]')
               FROM person h
               WHERE h.active AND ($10 OR h.id = ANY ($5::text[]) OR h.id IN (SELECT id FROM principals))),
    'customers', (SELECT coalesce(json_agg(c), '[]') FROM customer c WHERE c.id = ANY
                     ($6::text[] || ARRAY(SELECT t.customer_id FROM ticket t WHERE t.id = ANY ($1)))),
    'tickets', (SELECT coalesce(json_agg(t), '[]') FROM ticket t WHERE t.id = ANY ($1)),
    'escalations', (SELECT coalesce(json_agg(w), '[]') FROM wanted w),
    'follows', (SELECT coalesce(json_object_agg(f.ticket_id, f.id), '{}')
                FROM (SELECT DISTINCT ON (ticket_id) ticket_id, id FROM escalation
                      WHERE ticket_id = ANY ($3::text[]) AND state = 'closed' ORDER BY ticket_id, id DESC) AS f),
    'contacts', (SELECT coalesce(json_agg(c), '[]') FROM contact c WHERE c.id = ANY
                     ($7::uuid[] || ARRAY(SELECT evidence::uuid FROM wanted WHERE evidence IS NOT NULL))),
    'waiting', (SELECT coalesce(json_object_agg(w.ticket_id, w.due), '{}')
                FROM (SELECT ticket_id, json_object_agg(kind, due_at) AS due FROM timer
                      WHERE ticket_id = ANY ($12::text[]) AND kind IN ('p1', 'first_response', 'resolution')
                      GROUP BY ticket_id) AS w),
    'texts', (SELECT coalesce(json_object_agg(s.id, s.text), '{}') FROM said s
              WHERE s.id = ANY (ARRAY(SELECT (step.value ->> 'said')::uuid
                                      FROM wanted, json_each(wanted.steps) AS step))),
    'answered', (SELECT coalesce(json_agg(a), '[]')
                 FROM asked JOIN answered a ON a.principal_id = asked.principal_id AND a.key = asked.name
                 WHERE a.at > (SELECT service_now()) - interval '48 hours')
)::text

-- name: lock_customers(asked)
-- Reports of one customer are decided one after the other: a third one must see the two before it. After the tickets'
-- locks, and sorted: nobody who waits here holds what those wait for. A ticket that is known reports nothing new.
SELECT pg_advisory_xact_lock(hashtextextended(c.id, 1)) FROM (
    SELECT DISTINCT coalesce(a.customer_id, t.customer_id) AS id
    FROM json_to_recordset($1::json) AS a(ticket_id text, customer_id text)
    LEFT JOIN ticket t ON t.id = a.ticket_id AND t.revision > 0
    WHERE a.customer_id IS NULL OR t.id IS NULL ORDER BY 1) AS c WHERE c.id IS NOT NULL

-- name: reports(asked)
-- What customers reported before that may be the same issue as one of these, not counted yet: machines.values.Reported.
-- Each way has its index; what opens a ticket is compared with what opened the customer's newest 300, so that no
-- customer is slow.
SELECT coalesce(json_agg(r), '[]')::text FROM (
    SELECT DISTINCT ON (found.id) found.*
    FROM json_to_recordset($1::json) AS told(ticket_id text, customer_id text, issue_key text, print text,
                                             words integer[], since timestamptz)
    LEFT JOIN ticket t ON t.id = told.ticket_id AND t.revision > 0
    CROSS JOIN LATERAL (SELECT coalesce(told.customer_id, t.customer_id) AS customer_id,
                               coalesce(told.issue_key, t.issue_key) AS issue_key) AS of
    CROSS JOIN LATERAL (
        (SELECT r.* FROM reported r WHERE r.ticket_id = told.ticket_id AND r.at > told.since AND NOT r.counted
         ORDER BY r.at DESC LIMIT 100)
        UNION ALL
        (SELECT r.* FROM reported r WHERE r.customer_id = of.customer_id AND r.issue_key = of.issue_key
             AND r.at > told.since AND NOT r.counted ORDER BY r.at DESC LIMIT 100)
        UNION ALL
        (SELECT r.* FROM reported r WHERE r.customer_id = told.customer_id AND r.print = told.print
             AND r.at > told.since AND NOT r.counted AND r.sender IS NULL ORDER BY r.at DESC LIMIT 100)
        UNION ALL
        (SELECT newest.* FROM (SELECT r.* FROM reported r WHERE r.customer_id = told.customer_id AND r.at > told.since
                                   AND NOT r.counted AND r.sender IS NULL ORDER BY r.at DESC LIMIT 300) AS newest
         WHERE newest.words && told.words
         ORDER BY (SELECT count(*) FROM unnest(newest.words) AS w WHERE w = ANY (told.words)) DESC LIMIT 50)) AS found
    WHERE told.customer_id IS NULL OR t.id IS NULL
    ORDER BY found.id) AS r

-- name: write(tickets, unused_tickets, events, contacts, said, history, escalations, timers, timers_cleared, outbox, denials, answerers, answer_keys, fingerprints, statuses, bodies, etags, answer_customers, answered_at, reports, counted, arrives_at_once)
-- All of a batch, or none of it. Answers how many idempotency keys were taken: fewer than given, and another batch was first.
-- `arrives_at_once`: there is no channel, so the inbox has every message as soon as it is planned.
WITH ticket_rows AS (
    INSERT INTO ticket (id, revision, reported, customer_id, priority, status, subject, description, opened_at,
        first_responded_at, resolved_at, updated_at, assignee, issue_key, product, outage, merged_into, tags, sla,
        priorities, p0_since, p1_since, solved_since, begun, phases, warned)
    SELECT id, revision, reported, customer_id, priority, status, subject, description, opened_at,
        first_responded_at, resolved_at, updated_at, assignee, issue_key, product, outage, merged_into, tags, sla,
        priorities, p0_since, p1_since, solved_since, begun, phases, warned
    FROM json_populate_recordset(NULL::ticket, $1::json)
    ON CONFLICT (id) DO UPDATE SET (revision, reported, customer_id, priority, status, subject, description, opened_at,
        first_responded_at, resolved_at, updated_at, assignee, issue_key, product, outage, merged_into, tags, sla,
        priorities, p0_since, p1_since, solved_since, begun, phases, warned) = (excluded.revision, excluded.reported,
        excluded.customer_id, excluded.priority, excluded.status, excluded.subject, excluded.description,
        excluded.opened_at, excluded.first_responded_at, excluded.resolved_at, excluded.updated_at, excluded.assignee,
        excluded.issue_key, excluded.product, excluded.outage, excluded.merged_into, excluded.tags, excluded.sla,
        excluded.priorities, excluded.p0_since, excluded.p1_since, excluded.solved_since, excluded.begun,
        excluded.phases, excluded.warned)
), unused AS (
    DELETE FROM ticket WHERE id = ANY ($2::text[]) AND revision = 0
), event_rows AS (
    INSERT INTO ticket_event SELECT * FROM json_populate_recordset(NULL::ticket_event, $3::json)
), contact_rows AS (
    INSERT INTO contact SELECT * FROM json_populate_recordset(NULL::contact, $4::json)
), said_rows AS (
    INSERT INTO said SELECT * FROM json_populate_recordset(NULL::said, $5::json)
), history_rows AS (
    INSERT INTO history (seq, escalation_id, version, at, move, state, level, owner, ticket_id, customer_id, actor,
        on_behalf_of, actor_level, reason, detail, guards, policy_version, changed, said, said_hash, messages,
        request_id, command, prev, hash)
    SELECT h.seq, h.escalation_id, h.version, h.at,
        (SELECT m.id FROM allowed_move m
         WHERE m.trigger = h.trigger AND m.source IS NOT DISTINCT FROM h.source AND m.dest = h.state),
        h.state, h.level, h.owner, h.ticket_id, h.customer_id, h.actor, h.on_behalf_of, h.actor_level, h.reason,
        h.detail, h.guards, h.policy_version, h.changed, h.said, h.said_hash, h.messages, h.request_id, h.command,
        h.prev, h.hash
    FROM json_to_recordset($6::json) AS h(seq bigint, escalation_id uuid, version integer, at timestamptz,
        trigger text, source text, state text, level smallint, owner text, ticket_id text, customer_id text,
        actor text, on_behalf_of text, actor_level smallint, reason text, detail json, guards json,
        policy_version integer, changed json, said uuid, said_hash text, messages smallint, request_id text,
        command uuid, prev text, hash text)
), escalation_rows AS (
    INSERT INTO escalation (id, ticket_id, customer_id, tier, state, level, target_level, owner, opened_at, opened_by,
        policy_version, version, situations, engaged, chain, handoff, engage_by, respond_by, page_by, next_update_by,
        steps, acts, criterion, evidence, csat, follows, opened_revision, de_escalated_revision, notifying,
        closed_at, updated_at, head)
    SELECT id, ticket_id, customer_id, tier, state, level, target_level, owner, opened_at, opened_by,
        policy_version, version, situations, engaged, chain, CASE WHEN handoff::text <> 'null' THEN handoff END, engage_by, respond_by, page_by,
        next_update_by, steps, acts, criterion, evidence, csat, follows, opened_revision, de_escalated_revision,
        notifying, closed_at, updated_at, head
    FROM json_populate_recordset(NULL::escalation, $7::json)
    ON CONFLICT (id) DO UPDATE SET (state, level, target_level, owner, policy_version, version, situations, engaged,
        chain, handoff, engage_by, respond_by, page_by, next_update_by, steps, acts, criterion, evidence, csat,
        de_escalated_revision, notifying, closed_at, updated_at, head) = (excluded.state, excluded.level, excluded.target_level,
        excluded.owner, excluded.policy_version, excluded.version, excluded.situations, excluded.engaged,
        excluded.chain, excluded.handoff, excluded.engage_by, excluded.respond_by, excluded.page_by,
        excluded.next_update_by, excluded.steps, excluded.acts, excluded.criterion, excluded.evidence, excluded.csat,
        excluded.de_escalated_revision, excluded.notifying, excluded.closed_at, excluded.updated_at, excluded.head)
), timer_rows AS (
    INSERT INTO timer SELECT * FROM json_populate_recordset(NULL::timer, $8::json)
    ON CONFLICT (ticket_id, kind) DO UPDATE SET due_at = excluded.due_at
), timers_gone AS (
    DELETE FROM timer t USING json_to_recordset($9::json) AS gone(ticket_id text, kind text)
    WHERE t.ticket_id = gone.ticket_id AND t.kind = gone.kind
), outbox_rows AS (
    INSERT INTO outbox (escalation_id, version, ordinal, ticket_id, customer_id, audience, recipient, template, payload,
        planned_at, target, status, delivered_at)
    SELECT escalation_id, version, ordinal, ticket_id, customer_id, audience, recipient, template, payload, planned_at,
        CASE WHEN $22::boolean THEN 'inbox' END, CASE WHEN $22 THEN 'delivered' ELSE 'planned' END,
        CASE WHEN $22 THEN planned_at END
    FROM json_to_recordset($10::json) AS o(escalation_id uuid, version integer, ordinal smallint, ticket_id text,
        customer_id text, audience text, recipient text, template text, payload json, planned_at timestamptz)
), denial_rows AS (
    INSERT INTO denial SELECT * FROM json_populate_recordset(NULL::denial, $11::json)
), report_rows AS (
    INSERT INTO reported
    SELECT id, ticket_id, customer_id, at, sender, issue_key, print, words, counted
    FROM json_populate_recordset(NULL::reported, $20::json)
), counted_rows AS (
    UPDATE reported SET counted = true WHERE id = ANY ($21::uuid[])
), answer_rows AS (
    -- Not as JSON, for the bodies are long, and JSON themselves: they would be escaped here and unescaped there.
    INSERT INTO answered (principal_id, key, fingerprint, status, body, etag, customer_id, at)
    SELECT principal_id, key, fingerprint, status::smallint, body, etag::integer, customer_id, at::timestamptz
    FROM unnest($12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[])
        AS a(principal_id, key, fingerprint, status, body, etag, customer_id, at)
    ORDER BY principal_id, key
    ON CONFLICT (principal_id, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body, etag = excluded.etag,
            customer_id = excluded.customer_id, at = excluded.at
        WHERE answered.at <= excluded.at - interval '48 hours'
    RETURNING 1
)
SELECT count(*) FROM answer_rows

-- name: commit()
COMMIT

-- name: commit_and_begin()
COMMIT AND CHAIN

-- name: rollback()
ROLLBACK

-- name: committed(escalations, versions, commands)
-- After an unknown COMMIT, under the tickets' locks: which of these commands are there. Absent means not committed.
SELECT h.command::text FROM unnest($1::uuid[], $2::integer[]) AS mine(id, version)
    JOIN history h ON h.escalation_id = mine.id AND h.version = mine.version WHERE h.command = ANY ($3::uuid[])
UNION SELECT id::text FROM denial WHERE id = ANY ($3)
UNION SELECT id::text FROM ticket_event WHERE id = ANY ($3)
UNION SELECT id::text FROM contact WHERE id = ANY ($3)

-- name: locate(escalations)
SELECT id::text AS escalation_id, ticket_id FROM escalation WHERE id = ANY ($1::uuid[])
