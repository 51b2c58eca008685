-- name: coverage(since, until, after, last)
-- Coverage gaps per level, in the window: `skipped`, how often a level was passed over because nobody was on duty there;
-- `nobody`, how often an offer had nobody at all to go to, up to level 4. The row without a level is all of them.
WITH offers AS (
    SELECT h.detail, h.changed -> 'handoff' AS handoff FROM history h
    WHERE h.move = ANY (ARRAY(SELECT id FROM allowed_move
                              WHERE trigger IN ('engage', 'escalate', 'step_down', 'resume', 'decline')))
        AND h.seq > $3::bigint AND h.seq <= $4::bigint AND h.at >= $1::timestamptz AND h.at < $2::timestamptz
), gaps AS (
    SELECT g::text::integer AS level, 1 AS skipped, 0 AS nobody
    FROM offers o, json_array_elements(o.detail -> 'coverage_gap') AS g
    UNION ALL
    SELECT (o.handoff ->> 'level')::integer, 0, 1 FROM offers o
    WHERE o.handoff ->> 'status' = 'offered' AND o.handoff ->> 'to' IS NULL
)
SELECT level, coalesce(sum(skipped), 0)::integer AS skipped, coalesce(sum(nobody), 0)::integer AS nobody
FROM gaps GROUP BY GROUPING SETS ((), (level)) ORDER BY level NULLS FIRST
