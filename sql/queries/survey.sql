-- The survey after an escalation.

-- name: secrets()
-- The newest signs; older ones still verify.
SELECT secret FROM signing_key ORDER BY id DESC

-- name: of_escalation(id)
SELECT ticket_id, csat IS NOT NULL AS answered FROM escalation WHERE id = $1::uuid AND state = 'closed'
