-- Kept mail is a person's to look at, for a while: it goes by age and number, and with the customer whose it is.

ALTER TABLE kept_mail ADD COLUMN customer_id text;
UPDATE kept_mail k SET customer_id = coalesce(
    (SELECT t.customer_id FROM ticket t WHERE t.id = k.ticket_id),
    (SELECT min(c.id) FROM customer c WHERE c.contacts @> ARRAY[lower(k.sender)] HAVING count(*) = 1));
CREATE INDEX ON kept_mail (customer_id) WHERE customer_id IS NOT NULL;
COMMENT ON COLUMN kept_mail.customer_id IS 'Whose it is, as far as can be told: of the ticket that it names, else whose contact sent it.
Erasing a customer deletes theirs here.';
GRANT DELETE ON kept_mail TO escalation_service;
