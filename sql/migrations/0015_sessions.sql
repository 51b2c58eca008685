-- The console: who is signed in, and a board that finds what was closed today.

CREATE TABLE session (
    digest   text PRIMARY KEY CONSTRAINT digest_is_sha256 CHECK (length(digest) = 64),
    key_id   text NOT NULL REFERENCES api_key,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    until    timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT a_session_ends CHECK (until > began_at)
);
CREATE INDEX ON session (until);
COMMENT ON TABLE session IS 'Browsers signed in to the console, each by an API key: what the key may not, neither may its sessions, and they
end with it. By the real clock, whatever the virtual one says.';
COMMENT ON COLUMN session.digest IS 'SHA-256 of a 256-bit secret, in hex: the cookie itself is kept nowhere.';
CREATE INDEX closed_lately ON escalation (closed_at) WHERE closed_at IS NOT NULL;
GRANT INSERT, UPDATE, DELETE ON session TO escalation_service;
