-- Rotas: what they say, and the windows that they are written out as, which are all that anything else looks at.

-- name: put(id, name, time_zone, shifts, feed)
-- Written out anew, and its calendar fetched at once; the last good one stays only where it is the same address.
INSERT INTO rota AS r (id, name, time_zone, shifts, feed) VALUES ($1, $2, $3, $4::jsonb, $5::jsonb)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, time_zone = excluded.time_zone, shifts = excluded.shifts,
    feed = excluded.feed, expand_by = '-infinity', fetch_at = '-infinity', error = NULL,
    body = CASE WHEN r.feed ->> 'url' = excluded.feed ->> 'url' THEN r.body END,
    fetched_at = CASE WHEN r.feed ->> 'url' = excluded.feed ->> 'url' THEN r.fetched_at END
RETURNING (to_jsonb(r) - 'body')::text AS row

-- name: by_id(id)
SELECT (to_jsonb(r) - 'body')::text AS row FROM rota r WHERE r.id = $1

-- name: page(after, count)
SELECT (to_jsonb(r) - 'body')::text AS row FROM rota r
WHERE $1::text IS NULL OR r.id > $1 ORDER BY r.id LIMIT $2::integer

-- name: to_expand(except)
-- One that it is time to write out, and how its row stands: xmin is another after every change.
SELECT json_build_object('id', r.id, 'time_zone', r.time_zone, 'shifts', r.shifts, 'feed', r.feed, 'body', r.body,
    'now', service_now(), 'revision', r.xmin::text)::text AS row
FROM rota r WHERE r.expand_by <= (SELECT service_now()) AND r.id <> ALL ($1::text[]) ORDER BY r.id LIMIT 1

-- name: hold(id)
SELECT xmin::text FROM rota WHERE id = $1 FOR UPDATE

-- name: expanded(id, expand_by, unknown)
UPDATE rota SET expand_by = $2::timestamptz, unknown = $3::text[] WHERE id = $1

-- name: not_expanded(id, expand_by, error)
-- What it was written out as stays; it is tried again then.
UPDATE rota SET expand_by = $2::timestamptz, error = $3 WHERE id = $1

-- name: roster()
SELECT id, email FROM person WHERE active AND email IS NOT NULL ORDER BY id DESC

-- name: due_feeds(every, count)
-- Taken by whoever fetches them: nobody else does, for so long, by the real clock.
UPDATE rota r SET fetch_at = clock_timestamp() + $1::interval
FROM (SELECT id FROM rota WHERE feed IS NOT NULL AND fetch_at <= clock_timestamp()
      ORDER BY fetch_at LIMIT $2::integer FOR UPDATE SKIP LOCKED) AS due
WHERE r.id = due.id
RETURNING r.id, r.time_zone, r.feed::text AS feed, service_now() AS now

-- name: fed(id, url, body, error)
-- What came of it; nothing where the address is another by now. One that is as it was is not written out again.
UPDATE rota SET error = $4::text, fetched_at = CASE WHEN $3::text IS NULL THEN fetched_at ELSE service_now() END,
    expand_by = CASE WHEN $3::text IS DISTINCT FROM body AND $3 IS NOT NULL THEN '-infinity' ELSE expand_by END,
    body = coalesce($3::text, body)
WHERE id = $1 AND feed ->> 'url' = $2::text

-- name: replace(rota, people, froms, untils)
-- Who comes on duty by it, and who leaves: as the roster's own change would say, all other windows counted.
WITH told AS (
    SELECT * FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[]) AS w(person, "from", until)
), gone AS (
    DELETE FROM rota_window WHERE rota = $1
), made AS (
    INSERT INTO rota_window (rota, person, "from", until) SELECT $1, person, "from", until FROM told
), stands AS (
    SELECT p.id, p.level, was.on_duty AS was, was.otherwise OR EXISTS (
            SELECT FROM told w WHERE w.person = p.id AND w."from" <= service_now() AND service_now() < w.until) AS on_duty
    FROM person p, LATERAL (
        SELECT o.otherwise, o.otherwise OR EXISTS (
                SELECT FROM rota_window w WHERE w.rota = $1 AND w.person = p.id
                    AND w."from" <= service_now() AND service_now() < w.until) AS on_duty
        FROM (SELECT p.on_duty OR EXISTS (
                SELECT FROM jsonb_to_recordset(p.windows) w("from" timestamptz, until timestamptz)
                WHERE w."from" <= service_now() AND service_now() < w.until) OR EXISTS (
                SELECT FROM rota_window w WHERE w.rota <> $1 AND w.person = p.id
                    AND w."from" <= service_now() AND service_now() < w.until) AS otherwise) AS o) AS was
    WHERE p.active AND (p.id IN (SELECT person FROM told) OR p.id IN (SELECT person FROM rota_window WHERE rota = $1))
), moved AS (
    UPDATE person p SET left_at = CASE WHEN s.was THEN service_now() END
    FROM stands s WHERE p.id = s.id AND s.was <> s.on_duty
    RETURNING p.id, p.left_at
)
SELECT s.id, s.level, s.on_duty, s.was AS left, m.left_at FROM stands s JOIN moved m USING (id) ORDER BY s.id
