-- The tree over all rows of history, and its signed heads.

CREATE TABLE tree_tile (
    height smallint NOT NULL CONSTRAINT every_eighth_height CHECK (height % 8 = 0),
    place  bigint NOT NULL,
    nodes  bytea NOT NULL CONSTRAINT at_most_256_nodes CHECK (length(nodes) BETWEEN 32 AND 8192 AND length(nodes) % 32 = 0),
    PRIMARY KEY (height, place)
);
COMMENT ON TABLE tree_tile IS 'Full nodes of the tree (RFC 9162) over history''s hashes in the order of seq, 256 beside each other; those of the heights
between follow from them.';

CREATE TABLE checkpoint (
    size bigint PRIMARY KEY,
    seq  bigint NOT NULL CONSTRAINT a_row_ends_one_checkpoint UNIQUE,
    head text NOT NULL,
    at   timestamptz NOT NULL,
    note text NOT NULL
);
COMMENT ON TABLE checkpoint IS 'Heads of the tree over the first size rows, the last of which is seq; note is signed, and kept elsewhere too.';
CREATE TRIGGER checkpoint_is_append_only BEFORE UPDATE OR DELETE ON checkpoint
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only();

GRANT INSERT ON checkpoint TO escalation_service;
GRANT INSERT, UPDATE ON tree_tile TO escalation_service;
