-- What a help desk's payload is about.

-- name: known(ticket_id, customers, requester)
-- The ticket as known, and which customer of ours is meant: one of these ids, else the only one with this contact.
SELECT service_now() AS now,
    (SELECT row_to_json(t)::text FROM ticket t WHERE t.id = $1 AND t.revision > 0) AS ticket,
    coalesce(
        (SELECT c.id FROM unnest($2::text[]) WITH ORDINALITY AS told(id, n) JOIN customer c ON c.id = told.id
         ORDER BY told.n LIMIT 1),
        (SELECT min(c.id) FROM customer c WHERE c.contacts @> ARRAY[$3::text] HAVING count(*) = 1)) AS customer_id
