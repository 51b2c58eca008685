-- Refused attempts.

-- name: page(escalation_id, actor, trigger, since, until, before_at, before_id, count)
-- Newest first.
SELECT row_to_json(d)::text AS row FROM denial d
WHERE ($1::uuid IS NULL OR d.escalation_id = $1) AND ($2::text IS NULL OR d.actor = $2)
    AND ($3::text IS NULL OR d.trigger = $3)
    AND ($4::timestamptz IS NULL OR d.at >= $4) AND ($5::timestamptz IS NULL OR d.at < $5)
    AND ($6::timestamptz IS NULL OR (d.at, d.id) < ($6, $7::uuid))
ORDER BY d.at DESC, d.id DESC LIMIT $8::integer
