"""Ways in: what mail systems, help desks and Slack send, as what a ticket or a contact needs. Nothing is decided here."""
