-- Timers: what is due, and how late. Nothing is claimed here: a timer is handed in, and fires if it is still armed.

-- name: due(except, count)
-- What is due, the longest waiting first, and what will be within a second; without those named 'kind ticket'.
SELECT ticket_id, kind, due_at, (SELECT service_now()) AS now FROM timer
WHERE due_at <= (SELECT service_now()) + interval '1 second' AND kind || ' ' || ticket_id <> ALL ($1::text[])
ORDER BY due_at LIMIT $2::integer

-- name: lateness()
-- Seconds by which the oldest due timer is late; 0 where none is due.
SELECT greatest(0, coalesce(extract(epoch FROM service_now() - (SELECT min(due_at) FROM timer)), 0))::float8
