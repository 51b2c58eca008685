-- name: patterns(baseline, since, until, after, last)
-- Patterns: reasons (situations that began), customers and products (of the ticket, as reported last; both by escalations
-- opened) that stand out in the window against their own baseline, the four weeks from `baseline` to `since`. Something
-- stands out where it came at least three times, and more often than its weekly mean of then by more than two of its
-- standard deviations, taken as the root of that mean, as for things that come independently of each other. With n now
-- and b then, n − b/4 > 2·√(b/4), in whole numbers (4n − b)² > 16b. The most unusual first.
WITH opened AS (
    SELECT e.customer_id, t.product, e.opened_at >= $2::timestamptz AS now
    FROM escalation e JOIN ticket t ON t.id = e.ticket_id
    WHERE e.id >= first_id_of($1::timestamptz - interval '1 ms') AND e.id < first_id_of($3::timestamptz + interval '1 ms')
        AND e.opened_at >= $1 AND e.opened_at < $3
), seen AS (
    SELECT 'reason' AS kind, h.detail ->> 'situation' AS name, h.at >= $2 AS now FROM history h
    WHERE h.move = ANY (ARRAY(SELECT id FROM allowed_move WHERE trigger IN ('open', 'add_situation')))
        AND h.seq > $4::bigint AND h.seq <= $5::bigint AND h.at >= $1 AND h.at < $3
    UNION ALL SELECT 'customer', customer_id, now FROM opened
    UNION ALL SELECT 'product', product, now FROM opened WHERE product IS NOT NULL
), counted AS (
    SELECT kind, name, count(*) FILTER (WHERE now) AS count, count(*) FILTER (WHERE NOT now) AS before
    FROM seen GROUP BY kind, name
)
SELECT kind, name, count::integer, before::integer FROM counted
WHERE count >= 3 AND 4 * count > before AND (4 * count - before) ^ 2 > 16 * before
ORDER BY (4 * count - before) ^ 2 / greatest(before, 1)::numeric DESC, kind, name LIMIT 100
