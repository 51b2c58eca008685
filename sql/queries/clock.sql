-- The virtual clock: one row, and what is due by it.

-- name: now()
-- Empty with the system's clock.
SELECT now FROM virtual_clock

-- name: begin()
-- A clock that stands in a new database begins in 2000; one that has a history is not made to live in the past.
INSERT INTO virtual_clock (now) SELECT '2000-01-01T00:00:00Z' WHERE NOT EXISTS (SELECT FROM history)
ON CONFLICT (only_row) DO NOTHING

-- name: hold()
-- Nobody moves the clock, and no other batch numbers history, until this transaction ends.
SELECT next_seq FROM virtual_clock FOR NO KEY UPDATE

-- name: number(next_seq)
-- Where history goes on after this batch, if it commits.
UPDATE virtual_clock SET next_seq = $1::bigint WHERE next_seq <> $1

-- name: due()
-- What is due, in the order in which it fires: by due instant, then escalation, then kind.
SELECT t.ticket_id, t.kind, t.due_at
FROM timer t LEFT JOIN escalation e ON e.ticket_id = t.ticket_id AND e.closed_at IS NULL
WHERE t.due_at <= (SELECT now FROM virtual_clock)
ORDER BY t.due_at, e.id, t.ticket_id, t.kind

-- name: next(until)
-- The next instant at which the clock has something to do, up to this one: a timer is due, a shift has an edge, or
-- a rota is written out anew.
SELECT least((SELECT min(due_at) FROM timer WHERE due_at <= $1::timestamptz),
    (SELECT min(edge) FROM person p, jsonb_to_recordset(p.windows) AS w("from" timestamptz, until timestamptz),
         LATERAL (VALUES (w."from"), (w.until)) AS edges(edge)
     WHERE p.active AND p.windows <> '[]' AND edge > (SELECT now FROM virtual_clock) AND edge <= $1),
    (SELECT min("from") FROM rota_window WHERE "from" > (SELECT now FROM virtual_clock) AND "from" <= $1),
    (SELECT min(until) FROM rota_window WHERE until > (SELECT now FROM virtual_clock) AND until <= $1),
    (SELECT min(expand_by) FROM rota WHERE expand_by > (SELECT now FROM virtual_clock) AND expand_by <= $1))

-- name: set(now)
UPDATE virtual_clock SET now = $1::timestamptz WHERE now <= $1::timestamptz

-- name: try_lock(key)
-- Who sets the clock forward does so alone, from the first step to the last.
SELECT pg_try_advisory_lock($1::bigint)

-- name: unlock(key)
SELECT pg_advisory_unlock($1::bigint)
