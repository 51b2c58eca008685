-- name: issue_keys(baseline, since, until)
-- Repeated issue keys: issues of which an escalation was opened in the window, and at least one more in it or in the four
-- weeks before. What comes back is likely not written down well enough. The most frequent first.
SELECT t.issue_key, count(*) FILTER (WHERE e.opened_at >= $2::timestamptz)::integer AS count,
    count(*) FILTER (WHERE e.opened_at < $2)::integer AS before,
    (array_agg(DISTINCT e.ticket_id ORDER BY e.ticket_id DESC))[1:5] AS tickets
FROM escalation e JOIN ticket t ON t.id = e.ticket_id
WHERE e.id >= first_id_of($1::timestamptz - interval '1 ms') AND e.id < first_id_of($3::timestamptz + interval '1 ms')
    AND e.opened_at >= $1 AND e.opened_at < $3 AND t.issue_key IS NOT NULL
GROUP BY t.issue_key HAVING count(*) > 1 AND count(*) FILTER (WHERE e.opened_at >= $2) > 0
ORDER BY count(*) DESC, t.issue_key LIMIT 100
