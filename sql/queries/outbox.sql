-- The outbox as it is read: what transitions planned to send, and what became of it.

-- name: page(escalation_id, ticket_id, audience, recipient, template, status, after, count)
-- In the order in which they were planned; `after` is the last id of the page before.
SELECT row_to_json(o)::text AS row FROM outbox o
WHERE ($1::uuid IS NULL OR o.escalation_id = $1) AND ($2::text IS NULL OR o.ticket_id = $2)
    AND ($3::text IS NULL OR o.audience = $3) AND ($4::text IS NULL OR o.recipient = $4)
    AND ($5::text IS NULL OR o.template = $5) AND ($6::text IS NULL OR o.status = $6)
    AND ($7::bigint IS NULL OR o.id > $7)
ORDER BY o.id LIMIT $8::integer
