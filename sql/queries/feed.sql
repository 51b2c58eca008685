-- The feed of transitions, in the order of seq, up to a number below which history is complete.

-- name: rows(after, last, count)
SELECT (to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source, 'text', s.text))::text AS row
FROM history h JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said
WHERE h.seq > $1::bigint AND h.seq <= $2::bigint ORDER BY h.seq LIMIT $3::integer
