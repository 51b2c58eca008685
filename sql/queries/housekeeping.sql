-- What the service does for itself now and then.

-- name: make_partitions(months)
-- Two nodes may ask at once: one waits for the other, and finds it done.
SELECT make_history_partitions(now() - interval '1 month', $1)

-- name: forget_answers(most)
-- Answers are kept for 48 hours. A bounded number at a time, so that no statement runs long.
DELETE FROM answered WHERE (principal_id, key) IN (
    SELECT principal_id, key FROM answered WHERE at < service_now() - interval '48 hours' LIMIT $1
)

-- name: forget_mail(days, newest, most)
-- Mail that became no contact: what is older than so many days, and what is beyond so many of the newest.
DELETE FROM kept_mail WHERE id IN (
    SELECT id FROM kept_mail
    WHERE received_at < service_now() - make_interval(days => $1) OR (received_at, id) <= (
        SELECT received_at, id FROM kept_mail ORDER BY received_at DESC, id DESC OFFSET $2 LIMIT 1)
    LIMIT $3
)

-- name: sum_holdings()
-- What connections that are gone have counted becomes one row for each person. Nobody who is at work waits for it.
WITH gone AS (
    DELETE FROM holding WHERE hand NOT IN (SELECT pid FROM pg_stat_activity) RETURNING person, held
)
INSERT INTO holding AS h (person, held) SELECT person, sum(held) FROM gone GROUP BY person HAVING sum(held) <> 0
ON CONFLICT (person, hand) DO UPDATE SET held = h.held + excluded.held

-- name: forget_sessions(most)
-- Sessions that are over: nobody signs in by them again. What an identity provider began stays until its time is over, so
-- that its attempt begins no other.
DELETE FROM session WHERE digest IN (
    SELECT digest FROM session WHERE until < clock_timestamp() OR ended_at IS NOT NULL AND attempt IS NULL LIMIT $1
)
