-- name: denials(since, until)
-- Denials: attempts that were refused in the window, by trigger, and by guard: an attempt counts once for each guard that
-- failed, so those add up to more. `no_such_move` is for attempts that the table itself refused. Both null: all attempts.
SELECT d.trigger, coalesce(f ->> 'guard', CASE WHEN grouping(f ->> 'guard') = 0 THEN 'no_such_move' END) AS guard,
    count(DISTINCT d.id)::integer AS count
FROM denial d LEFT JOIN LATERAL json_array_elements(d.failed) AS f ON true
WHERE d.at >= $1::timestamptz AND d.at < $2::timestamptz
GROUP BY GROUPING SETS ((), (d.trigger), (f ->> 'guard')) ORDER BY 3 DESC, 1 NULLS FIRST, 2 NULLS FIRST
