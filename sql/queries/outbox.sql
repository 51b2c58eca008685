-- The outbox: what transitions planned to send, what became of it, and the statements of those who send it.
-- Two clocks: what is due goes by service_now(), who is sending it just now by the real one.

-- name: page(escalation_id, ticket_id, audience, recipient, template, status, after, count)
-- In the order in which they were planned; `after` is the last id of the page before.
SELECT (to_jsonb(o) || jsonb_build_object('next_try_at',
        CASE WHEN o.status = 'planned' AND isfinite(o.next_try_at) THEN o.next_try_at END))::text AS row
FROM outbox o
WHERE ($1::uuid IS NULL OR o.escalation_id = $1) AND ($2::text IS NULL OR o.ticket_id = $2)
    AND ($3::text IS NULL OR o.audience = $3) AND ($4::text IS NULL OR o.recipient = $4)
    AND ($5::text IS NULL OR o.template = $5) AND ($6::text IS NULL OR o.status = $6)
    AND ($7::bigint IS NULL OR o.id > $7)
ORDER BY o.id LIMIT $8::integer

-- name: send_again(id)
-- A row that was parked, or delivered, is as if it had just been planned; one that waits is tried now.
UPDATE outbox o SET status = 'planned', target = NULL, next_try_at = '-infinity', first_tried_at = NULL,
    delivered_at = NULL, error = NULL, passed = '{}'
WHERE o.id = $1::bigint
RETURNING (to_jsonb(o) || '{"next_try_at": null}')::text AS row

-- name: hold(id)
-- Whoever asks for the same row, or under the same key, waits for this one's end.
SELECT customer_id FROM outbox WHERE id = $1::bigint FOR UPDATE

-- name: unrouted(count)
-- What no target was chosen for yet, and how its recipients can be reached. Locked for as long as it takes to choose.
WITH waiting AS MATERIALIZED (
    SELECT id, ticket_id, audience, recipient, template, payload, passed, error FROM outbox
    WHERE status = 'planned' AND target IS NULL ORDER BY id LIMIT $1::integer FOR UPDATE SKIP LOCKED
)
SELECT w.id, w.audience, w.recipient, w.template, w.payload ->> 'level' AS level, w.passed, w.error,
    p.email, p.slack, c.contacts, t.issue_key
FROM waiting w
    LEFT JOIN ticket t ON t.id = w.ticket_id
    LEFT JOIN person p ON p.id = w.recipient AND w.audience IN ('person', 'account_manager')
    LEFT JOIN customer c ON c.id = w.recipient AND w.audience = 'customer'
ORDER BY w.id

-- name: route(ids, targets, issues, collected, gathers, within)
-- The inbox has it when it is told so; a row without a target is parked, since nothing can reach its recipient. A page
-- that may be told together with others waits a moment for them; where what came later can't be written into a message
-- (`collected`), it waits until the time of the last one is over.
UPDATE outbox o SET target = r.target, together = r.issue,
    leased_until = CASE WHEN r.issue IS NOT NULL THEN clock_timestamp() + $5::interval END,
    next_try_at = CASE WHEN r.collected THEN coalesce(
        (SELECT max(b.first_tried_at) + $6::interval FROM outbox b
         WHERE b.target = r.target AND b.recipient = o.recipient AND b.together = r.issue AND b.id <> o.id
             AND b.first_tried_at > (SELECT service_now()) - $6::interval), '-infinity') ELSE o.next_try_at END,
    status = CASE WHEN r.target IS NULL THEN 'parked' WHEN r.target = 'inbox' THEN 'delivered' ELSE 'planned' END,
    delivered_at = CASE WHEN r.target = 'inbox' THEN (SELECT service_now()) END
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[]) AS r(id, target, issue, collected)
WHERE o.id = r.id

-- name: all_to_inbox(count)
-- Where there is no channel but the inbox, nobody has to be asked.
UPDATE outbox o SET target = 'inbox', status = 'delivered', delivered_at = (SELECT service_now())
WHERE o.id IN (SELECT id FROM outbox WHERE status = 'planned' AND target IS NULL
               ORDER BY id LIMIT $1::integer FOR UPDATE SKIP LOCKED)

