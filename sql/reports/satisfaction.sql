-- name: satisfaction(since, until)
-- Customer satisfaction after escalation: of those closed in the window after a level was called, whose customers were
-- all asked, how many answered, 1 (not at all) to 5, until now: an answer counts for the week of its close, whenever it
-- comes. `response_rate` is answered ÷ closed, to four places, `mean` is of the answers, to two. By tier (null: all).
SELECT e.tier, count(*)::integer AS closed, count(e.csat)::integer AS answered,
    round(count(e.csat)::numeric / nullif(count(*), 0), 4)::float8 AS response_rate, round(avg(e.csat), 2)::float8 AS mean,
    ARRAY[count(*) FILTER (WHERE e.csat = 1), count(*) FILTER (WHERE e.csat = 2), count(*) FILTER (WHERE e.csat = 3),
        count(*) FILTER (WHERE e.csat = 4), count(*) FILTER (WHERE e.csat = 5)]::integer[] AS scores
FROM escalation e WHERE e.closed_at >= $1::timestamptz AND e.closed_at < $2::timestamptz AND e.level > 0
GROUP BY GROUPING SETS ((), (e.tier)) ORDER BY e.tier NULLS FIRST
