-- How far the auditor is.

CREATE TABLE audit (
    only_row     boolean PRIMARY KEY DEFAULT true CONSTRAINT there_is_one_audit CHECK (only_row),
    part         text NOT NULL,
    after        text NOT NULL,
    found        integer NOT NULL,
    found_before integer NOT NULL,
    rounds       bigint NOT NULL,
    looked_at    timestamptz NOT NULL,
    round_at     timestamptz
);
COMMENT ON TABLE audit IS 'How far the auditor is, which checks everything slice by slice, whichever node it runs on; found counts this round''s
findings, found_before those of the last whole one. By the real clock. Without its row it begins anew.';
GRANT INSERT, UPDATE ON audit TO escalation_service;
