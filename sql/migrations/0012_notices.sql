-- The chain is notified when each of its messages has had its first try: until then the row says which those are.

ALTER TABLE escalation ADD COLUMN notifying integer,
    ADD CONSTRAINT only_an_ending_notifies CHECK (notifying IS NULL OR state = 'de_escalating');
CREATE INDEX notifying ON escalation (id) WHERE notifying IS NOT NULL;
COMMENT ON COLUMN escalation.notifying IS 'The version whose messages to the chain wait for their first try; then notify_chain is done.';

-- Pages to one person for one issue are told together.

ALTER TABLE outbox ADD COLUMN together text, ADD COLUMN told_in bigint;
CREATE INDEX told_together ON outbox (target, recipient, together, id) WHERE together IS NOT NULL;
COMMENT ON COLUMN outbox.together IS 'The issue of a page to a person that may be told together with others of it.';
COMMENT ON COLUMN outbox.told_in IS 'Of a page so told: the row that was the first of its message.';
GRANT UPDATE (together, told_in) ON outbox TO escalation_service;

-- Rotas: duty by the week, and calendars that people keep elsewhere.

CREATE TABLE rota (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    time_zone  text NOT NULL,
    shifts     jsonb NOT NULL,
    feed       jsonb,
    body       text,
    fetched_at timestamptz,
    fetch_at   timestamptz NOT NULL DEFAULT '-infinity',
    error      text,
    unknown    text[] NOT NULL DEFAULT '{}',
    expand_by  timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE rota IS 'Who is on duty by the week, or by a calendar kept elsewhere. What it says is written out as windows.';
COMMENT ON COLUMN rota.body IS 'The last good calendar: it stays while there is no better one.';
COMMENT ON COLUMN rota.fetch_at IS 'When the calendar is fetched next, by the real clock; expand_by is by service_now().';
COMMENT ON COLUMN rota.unknown IS 'Titles of events that are nobody''s.';

CREATE TABLE rota_window (
    rota   text NOT NULL REFERENCES rota,
    person text NOT NULL,
    "from" timestamptz NOT NULL,
    until  timestamptz NOT NULL,
    CONSTRAINT a_window_ends_after_it_begins CHECK ("from" < until)
);
CREATE INDEX ON rota_window (person, until);
CREATE INDEX ON rota_window (rota);
CREATE INDEX ON rota_window ("from");
CREATE INDEX ON rota_window (until);
COMMENT ON TABLE rota_window IS 'Spans in which somebody is on duty by a rota, besides their own: all that guards read of it.';
GRANT INSERT, DELETE ON rota_window TO escalation_service;
GRANT INSERT, UPDATE ON rota TO escalation_service;
