-- Pages of history. A filter that is NULL lets everything through; numbers are above `after`, up to `last`: a page goes
-- on from the one before, the feed and exports go no further than history is complete, windows of time lie between. Only
-- the months of ids from `lowest` to `highest` are opened, where it is known beforehand that no other has such a row
-- (history_span): planning costs more than reading, and as much for each partition that may have one.
-- Each filter, and every two that may each have many rows, have their own index in seq's order; which one serves is chosen
-- anew for each set of filters, so the reads' connections plan with the values at hand (plan_cache_mode =
-- force_custom_plan).

-- name: moves(trigger, source, dest)
-- Trigger, from and to are one thing, a move: filters on them are a set of moves.
SELECT coalesce(array_agg(id), '{}') FROM allowed_move
WHERE ($1::text IS NULL OR trigger = $1) AND ($2::text IS NULL OR source = $2) AND ($3::text IS NULL OR dest = $3)

-- name: escalations_of(ticket_id)
-- A ticket's rows are those of its escalations, whose ids say in which months they lie.
SELECT coalesce(array_agg(id), '{}') FROM escalation WHERE ticket_id = $1

-- name: page(escalations, ticket_id, customer_id, actor, moves, since, until, after, last, lowest, highest, count)
SELECT row_to_json(r)::text AS row
FROM (SELECT h.* FROM history h
    WHERE ($1::uuid[] IS NULL OR h.escalation_id = ANY ($1)) AND ($2::text IS NULL OR h.ticket_id = $2)
        AND ($3::text IS NULL OR h.customer_id = $3) AND ($4::text IS NULL OR h.actor = $4)
        AND ($5::smallint[] IS NULL OR h.move = ANY ($5))
        AND ($6::timestamptz IS NULL OR h.at >= $6) AND ($7::timestamptz IS NULL OR h.at < $7)
        AND ($8::bigint IS NULL OR h.seq > $8) AND ($9::bigint IS NULL OR h.seq <= $9)
        AND ($10::uuid IS NULL OR h.escalation_id >= $10) AND ($11::uuid IS NULL OR h.escalation_id <= $11)
    ORDER BY h.seq LIMIT $12::integer) AS h
    JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said,
    LATERAL (SELECT h.seq, h.escalation_id, h.version, h.at, m.trigger, m.source, h.state, h.level, h.owner, h.ticket_id,
        h.customer_id, h.actor, h.on_behalf_of, h.actor_level, h.reason, h.detail, h.guards, h.policy_version, h.changed,
        h.said, h.said_hash, h.messages, h.request_id, h.command, h.prev, h.hash, s.text) AS r
ORDER BY h.seq

-- name: newest(escalations, ticket_id, customer_id, actor, moves, since, until, after, last, lowest, highest, count)
-- The same from the other end.
SELECT row_to_json(r)::text AS row
FROM (SELECT h.* FROM history h
    WHERE ($1::uuid[] IS NULL OR h.escalation_id = ANY ($1)) AND ($2::text IS NULL OR h.ticket_id = $2)
        AND ($3::text IS NULL OR h.customer_id = $3) AND ($4::text IS NULL OR h.actor = $4)
        AND ($5::smallint[] IS NULL OR h.move = ANY ($5))
        AND ($6::timestamptz IS NULL OR h.at >= $6) AND ($7::timestamptz IS NULL OR h.at < $7)
        AND ($8::bigint IS NULL OR h.seq > $8) AND ($9::bigint IS NULL OR h.seq <= $9)
        AND ($10::uuid IS NULL OR h.escalation_id >= $10) AND ($11::uuid IS NULL OR h.escalation_id <= $11)
    ORDER BY h.seq DESC LIMIT $12::integer) AS h
    JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said,
    LATERAL (SELECT h.seq, h.escalation_id, h.version, h.at, m.trigger, m.source, h.state, h.level, h.owner, h.ticket_id,
        h.customer_id, h.actor, h.on_behalf_of, h.actor_level, h.reason, h.detail, h.guards, h.policy_version, h.changed,
        h.said, h.said_hash, h.messages, h.request_id, h.command, h.prev, h.hash, s.text) AS r
ORDER BY h.seq DESC

-- name: of_moves(customer_id, actor, moves, since, until, after, last, lowest, highest, count)
-- Which rows a page by moves has. Each move is read in its own order, as far as the page may go: rows of several moves
-- stand in no index in the order of seq.
SELECT h.* FROM unnest($3::smallint[]) AS wanted(move),
    LATERAL (SELECT h.seq, h.escalation_id, h.version FROM history h WHERE h.move = wanted.move
             AND ($1::text IS NULL OR h.customer_id = $1) AND ($2::text IS NULL OR h.actor = $2)
             AND ($4::timestamptz IS NULL OR h.at >= $4) AND ($5::timestamptz IS NULL OR h.at < $5)
             AND ($6::bigint IS NULL OR h.seq > $6) AND ($7::bigint IS NULL OR h.seq <= $7)
             AND ($8::uuid IS NULL OR h.escalation_id >= $8) AND ($9::uuid IS NULL OR h.escalation_id <= $9)
             ORDER BY h.seq LIMIT $10::integer) AS h
