-- Published policies.

-- name: of_versions(versions)
SELECT version, document::text AS document FROM policy WHERE version = ANY ($1::integer[])

-- name: all()
SELECT version, document::text AS document, published_at, published_by FROM policy ORDER BY version DESC

-- name: page(before, count)
SELECT version, document::text AS document, published_at, published_by FROM policy
WHERE ($1::integer IS NULL OR version < $1) ORDER BY version DESC LIMIT $2::integer

-- name: one(version)
SELECT version, document::text AS document, published_at, published_by FROM policy WHERE version = $1::integer

-- name: newest()
SELECT version, document::text AS document, published_at, published_by FROM policy ORDER BY version DESC LIMIT 1

-- name: versions(count)
-- The newest ones, and how many escalations that are not closed go by each.
SELECT p.version, p.published_at, p.published_by,
    (SELECT count(*) FROM escalation e WHERE e.policy_version = p.version AND e.closed_at IS NULL) AS live
FROM policy p ORDER BY p.version DESC LIMIT $1::integer

-- name: publish(document, by)
-- The next version, and that what waits must be armed by it.
WITH published AS (
    INSERT INTO policy (version, document, published_at, published_by)
    SELECT coalesce(max(version), 0) + 1, $1::text::jsonb, service_now(), $2::text FROM policy
    RETURNING version
), asked AS (
    INSERT INTO rearming (version) SELECT version FROM published
)
SELECT version FROM published

-- name: rearming()
-- The newest one by which what waits is still to be armed. A batch that was being decided as it was published went by
-- the one before: so all are looked at once more when that must be over.
SELECT version, after FROM rearming
WHERE done_at IS NULL AND (passes = 0 OR asked_at < clock_timestamp() - interval '10 s') ORDER BY version DESC LIMIT 1

-- name: waiting(after, count)
-- Tickets on which something may wait by the newest policy: not solved (but merged perhaps), and without an escalation.
SELECT t.id FROM ticket t WHERE t.id > $1::text AND t.reported > 0
    AND (t.status NOT IN ('solved', 'closed') OR (t.merged_into IS NOT NULL AND t.solved_since IS NULL))
    AND NOT EXISTS (SELECT FROM escalation e WHERE e.ticket_id = t.id AND e.closed_at IS NULL)
ORDER BY t.id LIMIT $2::integer

-- name: rearmed(version, last)
-- Up to there; NULL: all of them. Those of older versions are done with it.
UPDATE rearming SET after = CASE WHEN $2::text IS NULL THEN '' WHEN version = $1 THEN greatest(after, $2) ELSE after END,
    passes = passes + CASE WHEN $2::text IS NULL THEN 1 ELSE 0 END,
    done_at = CASE WHEN $2::text IS NULL AND (passes > 0 OR version < $1) THEN clock_timestamp() END
WHERE version <= $1::integer AND done_at IS NULL

-- name: to_move(version, after, count)
-- Running escalations under another version than this one, oldest first.
SELECT e.id::text AS id, e.ticket_id, e.version FROM escalation e
WHERE e.closed_at IS NULL AND e.policy_version <> $1::integer AND ($2::uuid IS NULL OR e.id > $2)
ORDER BY e.id LIMIT $3::integer

-- name: running(ids)
-- Those of these that are not closed.
SELECT e.id::text AS id, e.ticket_id FROM escalation e WHERE e.id = ANY ($1::uuid[]) AND e.closed_at IS NULL
