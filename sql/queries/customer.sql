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

-- name: p1s(id)
-- This customer's tickets that are a P1, or count as one, and are not solved.
SELECT id FROM ticket WHERE customer_id = $1 AND p1_since IS NOT NULL AND status NOT IN ('solved', 'closed') ORDER BY id
