-- People: the roster.

-- name: by_id(id)
SELECT row_to_json(p)::text AS row FROM person p WHERE p.id = $1

-- name: page(level, active, after, count)
SELECT row_to_json(p)::text AS row FROM person p
WHERE ($1::integer IS NULL OR p.level = $1) AND ($2::boolean IS NULL OR p.active = $2)
    AND ($3::text IS NULL OR p.id > $3)
ORDER BY p.id LIMIT $4::integer

-- name: put(id, name, level, email, slack, on_duty, windows, active)
-- Whoever is retired loses their keys for good, and is signed out: coming back takes a new key. Answers whether they are on duty now,
-- whether they left with this (went off duty, or were retired), and when they last left so: it is kept, so that who is
-- concerned is told by the next call, or by any node, should this one die before.
WITH by_rota AS (
    SELECT EXISTS (SELECT FROM rota_window w WHERE w.person = $1 AND w."from" <= service_now()
        AND service_now() < w.until) AS on_duty
), before AS (
    SELECT p.active, p.left_at, p.active AND (p.on_duty OR EXISTS (
        SELECT FROM jsonb_to_recordset(p.windows) w("from" timestamptz, until timestamptz)
        WHERE w."from" <= service_now() AND service_now() < w.until) OR (SELECT on_duty FROM by_rota)) AS on_duty
    FROM person p WHERE p.id = $1
), stands AS (
    SELECT now.on_duty, b.on_duty AND NOT now.on_duty OR b.active AND NOT $8 AS left, b.left_at
    FROM (SELECT $8 AND ($6 OR EXISTS (
        SELECT FROM jsonb_to_recordset($7::jsonb) w("from" timestamptz, until timestamptz)
        WHERE w."from" <= service_now() AND service_now() < w.until) OR (SELECT on_duty FROM by_rota)) AS on_duty) AS now LEFT JOIN before b ON true
), retired AS (
    UPDATE api_key SET revoked_at = service_now()
    WHERE principal_id = $1 AND revoked_at IS NULL AND NOT $8::boolean
), signed_out AS (
    UPDATE session SET ended_at = clock_timestamp() WHERE who = $1 AND ended_at IS NULL AND NOT $8::boolean
), made AS (
    INSERT INTO person AS p (id, name, level, email, slack, on_duty, windows, active, left_at)
    SELECT $1, $2, $3::integer, $4, $5, $6, $7::jsonb, $8,
        CASE WHEN s.left THEN service_now() WHEN NOT s.on_duty THEN s.left_at END FROM stands s
    ON CONFLICT (id) DO UPDATE SET (name, level, email, slack, on_duty, windows, active, left_at) = (excluded.name,
        excluded.level, excluded.email, excluded.slack, excluded.on_duty, excluded.windows, excluded.active,
        excluded.left_at)
    RETURNING p.*
)
SELECT to_jsonb(m)::text AS row, s.on_duty AS is_on_duty, s.left, m.left_at FROM made m CROSS JOIN stands s

-- name: concerned(id, level, on_duty, left, left_at)
-- The tickets whose escalation it concerns how this person stands now: offers to them unless they are on duty at its
-- level, what they own when they have just left, or left before and nobody reminded them, and offers to nobody when
-- they are there. Who was named by a reassign while off duty has not left since: such an offer waits for them.
SELECT ticket_id FROM escalation e
WHERE closed_at IS NULL AND (
    offered_to = $1 AND (level > $2::integer OR NOT $3::boolean AND ($4::boolean OR NOT EXISTS (
        SELECT FROM history h JOIN allowed_move m ON m.id = h.move AND m.trigger = 'reassign'
        WHERE h.escalation_id = e.id AND h.at = (e.handoff ->> 'offered_at')::timestamptz)))
    OR owner = $1 AND ($4 OR $5::timestamptz IS NOT NULL
        AND (SELECT h.owner FROM history h WHERE h.escalation_id = e.id AND h.at < $5
             ORDER BY h.version DESC LIMIT 1) = $1
        AND NOT EXISTS (SELECT FROM history h
                        WHERE h.escalation_id = e.id AND h.at >= $5 AND h.reason = 'shift_ended'))
    OR $3 AND offered_to IS NULL AND handoff ->> 'status' IN ('offered', 'briefed') AND level <= $2)
