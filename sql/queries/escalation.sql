-- Escalations as they are read. `texts` holds what was said in their steps, by the id under which it lies.

-- name: by_id(id)
SELECT row_to_json(e)::text AS row,
    (SELECT json_object_agg(s.id, s.text) FROM json_each(e.steps) AS step
     JOIN said s ON s.id = (step.value ->> 'said')::uuid)::text AS texts
FROM escalation e WHERE e.id = $1::uuid

-- name: page(state, level, tier, owner, customer_id, ticket_id, overdue, since, until, before, count, live)
-- Newest first: ids are UUIDv7, so their order is that of opening. Overdue is never closed, which lets an index help.
SELECT row_to_json(e)::text AS row,
    (SELECT json_object_agg(s.id, s.text) FROM json_each(e.steps) AS step
     JOIN said s ON s.id = (step.value ->> 'said')::uuid)::text AS texts
FROM escalation e
WHERE ($1::text IS NULL OR e.state = $1)
    AND ($2::integer IS NULL OR e.level = $2)
    AND ($3::text IS NULL OR e.tier = $3)
    AND ($4::text IS NULL OR e.owner = $4)
    AND ($5::text IS NULL OR e.customer_id = $5)
    AND ($6::text IS NULL OR e.ticket_id = $6)
    AND ($7::boolean IS NULL OR $7 = coalesce(
        least(e.engage_by, e.respond_by, e.next_update_by) < (SELECT service_now()), false))
    AND ($7 IS NOT TRUE OR e.closed_at IS NULL)
    AND ($8::timestamptz IS NULL OR e.opened_at >= $8)
    AND ($9::timestamptz IS NULL OR e.opened_at < $9)
    AND ($10::uuid IS NULL OR e.id < $10)
    AND ($12::boolean IS NULL OR $12 = (e.closed_at IS NULL))
ORDER BY e.id DESC LIMIT $11::integer

-- As of an instant, that instant included. What was live then is found by the spans of time in which each was (stood_at),
-- and what was closed by its own row, for nothing that is asked of it changes after that; how they stood then, their
-- history alone says. Of that only the months of these ids are opened.

-- name: live_at(at, tier, customer_id, ticket_id, since, until, before, count)
-- Which were live, newest first.
SELECT e.id FROM escalation e
WHERE tstzrange(e.opened_at, e.closed_at) @> $1::timestamptz
    AND ($2::text IS NULL OR e.tier = $2) AND ($3::text IS NULL OR e.customer_id = $3)
    AND ($4::text IS NULL OR e.ticket_id = $4)
    AND ($5::timestamptz IS NULL OR e.opened_at >= $5) AND ($6::timestamptz IS NULL OR e.opened_at < $6)
    AND ($7::uuid IS NULL OR e.id < $7)
ORDER BY e.id DESC LIMIT $8::integer

-- name: closed_at(at, tier, customer_id, ticket_id, since, until, before, count, level, owner)
-- Which were closed, newest first.
SELECT e.id FROM escalation e
WHERE e.closed_at <= $1::timestamptz AND e.id < first_id_of($1 + interval '1 ms') -- ids are of the instant of opening
    AND ($2::text IS NULL OR e.tier = $2) AND ($3::text IS NULL OR e.customer_id = $3)
    AND ($4::text IS NULL OR e.ticket_id = $4)
    AND ($5::timestamptz IS NULL OR e.opened_at >= $5) AND ($6::timestamptz IS NULL OR e.opened_at < $6)
    AND ($7::uuid IS NULL OR e.id < $7)
    AND ($9::integer IS NULL OR e.level = $9) AND ($10::text IS NULL OR e.owner = $10)
ORDER BY e.id DESC LIMIT $8::integer

-- name: held_to_the_end(at, tier, customer_id, ticket_id, since, until, before, count, level, owner)
-- The same of one owner, who may have few among many.
SELECT DISTINCT h.escalation_id AS id FROM history h JOIN escalation e ON e.id = h.escalation_id
WHERE h.state = 'closed' AND h.owner = $10::text AND h.at <= $1::timestamptz
    AND h.escalation_id < first_id_of($1 + interval '1 ms')
    AND ($2::text IS NULL OR e.tier = $2) AND ($3::text IS NULL OR e.customer_id = $3)
    AND ($4::text IS NULL OR e.ticket_id = $4)
    AND ($5::timestamptz IS NULL OR e.opened_at >= $5) AND ($6::timestamptz IS NULL OR e.opened_at < $6)
    AND ($7::uuid IS NULL OR h.escalation_id < $7)
    AND ($9::integer IS NULL OR e.level = $9)
ORDER BY h.escalation_id DESC LIMIT $8::integer

-- name: stood(ids, at, lowest, highest, state, level, owner, overdue, count)
-- Of some that were live, those that stood so, newest first.
SELECT wanted.id FROM (SELECT id FROM unnest($1::uuid[]) AS id ORDER BY id DESC) AS wanted,
    LATERAL (SELECT h.state, h.level, h.owner FROM history h
             WHERE h.escalation_id = wanted.id AND h.escalation_id >= $3::uuid AND h.escalation_id <= $4::uuid
                 AND h.at <= $2::timestamptz ORDER BY h.version DESC LIMIT 1) AS stood
WHERE ($5::text IS NULL OR stood.state = $5) AND ($6::integer IS NULL OR stood.level = $6)
    AND ($7::text IS NULL OR stood.owner = $7)
    AND ($8::boolean IS NULL OR $8 = EXISTS (
        SELECT FROM (VALUES ('engage_by'), ('respond_by'), ('next_update_by')) AS clock(name),
            LATERAL (SELECT (h.changed ->> clock.name)::timestamptz AS due FROM history h
                     WHERE h.escalation_id = wanted.id AND h.escalation_id >= $3 AND h.escalation_id <= $4
                         AND h.at <= $2 AND h.changed -> clock.name IS NOT NULL
                     ORDER BY h.version DESC LIMIT 1) AS newest
        WHERE newest.due < $2))
ORDER BY wanted.id DESC LIMIT $9::integer

-- name: changes(ids, at, lowest, highest)
-- All that the rows of these set, oldest first, and of the last one what stands with every row.
SELECT rows.* FROM unnest($1::uuid[]) AS wanted(id),
    LATERAL (SELECT '[' || string_agg(h.changed::text, ',' ORDER BY h.version) || ']' AS changed,
                 max(h.version) AS version, max(h.at) AS at, (array_agg(h.hash ORDER BY h.version DESC))[1] AS head
             FROM history h WHERE h.escalation_id = wanted.id AND h.escalation_id >= $3::uuid
                 AND h.escalation_id <= $4::uuid AND h.at <= $2::timestamptz HAVING count(*) > 0) AS rows
ORDER BY wanted.id DESC

-- name: said(ids)
SELECT id::text AS id, text::text AS text FROM said WHERE id = ANY ($1::uuid[])
