-- Whoever is taken off duty leaves at an instant: a node that dies before it tells who is concerned is no excuse.

ALTER TABLE person ADD COLUMN left_at timestamptz;
COMMENT ON COLUMN person.left_at IS 'When the roster''s last change took them off duty or retired them; what it asks for is told from then on.';
