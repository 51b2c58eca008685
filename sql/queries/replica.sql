-- Whether a standby has all that its primary had.

-- name: flushed()
-- Asked of the primary: all that anybody was told to be done is before this. Where commits don't wait for the disk, what
-- was told may not be on it yet.
SELECT (CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn()
        ELSE pg_current_wal_flush_lsn() END)::text

-- name: caught_up(wanted)
-- Asked of the replica; NULL where it is no standby (any more).
SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() >= $1::text::pg_lsn END
