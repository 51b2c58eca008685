-- name: rate(since, until)
-- Escalation rate by tier: escalations opened in the window ÷ tickets opened in it (by the help desk's `opened_at`, also
-- where it was reported later). A ticket is of the tier that its customer has now, an escalation of the one that it was
-- opened with. To four places; null where no ticket was opened. The row without a tier is all of them.
WITH opened AS (
    SELECT c.tier, count(*) AS tickets FROM ticket t JOIN customer c ON c.id = t.customer_id
    WHERE t.opened_at >= $1::timestamptz AND t.opened_at < $2::timestamptz AND t.revision > 0 GROUP BY c.tier
), escalated AS (
    -- Ids are of the instant of opening, so a window is a range of them.
    SELECT e.tier, count(*) AS escalations FROM escalation e
    WHERE e.id >= first_id_of($1 - interval '1 ms') AND e.id < first_id_of($2 + interval '1 ms')
        AND e.opened_at >= $1 AND e.opened_at < $2 GROUP BY e.tier
)
SELECT tier, coalesce(sum(tickets), 0)::integer AS tickets, coalesce(sum(escalations), 0)::integer AS escalations,
    round(coalesce(sum(escalations), 0) / nullif(sum(tickets), 0), 4)::float8 AS rate
FROM opened FULL JOIN escalated USING (tier) GROUP BY GROUPING SETS ((), (tier)) ORDER BY tier NULLS FIRST
