-- Pages of history open the partitions that they need, and lists as of an instant find what stood then.

-- Of which escalations the rows of a span are: whoever knows the numbers knows the months. It is told anew, since a span
-- without it is one that nothing is left out for.
ALTER TABLE history_span ADD COLUMN lowest uuid, ADD COLUMN highest uuid;
ALTER TABLE history_span DISABLE TRIGGER history_span_is_append_only;
DELETE FROM history_span;
ALTER TABLE history_span ENABLE TRIGGER history_span_is_append_only;
COMMENT ON TABLE history_span IS 'Between which instants, and which escalations'' ids, the rows lie whose numbers are above after_seq, up to
last_seq. Numbers are nearly in the order of time, but nothing promises it: a window of time is looked for among the
numbers that these say, and those in the months of these ids. Written by the service now and then, for what is complete;
whatever is above the last one is not told of yet.';

-- What was live at an instant: a few of all. Written as an escalation opens and closes, not in between.
CREATE INDEX stood_at ON escalation USING gist (tstzrange(opened_at, closed_at));
-- What somebody held to its end. Written once in an escalation's life, and once more if it is rated.
CREATE INDEX ended ON history (owner, escalation_id) WHERE state = 'closed';
