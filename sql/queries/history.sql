-- Pages of history. A filter that is NULL lets everything through; `after` is the last seq of the page before.
-- Trigger, from and to are one thing, a move: filters on them are a set of moves, each with an index in seq's order.

-- name: page(escalation_id, ticket_id, customer_id, actor, since, until, after, count)
SELECT (to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source, 'text', s.text))::text AS row
FROM history h JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said
WHERE ($1::uuid IS NULL OR h.escalation_id = $1) AND ($2::text IS NULL OR h.ticket_id = $2)
    AND ($3::text IS NULL OR h.customer_id = $3) AND ($4::text IS NULL OR h.actor = $4)
    AND ($5::timestamptz IS NULL OR h.at >= $5) AND ($6::timestamptz IS NULL OR h.at < $6)
    AND ($7::bigint IS NULL OR h.seq > $7)
ORDER BY h.seq LIMIT $8::integer

-- name: newest(escalation_id, ticket_id, customer_id, actor, since, until, after, count)
SELECT (to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source, 'text', s.text))::text AS row
FROM history h JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said
WHERE ($1::uuid IS NULL OR h.escalation_id = $1) AND ($2::text IS NULL OR h.ticket_id = $2)
    AND ($3::text IS NULL OR h.customer_id = $3) AND ($4::text IS NULL OR h.actor = $4)
    AND ($5::timestamptz IS NULL OR h.at >= $5) AND ($6::timestamptz IS NULL OR h.at < $6)
    AND ($7::bigint IS NULL OR h.seq < $7)
ORDER BY h.seq DESC LIMIT $8::integer

-- name: page_of_moves(escalation_id, ticket_id, customer_id, actor, since, until, after, count, trigger, source, dest)
SELECT (to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source, 'text', s.text))::text AS row
FROM allowed_move m CROSS JOIN LATERAL (
    SELECT * FROM history h
    WHERE h.move = m.id
        AND ($1::uuid IS NULL OR h.escalation_id = $1) AND ($2::text IS NULL OR h.ticket_id = $2)
        AND ($3::text IS NULL OR h.customer_id = $3) AND ($4::text IS NULL OR h.actor = $4)
        AND ($5::timestamptz IS NULL OR h.at >= $5) AND ($6::timestamptz IS NULL OR h.at < $6)
        AND ($7::bigint IS NULL OR h.seq > $7)
    ORDER BY h.seq LIMIT $8::integer
) AS h LEFT JOIN said s ON s.id = h.said
WHERE ($9::text IS NULL OR m.trigger = $9) AND ($10::text IS NULL OR m.source = $10)
    AND ($11::text IS NULL OR m.dest = $11)
ORDER BY h.seq LIMIT $8

-- name: newest_of_moves(escalation_id, ticket_id, customer_id, actor, since, until, after, count, trigger, source, dest)
SELECT (to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source, 'text', s.text))::text AS row
FROM allowed_move m CROSS JOIN LATERAL (
    SELECT * FROM history h
    WHERE h.move = m.id
        AND ($1::uuid IS NULL OR h.escalation_id = $1) AND ($2::text IS NULL OR h.ticket_id = $2)
        AND ($3::text IS NULL OR h.customer_id = $3) AND ($4::text IS NULL OR h.actor = $4)
        AND ($5::timestamptz IS NULL OR h.at >= $5) AND ($6::timestamptz IS NULL OR h.at < $6)
        AND ($7::bigint IS NULL OR h.seq < $7)
    ORDER BY h.seq DESC LIMIT $8::integer
) AS h LEFT JOIN said s ON s.id = h.said
WHERE ($9::text IS NULL OR m.trigger = $9) AND ($10::text IS NULL OR m.source = $10)
    AND ($11::text IS NULL OR m.dest = $11)
ORDER BY h.seq DESC LIMIT $8