-- name: route_anew(targets)
-- Rows for a target that there is no longer find another one.
UPDATE outbox SET target = NULL
WHERE status = 'planned' AND target IS NOT NULL AND target <> ALL ($1::text[])
    AND (leased_until IS NULL OR leased_until <= clock_timestamp())

-- name: waiting_pages(templates, within, count)
-- Pages for level 3 or above that a target has not taken in its time, whether it was asked or is too busy to be.
WITH waiting AS MATERIALIZED (
    SELECT id, audience, recipient, target, passed FROM outbox
    WHERE status = 'planned' AND target IS NOT NULL AND template = ANY ($1::text[])
        AND (payload ->> 'level')::integer >= 3
        AND coalesce(first_tried_at, planned_at) <= (SELECT service_now()) - $2::interval
        AND (leased_until IS NULL OR leased_until <= clock_timestamp())
    ORDER BY id LIMIT $3::integer FOR UPDATE SKIP LOCKED
)
SELECT w.*, p.email, p.slack, '{}'::text[] AS contacts
FROM waiting w LEFT JOIN person p ON p.id = w.recipient AND w.audience = 'person'
ORDER BY w.id

-- name: pass_on(ids, targets)
-- To another target, which gets its own time.
UPDATE outbox o SET passed = o.passed || o.target, target = r.target, next_try_at = '-infinity',
    first_tried_at = (SELECT service_now()), together = NULL
FROM unnest($1::bigint[], $2::text[]) AS r(id, target)
WHERE o.id = r.id

-- name: claim(target, count, lease, together)
-- What may go to this target now: due, nobody else's, and the oldest of its escalation for its recipient. With a page that
-- may be told together with others go all that wait to be, unless one of them is just being sent.
WITH due AS MATERIALIZED (
    SELECT o.id, o.recipient, o.together FROM outbox o
    WHERE o.status = 'planned' AND o.target = $1::text AND o.next_try_at <= (SELECT service_now())
        AND (o.leased_until IS NULL OR o.leased_until <= clock_timestamp())
        AND NOT EXISTS (
            SELECT FROM outbox b
            WHERE b.escalation_id = o.escalation_id AND b.audience = o.audience AND b.recipient = o.recipient
                AND b.status = 'planned' AND (b.version, b.ordinal) < (o.version, o.ordinal))
        AND (o.together IS NULL OR NOT EXISTS (
            SELECT FROM outbox b
            WHERE b.target = o.target AND b.recipient = o.recipient AND b.together = o.together
                AND b.status = 'planned' AND b.attempts > 0 AND b.leased_until > clock_timestamp()))
    ORDER BY o.next_try_at, o.id LIMIT $2::integer FOR UPDATE SKIP LOCKED
), others AS MATERIALIZED (
    SELECT o.id FROM outbox o
    WHERE o.status = 'planned' AND o.target = $1::text AND o.next_try_at <= (SELECT service_now())
        AND (o.recipient, o.together) IN (SELECT recipient, together FROM due WHERE together IS NOT NULL)
        AND o.id NOT IN (SELECT id FROM due)
        AND (o.attempts = 0 OR o.leased_until IS NULL OR o.leased_until <= clock_timestamp())
        AND NOT EXISTS (
            SELECT FROM outbox b
            WHERE b.escalation_id = o.escalation_id AND b.audience = o.audience AND b.recipient = o.recipient
                AND b.status = 'planned' AND (b.version, b.ordinal) < (o.version, o.ordinal))
    ORDER BY o.id LIMIT $4::integer FOR UPDATE SKIP LOCKED
), ours AS (
    SELECT id FROM due UNION ALL SELECT id FROM others
)
UPDATE outbox o SET leased_until = clock_timestamp() + $3::interval, attempts = o.attempts + 1,
    first_tried_at = coalesce(o.first_tried_at, (SELECT service_now()))
