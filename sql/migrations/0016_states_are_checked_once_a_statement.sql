-- That a state has its history is checked once a statement: the foreign key looked for each row by itself, locked what
-- it found, and needed a second unique index on history.

ALTER TABLE escalation DROP CONSTRAINT a_state_has_its_history;
ALTER TABLE history DROP CONSTRAINT a_version_has_one_state;

CREATE FUNCTION a_state_has_its_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lost record;
BEGIN
    -- One by one through the key, never by a join: its plan stays good however large history becomes.
    SELECT a.id, a.version, a.state INTO lost FROM after a WHERE a.state IS DISTINCT FROM
        (SELECT h.state FROM history h WHERE h.escalation_id = a.id AND h.version = a.version) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a_state_has_its_history: escalation % is in state % by its version %, of which history has no such row',
            lost.id, lost.state, lost.version
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'a_state_has_its_history', TABLE = 'escalation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER a_new_state_has_its_history AFTER INSERT ON escalation
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION a_state_has_its_history();
CREATE TRIGGER a_state_has_its_history AFTER UPDATE ON escalation
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION a_state_has_its_history();
