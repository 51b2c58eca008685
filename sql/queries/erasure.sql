-- Erasing a customer: which tickets it concerns, the functions that do it a few tickets at a time, and what was done.

-- name: patience(milliseconds)
-- For this transaction: looking through everything takes as long as it takes, and holds nobody up.
SELECT set_config('statement_timeout', $1::text, true)

-- name: live(customer_id, count)
SELECT id::text AS id FROM escalation WHERE customer_id = $1 AND closed_at IS NULL ORDER BY id LIMIT $2::integer

-- name: concerned(customer_id)
-- Every ticket on which something is or was theirs; a ticket may have become another customer's.
SELECT id FROM (
    SELECT t.id FROM ticket t WHERE t.customer_id = $1
    UNION SELECT h.ticket_id FROM history h WHERE h.customer_id = $1
    UNION SELECT e.ticket_id FROM escalation e WHERE e.customer_id = $1
    UNION SELECT c.ticket_id FROM contact c WHERE c.customer_id = $1
    UNION SELECT e.ticket_id FROM ticket_event e WHERE e.facts ->> 'customer_id' = $1
) AS found ORDER BY id

-- name: tickets(erasure_id, customer_id, tickets, by, request_id)
SELECT erase_tickets($1::uuid, $2, $3::text[], $4, $5)

-- name: rest(erasure_id, customer_id, by, request_id)
SELECT erase_customer($1::uuid, $2, $3, $4)

-- name: by_id(id)
SELECT row_to_json(x)::text AS row FROM erasure x WHERE x.id = $1::uuid

-- name: page(customer_id, before_at, before_id, count)
-- Newest first.
SELECT row_to_json(x)::text AS row FROM erasure x
WHERE ($1::text IS NULL OR x.customer_id = $1)
    AND ($2::timestamptz IS NULL OR (x.begun_at, x.id) < ($2, $3::uuid))
ORDER BY x.begun_at DESC, x.id DESC LIMIT $4::integer

-- name: done()
-- How many erasures are done: when it changes, nothing that was read before may be told again.
SELECT count(at) FROM erasure
