\set n random(1, 20000)
SELECT e.id, e.version, e.state, e.level, e.tier, coalesce(e.owner, '') AS owner
FROM numbered JOIN escalation AS e USING (id) WHERE n = :n \gset
WITH moved AS (
    UPDATE escalation
    SET state = 'l2', level = 2, version = version + 1, updated_at = now(), owner = 'x'
    WHERE id = :id AND version = :version
    RETURNING id, version
), written AS (
    INSERT INTO history (escalation_id, version, actor, trigger, source, dest, detail)
    SELECT id, version, 'agent:7', 'escalate', 'l1', 'l2',
           '{"reason":"technical complexity","needed":"engineers"}'
    FROM moved
), told AS (
    INSERT INTO outbox (escalation_id, topic, payload)
    SELECT id, 'slack',
           '{"text":"ESCALATION: [Level 2] Ticket: T-1 Customer: Acme (Enterprise)"}'
    FROM moved
), armed AS (
    INSERT INTO timer (escalation_id, kind, due_at)
    SELECT id, 'response', now() + interval '2h' FROM moved
    ON CONFLICT (escalation_id, kind) DO UPDATE SET due_at = excluded.due_at
)
SELECT version FROM moved;