ORDER BY h.seq LIMIT $10

-- name: newest_of_moves(customer_id, actor, moves, since, until, after, last, lowest, highest, count)
SELECT h.* FROM unnest($3::smallint[]) AS wanted(move),
    LATERAL (SELECT h.seq, h.escalation_id, h.version FROM history h WHERE h.move = wanted.move
             AND ($1::text IS NULL OR h.customer_id = $1) AND ($2::text IS NULL OR h.actor = $2)
             AND ($4::timestamptz IS NULL OR h.at >= $4) AND ($5::timestamptz IS NULL OR h.at < $5)
             AND ($6::bigint IS NULL OR h.seq > $6) AND ($7::bigint IS NULL OR h.seq <= $7)
             AND ($8::uuid IS NULL OR h.escalation_id >= $8) AND ($9::uuid IS NULL OR h.escalation_id <= $9)
             ORDER BY h.seq DESC LIMIT $10::integer) AS h
ORDER BY h.seq DESC LIMIT $10

-- name: rows(escalations, versions, lowest, highest)
-- These rows, in the order of seq.
SELECT row_to_json(r)::text AS row
FROM unnest($1::uuid[], $2::integer[]) AS wanted(escalation_id, version),
    LATERAL (SELECT h.* FROM history h WHERE h.escalation_id = wanted.escalation_id AND h.version = wanted.version
             AND h.escalation_id >= $3::uuid AND h.escalation_id <= $4::uuid LIMIT 1) AS h
    JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said,
    LATERAL (SELECT h.seq, h.escalation_id, h.version, h.at, m.trigger, m.source, h.state, h.level, h.owner, h.ticket_id,
        h.customer_id, h.actor, h.on_behalf_of, h.actor_level, h.reason, h.detail, h.guards, h.policy_version, h.changed,
        h.said, h.said_hash, h.messages, h.request_id, h.command, h.prev, h.hash, s.text) AS r
ORDER BY h.seq

-- name: told(since, until, after, last)
-- What spans tell of a window of time among these numbers: between which numbers, and of which ids, its rows lie that
-- spans tell of at all; NULL ids: some are not known. Above `told` no span tells anything yet.
WITH whole AS (SELECT coalesce(max(last_seq), 0) AS told FROM history_span)
SELECT told, min(s.after_seq) AS after, max(s.last_seq) AS last,
    CASE WHEN count(s.lowest) = count(*) THEN min(s.lowest::text COLLATE "C")::uuid END AS lowest,
    CASE WHEN count(s.highest) = count(*) THEN max(s.highest::text COLLATE "C")::uuid END AS highest,
    first_id_of($2::timestamptz + interval '1 ms') AS opened_before
FROM whole LEFT JOIN history_span s ON ($1::timestamptz IS NULL OR s.until >= $1) AND ($2::timestamptz IS NULL OR s.since < $2)
    AND ($3::bigint IS NULL OR s.last_seq > $3) AND ($4::bigint IS NULL OR s.after_seq < $4)
GROUP BY told

-- name: between(since, until)
-- The same as one stretch, for reports: every row of the window lies above `after`, up to `last`; NULL: no bound.
WITH told AS (SELECT coalesce(max(last_seq), 0) AS last FROM history_span)
SELECT CASE WHEN $1::timestamptz IS NOT NULL
    THEN coalesce((SELECT min(after_seq) FROM history_span WHERE until >= $1), told.last) END AS after,
    CASE WHEN $2::timestamptz IS NOT NULL
        AND NOT EXISTS (SELECT FROM history h WHERE h.seq > told.last AND h.at < $2)
    THEN coalesce((SELECT max(last_seq) FROM history_span WHERE since < $2), 0) END AS last
FROM told

-- name: span(complete, count)
-- Tell of the next so many rows, if they are there: up to `complete` no row is to come any more.
INSERT INTO history_span (after_seq, last_seq, since, until, lowest, highest)
SELECT told.last, max(h.seq), min(h.at), max(h.at), min(h.escalation_id::text COLLATE "C")::uuid,
    max(h.escalation_id::text COLLATE "C")::uuid
FROM (SELECT coalesce(max(last_seq), 0) AS last FROM history_span) AS told,
    LATERAL (SELECT h.seq, h.at, h.escalation_id FROM history h WHERE h.seq > told.last AND h.seq <= $1::bigint
             ORDER BY h.seq LIMIT $2::integer) AS h
GROUP BY told.last HAVING count(*) = $2
ON CONFLICT (after_seq) DO NOTHING
