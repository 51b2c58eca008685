-- name: returns(since, until, after, last)
-- Re-escalations: of the escalations opened in the window, how many follow a closed one on the same ticket (`follows`,
-- and their share, to four places); and how often one that was ending went back to its level (`resumed`).
SELECT count(*)::integer AS opened, count(e.follows)::integer AS follows,
    round(count(e.follows)::numeric / nullif(count(*), 0), 4)::float8 AS share,
    (SELECT count(*) FROM history h
     WHERE h.move = ANY (ARRAY(SELECT id FROM allowed_move WHERE trigger = 'resume'))
         AND h.seq > $3::bigint AND h.seq <= $4::bigint AND h.at >= $1 AND h.at < $2)::integer AS resumed
FROM escalation e
WHERE e.id >= first_id_of($1::timestamptz - interval '1 ms') AND e.id < first_id_of($2::timestamptz + interval '1 ms')
    AND e.opened_at >= $1 AND e.opened_at < $2
