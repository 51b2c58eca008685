-- name: dismissed(since, until, after, last)
-- Dismissed flags: by situation, how many began in the window, how many were dismissed in it as a false alarm, and which
-- words had raised those, each once a dismissal. What began before the window may be dismissed in it.
WITH rows AS (
    SELECT h.detail ->> 'situation' AS situation, m.trigger = 'dismiss_situation' AS dismissed,
        ARRAY(SELECT DISTINCT w ->> 'word' FROM json_array_elements(h.detail -> 'words') AS w) AS words
    FROM history h JOIN allowed_move m ON m.id = h.move
    WHERE h.move = ANY (ARRAY(SELECT id FROM allowed_move
                              WHERE trigger IN ('open', 'add_situation', 'dismiss_situation')))
        AND h.seq > $3::bigint AND h.seq <= $4::bigint AND h.at >= $1::timestamptz AND h.at < $2::timestamptz
), words AS (
    SELECT situation, word, count(*) AS count FROM rows, unnest(words) AS word WHERE dismissed GROUP BY situation, word
)
SELECT r.situation, count(*) FILTER (WHERE NOT r.dismissed)::integer AS begun,
    count(*) FILTER (WHERE r.dismissed)::integer AS dismissed,
    (SELECT coalesce(json_object_agg(w.word, w.count ORDER BY w.count DESC, w.word), '{}') FROM words w
     WHERE w.situation = r.situation)::text AS words
FROM rows r GROUP BY r.situation ORDER BY 3 DESC, 2 DESC, 1
