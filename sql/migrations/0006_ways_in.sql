-- Ways in: mail that became no contact is kept, and a contact tells which word in it asks for an escalation.

ALTER TABLE contact ADD COLUMN word json;
COMMENT ON COLUMN contact.word IS 'What in a reply''s subject asks for an escalation, or only looks like it, and where it stands.';
CREATE INDEX ON contact (received_at, id) WHERE word ->> 'look_alike' = 'true';

CREATE INDEX ON customer USING gin (contacts);

CREATE TABLE kept_mail (
    id          uuid PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT service_now(),
    why         text NOT NULL CONSTRAINT reason_is_known CHECK (why IN ('no_ticket', 'stranger')),
    ticket_id   text,
    message_id  text,
    sender      text,
    subject     text NOT NULL,
    body        text NOT NULL,
    automatic   text CONSTRAINT automatic_is_known CHECK (automatic IN ('bounce', 'auto_reply')),
    by          text NOT NULL,
    CONSTRAINT a_stranger_wrote_on_a_ticket CHECK (why <> 'stranger' OR ticket_id IS NOT NULL)
);
CREATE INDEX ON kept_mail (received_at, id);
CREATE INDEX ON kept_mail (ticket_id, received_at) WHERE ticket_id IS NOT NULL;
COMMENT ON TABLE kept_mail IS 'Mail that names no ticket of ours, or comes from nobody whom its customer has named: for a person to look at.
Its id follows from the message, so that the same one delivered again is kept once.';
GRANT INSERT ON kept_mail TO escalation_service;
