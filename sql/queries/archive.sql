-- What is said of months that lie in archives.

-- name: about(escalations, customer_id, since, until, after, last)
-- Archives in which rows may lie that are asked for: of these escalations, this customer's, in this window, among these
-- numbers.
SELECT a.month, a.file FROM archive a
WHERE ($1::uuid[] IS NULL OR EXISTS (SELECT FROM unnest($1) AS id WHERE id >= a.lowest AND id < a.below))
    AND ($2::text IS NULL OR EXISTS (SELECT FROM escalation e
                                     WHERE e.customer_id = $2 AND e.id >= a.lowest AND e.id < a.below))
    AND ($3::timestamptz IS NULL OR a.until >= $3) AND ($4::timestamptz IS NULL OR a.since < $4)
    AND ($5::bigint IS NULL OR a.last_seq > $5) AND ($6::bigint IS NULL OR a.first_seq <= $6)
ORDER BY a.month
