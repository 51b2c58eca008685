-- Two nodes that make the same month at once: the second finds it made, where it failed.

CREATE OR REPLACE FUNCTION make_history_partitions(since timestamptz, months integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    month timestamptz := date_trunc('month', since, 'UTC');
    made  integer := 0;
    name  text;
BEGIN
    FOR i IN 1..months LOOP
        name := 'history_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
        IF to_regclass(name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE TABLE %I PARTITION OF history FOR VALUES FROM (%L) TO (%L)', name,
                               first_id_of(month), first_id_of(month + interval '1 month'));
                EXECUTE format('CREATE TRIGGER history_is_not_truncated BEFORE TRUNCATE ON %I
                                FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only()', name);
                made := made + 1;
            EXCEPTION
                WHEN check_violation THEN NULL;  -- history_rest has rows of that month, and keeps it
                WHEN duplicate_table THEN NULL;  -- another node has just made it
            END;
        END IF;
        month := month + interval '1 month';
    END LOOP;
    RETURN made;
END $$;
