"""The outbox's senders: what transitions planned is routed to targets, handed over, and marked with what came of it."""
