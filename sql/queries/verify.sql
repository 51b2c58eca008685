-- What `escalation-matrix verify` reads, in one repeatable-read snapshot of a live database; and the auditor, slice by
-- slice: `after` and `upto` are ids of escalations or tickets between which it looks, NULL where there is no last one.

-- name: escalations(after, upto)
-- Those whose history is here; an archived one has its hashes (archived_unlike).
SELECT e.id::text AS id, row_to_json(e)::text AS row FROM escalation e
WHERE e.id > $1 AND ($2::uuid IS NULL OR e.id <= $2)
    AND NOT EXISTS (SELECT FROM archive a WHERE e.id >= a.lowest AND e.id < a.below) ORDER BY e.id

-- name: archived_unlike()
-- Escalations whose history was archived, and which are not as its last row left them.
SELECT e.id::text AS id FROM archive a JOIN escalation e ON e.id >= a.lowest AND e.id < a.below
WHERE e.closed_at IS NULL OR e.head IS DISTINCT FROM
    (SELECT r.hash FROM archived_row r WHERE r.escalation_id = e.id AND r.version = e.version)
UNION SELECT DISTINCT r.escalation_id::text FROM archived_row r
WHERE NOT EXISTS (SELECT FROM escalation e WHERE e.id = r.escalation_id)
UNION SELECT a.month FROM archive a
WHERE a.rows <> (SELECT count(*) FROM archived_row r WHERE r.escalation_id >= a.lowest AND r.escalation_id < a.below)

-- name: chains(after, upto)
SELECT h.escalation_id::text AS escalation_id, h.hash, row_to_json(r)::text AS record
FROM history h JOIN allowed_move m ON m.id = h.move,
LATERAL (SELECT h.seq, h.escalation_id, h.version, h.at, m.trigger, m.source, h.state, h.level, h.owner, h.ticket_id,
    h.customer_id, h.actor, h.on_behalf_of, h.actor_level, h.reason, h.detail, h.guards, h.policy_version, h.changed,
    h.said, h.said_hash, h.messages, h.request_id, h.command, h.prev) AS r
WHERE h.escalation_id > $1 AND ($2::uuid IS NULL OR h.escalation_id <= $2)
ORDER BY h.escalation_id, h.version

-- name: texts(after, upto)
SELECT h.escalation_id::text AS escalation_id, h.version, h.said_hash, s.salt, s.text::text AS text
FROM history h JOIN said s ON s.id = h.said
WHERE h.escalation_id > $1 AND ($2::uuid IS NULL OR h.escalation_id <= $2)

-- name: messages(after, upto)
SELECT h.escalation_id::text AS escalation_id, h.version, h.messages AS planned, count(o.id) AS found
FROM history h LEFT JOIN outbox o ON o.escalation_id = h.escalation_id AND o.version = h.version
WHERE h.escalation_id > $1 AND ($2::uuid IS NULL OR h.escalation_id <= $2)
GROUP BY h.escalation_id, h.version, h.messages HAVING count(o.id) <> h.messages

-- name: stray_messages(after, upto)
SELECT o.escalation_id::text AS escalation_id, o.version, count(*) AS found FROM outbox o
WHERE NOT EXISTS (SELECT FROM history h WHERE h.escalation_id = o.escalation_id AND h.version = o.version)
    AND o.escalation_id > $1 AND ($2::uuid IS NULL OR o.escalation_id <= $2)
    AND NOT EXISTS (SELECT FROM archived_row a WHERE a.escalation_id = o.escalation_id AND a.version = o.version)
GROUP BY o.escalation_id, o.version

-- name: wrong_holdings()
-- What is counted of who holds how many, beside the rows themselves.
WITH by_rows AS (
    SELECT person, count(*) AS held FROM escalation, unnest(holders(owner, offered_to, closed_at)) AS person GROUP BY person
), counted AS (
    SELECT person, sum(held) AS held FROM holding GROUP BY person
)
SELECT person, coalesce(r.held, 0) AS wanted, coalesce(c.held, 0) AS counted
FROM by_rows r FULL JOIN counted c USING (person) WHERE coalesce(r.held, 0) <> coalesce(c.held, 0)

