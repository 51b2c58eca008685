-- What the auditor asks besides what `verify` does (queries/verify.sql): where it stands, and where a slice ends.

-- name: try_lock()
-- One node at a time, for as long as this transaction; it makes nobody wait, and draws no transaction id.
SELECT pg_try_advisory_xact_lock(hashtext('audit'))

-- name: stand()
SELECT part, after, found, found_before, rounds, looked_at, round_at, clock_timestamp() AS now FROM audit

-- name: looked(part, after, found, found_before, rounds, ended)
INSERT INTO audit AS a (part, after, found, found_before, rounds, looked_at, round_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp(), CASE WHEN $6::boolean THEN clock_timestamp() END)
ON CONFLICT (only_row) DO UPDATE SET (part, after, found, found_before, rounds, looked_at, round_at) =
    ROW (excluded.part, excluded.after, excluded.found, excluded.found_before, excluded.rounds, excluded.looked_at,
    coalesce(excluded.round_at, a.round_at))

-- name: late(beyond, most)
-- Timers that should have fired so many seconds ago.
SELECT ticket_id, kind, due_at, extract(epoch FROM service_now() - due_at)::float8 AS late FROM timer
WHERE due_at < service_now() - make_interval(secs => $1::float8) ORDER BY due_at LIMIT $2

-- name: escalations(after, most)
-- Where a slice of so many ends; NULL where there are fewer.
SELECT (SELECT id FROM escalation WHERE id > $1::uuid ORDER BY id OFFSET $2 - 1 LIMIT 1)::text

-- name: tickets(after, most)
SELECT (SELECT id FROM ticket WHERE id > $1 ORDER BY id OFFSET $2 - 1 LIMIT 1)

-- name: spans(after, most)
SELECT (SELECT after_seq FROM history_span WHERE after_seq > $1::bigint ORDER BY after_seq OFFSET $2 - 1 LIMIT 1)