ORDER BY id

-- name: edge_between(after, until)
-- Whether any shift began or ended after the one instant and up to the other.
SELECT EXISTS (
    SELECT FROM person p, jsonb_to_recordset(p.windows) AS w("from" timestamptz, until timestamptz),
        LATERAL (VALUES (w."from"), (w.until)) AS edges(edge)
    WHERE p.active AND p.windows <> '[]' AND edge > $1::timestamptz AND edge <= $2::timestamptz)
    OR EXISTS (SELECT FROM rota_window WHERE "from" > $1 AND "from" <= $2)
    OR EXISTS (SELECT FROM rota_window WHERE until > $1 AND until <= $2)

-- name: shifts()
-- What the newest edge of somebody's shift, or their leaving by the roster's change, still asks for: offers made before
-- it to whoever went, what they owned then and were not reminded of since, and offers to nobody made before somebody
-- came. Told in the order of the edges; the version says where the escalation stood when this was seen. Now is asked for
-- once, not for every window.
WITH shift AS MATERIALIZED (
    SELECT p.id, p.level, p.on_duty OR coalesce(
            bool_or(w."from" <= (SELECT service_now()) AND (SELECT service_now()) < w.until), false) AS on_duty,
        greatest(p.left_at, max(greatest(CASE WHEN w."from" <= (SELECT service_now()) THEN w."from" END,
                                         CASE WHEN w.until <= (SELECT service_now()) THEN w.until END))) AS since
    FROM person p
    LEFT JOIN LATERAL (
        SELECT "from", until FROM jsonb_to_recordset(p.windows) AS own("from" timestamptz, until timestamptz)
        UNION ALL SELECT r."from", r.until FROM rota_window r WHERE r.person = p.id) AS w ON p.active
    WHERE p.active AND (p.windows <> '[]' OR EXISTS (SELECT FROM rota_window r WHERE r.person = p.id))
        OR p.left_at IS NOT NULL GROUP BY p.id
), concerned AS (
    SELECT e.id, e.ticket_id, e.version, s.id AS person, s.since
    FROM shift s JOIN escalation e ON e.offered_to = s.id
    WHERE NOT s.on_duty AND e.closed_at IS NULL AND (e.handoff ->> 'offered_at')::timestamptz < s.since
    UNION
    SELECT e.id, e.ticket_id, e.version, s.id, s.since
    FROM shift s JOIN escalation e ON e.owner = s.id
    WHERE NOT s.on_duty AND e.closed_at IS NULL
        AND (SELECT h.owner FROM history h WHERE h.escalation_id = e.id AND h.at < s.since
             ORDER BY h.version DESC LIMIT 1) = s.id
        AND NOT EXISTS (SELECT FROM history h
                        WHERE h.escalation_id = e.id AND h.at >= s.since AND h.reason = 'shift_ended')
    UNION
    SELECT e.id, e.ticket_id, e.version, s.id, s.since
    FROM escalation e JOIN shift s ON s.on_duty AND e.level <= s.level
    WHERE e.closed_at IS NULL AND e.offered_to IS NULL AND e.handoff ->> 'status' IN ('offered', 'briefed')
        AND (e.handoff ->> 'offered_at')::timestamptz < s.since
        AND NOT (e.level = s.level AND (e.handoff -> 'declined')::jsonb ? s.id)
)
SELECT ticket_id, version, person FROM concerned ORDER BY since, id, person

-- name: is_active(id)
SELECT active FROM person WHERE id = $1
