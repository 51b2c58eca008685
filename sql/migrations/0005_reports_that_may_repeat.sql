-- What customers reported, by what makes two reports one issue: for the situation `repeated_contact`.

CREATE TABLE reported (
    id          uuid PRIMARY KEY,
    ticket_id   text NOT NULL REFERENCES ticket,
    customer_id text NOT NULL,
    at          timestamptz NOT NULL,
    sender      text,
    issue_key   text,
    print       text,
    words       integer[] NOT NULL,
    counted     boolean NOT NULL DEFAULT false
);
CREATE INDEX may_repeat ON reported (customer_id, at) WHERE NOT counted AND sender IS NULL;
CREATE INDEX may_repeat_ticket ON reported (ticket_id, at) WHERE NOT counted;
CREATE INDEX may_repeat_key ON reported (customer_id, issue_key, at) WHERE NOT counted AND issue_key IS NOT NULL;
CREATE INDEX may_repeat_print ON reported (customer_id, print, at) WHERE NOT counted AND sender IS NULL AND print IS NOT NULL;
COMMENT ON TABLE reported IS 'Reports that may be one issue''s: tickets as they were opened (no sender), and contacts of verified senders.
print and words are hashes of what was written; erasing a customer deletes here too. counted: a repetition was made of it.';

GRANT INSERT, UPDATE ON reported TO escalation_service;
