-- Principals and their keys.

-- name: of_key(key)
SELECT k.digest, p.id, p.role, least(p.level, coalesce(h.level, p.level)) AS level
FROM api_key k JOIN principal p ON p.id = k.principal_id LEFT JOIN person h ON h.id = p.id
WHERE k.id = $1 AND k.revoked_at IS NULL AND p.active AND coalesce(h.active, true)

-- name: create(name, role, level, may, key, digest)
WITH made AS (
    INSERT INTO principal (id, role, level, may) VALUES ($1, $2, $3::smallint, $4)
    ON CONFLICT (id) DO UPDATE SET role = excluded.role, level = excluded.level, may = excluded.may, active = true
    RETURNING id
)
INSERT INTO api_key (id, principal_id, digest) SELECT $5, id, $6 FROM made