FROM ours WHERE o.id = ours.id
RETURNING o.id

-- name: renew(ids, attempts, lease)
-- Still being sent: the lease is ours as long as nobody else has tried since.
UPDATE outbox o SET leased_until = clock_timestamp() + $3::interval
FROM unnest($1::bigint[], $2::integer[]) AS mine(id, attempts)
WHERE o.id = mine.id AND o.attempts = mine.attempts AND o.status = 'planned'

-- name: open_message(target, recipient, issue, within)
-- The pages of the newest message to this person for this issue, while there may be written into it; and where it is.
SELECT o.id, l.id AS told_in, l.receipt FROM (
    SELECT b.id, b.receipt FROM outbox b
    WHERE b.target = $1::text AND b.recipient = $2::text AND b.together = $3::text AND b.told_in = b.id
        AND b.status = 'delivered' AND b.receipt IS NOT NULL AND b.delivered_at > (SELECT service_now()) - $4::interval
    ORDER BY b.id DESC LIMIT 1) AS l
JOIN outbox o ON o.target = $1 AND o.recipient = $2 AND o.together = $3 AND o.told_in = l.id
ORDER BY o.id

-- name: mark(ids, attempts, statuses, targets, waits, errors, receipts, told_in)
-- What came of these, and from whom nobody may try again before: those that wait behind them wait as long. Where somebody
-- else has tried since, only a delivery is news. Answers how many seconds after their planning they were delivered.
WITH told AS (
    SELECT * FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::interval[], $6::text[], $7::text[],
        $8::bigint[]) AS t(id, attempts, status, target, wait, error, receipt, told_in)
), marked AS (
    UPDATE outbox o SET
        status = CASE t.status WHEN 'passed' THEN 'planned' ELSE t.status END,
        target = CASE WHEN t.status <> 'passed' THEN t.target END,
        passed = CASE WHEN t.status = 'passed' THEN o.passed || t.target ELSE o.passed END,
        next_try_at = CASE t.status WHEN 'planned' THEN service_now() + t.wait ELSE '-infinity' END,
        first_tried_at = CASE WHEN t.status <> 'passed' THEN o.first_tried_at END,
        delivered_at = CASE t.status WHEN 'delivered' THEN service_now() END,
        leased_until = NULL, error = t.error, receipt = coalesce(t.receipt, o.receipt),
        told_in = CASE t.status WHEN 'delivered' THEN t.told_in END
    FROM told t
    WHERE o.id = t.id AND o.status = 'planned' AND (o.attempts = t.attempts OR t.status = 'delivered')
    RETURNING o.id, o.escalation_id, o.audience, o.recipient, o.status, o.next_try_at, o.delivered_at, o.planned_at
), behind AS (
    UPDATE outbox b SET next_try_at = m.next_try_at
    FROM marked m
    WHERE m.status = 'planned' AND b.escalation_id = m.escalation_id AND b.audience = m.audience
        AND b.recipient = m.recipient AND b.status = 'planned' AND b.id > m.id AND b.next_try_at < m.next_try_at
)
SELECT extract(epoch FROM delivered_at - planned_at)::float8 AS took FROM marked WHERE status = 'delivered'

-- name: park(id, error)
UPDATE outbox SET status = 'parked', leased_until = NULL, error = $2 WHERE id = $1::bigint AND status = 'planned'

