-- Pages of history by two filters that rarely or never meet, and by windows of time.

-- Who decided how often: `clock` alone is two fifths of all rows, a large customer some hundred thousand. Two such filters
-- that never meet would be found out row by row. Each of these costs a transition some microseconds (an estimate),
-- in the newest month's partition, whose indexes are small and in memory.
CREATE INDEX ON history (customer_id, actor, seq);
CREATE INDEX ON history (customer_id, move, seq);
CREATE INDEX ON history (actor, move, seq);

CREATE TABLE history_span (
    after_seq bigint PRIMARY KEY,
    last_seq  bigint NOT NULL,
    since     timestamptz NOT NULL,
    until     timestamptz NOT NULL,
    CONSTRAINT a_span_goes_forward CHECK (last_seq > after_seq AND until >= since)
);
COMMENT ON TABLE history_span IS 'Between which instants the rows lie whose numbers are above after_seq, up to last_seq. Numbers are
nearly in the order of time, but nothing promises it: a window of time is looked for among the numbers that these say.
Written by the service now and then, for what is complete; whatever is above the last one is not told of yet.';
CREATE TRIGGER history_span_is_append_only BEFORE UPDATE OR DELETE ON history_span
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
GRANT INSERT ON history_span TO escalation_service;
