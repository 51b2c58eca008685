-- What a door needs to know of somebody in Slack, and of what they name. Nothing is decided by it.

-- name: caller(user)
-- Now, and who on the roster has this Slack id: there should be one.
SELECT service_now() AS now, ARRAY(SELECT id FROM person WHERE slack = $1 AND active ORDER BY id LIMIT 2) AS people

-- name: meant(ticket_id, escalation_id)
-- The escalation of that id, else the ticket's that is not closed, else its newest.
SELECT row_to_json(e)::text AS row FROM escalation e
WHERE e.ticket_id = $1 OR e.id = $2::uuid
ORDER BY e.id = $2 DESC NULLS LAST, e.closed_at IS NULL DESC, e.id DESC LIMIT 1

-- name: offered(escalation_id, version)
-- The handoff as it stood at that version.
SELECT (h.changed -> 'handoff')::text AS handoff FROM history h
WHERE h.escalation_id = $1::uuid AND h.version <= $2 AND h.changed -> 'handoff' IS NOT NULL
ORDER BY h.version DESC LIMIT 1

-- name: pages(rows, person)
-- The escalations that these pages to this person were about, and the handoff as it stood when each was planned.
SELECT DISTINCT ON (e.id) row_to_json(e)::text AS row, o.version,
    (SELECT (h.changed -> 'handoff')::text FROM history h
     WHERE h.escalation_id = o.escalation_id AND h.version <= o.version AND h.changed -> 'handoff' IS NOT NULL
     ORDER BY h.version DESC LIMIT 1) AS offered
FROM outbox o JOIN escalation e ON e.id = o.escalation_id
WHERE o.id = ANY ($1::bigint[]) AND o.audience = 'person' AND o.recipient = $2::text
    AND o.template IN ('handoff_offered', 'paged_again')
ORDER BY e.id, o.id DESC
