-- What readiness asks.

-- name: moves()
SELECT trigger, source, dest FROM allowed_move
