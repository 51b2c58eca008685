-- Bringing a database to the newest schema, and what this program adds to it.

-- name: try_lock(key)
SELECT pg_try_advisory_lock($1::bigint)

-- name: make_list()
CREATE TABLE IF NOT EXISTS schema_migration (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    checksum   text NOT NULL
)

-- name: list()
SELECT number, checksum FROM schema_migration

-- name: note(number, name, checksum)
INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)

-- name: add_moves(triggers, sources, dests)
-- Rows are only added: history refers to them, and an older program may still run beside this one.
INSERT INTO allowed_move (trigger, source, dest)
SELECT move.trigger, move.source, move.dest
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS move (trigger, source, dest, n)
ORDER BY n
ON CONFLICT DO NOTHING

-- name: add_first_policy(document)
INSERT INTO policy (version, document, published_by)
SELECT 1, $1::text::jsonb, 'escalation-matrix' WHERE NOT EXISTS (SELECT FROM policy)

-- name: make_partitions(months)
-- From last month on: an id is made before its row is written.
SELECT make_history_partitions(now() - interval '1 month', $1)

-- name: let_this_login_serve()
-- Where the login is no superuser, it must be let act as the service's role; another one than that
-- of migrations is granted it by hand.
DO $$ BEGIN
    IF NOT pg_has_role(current_user, 'escalation_service', 'MEMBER') THEN
        GRANT escalation_service TO CURRENT_USER;
    END IF;
END $$
