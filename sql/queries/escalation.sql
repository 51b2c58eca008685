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

-- name: as_of(id, until)
-- The history of one escalation up to an instant, that instant included, and what was said in its steps.
SELECT (to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source))::text AS row,
    (SELECT jsonb_build_object(s.id::text, s.text) FROM said s WHERE s.id = h.said AND m.trigger = 'complete_step')::text
        AS texts
FROM history h JOIN allowed_move m ON m.id = h.move
WHERE h.escalation_id = $1::uuid AND h.at <= $2::timestamptz ORDER BY h.version

-- name: page_as_of(state, level, tier, owner, customer_id, ticket_id, overdue, since, until, before, count, live, as_of)
-- The same page as it was answered at an instant, that instant included: which escalations its history up to then tells
-- of, and the rows to fold. Whoever asks for a live one is spared those that were closed by then.
WITH found AS (
    SELECT e.id FROM escalation e,
        LATERAL (SELECT h.state, h.level, h.owner FROM history h
                 WHERE h.escalation_id = e.id AND h.at <= $13::timestamptz ORDER BY h.version DESC LIMIT 1) AS stood
    WHERE e.opened_at <= $13 AND e.id < first_id_of($13 + interval '1 ms') -- ids are of the instant of opening
        AND ($1::text IS NULL OR stood.state = $1)
        AND ($12::boolean IS NULL OR $12 = (stood.state <> 'closed'))
        AND ((($1 IS NULL OR $1 = 'closed') AND $12 IS NOT TRUE) OR e.closed_at IS NULL OR e.closed_at > $13)
        AND ($2::integer IS NULL OR stood.level = $2)
        AND ($3::text IS NULL OR e.tier = $3)
        AND ($4::text IS NULL OR stood.owner = $4)
        AND ($5::text IS NULL OR e.customer_id = $5)
        AND ($6::text IS NULL OR e.ticket_id = $6)
        AND ($7::boolean IS NULL OR $7 = (stood.state <> 'closed' AND EXISTS (
            SELECT FROM unnest(ARRAY['engage_by', 'respond_by', 'next_update_by']) AS clock,
                LATERAL (SELECT (h.changed ->> clock)::timestamptz AS due FROM history h
                         WHERE h.escalation_id = e.id AND h.at <= $13 AND h.changed::jsonb ? clock
                         ORDER BY h.version DESC LIMIT 1) AS newest
            WHERE newest.due < $13)))
        AND ($8::timestamptz IS NULL OR e.opened_at >= $8)
        AND ($9::timestamptz IS NULL OR e.opened_at < $9)
        AND ($10::uuid IS NULL OR e.id < $10)
    ORDER BY e.id DESC LIMIT $11::integer
)
SELECT (SELECT json_agg(to_jsonb(h) || jsonb_build_object('trigger', m.trigger, 'source', m.source) ORDER BY h.version)
        FROM history h JOIN allowed_move m ON m.id = h.move
        WHERE h.escalation_id = found.id AND h.at <= $13)::text AS rows,
    (SELECT json_object_agg(s.id, s.text) FROM history h JOIN allowed_move m ON m.id = h.move
     JOIN said s ON s.id = h.said
     WHERE h.escalation_id = found.id AND h.at <= $13 AND m.trigger = 'complete_step')::text AS texts
FROM found ORDER BY found.id DESC
