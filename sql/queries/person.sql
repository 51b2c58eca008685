-- People: the roster.

-- name: by_id(id)
SELECT row_to_json(p)::text AS row FROM person p WHERE p.id = $1

-- name: page(level, active, after, count)
SELECT row_to_json(p)::text AS row FROM person p
WHERE ($1::integer IS NULL OR p.level = $1) AND ($2::boolean IS NULL OR p.active = $2)
    AND ($3::text IS NULL OR p.id > $3)
ORDER BY p.id LIMIT $4::integer

-- name: put(id, name, level, email, slack, on_duty, windows, active)
-- Whoever is retired loses their keys for good: coming back takes a new one. Answers whether they are on duty now, and
-- whether they were before.
WITH before AS (
    SELECT p.active AND (p.on_duty OR EXISTS (
        SELECT FROM jsonb_to_recordset(p.windows) w("from" timestamptz, until timestamptz)
        WHERE w."from" <= service_now() AND service_now() < w.until)) AS on_duty
    FROM person p WHERE p.id = $1
), retired AS (
    UPDATE api_key SET revoked_at = service_now()
    WHERE principal_id = $1 AND revoked_at IS NULL AND NOT $8::boolean
)
INSERT INTO person AS p (id, name, level, email, slack, on_duty, windows, active)
VALUES ($1, $2, $3::integer, $4, $5, $6, $7::jsonb, $8)
ON CONFLICT (id) DO UPDATE SET (name, level, email, slack, on_duty, windows, active) =
    (excluded.name, excluded.level, excluded.email, excluded.slack, excluded.on_duty, excluded.windows, excluded.active)
RETURNING row_to_json(p)::text AS row, coalesce((SELECT on_duty FROM before), false) AS was_on_duty,
    p.active AND (p.on_duty OR EXISTS (
        SELECT FROM jsonb_to_recordset(p.windows) w("from" timestamptz, until timestamptz)
        WHERE w."from" <= service_now() AND service_now() < w.until)) AS is_on_duty

-- name: concerned(id, level, on_duty, changed)
-- The tickets whose escalation it concerns that this person is on duty now, or off it: offers to whoever went, their
-- own when they have just gone, offers to nobody when they came.
SELECT ticket_id FROM escalation
WHERE closed_at IS NULL AND CASE WHEN $3::boolean
    THEN offered_to IS NULL AND handoff ->> 'status' IN ('offered', 'briefed') AND level <= $2::integer
    ELSE offered_to = $1 OR ($4::boolean AND owner = $1) END
ORDER BY id
