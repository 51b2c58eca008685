-- SLA clocks: what they are read from is kept with the ticket, and each has a timer.

ALTER TABLE ticket
    ADD COLUMN phases json NOT NULL DEFAULT '[]',
    ADD COLUMN warned json NOT NULL DEFAULT '[]';

ALTER TABLE timer
    DROP CONSTRAINT kind_is_known,
    ADD CONSTRAINT kind_is_known CHECK (kind IN ('engage', 'respond', 'update', 'p1', 'first_response', 'resolution'));