-- name: wrong_timers(after, upto)
-- Timers are what the rows say: engage_by, page_by, next_update_by, and nothing else.
WITH said_by_rows AS (
    SELECT e.ticket_id, kind, due_at FROM escalation e,
    LATERAL (VALUES ('engage', e.engage_by), ('respond', e.page_by), ('update', e.next_update_by)) AS t(kind, due_at)
    WHERE e.closed_at IS NULL AND due_at IS NOT NULL AND e.ticket_id > $1 AND ($2::text IS NULL OR e.ticket_id <= $2)
)
SELECT coalesce(r.ticket_id, t.ticket_id) AS ticket_id, coalesce(r.kind, t.kind) AS kind, r.due_at AS wanted, t.due_at AS armed
FROM said_by_rows r FULL JOIN (
    SELECT * FROM timer WHERE kind NOT IN ('p1', 'first_response', 'resolution')
      AND ticket_id > $1 AND ($2::text IS NULL OR ticket_id <= $2)
) t ON t.ticket_id = r.ticket_id AND t.kind = r.kind
WHERE r.due_at IS DISTINCT FROM t.due_at

-- name: unanswered_without_timer(after, upto)
SELECT e.id::text AS escalation_id, e.state FROM escalation e JOIN ticket t ON t.id = e.ticket_id
WHERE e.state IN ('l1', 'l2', 'l3', 'l4') AND e.handoff ->> 'status' IN ('offered', 'briefed')
  AND t.status NOT IN ('solved', 'closed') AND e.page_by IS NULL
  AND e.id > $1 AND ($2::uuid IS NULL OR e.id <= $2)

-- name: answered_with_timer(after, upto)
SELECT e.id::text AS escalation_id, e.state FROM escalation e
WHERE e.page_by IS NOT NULL AND NOT coalesce(e.handoff ->> 'status' IN ('offered', 'briefed'), false)
  AND e.id > $1 AND ($2::uuid IS NULL OR e.id <= $2)

-- name: accepts_without_brief(after, upto)
SELECT h.escalation_id::text AS escalation_id, h.version FROM history h JOIN allowed_move m ON m.id = h.move
WHERE m.trigger = 'accept' AND h.escalation_id > $1 AND ($2::uuid IS NULL OR h.escalation_id <= $2) AND (h.changed -> 'handoff' -> 'brief' IS NULL
    OR h.changed -> 'handoff' -> 'brief' ->> 'to' IS DISTINCT FROM coalesce(h.on_behalf_of, h.actor)
    OR h.changed -> 'handoff' -> 'brief' ->> 'by' IN (h.actor, h.on_behalf_of))

-- name: known_versions()
SELECT version, document::text AS document FROM policy

-- name: waiting(after, upto)
-- Tickets on which something may wait, or for which such a timer is armed; with the policy that judges them.
SELECT row_to_json(t)::text AS ticket, row_to_json(c)::text AS customer,
    (SELECT coalesce(json_object_agg(w.kind, w.due_at), '{}') FROM timer w
     WHERE w.ticket_id = t.id AND w.kind IN ('p1', 'first_response', 'resolution'))::text AS armed,
    coalesce(e.policy_version, (SELECT max(version) FROM policy)) AS policy_version
FROM ticket t JOIN customer c ON c.id = t.customer_id
    LEFT JOIN escalation e ON e.ticket_id = t.id AND e.closed_at IS NULL
WHERE t.id > $1 AND ($2::text IS NULL OR t.id <= $2)

-- name: sealed_rows()
-- Every row that a checkpoint is over, in the order of the tree's leaves.
SELECT h.seq, h.escalation_id::text AS escalation_id, h.version, h.hash
FROM (SELECT seq, escalation_id, version, hash FROM history
      UNION ALL SELECT seq, escalation_id, version, hash FROM archived_row) AS h
WHERE h.seq <= (SELECT max(seq) FROM checkpoint) ORDER BY h.seq

-- name: heads()
SELECT size, seq, head FROM checkpoint ORDER BY size

-- name: leaves()
SELECT place, nodes FROM tree_tile WHERE height = 0 ORDER BY place

-- name: wrong_spans(after, upto)
-- Rows that a window of time would miss: they lie at other instants than is told of their numbers.
SELECT s.after_seq, s.last_seq, count(*) AS found
FROM history_span s JOIN history h ON h.seq > s.after_seq AND h.seq <= s.last_seq
WHERE (h.at < s.since OR h.at > s.until) AND s.after_seq > $1 AND ($2::bigint IS NULL OR s.after_seq <= $2)
GROUP BY s.after_seq, s.last_seq
