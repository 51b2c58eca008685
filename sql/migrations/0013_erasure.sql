-- Erasing a customer: their texts go, every hash stays, and what was done is recorded.

CREATE TABLE erasure (
    id          uuid PRIMARY KEY,
    customer_id text NOT NULL,
    by          text NOT NULL,
    request_id  text NOT NULL,
    begun_at    timestamptz NOT NULL,
    at          timestamptz,
    texts       integer NOT NULL DEFAULT 0,
    contacts    integer NOT NULL DEFAULT 0,
    tickets     integer NOT NULL DEFAULT 0,
    reports     integer NOT NULL DEFAULT 0,
    messages    integer NOT NULL DEFAULT 0,
    mails       integer NOT NULL DEFAULT 0,
    repeats     integer NOT NULL DEFAULT 0,
    answers     integer NOT NULL DEFAULT 0
);
CREATE INDEX ON erasure (customer_id);
COMMENT ON TABLE erasure IS 'A customer''s texts were erased: who asked, when, and how many rows lost what they held. Written only by the
functions that erase, in the same transactions; `at` is when the last of them was done.';

CREATE FUNCTION erase_tickets(erasure_id uuid, whose text, which text[], asked_by text, asked_as text)
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
            UNION ALL SELECT h.said FROM history h WHERE h.ticket_id = ANY (which) AND h.customer_id = whose)
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
COMMENT ON FUNCTION erase_tickets IS 'What one customer''s tickets hold of their texts; the service may delete no text by itself. Raises
restrict_violation where an escalation of theirs is live.';

CREATE FUNCTION erase_customer(erasure_id uuid, whose text, asked_by text, asked_as text)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    addresses text[] := (SELECT c.contacts FROM customer c WHERE c.id = whose FOR UPDATE);
    before    uuid;
BEGIN
    WITH mails AS (
        DELETE FROM kept_mail k WHERE k.customer_id = whose OR lower(k.sender) = ANY (addresses) RETURNING 1
    ), repeats AS (
        DELETE FROM reported r WHERE r.customer_id = whose RETURNING 1
    ), answers AS (
        DELETE FROM answered a WHERE a.customer_id = whose RETURNING 1
    )
    INSERT INTO erasure AS x (id, customer_id, by, request_id, begun_at, at, mails, repeats, answers)
    SELECT erasure_id, whose, asked_by, asked_as, service_now(), service_now(), (SELECT count(*) FROM mails),
        (SELECT count(*) FROM repeats), (SELECT count(*) FROM answers)
    ON CONFLICT (id) DO UPDATE SET (at, mails, repeats, answers) = (excluded.at, excluded.mails, excluded.repeats,
        excluded.answers);
    UPDATE customer SET name = 'erased', contacts = '{}', account_manager = NULL, language = NULL WHERE id = whose;
    -- Where nothing was left to erase, what was recorded before still says all.
    SELECT b.id INTO before FROM erasure b
        WHERE b.customer_id = whose AND b.at IS NOT NULL AND b.id <> erasure_id ORDER BY b.at DESC, b.id DESC LIMIT 1;
    IF before IS NOT NULL AND (SELECT x.texts + x.contacts + x.tickets + x.reports + x.messages + x.mails + x.repeats
                                   + x.answers = 0 FROM erasure x WHERE x.id = erasure_id) THEN
        DELETE FROM erasure x WHERE x.id = erasure_id;
        RETURN before;
    END IF;
    RETURN erasure_id;
END $$;
COMMENT ON FUNCTION erase_customer IS 'What no ticket holds, after erase_tickets: mail, prints of what was reported, stored answers, and who they are.';

REVOKE EXECUTE ON FUNCTION erase_tickets, erase_customer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_tickets, erase_customer TO escalation_service;
GRANT SELECT ON erasure TO escalation_service;
