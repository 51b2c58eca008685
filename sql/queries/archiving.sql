-- Months of history that go into files: what there is, why one can't go, and what is left when it has gone. As the owner.


-- name: months()
-- Partitions that hang on history, oldest first; those whose turn has not come yet are empty.
SELECT substr(c.relname, 9) AS month, first_id_of(m.begins) AS lowest, first_id_of(m.begins + interval '1 month') AS below
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
    LATERAL (SELECT to_timestamp(substr(c.relname, 9) || ' +00', 'YYYY_MM TZH') AS begins) AS m
WHERE i.inhparent = 'history'::regclass AND c.relname ~ '^history_\d{4}_\d\d$' ORDER BY c.relname

-- name: counted(lowest, below)
-- What the rows of these escalations are.
SELECT count(*) AS rows, count(DISTINCT escalation_id) AS escalations, min(seq) AS first_seq, max(seq) AS last_seq,
    min(at) AS since, max(at) AS until
FROM history WHERE escalation_id >= $1::uuid AND escalation_id < $2::uuid

-- name: hindrances(lowest, below, closed_before)
-- Of each reason why they must stay, an example: an escalation's id, or a number.
SELECT (SELECT e.id::text FROM escalation e WHERE e.id >= $1::uuid AND e.id < $2::uuid AND e.closed_at IS NULL LIMIT 1) AS live,
    (SELECT e.id::text FROM escalation e WHERE e.id >= $1 AND e.id < $2 AND e.updated_at >= $3::timestamptz LIMIT 1) AS lately,
    (SELECT f.id::text FROM escalation f
     WHERE f.closed_at IS NULL AND f.follows >= $1 AND f.follows < $2 LIMIT 1) AS followed,
    (SELECT o.escalation_id::text FROM outbox o
     WHERE o.status = 'planned' AND o.escalation_id >= $1 AND o.escalation_id < $2 LIMIT 1) AS unsent,
    (SELECT e.id::text FROM escalation e WHERE e.id >= $1 AND e.id < $2 AND e.head IS DISTINCT FROM
        (SELECT h.hash FROM history h WHERE h.escalation_id = e.id AND h.version = e.version) LIMIT 1) AS unlike,
    (SELECT h.escalation_id::text FROM history h WHERE h.escalation_id >= $1 AND h.escalation_id < $2
        AND NOT EXISTS (SELECT FROM escalation e WHERE e.id = h.escalation_id) LIMIT 1) AS unknown,
    (SELECT max(h.seq) FROM history h WHERE h.escalation_id >= $1 AND h.escalation_id < $2
     HAVING max(h.seq) > coalesce((SELECT max(seq) FROM checkpoint), 0)) AS unsealed

-- name: lines(lowest, below)
-- Their rows as they are hashed, and which leaf of the tree each is. What was said stays here, to be erased here.
WITH leaves AS (
    SELECT seq, row_number() OVER (ORDER BY seq) - 1 AS place
    FROM (SELECT seq FROM history UNION ALL SELECT seq FROM archived_row) AS every
)
SELECT l.place, row_to_json(r)::text AS line
FROM history h JOIN leaves l ON l.seq = h.seq JOIN allowed_move m ON m.id = h.move,
LATERAL (SELECT h.seq, h.escalation_id, h.version, h.at, m.trigger, m.source, h.state, h.level, h.owner, h.ticket_id,
    h.customer_id, h.actor, h.on_behalf_of, h.actor_level, h.reason, h.detail, h.guards, h.policy_version, h.changed,
    h.said, h.said_hash, h.messages, h.request_id, h.command, h.prev, h.hash, l.place) AS r
WHERE h.escalation_id >= $1::uuid AND h.escalation_id < $2::uuid ORDER BY h.seq

-- name: sealed()
-- The newest checkpoint.
SELECT size, seq, head, at, note FROM checkpoint ORDER BY size DESC LIMIT 1

-- name: keep_hashes(lowest, below)
INSERT INTO archived_row (seq, escalation_id, version, hash, said)
SELECT seq, escalation_id, version, hash, said FROM history WHERE escalation_id >= $1::uuid AND escalation_id < $2::uuid

-- name: note(month, lowest, below, file, sha256, by)
-- Of the hashes that were kept, and the rows that they are of, which still hang on history.
INSERT INTO archive (month, lowest, below, rows, escalations, first_seq, last_seq, since, until, file, sha256, by)
SELECT $1, $2::uuid, $3::uuid, count(*), count(DISTINCT escalation_id), min(seq), max(seq), min(at), max(at), $4, $5, $6
FROM history WHERE escalation_id >= $2 AND escalation_id < $3

-- name: of_month(month)
SELECT file, sha256, rows FROM archive WHERE month = $1
