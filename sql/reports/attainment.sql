-- name: attainment(since, until, after, last, now)
-- Response-time attainment per level: how the calls of a level in the window were answered up to `now`. A call is a row
-- that starts the level's response clock (engage, escalate, step_down, or resume where it offers anew); it must be
-- answered by the `respond_by` that it sets. `in_time`: accepted by then; `late`: accepted after; `missed`: not accepted
-- when it passed, whether the clock then raised it, it ended, or it still waits; `ended`: raised, passed on or
-- de-escalated before it passed; `waiting`: it has not passed yet. Attainment is in_time ÷ (in_time + late + missed), to
-- four places: what ended or waits says nothing of it. L4 is to answer at once, so it is late from the first second.
WITH called AS (
    SELECT h.escalation_id, h.version, h.level,
        -- A row says what it changed: where the instant is the very one that stood before, an earlier row has it.
        coalesce(h.changed ->> 'respond_by', (
            SELECT b.changed ->> 'respond_by' FROM history b WHERE b.escalation_id = h.escalation_id
                AND b.version < h.version AND b.changed::jsonb ? 'respond_by' ORDER BY b.version DESC LIMIT 1
        ))::timestamptz AS respond_by
    FROM history h
    WHERE h.move = ANY (ARRAY(SELECT id FROM allowed_move
                              WHERE trigger IN ('engage', 'escalate', 'step_down', 'resume')))
        AND h.seq > $3::bigint AND h.seq <= $4::bigint AND h.at >= $1::timestamptz AND h.at < $2::timestamptz
        AND h.changed -> 'handoff' IS NOT NULL
), answered AS (
    SELECT c.level, CASE
        WHEN a.trigger = 'accept' AND a.at <= c.respond_by THEN 'in_time'
        WHEN a.trigger = 'accept' THEN 'late'
        WHEN coalesce(a.at, $5::timestamptz) >= c.respond_by THEN 'missed'
        WHEN a.at IS NOT NULL THEN 'ended'
        ELSE 'waiting' END AS how
    FROM called c LEFT JOIN LATERAL (
        SELECT m.trigger, h.at FROM history h JOIN allowed_move m ON m.id = h.move
        WHERE h.escalation_id = c.escalation_id AND h.version > c.version
            AND m.trigger IN ('accept', 'escalate', 'de_escalate') ORDER BY h.version LIMIT 1) AS a ON true
)
SELECT level::integer, count(*)::integer AS called, count(*) FILTER (WHERE how = 'in_time')::integer AS in_time,
    count(*) FILTER (WHERE how = 'late')::integer AS late, count(*) FILTER (WHERE how = 'missed')::integer AS missed,
    count(*) FILTER (WHERE how = 'ended')::integer AS ended, count(*) FILTER (WHERE how = 'waiting')::integer AS waiting,
    round(count(*) FILTER (WHERE how = 'in_time')::numeric
          / nullif(count(*) FILTER (WHERE how IN ('in_time', 'late', 'missed')), 0), 4)::float8 AS attainment
FROM answered GROUP BY GROUPING SETS ((), (level)) ORDER BY level NULLS FIRST
