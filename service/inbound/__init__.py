"""Ways in: what mail systems and help desks send, as what a ticket or a contact needs. Nothing is decided here."""
