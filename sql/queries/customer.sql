-- Customers: whose tickets they are.

-- name: by_id(id)
SELECT row_to_json(c)::text AS row FROM customer c WHERE c.id = $1

-- name: page(tier, after, count)
SELECT row_to_json(c)::text AS row FROM customer c
WHERE ($1::text IS NULL OR c.tier = $1) AND ($2::text IS NULL OR c.id > $2) ORDER BY c.id LIMIT $3::integer

-- name: put(id, name, tier, account_manager, contacts, language)
INSERT INTO customer AS c (id, name, tier, account_manager, contacts, language) VALUES ($1, $2, $3, $4, $5::text[], $6)
ON CONFLICT (id) DO UPDATE SET (name, tier, account_manager, contacts, language) =
    (excluded.name, excluded.tier, excluded.account_manager, excluded.contacts, excluded.language)
RETURNING row_to_json(c)::text AS row

-- name: rearmed(id)
-- This customer's tickets, not solved (but merged perhaps), on which something waits that goes by their tier: a P1, or
-- clocks that went by another one until now.
SELECT t.id FROM ticket t JOIN customer c ON c.id = t.customer_id
WHERE t.customer_id = $1
  AND (t.status NOT IN ('solved', 'closed') OR (t.merged_into IS NOT NULL AND t.solved_since IS NULL))
  AND (t.p1_since IS NOT NULL OR t.phases -> -1 ->> 'tier' <> c.tier) ORDER BY t.id
