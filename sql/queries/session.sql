-- Sessions of the console: browsers that are signed in by a key, or by an identity provider.

-- name: begin(digest, key, lasts)
INSERT INTO session (digest, key_id, until) VALUES ($1, $2, clock_timestamp() + $3::interval)

-- name: begin_as(digest, who, attempt, lasts)
-- By an identity provider, which said who it is. An attempt begins one session: nothing is written for a second.
INSERT INTO session (digest, who, attempt, until) VALUES ($1, $2, $3, clock_timestamp() + $4::interval)
ON CONFLICT (attempt) DO NOTHING

-- name: of_digest(digest)
-- By what it was begun, for as long as it lasts; whether that key or person is still good is asked like any key's.
SELECT coalesce(k.id, 'person:' || s.who) AS key, coalesce(k.digest, '') AS digest
FROM session s LEFT JOIN api_key k ON k.id = s.key_id
WHERE s.digest = $1 AND s.ended_at IS NULL AND s.until > clock_timestamp()

-- name: end(digest)
UPDATE session SET ended_at = clock_timestamp() WHERE digest = $1 AND ended_at IS NULL
