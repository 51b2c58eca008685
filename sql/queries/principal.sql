-- Principals and their keys.

-- name: of_key(key, until)
-- Whose key it is, as they stand now; or, without a key, whom a signed request or an identity provider names.
SELECT k.digest, p.id, p.role, least(p.level, coalesce(h.level, p.level)) AS level
FROM api_key k JOIN principal p ON p.id = k.principal_id LEFT JOIN person h ON h.id = p.id
WHERE k.id = $1 AND k.revoked_at IS NULL AND p.active AND coalesce(h.active, true)
UNION ALL
SELECT '', n.id, coalesce(p.role, 'agent'), least(p.level, h.level)
FROM (SELECT substr($1, 8) AS id WHERE $1 LIKE 'person:%') AS n
    LEFT JOIN principal p ON p.id = n.id LEFT JOIN person h ON h.id = n.id
WHERE (p.id IS NOT NULL OR h.id IS NOT NULL) AND coalesce(p.active, true) AND coalesce(h.active, true)
    AND ($2::timestamptz IS NULL OR clock_timestamp() < $2)

-- name: by_email(email)
-- The ids of those on the roster who have this address: two at most.
SELECT ARRAY(SELECT id FROM person WHERE lower(btrim(email)) = lower(btrim($1)) AND active ORDER BY id LIMIT 2)

-- name: create(name, role, level, may, key, digest)
WITH made AS (
    INSERT INTO principal (id, role, level, may) VALUES ($1, $2, $3::smallint, $4)
    ON CONFLICT (id) DO UPDATE SET role = excluded.role, level = excluded.level, may = excluded.may, active = true
    RETURNING id
)
INSERT INTO api_key (id, principal_id, digest) SELECT $5, id, $6 FROM made
