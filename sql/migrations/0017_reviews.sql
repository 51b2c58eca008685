-- The weekly review: what people write into it, and windows of time over tickets and closes.

-- What was closed since, and opened before: read from the index alone.
DROP INDEX closed_lately;
CREATE INDEX closed_lately ON escalation (closed_at, opened_at) WHERE closed_at IS NOT NULL;
CREATE INDEX ON ticket (opened_at);

CREATE TABLE review (
    week      text PRIMARY KEY CONSTRAINT week_is_iso CHECK (week ~ '^\d{4}-W(0[1-9]|[1-4]\d|5[0-3])$'),
    signed_by text,
    signed_at timestamptz,
    CONSTRAINT who_signs_says_when CHECK ((signed_by IS NULL) = (signed_at IS NULL))
);
COMMENT ON TABLE review IS 'The review of an ISO week in UTC, from the first thing that was written into it; signed when it is done.
What it tells of escalations is read from them each time.';

CREATE TABLE review_mark (
    week          text NOT NULL REFERENCES review,
    escalation_id uuid NOT NULL REFERENCES escalation,
    by            text NOT NULL,
    at            timestamptz NOT NULL DEFAULT service_now(),
    PRIMARY KEY (week, escalation_id)
);
COMMENT ON TABLE review_mark IS 'This escalation was reviewed in that week''s review.';

CREATE TABLE review_note (
    id   uuid PRIMARY KEY,
    week text NOT NULL REFERENCES review,
    text text NOT NULL CONSTRAINT a_note_says_something CHECK (text ~ '\S'),
    by   text NOT NULL,
    at   timestamptz NOT NULL DEFAULT service_now(),
    place integer GENERATED ALWAYS AS IDENTITY
);
CREATE INDEX ON review_note (week, place);
COMMENT ON COLUMN review_note.place IS 'In which order they were written: two may be of one instant.';

CREATE TABLE review_action (
    id      uuid PRIMARY KEY,
    week    text NOT NULL REFERENCES review,
    text    text NOT NULL CONSTRAINT an_action_says_something CHECK (text ~ '\S'),
    owner   text NOT NULL REFERENCES person,
    due     date,
    by      text NOT NULL,
    at      timestamptz NOT NULL DEFAULT service_now(),
    place   integer GENERATED ALWAYS AS IDENTITY,
    done_by text,
    done_at timestamptz,
    CONSTRAINT who_is_done_says_when CHECK ((done_by IS NULL) = (done_at IS NULL))
);
CREATE INDEX ON review_action (week, place);
CREATE INDEX ON review_action (week) WHERE done_at IS NULL;
COMMENT ON TABLE review_action IS 'What a review wants done, and by whom. That it was done may be told after the review was signed: it changes
nothing of what was reviewed.';

CREATE FUNCTION a_signed_review_is_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Locked, so that nothing is written beside a sign-off that is about to commit.
    PERFORM FROM review r WHERE r.week = new.week AND r.signed_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a_signed_review_is_closed: % was signed', new.week
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'a_signed_review_is_closed', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER a_signed_review_is_closed BEFORE INSERT ON review_mark
    FOR EACH ROW EXECUTE FUNCTION a_signed_review_is_closed();
CREATE TRIGGER a_signed_review_is_closed BEFORE INSERT ON review_note
    FOR EACH ROW EXECUTE FUNCTION a_signed_review_is_closed();
CREATE TRIGGER a_signed_review_is_closed BEFORE INSERT ON review_action
    FOR EACH ROW EXECUTE FUNCTION a_signed_review_is_closed();
CREATE FUNCTION a_signature_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a_signature_stays: % was signed by %', old.week, old.signed_by
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'a_signature_stays', TABLE = 'review';
END $$;
CREATE TRIGGER a_signature_stays BEFORE UPDATE ON review
    FOR EACH ROW WHEN (old.signed_at IS NOT NULL) EXECUTE FUNCTION a_signature_stays();

GRANT INSERT ON review, review_mark, review_note, review_action TO escalation_service;
GRANT UPDATE (signed_by, signed_at) ON review TO escalation_service;
GRANT UPDATE (done_by, done_at) ON review_action TO escalation_service;
