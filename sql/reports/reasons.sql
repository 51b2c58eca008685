-- name: reasons(since, until, after, last)
-- Reasons distribution: why escalations began, and why they went on. `situation`: situations that began in the window,
-- with an opening or added to an open one, dismissed ones too. `escalate`: moves to a higher level, by the code that was
-- named (`escalated`: none was), or by what made the clock do it. `share` is of its kind, to four places.
SELECT CASE m.trigger WHEN 'escalate' THEN 'escalate' ELSE 'situation' END AS kind,
    CASE m.trigger WHEN 'escalate' THEN h.reason ELSE h.detail ->> 'situation' END AS reason,
    count(*)::integer AS count,
    round(count(*) / sum(count(*)) OVER (PARTITION BY m.trigger = 'escalate'), 4)::float8 AS share
FROM history h JOIN allowed_move m ON m.id = h.move
WHERE h.move = ANY (ARRAY(SELECT id FROM allowed_move WHERE trigger IN ('open', 'add_situation', 'escalate')))
    AND h.seq > $3::bigint AND h.seq <= $4::bigint AND h.at >= $1::timestamptz AND h.at < $2::timestamptz
GROUP BY m.trigger = 'escalate', 1, 2 ORDER BY 1 DESC, 3 DESC, 2
