-- Mail that came in: which ticket it is about, and what became no contact.

-- name: addressed(names, escalations, versions, ordinals, sender)
-- The ticket that a mail names, first in its subject, else as the answer to a message of ours, and whether its sender
-- may speak for that ticket's customer.
SELECT t.id, coalesce($5::text = ANY (c.contacts), false) AS verified
FROM (
    SELECT id, n FROM unnest($1::text[]) WITH ORDINALITY AS named(id, n)
    UNION ALL
    SELECT o.ticket_id, cardinality($1) + mine.n
    FROM unnest($2::uuid[], $3::integer[], $4::integer[]) WITH ORDINALITY AS mine(id, version, ordinal, n)
    JOIN outbox o ON o.escalation_id = mine.id AND o.version = mine.version AND o.ordinal = mine.ordinal
) AS named JOIN ticket t ON t.id = named.id JOIN customer c ON c.id = t.customer_id
WHERE t.revision > 0 ORDER BY named.n LIMIT 1

-- name: keep(id, why, ticket_id, message_id, sender, subject, body, automatic, by, casefolded)
-- It is the customer's whose ticket it names, else theirs whose contact alone its sender is.
INSERT INTO kept_mail (id, why, ticket_id, message_id, sender, subject, body, automatic, by, customer_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce(
    (SELECT t.customer_id FROM ticket t WHERE t.id = $3),
    (SELECT min(c.id) FROM customer c WHERE c.contacts @> ARRAY[$10::text] HAVING count(*) = 1)))
ON CONFLICT (id) DO NOTHING

-- name: page(why, ticket_id, before_at, before_id, count)
-- Newest first: what was kept, and contacts whose word only looks like the one that asks for an escalation.
WITH kept AS (
    SELECT id, received_at, why, ticket_id, NULL::uuid AS contact_id, message_id, sender, subject, body, automatic, by
    FROM kept_mail
    WHERE ($1::text IS NULL OR why = $1) AND ($2::text IS NULL OR ticket_id = $2)
        AND ($3::timestamptz IS NULL OR (received_at, id) < ($3, $4::uuid))
    ORDER BY received_at DESC, id DESC LIMIT $5::integer
), look_alikes AS (
    SELECT c.id, c.received_at, 'look_alike', c.ticket_id, c.id, NULL, c.sender,
        coalesce(s.text ->> 'subject', ''), coalesce(s.text ->> 'body', ''), NULL, c.by
    FROM contact c LEFT JOIN said s ON s.id = c.said
    WHERE c.word ->> 'look_alike' = 'true' AND ($1 IS NULL OR $1 = 'look_alike') AND ($2 IS NULL OR c.ticket_id = $2)
        AND ($3 IS NULL OR (c.received_at, c.id) < ($3, $4::uuid))
    ORDER BY c.received_at DESC, c.id DESC LIMIT $5::integer
)
SELECT row_to_json(found)::text AS row FROM (SELECT * FROM kept UNION ALL SELECT * FROM look_alikes) AS found
ORDER BY received_at DESC, id DESC LIMIT $5
