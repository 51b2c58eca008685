-- The outbox gets its senders: which target each row is for, who is sending it just now, and what came of it.

DROP INDEX waiting;
ALTER TABLE outbox
    ADD COLUMN target text,
    ADD COLUMN leased_until timestamptz,
    ADD COLUMN first_tried_at timestamptz,
    ADD COLUMN delivered_at timestamptz,
    ADD COLUMN error text,
    ADD COLUMN passed text[] NOT NULL DEFAULT '{}',
    ADD COLUMN receipt text;
-- There was no channel, so the console's inbox was; nobody is called for what was planned long ago.
UPDATE outbox SET status = 'delivered', target = 'inbox', delivered_at = planned_at WHERE status = 'planned';
ALTER TABLE outbox ADD CONSTRAINT delivered_somewhere
    CHECK (status <> 'delivered' OR (target IS NOT NULL AND delivered_at IS NOT NULL));
CREATE INDEX unrouted ON outbox (id) WHERE status = 'planned' AND target IS NULL;
CREATE INDEX due ON outbox (target, next_try_at, id) WHERE status = 'planned' AND target IS NOT NULL;
COMMENT ON TABLE outbox IS 'Planned messages, one row each, whatever becomes of it. A row is routed to a target (a channel of this
installation), leased for a moment by the node that sends it, and delivered, tried again or parked.';
COMMENT ON COLUMN outbox.leased_until IS 'By the real clock, and renewed while sending: a dead node''s rows are free when it has passed.';
COMMENT ON COLUMN outbox.passed IS 'Targets that refused a page: it is sent over another one.';
COMMENT ON COLUMN outbox.receipt IS 'What the receiver calls the message, where it names it: a Slack timestamp begins a thread.';
GRANT UPDATE (target, leased_until, first_tried_at, delivered_at, error, passed, receipt) ON outbox TO escalation_service;

ALTER TABLE customer ADD COLUMN language text;
COMMENT ON COLUMN customer.language IS 'In which they are written to; the policy''s where it is not known.';

CREATE TABLE signing_key (
    id     integer PRIMARY KEY,
    secret text NOT NULL
);
INSERT INTO signing_key VALUES (1, gen_random_uuid()::text || gen_random_uuid()::text);
COMMENT ON TABLE signing_key IS 'What links to customers are signed with; each installation draws its own.';
