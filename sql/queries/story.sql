-- What stands around one escalation, for whoever reads its whole story; the rest comes from the queries of its nouns.

-- name: around(id)
-- Its ticket, its customer, and the names of all who ever had to do with it.
SELECT t.subject, c.name AS customer, service_now() AS now,
    (SELECT coalesce(json_object_agg(p.id, p.name), '{}') FROM person p WHERE p.id IN (
        SELECT unnest(e.chain)
        UNION SELECT h.actor FROM history h WHERE h.escalation_id = e.id
        UNION SELECT h.on_behalf_of FROM history h WHERE h.escalation_id = e.id
        UNION SELECT d.actor FROM denial d WHERE d.escalation_id = e.id))::text AS people
FROM escalation e JOIN ticket t ON t.id = e.ticket_id JOIN customer c ON c.id = e.customer_id
WHERE e.id = $1::uuid
