-- Tickets and what was said on them.

-- name: by_id(id)
-- A ticket that was reported, every situation of its escalations that stands, and the escalation that is not closed.
SELECT row_to_json(t)::text AS ticket,
    (SELECT coalesce(json_agg(s.value ORDER BY s.value ->> 'at'), '[]')
     FROM escalation e, json_array_elements(e.situations) AS s WHERE e.ticket_id = t.id)::text AS situations,
    row_to_json(e)::text AS escalation,
    (SELECT json_object_agg(s.id, s.text) FROM json_each(e.steps) AS step
     JOIN said s ON s.id = (step.value ->> 'said')::uuid)::text AS texts
FROM ticket t LEFT JOIN escalation e ON e.ticket_id = t.id AND e.closed_at IS NULL
WHERE t.id = $1 AND t.revision > 0

-- name: clocks(id)
-- A reported ticket, the policy that its SLA clocks go by, and the instant that is now.
SELECT row_to_json(t)::text AS ticket, p.version, p.document::text AS document, service_now() AS now
FROM ticket t LEFT JOIN escalation e ON e.ticket_id = t.id AND e.closed_at IS NULL
    JOIN policy p ON p.version = coalesce(e.policy_version, (SELECT max(version) FROM policy))
WHERE t.id = $1 AND t.revision > 0

-- name: is_known(id)
SELECT true FROM ticket WHERE id = $1 AND revision > 0

-- name: contacts(ticket_id, after, count)
-- In the order in which they were reported; what was said is gone after an erasure.
SELECT (to_jsonb(c) || jsonb_build_object('text', s.text))::text AS row
FROM contact c LEFT JOIN said s ON s.id = c.said
WHERE c.ticket_id = $1 AND c.revision > $2::integer ORDER BY c.revision LIMIT $3::integer
