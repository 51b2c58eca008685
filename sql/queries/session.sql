-- Sessions of the console: browsers that are signed in by a key.

-- name: begin(digest, key, lasts)
INSERT INTO session (digest, key_id, until) VALUES ($1, $2, clock_timestamp() + $3::interval)

-- name: of_digest(digest)
-- The key by which it was begun, for as long as it lasts; whether that key is still good is asked like any key's.
SELECT k.id AS key, k.digest FROM session s JOIN api_key k ON k.id = s.key_id
WHERE s.digest = $1 AND s.ended_at IS NULL AND s.until > clock_timestamp()

-- name: end(digest)
UPDATE session SET ended_at = clock_timestamp() WHERE digest = $1 AND ended_at IS NULL