-- name: letters(ids)
-- All that a message can tell, of the transition that planned it and of how things stand now.
SELECT o.id, json_build_object(
    'id', o.id, 'escalation_id', o.escalation_id, 'version', o.version, 'ordinal', o.ordinal,
    'ticket_id', o.ticket_id, 'customer_id', o.customer_id, 'audience', o.audience, 'recipient', o.recipient,
    'template', o.template, 'payload', o.payload, 'planned_at', o.planned_at, 'attempts', o.attempts,
    'target', o.target, 'passed', o.passed, 'together', o.together, 'now', service_now(), 'first_tried_at', o.first_tried_at,
    'stand', (SELECT json_build_object('trigger', m.trigger, 'state', h.state, 'level', h.level, 'owner', h.owner,
                  'actor', coalesce(h.on_behalf_of, h.actor), 'reason', h.reason, 'detail', h.detail, 'at', h.at)
              FROM history h JOIN allowed_move m ON m.id = h.move
              WHERE h.escalation_id = o.escalation_id AND h.version = o.version),
    'policy_version', e.policy_version, 'language', c.language, 'tier', e.tier, 'next_update_by', e.next_update_by, 'respond_by', e.respond_by,
    'subject', t.subject, 'priority', t.priority, 'issue_key', t.issue_key,
    'customer', c.name, 'contacts', c.contacts, 'account_manager', c.account_manager,
    'people', (SELECT coalesce(json_object_agg(p.id, json_build_object(
                   'name', p.name, 'email', p.email, 'slack', p.slack)), '{}')
               FROM person p WHERE p.id = ANY (e.chain || ARRAY[o.recipient, o.payload ->> 'by', o.payload ->> 'copy',
                   o.payload ->> 'owner'])),
    'texts', (SELECT coalesce(json_object_agg(s.id, s.text), '{}') FROM said s
              WHERE s.id = ANY (ARRAY[(o.payload ->> 'brief')::uuid, (o.payload ->> 'said')::uuid,
                  (SELECT h.said FROM history h WHERE h.escalation_id = o.escalation_id AND h.version = o.version)])),
    'offer', (SELECT max(h.version) FROM history h JOIN allowed_move m ON m.id = h.move
              WHERE h.escalation_id = o.escalation_id AND h.version <= o.version
                AND m.trigger IN ('engage', 'escalate', 'step_down', 'resume', 'decline', 'reassign')),
    'workaround', (SELECT s.text ->> 'workaround' FROM history h JOIN said s ON s.id = h.said
                   WHERE h.escalation_id = o.escalation_id AND h.version <= o.version
                     AND s.text ->> 'workaround' IS NOT NULL ORDER BY h.version DESC LIMIT 1),
    'thread', (SELECT r.receipt FROM outbox r
               WHERE r.escalation_id = o.escalation_id AND r.target = o.target AND r.audience = o.audience
                 AND r.recipient = o.recipient AND r.receipt IS NOT NULL
               ORDER BY r.version, r.ordinal LIMIT 1))::text AS letter
FROM outbox o
    JOIN ticket t ON t.id = o.ticket_id
    JOIN customer c ON c.id = o.customer_id
    JOIN escalation e ON e.id = o.escalation_id
WHERE o.id = ANY ($1::bigint[])
ORDER BY o.id

-- name: waiting()
-- How many wait for each target, for how many seconds the oldest has, and how many are parked.
SELECT coalesce(target, 'unrouted') AS target, count(*) AS planned,
    greatest(0, extract(epoch FROM service_now() - min(planned_at)))::float8 AS oldest
FROM outbox WHERE status = 'planned' GROUP BY 1

-- name: chains_told(within, count)
-- Escalations that wait for the messages to their chain, planned at that version, where each was handed over, was parked,
-- or is being retried: it failed its first try, or stands behind one to the same recipient that did. Nor does a target
-- hold them up for long that is too busy to be asked.
SELECT e.ticket_id, e.notifying AS version FROM escalation e
WHERE e.notifying IS NOT NULL AND NOT EXISTS (
    SELECT FROM outbox o
    WHERE o.escalation_id = e.id AND o.version = e.notifying AND o.status = 'planned' AND o.error IS NULL
        AND o.planned_at > (SELECT service_now()) - $1::interval
        AND NOT EXISTS (
            SELECT FROM outbox b
            WHERE b.escalation_id = o.escalation_id AND b.audience = o.audience AND b.recipient = o.recipient
                AND b.status = 'planned' AND b.error IS NOT NULL AND b.version < o.version))
ORDER BY e.id LIMIT $2::integer
