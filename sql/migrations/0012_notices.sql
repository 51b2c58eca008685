-- The chain is notified when each of its messages has had its first try: until then the row says which those are.

ALTER TABLE escalation ADD COLUMN notifying integer;
CREATE INDEX notifying ON escalation (id) WHERE notifying IS NOT NULL;
COMMENT ON COLUMN escalation.notifying IS 'The version whose messages to the chain wait for their first try; then notify_chain is done.';
