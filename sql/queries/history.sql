-- Pages of history. A filter that is NULL lets everything through; `after` is the last seq of the page
-- before, `last` the largest that is wanted: the feed and exports go no further than history is complete.
-- Each filter has its own index in seq's order; which one serves is chosen anew for each set of filters, so the reads'
-- connections plan with the values at hand (plan_cache_mode = force_custom_plan).

-- name: moves(trigger, source, dest)
-- Trigger, from and to are one thing, a move: filters on them are a set of moves.
SELECT coalesce(array_agg(id), '{}') FROM allowed_move
WHERE ($1::text IS NULL OR trigger = $1) AND ($2::text IS NULL OR source = $2) AND ($3::text IS NULL OR dest = $3)

-- name: page(escalation_id, ticket_id, customer_id, actor, moves, since, until, after, last, count)
SELECT (to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source, 'text', s.text))::text AS row
FROM history h JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said
WHERE ($1::uuid IS NULL OR h.escalation_id = $1) AND ($2::text IS NULL OR h.ticket_id = $2)
    AND ($3::text IS NULL OR h.customer_id = $3) AND ($4::text IS NULL OR h.actor = $4)
    AND ($5::smallint[] IS NULL OR h.move = ANY ($5))
    AND ($6::timestamptz IS NULL OR h.at >= $6) AND ($7::timestamptz IS NULL OR h.at < $7)
    AND ($8::bigint IS NULL OR h.seq > $8) AND ($9::bigint IS NULL OR h.seq <= $9)
ORDER BY h.seq LIMIT $10::integer

-- name: newest(escalation_id, ticket_id, customer_id, actor, moves, since, until, after, last, count)
SELECT (to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source, 'text', s.text))::text AS row
FROM history h JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said
WHERE ($1::uuid IS NULL OR h.escalation_id = $1) AND ($2::text IS NULL OR h.ticket_id = $2)
    AND ($3::text IS NULL OR h.customer_id = $3) AND ($4::text IS NULL OR h.actor = $4)
    AND ($5::smallint[] IS NULL OR h.move = ANY ($5))
    AND ($6::timestamptz IS NULL OR h.at >= $6) AND ($7::timestamptz IS NULL OR h.at < $7)
    AND ($8::bigint IS NULL OR h.seq < $8) AND ($9::bigint IS NULL OR h.seq <= $9)
ORDER BY h.seq DESC LIMIT $10::integer
