-- name: lessons(since, until, after, last)
-- Lessons documented in the window, the last step before a close, with their tags among `pattern`, `training` and
-- `documentation_gap`, newest first; the text is null where it was erased.
SELECT h.escalation_id::text AS escalation_id, h.ticket_id, h.at, coalesce(h.on_behalf_of, h.actor) AS by,
    ARRAY(SELECT json_array_elements_text(h.detail -> 'tags')) AS tags, s.text ->> 'detail' AS text
FROM history h LEFT JOIN said s ON s.id = h.said
WHERE h.move = ANY (ARRAY(SELECT id FROM allowed_move WHERE trigger = 'complete_step'))
    AND h.seq > $3::bigint AND h.seq <= $4::bigint AND h.at >= $1::timestamptz AND h.at < $2::timestamptz
    AND h.detail ->> 'step' = 'document_lessons' AND h.detail -> 'tags' IS NOT NULL
ORDER BY h.seq DESC LIMIT 200
