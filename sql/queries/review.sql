-- Reviews of ISO weeks: the week's escalations, and what people write.

-- name: by_week(week)
SELECT week, signed_by, signed_at FROM review WHERE week = $1

-- name: signed(weeks)
-- What was written into some weeks' reviews.
SELECT r.week, r.signed_by, r.signed_at,
    (SELECT count(*) FROM review_note n WHERE n.week = r.week)::integer AS notes,
    (SELECT count(*) FROM review_action a WHERE a.week = r.week)::integer AS actions,
    (SELECT count(*) FROM review_action a WHERE a.week = r.week AND a.done_at IS NULL)::integer AS open_actions
FROM review r WHERE r.week = ANY ($1::text[])

-- name: counts(week, since, until)
-- How many escalations lived in a week: opened in it, closed in it, not closed when it ended; and how many are marked.
WITH lived AS (
    SELECT id, opened_at, closed_at FROM escalation WHERE closed_at IS NULL AND opened_at < $3::timestamptz
    UNION ALL
    SELECT id, opened_at, closed_at FROM escalation WHERE closed_at >= $2::timestamptz AND opened_at < $3
)
SELECT count(*)::integer AS total, count(*) FILTER (WHERE opened_at >= $2)::integer AS opened,
    count(*) FILTER (WHERE closed_at < $3)::integer AS closed,
    count(*) FILTER (WHERE closed_at IS NULL OR closed_at >= $3)::integer AS left_open,
    count(m.by)::integer AS reviewed
FROM lived l LEFT JOIN review_mark m ON m.week = $1 AND m.escalation_id = l.id

-- name: escalations(week, since, until, reviewed, before, count)
-- Those of a week, as they stand now, the newest first.
WITH lived AS (
    SELECT id FROM escalation WHERE closed_at IS NULL AND opened_at < $3::timestamptz
    UNION ALL
    SELECT id FROM escalation WHERE closed_at >= $2::timestamptz AND opened_at < $3
), shown AS (
    SELECT l.id, m.by, m.at FROM lived l LEFT JOIN review_mark m ON m.week = $1 AND m.escalation_id = l.id
    WHERE ($4::boolean IS NULL OR $4 = (m.by IS NOT NULL)) AND ($5::uuid IS NULL OR l.id < $5)
    ORDER BY l.id DESC LIMIT $6::integer
)
SELECT e.id::text AS id, e.ticket_id, t.subject, t.priority, e.customer_id, c.name AS customer, e.tier, e.state, e.level,
    e.owner, e.opened_at, e.closed_at, e.criterion, e.csat, e.opened_at >= $2 AS opened,
    coalesce(e.closed_at < $3, false) AS closed, s.by AS reviewed_by, s.at AS reviewed_at,
    ARRAY(SELECT each ->> 'situation' FROM json_array_elements(e.situations) AS each) AS situations
FROM shown s JOIN escalation e ON e.id = s.id JOIN ticket t ON t.id = e.ticket_id JOIN customer c ON c.id = e.customer_id
ORDER BY e.id DESC

-- name: notes(week)
SELECT id::text AS id, text, by, at FROM review_note WHERE week = $1 ORDER BY place

-- name: actions(week)
SELECT id::text AS id, week, text, owner, due::text AS due, by, at, done_by, done_at FROM review_action
WHERE week = $1 ORDER BY place

-- name: open_actions(week, count)
-- What earlier reviews wanted done, and is not.
SELECT id::text AS id, week, text, owner, due::text AS due, by, at, done_by, done_at FROM review_action
WHERE done_at IS NULL AND week < $1 ORDER BY week, place LIMIT $2::integer

-- name: begin(week)
-- There is a review to write into.
INSERT INTO review (week) VALUES ($1) ON CONFLICT (week) DO NOTHING

-- name: hold(week)
-- Who writes into the same review waits for this one's end.
SELECT signed_by, signed_at FROM review WHERE week = $1 FOR UPDATE

-- name: mark(week, ids, by)
INSERT INTO review_mark (week, escalation_id, by) SELECT $1, id, $3 FROM unnest($2::uuid[]) AS id
ON CONFLICT (week, escalation_id) DO NOTHING

-- name: not_of_week(since, until, ids)
-- Which of these did not live in a week.
SELECT w.id::text AS id FROM unnest($3::uuid[]) AS w(id)
WHERE NOT EXISTS (SELECT FROM escalation e WHERE e.id = w.id AND e.opened_at < $2::timestamptz
                  AND (e.closed_at IS NULL OR e.closed_at >= $1::timestamptz))

-- name: add_note(id, week, text, by)
INSERT INTO review_note (id, week, text, by) VALUES ($1::uuid, $2, $3, $4) RETURNING id::text AS id, text, by, at

-- name: add_action(id, week, text, owner, due, by)
INSERT INTO review_action (id, week, text, owner, due, by) VALUES ($1::uuid, $2, $3, $4, $5::date, $6)
RETURNING id::text AS id, week, text, owner, due::text AS due, by, at, done_by, done_at

-- name: owner(id, week)
SELECT owner FROM review_action WHERE id = $1::uuid AND week = $2

-- name: done(id, week, by)
-- Told once; again it stays as it was.
UPDATE review_action SET done_by = coalesce(done_by, $3), done_at = coalesce(done_at, service_now())
WHERE id = $1::uuid AND week = $2
RETURNING id::text AS id, week, text, owner, due::text AS due, by, at, done_by, done_at

-- name: sign(week, by)
UPDATE review SET signed_by = $2, signed_at = service_now() WHERE week = $1 RETURNING signed_by, signed_at
