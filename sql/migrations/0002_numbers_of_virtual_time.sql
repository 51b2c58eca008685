-- By the virtual clock history is numbered by a row that is rolled back with its batch.

ALTER TABLE virtual_clock ADD COLUMN next_seq bigint NOT NULL DEFAULT 1;
COMMENT ON COLUMN virtual_clock.next_seq IS 'History''s next number. Not from history_seq: what a sequence gives to a batch that is undone
is gone, and the same requests would not be the same history.';
UPDATE virtual_clock SET next_seq = (SELECT last_value + 1 FROM history_seq);
