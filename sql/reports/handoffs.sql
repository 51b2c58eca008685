-- name: handoffs(since, until, after, last)
-- How handoffs went in the window, per level: accepted, among them `unbriefed` (nobody had written a brief: it was the
-- clock's); `declined` by the person it was offered to; `passed_on` by the clock, because they went off duty, somebody
-- came on duty, or a reassignment lapsed. The row without a level is all of them.
SELECT h.level::integer, count(*) FILTER (WHERE m.trigger = 'accept')::integer AS accepted,
    count(*) FILTER (WHERE m.trigger = 'accept' AND h.changed -> 'handoff' -> 'brief' ->> 'by' = 'clock')::integer AS unbriefed,
    count(*) FILTER (WHERE m.trigger = 'decline' AND h.actor <> 'clock')::integer AS declined,
    count(*) FILTER (WHERE m.trigger = 'decline' AND h.actor = 'clock')::integer AS passed_on
FROM history h JOIN allowed_move m ON m.id = h.move
WHERE h.move = ANY (ARRAY(SELECT id FROM allowed_move WHERE trigger IN ('accept', 'decline')))
    AND h.seq > $3::bigint AND h.seq <= $4::bigint AND h.at >= $1::timestamptz AND h.at < $2::timestamptz
GROUP BY GROUPING SETS ((), (h.level)) ORDER BY h.level NULLS FIRST
