-- History as files: pages in the order of seq, or escalation by escalation, up to a number below which it is complete.

-- name: lines(escalations, ticket_id, customer_id, actor, moves, since, until, after, last, lowest, highest, count)
-- Rows as they are hashed, with what was said and the salt of its hash: lines of JSON, as one text a page.
SELECT string_agg(line, E'\n' ORDER BY seq) || E'\n' AS lines, max(seq) AS seq, count(*) AS count FROM (
    SELECT h.seq, row_to_json(r)::text AS line
    FROM history h JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said,
    LATERAL (SELECT h.seq, h.escalation_id, h.version, h.at, m.trigger, m.source, h.state, h.level, h.owner, h.ticket_id,
        h.customer_id, h.actor, h.on_behalf_of, h.actor_level, h.reason, h.detail, h.guards, h.policy_version, h.changed,
        h.said, h.said_hash, h.messages, h.request_id, h.command, h.prev, h.hash, s.salt, s.text) AS r
    WHERE ($1::uuid[] IS NULL OR h.escalation_id = ANY ($1)) AND ($2::text IS NULL OR h.ticket_id = $2)
        AND ($3::text IS NULL OR h.customer_id = $3) AND ($4::text IS NULL OR h.actor = $4)
        AND ($5::smallint[] IS NULL OR h.move = ANY ($5))
        AND ($6::timestamptz IS NULL OR h.at >= $6) AND ($7::timestamptz IS NULL OR h.at < $7)
        AND h.seq > $8::bigint AND h.seq <= $9::bigint
        AND ($10::uuid IS NULL OR h.escalation_id >= $10) AND ($11::uuid IS NULL OR h.escalation_id <= $11)
    ORDER BY h.seq LIMIT $12::integer) AS page

-- name: chains(escalations, ticket_id, customer_id, actor, moves, since, until, after, last, lowest, highest, count, after_version)
-- As history.page, but escalation by escalation, each from its beginning; on from version `after_version` of `after`.
SELECT row_to_json(r)::text AS row
FROM (SELECT h.* FROM history h
    WHERE ($1::uuid[] IS NULL OR h.escalation_id = ANY ($1)) AND ($2::text IS NULL OR h.ticket_id = $2)
        AND ($3::text IS NULL OR h.customer_id = $3) AND ($4::text IS NULL OR h.actor = $4)
        AND ($5::smallint[] IS NULL OR h.move = ANY ($5))
        AND ($6::timestamptz IS NULL OR h.at >= $6) AND ($7::timestamptz IS NULL OR h.at < $7) AND h.seq <= $9::bigint
        AND ($8::uuid IS NULL OR (h.escalation_id >= $8 AND (h.escalation_id, h.version) > ($8, $13::integer)))
        AND ($10::uuid IS NULL OR h.escalation_id >= $10) AND ($11::uuid IS NULL OR h.escalation_id <= $11)
    ORDER BY h.escalation_id, h.version LIMIT $12::integer) AS h
    JOIN allowed_move m ON m.id = h.move LEFT JOIN said s ON s.id = h.said,
    LATERAL (SELECT h.seq, h.escalation_id, h.version, h.at, m.trigger, m.source, h.state, h.level, h.owner, h.ticket_id,
        h.customer_id, h.actor, h.on_behalf_of, h.actor_level, h.reason, h.detail, h.guards, h.policy_version, h.changed,
        h.said, h.said_hash, h.messages, h.request_id, h.command, h.prev, h.hash, s.text) AS r
ORDER BY h.escalation_id, h.version
