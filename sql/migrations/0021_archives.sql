-- Old months of history in files, with their proofs.

CREATE TABLE archive (
    month       text PRIMARY KEY CONSTRAINT an_archive_is_a_month CHECK (month ~ '^\d{4}_\d\d$'),
    lowest      uuid NOT NULL,
    below       uuid NOT NULL,
    rows        bigint NOT NULL,
    escalations bigint NOT NULL,
    first_seq   bigint NOT NULL,
    last_seq    bigint NOT NULL,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    file        text NOT NULL,
    sha256      text NOT NULL CONSTRAINT archive_sum_is_sha256 CHECK (length(sha256) = 64),
    by          text NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT an_archive_has_rows CHECK (rows > 0 AND lowest < below AND first_seq <= last_seq AND since <= until)
);
COMMENT ON TABLE archive IS 'Months of history that lie in a file, by the month in which their escalations were opened: ids from lowest up to
below. Their escalations, all closed, stay, and so does what was said in them, where erasing finds it.';
CREATE TRIGGER archive_is_append_only BEFORE UPDATE OR DELETE ON archive
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only();

CREATE TABLE archived_row (
    seq           bigint PRIMARY KEY,
    escalation_id uuid NOT NULL,
    version       integer NOT NULL,
    hash          text NOT NULL CONSTRAINT archived_hash_is_sha256 CHECK (length(hash) = 64),
    said          uuid,
    CONSTRAINT archived_versions_are_unique UNIQUE (escalation_id, version)
);
COMMENT ON TABLE archived_row IS 'What is left of a row that was archived: enough for every proof over it, for the verifier, and for erasing.';
CREATE TRIGGER archived_row_is_append_only BEFORE UPDATE OR DELETE ON archived_row
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only();

GRANT SELECT ON archive, archived_row TO escalation_service;

-- What was said in them is erased too.
CREATE OR REPLACE FUNCTION erase_tickets(erasure_id uuid, whose text, which text[], asked_by text, asked_as text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    live text;
BEGIN
    -- Whoever decides on one of these has ended by then, and whoever comes waits: nothing of theirs is overlooked.
    PERFORM FROM ticket WHERE id = ANY (which) ORDER BY id FOR UPDATE;
    SELECT e.id::text INTO live FROM escalation e
        WHERE e.ticket_id = ANY (which) AND e.customer_id = whose AND e.closed_at IS NULL LIMIT 1;
    IF live IS NOT NULL THEN
        RAISE EXCEPTION 'escalation % is not closed: what was said in it is still needed', live
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'nothing_live_is_erased', DETAIL = live;
    END IF;
    WITH theirs AS MATERIALIZED (
        SELECT c.id, c.said FROM contact c WHERE c.ticket_id = ANY (which) AND c.customer_id = whose
    ), texts AS (
        DELETE FROM said s WHERE s.id IN (
            SELECT t.said FROM theirs t
            UNION ALL SELECT h.said FROM history h WHERE h.ticket_id = ANY (which) AND h.customer_id = whose
            UNION ALL SELECT a.said FROM archived_row a JOIN escalation e ON e.id = a.escalation_id
                WHERE e.ticket_id = ANY (which) AND e.customer_id = whose)
        RETURNING 1
    ), contacts AS (
        -- Our own people's names stay: it is who said it, and no customer.
        UPDATE contact c SET sender = CASE c.author_role WHEN 'agent' THEN c.sender ELSE 'erased' END, word = NULL
        FROM theirs t WHERE c.id = t.id AND (c.word IS NOT NULL OR (c.author_role <> 'agent' AND c.sender <> 'erased'))
        RETURNING 1
    ), tickets AS (
        UPDATE ticket SET subject = '', description = NULL, issue_key = NULL, product = NULL, tags = '{}'
        WHERE id = ANY (which) AND customer_id = whose
            AND (subject <> '' OR tags <> '{}' OR coalesce(description, issue_key, product) IS NOT NULL)
        RETURNING 1
    ), reports AS (
        UPDATE ticket_event e
        SET facts = (e.facts::jsonb - ARRAY['subject', 'description', 'issue_key', 'product', 'tags'])::json
        WHERE e.ticket_id = ANY (which) AND e.facts ->> 'customer_id' = whose
            AND e.facts::jsonb ?| ARRAY['subject', 'description', 'issue_key', 'product', 'tags']
        RETURNING 1
    ), messages AS (
        -- Each row stays, for history says that it was planned; what was not sent yet is sent to nobody any more.
        UPDATE outbox o SET payload = '{}', error = CASE WHEN o.status = 'delivered' THEN NULL ELSE 'erased' END,
            status = CASE WHEN o.status = 'planned' THEN 'parked' ELSE o.status END, leased_until = NULL
        FROM escalation e
        WHERE e.ticket_id = ANY (which) AND e.customer_id = whose AND o.escalation_id = e.id
            AND (o.payload::text <> '{}' OR o.status = 'planned' OR o.error <> 'erased')
        RETURNING 1
    )
    INSERT INTO erasure AS x (id, customer_id, by, request_id, begun_at, texts, contacts, tickets, reports, messages)
    SELECT erasure_id, whose, asked_by, asked_as, service_now(), (SELECT count(*) FROM texts),
        (SELECT count(*) FROM contacts), (SELECT count(*) FROM tickets), (SELECT count(*) FROM reports),
        (SELECT count(*) FROM messages)
    ON CONFLICT (id) DO UPDATE SET (texts, contacts, tickets, reports, messages) = (x.texts + excluded.texts,
        x.contacts + excluded.contacts, x.tickets + excluded.tickets, x.reports + excluded.reports,
        x.messages + excluded.messages);
END $$;
