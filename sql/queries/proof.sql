-- The feed's horizon, and the tree over all rows of history.

-- name: newest()
-- The number drawn last, by whichever clock this database lives.
SELECT greatest(coalesce(pg_sequence_last_value('history_seq'), 0),
                coalesce((SELECT next_seq - 1 FROM virtual_clock), 0))

-- name: mark()
-- A transaction of its own: every other that has an id already has a smaller one.
SELECT pg_current_xact_id()::text::bigint

-- name: ended()
-- Every transaction below this has ended.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: lock()
-- One node seals at a time.
SELECT pg_try_advisory_xact_lock(1702060133)

-- name: last()
SELECT size, seq, note, at FROM checkpoint ORDER BY size DESC LIMIT 1

-- name: unsealed(after, until, count)
SELECT seq, hash FROM history WHERE seq > $1::bigint AND seq <= $2::bigint ORDER BY seq LIMIT $3::integer

-- name: tiles(heights, places)
SELECT t.height, t.place, t.nodes FROM tree_tile t
JOIN unnest($1::smallint[], $2::bigint[]) AS asked(height, place) USING (height, place)

-- name: grow(heights, places, begins, nodes)
-- Full nodes never change: a tile only grows at its end, from where it must have ended before. Answers how many grew.
WITH grown AS (
    INSERT INTO tree_tile AS t (height, place, nodes)
    SELECT height, place, nodes FROM unnest($1::smallint[], $2::bigint[], $3::integer[], $4::bytea[])
        AS new(height, place, begin, nodes)
    ON CONFLICT (height, place) DO UPDATE SET nodes = t.nodes || excluded.nodes
    WHERE length(t.nodes) = 32 * (SELECT begin FROM unnest($1::smallint[], $2::bigint[], $3::integer[])
        AS new(height, place, begin) WHERE (new.height, new.place) = (t.height, t.place))
    RETURNING 1
)
SELECT count(*) FROM grown

-- name: seal(size, seq, head, at, note)
INSERT INTO checkpoint (size, seq, head, at, note) VALUES ($1, $2, $3, $4, $5)

-- name: now()
SELECT service_now()

-- name: over(seq)
-- The first checkpoint over this row, the size and last row of the one before it, and the row itself with its place
-- among those between the two.
SELECT c.size, c.head, c.note, before.size AS after_size, h.hash,
    (SELECT count(*) FROM history o WHERE o.seq > before.seq AND o.seq < $1)
    + (SELECT count(*) FROM archived_row o WHERE o.seq > before.seq AND o.seq < $1) AS place
FROM (SELECT seq, hash FROM history UNION ALL SELECT seq, hash FROM archived_row) AS h,
    LATERAL (SELECT * FROM checkpoint c WHERE c.seq >= $1 ORDER BY c.seq LIMIT 1) AS c,
    LATERAL (SELECT coalesce(max(b.size), 0) AS size, coalesce(max(b.seq), 0) AS seq
             FROM (SELECT * FROM checkpoint b WHERE b.seq < $1 ORDER BY b.seq DESC LIMIT 1) AS b) AS before
WHERE h.seq = $1::bigint
