-- Sessions that an identity provider begins: without a key, by whom it names.

ALTER TABLE session
    ALTER COLUMN key_id DROP NOT NULL,
    ADD COLUMN who text,
    ADD COLUMN attempt text,
    ADD CONSTRAINT an_attempt_begins_one_session UNIQUE (attempt),
    ADD CONSTRAINT begun_by_a_key_or_by_an_attempt CHECK (num_nonnulls(key_id, who) = 1 AND (who IS NULL) = (attempt IS NULL));
COMMENT ON TABLE session IS 'Browsers signed in to the console, each by an API key or as whom an identity provider named: what those may not,
neither may their sessions, and they end with them. By the real clock, whatever the virtual one says.';
COMMENT ON COLUMN session.who IS 'The id of a person or principal, where there is no key.';
COMMENT ON COLUMN session.attempt IS 'SHA-256 of the state with which the identity provider led back, which can''t be used again.';
