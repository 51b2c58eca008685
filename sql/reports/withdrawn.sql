-- name: withdrawn(since, until)
-- Escalations that ended in the window before any level was called, by tier and by the criterion that was met (null: all).
SELECT e.tier, e.criterion, count(*)::integer AS withdrawn FROM escalation e
WHERE e.closed_at >= $1::timestamptz AND e.closed_at < $2::timestamptz AND e.level = 0
GROUP BY GROUPING SETS ((), (e.tier), (e.tier, e.criterion)) ORDER BY e.tier NULLS FIRST, e.criterion NULLS FIRST
