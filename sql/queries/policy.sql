-- Published policies.

-- name: of_versions(versions)
SELECT version, document::text AS document FROM policy WHERE version = ANY ($1::integer[])

-- name: all()
SELECT version, document::text AS document, published_at, published_by FROM policy ORDER BY version DESC

-- name: page(before, count)
SELECT version, document::text AS document, published_at, published_by FROM policy
WHERE ($1::integer IS NULL OR version < $1) ORDER BY version DESC LIMIT $2::integer
