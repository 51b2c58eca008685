-- What waits on tickets without an escalation goes by the newest policy: publishing one arms it anew, ticket by ticket,
-- and goes on where it was if the service dies meanwhile.

CREATE TABLE rearming (
    version  integer PRIMARY KEY REFERENCES policy,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    after    text NOT NULL DEFAULT '',
    passes   integer NOT NULL DEFAULT 0,
    done_at  timestamptz
);
COMMENT ON TABLE rearming IS 'A published policy, and up to which ticket what waits was armed by it; all are looked at twice.';
GRANT SELECT, INSERT, UPDATE ON rearming TO escalation_service;
