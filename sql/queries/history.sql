-- Pages of history. A filter that is NULL lets everything through; numbers are above `after`, up to `last`: a page goes
-- on from the one before, the feed and exports go no further than history is complete, windows of time lie between.
-- Each filter, and every two that may each have many rows, have their own index in seq's order; which one serves is chosen
-- anew for each set of filters, so the reads' connections plan with the values at hand (plan_cache_mode =
-- force_custom_plan).

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
-- The same from the other end.
SELECT (to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source, 'text', s.text))::text AS row
FROM history h JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said
WHERE ($1::uuid IS NULL OR h.escalation_id = $1) AND ($2::text IS NULL OR h.ticket_id = $2)
    AND ($3::text IS NULL OR h.customer_id = $3) AND ($4::text IS NULL OR h.actor = $4)
    AND ($5::smallint[] IS NULL OR h.move = ANY ($5))
    AND ($6::timestamptz IS NULL OR h.at >= $6) AND ($7::timestamptz IS NULL OR h.at < $7)
    AND ($8::bigint IS NULL OR h.seq > $8) AND ($9::bigint IS NULL OR h.seq <= $9)
ORDER BY h.seq DESC LIMIT $10::integer

-- name: page_of_moves(customer_id, actor, moves, since, until, after, last, count)
-- The same by moves, of which each is read in its own order, as far as the page may go: rows of several moves stand in
-- no index in the order of seq. The rows of the page are then looked up one by one: a plain join would read them all.
WITH found AS (
    SELECT h.* FROM unnest($3::smallint[]) AS wanted(move),
        LATERAL (SELECT h.seq, h.escalation_id, h.version FROM history h WHERE h.move = wanted.move
                 AND ($1::text IS NULL OR h.customer_id = $1) AND ($2::text IS NULL OR h.actor = $2)
                 AND ($4::timestamptz IS NULL OR h.at >= $4) AND ($5::timestamptz IS NULL OR h.at < $5)
                 AND ($6::bigint IS NULL OR h.seq > $6) AND ($7::bigint IS NULL OR h.seq <= $7)
                 ORDER BY h.seq LIMIT $8::integer) AS h
    ORDER BY h.seq LIMIT $8
)
SELECT (to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source, 'text', s.text))::text AS row
FROM found f, LATERAL (SELECT h.* FROM history h
                       WHERE h.escalation_id = f.escalation_id AND h.version = f.version LIMIT 1) AS h
    JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said
ORDER BY f.seq

-- name: newest_of_moves(customer_id, actor, moves, since, until, after, last, count)
WITH found AS (
    SELECT h.* FROM unnest($3::smallint[]) AS wanted(move),
        LATERAL (SELECT h.seq, h.escalation_id, h.version FROM history h WHERE h.move = wanted.move
                 AND ($1::text IS NULL OR h.customer_id = $1) AND ($2::text IS NULL OR h.actor = $2)
                 AND ($4::timestamptz IS NULL OR h.at >= $4) AND ($5::timestamptz IS NULL OR h.at < $5)
                 AND ($6::bigint IS NULL OR h.seq > $6) AND ($7::bigint IS NULL OR h.seq <= $7)
                 ORDER BY h.seq DESC LIMIT $8::integer) AS h
    ORDER BY h.seq DESC LIMIT $8
)
SELECT (to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source, 'text', s.text))::text AS row
FROM found f, LATERAL (SELECT h.* FROM history h
                       WHERE h.escalation_id = f.escalation_id AND h.version = f.version LIMIT 1) AS h
    JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said
ORDER BY f.seq DESC

-- name: between(since, until)
-- Between which numbers every row of a window of time lies: above `after`, up to `last`; NULL: no bound. What no span
-- tells of yet is looked at itself, and may lie in any window.
WITH told AS (SELECT coalesce(max(last_seq), 0) AS last FROM history_span)
SELECT CASE WHEN $1::timestamptz IS NOT NULL
    THEN coalesce((SELECT min(after_seq) FROM history_span WHERE until >= $1), told.last) END AS after,
    CASE WHEN $2::timestamptz IS NOT NULL
        AND NOT EXISTS (SELECT FROM history h WHERE h.seq > told.last AND h.at < $2)
    THEN coalesce((SELECT max(last_seq) FROM history_span WHERE since < $2), 0) END AS last
FROM told

-- name: span(complete, count)
-- Tell of the next so many rows, if they are there: up to `complete` no row is to come any more.
INSERT INTO history_span (after_seq, last_seq, since, until)
SELECT told.last, max(h.seq), min(h.at), max(h.at)
FROM (SELECT coalesce(max(last_seq), 0) AS last FROM history_span) AS told,
    LATERAL (SELECT h.seq, h.at FROM history h WHERE h.seq > told.last AND h.seq <= $1::bigint
             ORDER BY h.seq LIMIT $2::integer) AS h
GROUP BY told.last HAVING count(*) = $2
ON CONFLICT (after_seq) DO NOTHING
