-- name: lateness(since, until, after, last)
-- Engage lateness: of the escalations that were engaged in the window and had a deadline for it (the earliest of their
-- situations'), how many were engaged after it, and by how much: median and p90 as in resolution.sql, and the longest.
-- What is reported after its deadline is engaged late. `unpromised` had no deadline. By tier (null: all).
WITH engaged AS (
    SELECT e.tier, h.at - d.due_at AS late, d.due_at FROM history h JOIN escalation e ON e.id = h.escalation_id,
        LATERAL (SELECT (b.changed ->> 'engage_by')::timestamptz AS due_at FROM history b
                 WHERE b.escalation_id = h.escalation_id AND b.version < h.version
                     AND b.changed::jsonb ? 'engage_by' ORDER BY b.version DESC LIMIT 1) AS d
    WHERE h.move = ANY (ARRAY(SELECT id FROM allowed_move WHERE trigger = 'engage'))
        AND h.seq > $3::bigint AND h.seq <= $4::bigint AND h.at >= $1::timestamptz AND h.at < $2::timestamptz
)
SELECT tier, count(due_at)::integer AS promised, count(*) FILTER (WHERE due_at IS NULL)::integer AS unpromised,
    count(*) FILTER (WHERE late > interval '0')::integer AS late,
    round(count(*) FILTER (WHERE late > interval '0')::numeric / nullif(count(due_at), 0), 4)::float8 AS share,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY late) FILTER (WHERE late > interval '0') AS median,
    percentile_disc(0.9) WITHIN GROUP (ORDER BY late) FILTER (WHERE late > interval '0') AS p90,
    max(late) FILTER (WHERE late > interval '0') AS longest
FROM engaged GROUP BY GROUPING SETS ((), (tier)) ORDER BY tier NULLS FIRST
