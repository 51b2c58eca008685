-- Answers kept under an Idempotency-Key, by doors that decide beside the engine; it keeps its own.

-- name: before(principal, key)
SELECT fingerprint, status, body FROM answered
WHERE principal_id = $1 AND key = $2 AND at > service_now() - interval '48 hours'

-- name: keep(principal, key, fingerprint, body, customer_id)
INSERT INTO answered AS a (principal_id, key, fingerprint, status, body, customer_id, at)
VALUES ($1, $2, $3, 200, $4, $5, service_now())
ON CONFLICT (principal_id, key) DO UPDATE SET (fingerprint, status, body, etag, customer_id, at) =
    (excluded.fingerprint, 200, excluded.body, NULL, excluded.customer_id, excluded.at)
