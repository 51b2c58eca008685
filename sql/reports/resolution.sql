-- name: resolution(since, until)
-- Time to escalation resolution: from opened to closed, of escalations that were closed in the window after a level was
-- called; by tier, by the highest level that it ever stood at, and by both (null: all). The median is the shortest time
-- within which at least half of them were closed, p90 the same for nine of ten: both are a time that one of them took.
-- Withdrawn ones have no such time: see withdrawn.sql.
WITH ended AS (
    SELECT e.tier, e.closed_at - e.opened_at AS took,
        -- A level falls by stepping down alone, for which somebody must have reprioritised; else the last is the highest.
        CASE WHEN e.acts::text LIKE '%"reprioritize_ticket"%'
            THEN (SELECT max(h.level) FROM history h WHERE h.escalation_id = e.id) ELSE e.level END::integer AS level
    FROM escalation e WHERE e.closed_at >= $1::timestamptz AND e.closed_at < $2::timestamptz AND e.level > 0
)
SELECT tier, level, count(*)::integer AS closed, percentile_disc(0.5) WITHIN GROUP (ORDER BY took) AS median,
    percentile_disc(0.9) WITHIN GROUP (ORDER BY took) AS p90
FROM ended GROUP BY GROUPING SETS ((), (tier), (level), (tier, level)) ORDER BY tier NULLS FIRST, level NULLS FIRST
