-- Escalation Matrix: the schema, and the story that it tells.
--
-- A help desk reports a *ticket* (each report is kept as a ticket_event, each word from a customer as a contact;
-- what may be one issue reported again is in *reported*).
-- When a fact of it is a situation, an *escalation* begins: one row, the state machine's current standing, and at
-- most one per ticket that is not closed. Every change of that row is a transition: one row of *history*, in the
-- same transaction. The row is the fold of its history, and history is append-only, so it can be trusted:
--   - history.move refers to allowed_move, the machine's own table: no other move can be recorded;
--   - a statement that leaves an escalation in a state of which history has no row is refused: not even a hand-written
--     UPDATE moves a state without its history row;
--   - each history row carries the hash of the one before it on the same escalation;
--   - the service connects as escalation_service, which owns nothing and may not UPDATE or DELETE history.
-- Months of which nothing is live any more may lie in an *archive*; their hashes stay.
-- A transition also sets its *timers* (when the clock acts next) and plans its messages in the *outbox*, whence senders
-- take them; how many each person then owns or is offered is counted in *holding*, for the next offer. A refused attempt is one *denial*. What
-- people wrote lies in *said*: history keeps a salted hash, so erasing a customer's texts leaves every hash valid; that
-- they were erased is one *erasure*. Each ISO week has its *review*: what was marked as reviewed, notes, and actions.
-- Everything that decides is locked by one lock, in one order: the ticket's row; reports of one customer, which look at
-- each other across tickets, by an advisory lock of that customer after it.
--
-- Constraints are named as the claims that they make. Instants are timestamptz in UTC; levels are 0 to 4.
-- Documents that are only ever stored and given back are json, not jsonb: they stay as they were hashed, and cost half.
-- This file is what a new database has after all migrations; a test holds the two together.

CREATE TABLE policy (
    version      integer PRIMARY KEY,
    document     jsonb NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_by text NOT NULL
);
COMMENT ON TABLE policy IS 'The matrix as data. A version is immutable; an escalation keeps the one it was opened under.';

CREATE TABLE rearming (
    version  integer PRIMARY KEY REFERENCES policy,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    after    text NOT NULL DEFAULT '',
    passes   integer NOT NULL DEFAULT 0,
    done_at  timestamptz
);
COMMENT ON TABLE rearming IS 'A published policy, and up to which ticket what waits was armed by it; all are looked at twice.';

CREATE TABLE virtual_clock (
    only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT there_is_one_clock CHECK (only_row),
    now      timestamptz NOT NULL,
    next_seq bigint NOT NULL DEFAULT 1
);
COMMENT ON TABLE virtual_clock IS 'Empty: the system''s clock. Else the one instant that is now, for replays and tests.';
COMMENT ON COLUMN virtual_clock.next_seq IS 'History''s next number. Not from history_seq: what a sequence gives to a batch that is undone
is gone, and the same requests would not be the same history.';

CREATE FUNCTION service_now() RETURNS timestamptz LANGUAGE sql VOLATILE
    RETURN coalesce((SELECT now FROM virtual_clock), clock_timestamp());

-- Who ---------------------------------------------------------------------------------------------------------------

CREATE TABLE principal (
    id         text PRIMARY KEY,
    role       text NOT NULL CONSTRAINT role_is_known CHECK (role IN
                   ('agent', 'lead', 'manager', 'director', 'executive', 'service', 'auditor', 'admin')),
    level      smallint NOT NULL DEFAULT 0 CONSTRAINT level_is_0_to_4 CHECK (level BETWEEN 0 AND 4),
    may        text[] NOT NULL DEFAULT '{}',
    active     boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT only_people_have_a_level CHECK (level = 0 OR role NOT IN ('service', 'auditor', 'admin')),
    CONSTRAINT only_services_act_for_people CHECK (may = '{}' OR role = 'service')
);

CREATE TABLE api_key (
    id           text PRIMARY KEY,
    principal_id text NOT NULL REFERENCES principal,
    digest       text NOT NULL CONSTRAINT digest_is_sha256 CHECK (length(digest) = 64),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at   timestamptz
);
CREATE INDEX ON api_key (principal_id);
COMMENT ON COLUMN api_key.digest IS 'SHA-256 of a 256-bit secret, in hex: the secret itself is shown once and kept nowhere.';

CREATE TABLE session (
    digest   text PRIMARY KEY CONSTRAINT digest_is_sha256 CHECK (length(digest) = 64),
    key_id   text REFERENCES api_key,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    until    timestamptz NOT NULL,
    ended_at timestamptz,
    who      text,
    attempt  text CONSTRAINT an_attempt_begins_one_session UNIQUE,
    CONSTRAINT a_session_ends CHECK (until > began_at),
    CONSTRAINT begun_by_a_key_or_by_an_attempt CHECK (num_nonnulls(key_id, who) = 1 AND (who IS NULL) = (attempt IS NULL))
);
CREATE INDEX ON session (until);
COMMENT ON TABLE session IS 'Browsers signed in to the console, each by an API key or as whom an identity provider named: what those may not,
neither may their sessions, and they end with them. By the real clock, whatever the virtual one says.';
COMMENT ON COLUMN session.who IS 'The id of a person or principal, where there is no key.';
COMMENT ON COLUMN session.attempt IS 'SHA-256 of the state with which the identity provider led back, which can''t be used again.';
COMMENT ON COLUMN session.digest IS 'SHA-256 of a 256-bit secret, in hex: the cookie itself is kept nowhere.';

CREATE TABLE person (
    id      text PRIMARY KEY,
    name    text NOT NULL,
    level   smallint NOT NULL CONSTRAINT level_is_0_to_4 CHECK (level BETWEEN 0 AND 4),
    email   text,
    slack   text,
    on_duty boolean NOT NULL DEFAULT false,
    windows jsonb NOT NULL DEFAULT '[]',
    active  boolean NOT NULL DEFAULT true,
    left_at timestamptz
);
COMMENT ON COLUMN person.windows IS 'Spans [{"from": instant, "until": instant}] in which they are on duty besides on_duty.';
COMMENT ON COLUMN person.left_at IS 'When the roster''s last change took them off duty or retired them; what it asks for is told from then on.';

CREATE TABLE rota (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    time_zone  text NOT NULL,
    shifts     jsonb NOT NULL,
    feed       jsonb,
    body       text,
    fetched_at timestamptz,
    fetch_at   timestamptz NOT NULL DEFAULT '-infinity',
    error      text,
    unknown    text[] NOT NULL DEFAULT '{}',
    expand_by  timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE rota IS 'Who is on duty by the week, or by a calendar kept elsewhere. What it says is written out as windows.';
COMMENT ON COLUMN rota.body IS 'The last good calendar: it stays while there is no better one.';
COMMENT ON COLUMN rota.fetch_at IS 'When the calendar is fetched next, by the real clock; expand_by is by service_now().';
COMMENT ON COLUMN rota.unknown IS 'Titles of events that are nobody''s.';

CREATE TABLE rota_window (
    rota   text NOT NULL REFERENCES rota,
    person text NOT NULL,
    "from" timestamptz NOT NULL,
    until  timestamptz NOT NULL,
    CONSTRAINT a_window_ends_after_it_begins CHECK ("from" < until)
);
CREATE INDEX ON rota_window (person, until);
CREATE INDEX ON rota_window (rota);
CREATE INDEX ON rota_window ("from");
CREATE INDEX ON rota_window (until);
COMMENT ON TABLE rota_window IS 'Spans in which somebody is on duty by a rota, besides their own: all that guards read of it.';

CREATE TABLE customer (
    id              text PRIMARY KEY,
    name            text NOT NULL,
    tier            text NOT NULL CONSTRAINT tier_is_known CHECK (tier IN ('enterprise', 'professional', 'starter')),
    account_manager text,
    contacts        text[] NOT NULL DEFAULT '{}',
    language        text
);
CREATE INDEX ON customer USING gin (contacts);
COMMENT ON COLUMN customer.contacts IS 'Verified addresses, casefolded.';
COMMENT ON COLUMN customer.language IS 'In which they are written to; the policy''s where it is not known.';

-- What was reported -------------------------------------------------------------------------------------------------

CREATE TABLE ticket (
    id                 text PRIMARY KEY,
    revision           integer NOT NULL DEFAULT 0,
    reported           integer NOT NULL DEFAULT 0,
    customer_id        text REFERENCES customer,
    priority           text NOT NULL DEFAULT 'p3' CONSTRAINT priority_is_known CHECK (priority IN ('p0', 'p1', 'p2', 'p3')),
    status             text NOT NULL DEFAULT 'new' CONSTRAINT status_is_known CHECK (status IN
                           ('new', 'open', 'pending', 'on_hold', 'solved', 'closed')),
    subject            text NOT NULL DEFAULT '',
    description        text,
    opened_at          timestamptz,
    first_responded_at timestamptz,
    resolved_at        timestamptz,
    updated_at         timestamptz,
    assignee           text,
    issue_key          text,
    product            text,
    outage             boolean,
    merged_into        text,
    tags               text[] NOT NULL DEFAULT '{}',
    sla                json,
    priorities         json NOT NULL DEFAULT '[]',
    p0_since           timestamptz,
    p1_since           timestamptz,
    solved_since       timestamptz,
    begun              text[] NOT NULL DEFAULT '{}',
    phases             json NOT NULL DEFAULT '[]',
    warned             json NOT NULL DEFAULT '[]',
    CONSTRAINT a_reported_ticket_has_its_facts CHECK (revision = 0 OR (customer_id IS NOT NULL AND opened_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX ON ticket (customer_id);
CREATE INDEX ON ticket (issue_key) WHERE issue_key IS NOT NULL;
CREATE INDEX ON ticket (opened_at);
COMMENT ON TABLE ticket IS 'The lock of everything that happens on it. revision 0: made to be locked, never reported.';

CREATE TABLE ticket_event (
    id          uuid PRIMARY KEY,
    ticket_id   text NOT NULL REFERENCES ticket,
    revision    integer NOT NULL,
    received_at timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    by          text NOT NULL,
    stale       boolean NOT NULL,
    facts       json NOT NULL
);
CREATE INDEX ON ticket_event (ticket_id, received_at);
COMMENT ON TABLE ticket_event IS 'Every report as it came; stale ones are older than what was known, and changed nothing.';

CREATE TABLE said (
    id          uuid PRIMARY KEY,
    customer_id text NOT NULL,
    salt        text NOT NULL,
    text        json NOT NULL
);
COMMENT ON TABLE said IS 'What people wrote, for history and contacts that keep SHA-256(salt, text). Erasing deletes here,
found through the customer''s history and contacts.';

CREATE TABLE contact (
    id          uuid PRIMARY KEY,
    ticket_id   text NOT NULL REFERENCES ticket,
    customer_id text NOT NULL,
    revision    integer NOT NULL,
    at          timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    channel     text NOT NULL CONSTRAINT channel_is_known CHECK (channel IN
                    ('reply', 'call', 'account_manager', 'emergency', 'portal')),
    sender      text NOT NULL,
    author_role text NOT NULL CONSTRAINT author_is_known CHECK (author_role IN ('customer', 'agent', 'system')),
    verified    boolean NOT NULL,
    request     boolean NOT NULL,
    said        uuid,
    by          text NOT NULL,
    word        json,
    CONSTRAINT a_revision_is_one_contact UNIQUE (ticket_id, revision)
);
CREATE INDEX ON contact (received_at, id) WHERE word ->> 'look_alike' = 'true';
COMMENT ON COLUMN contact.word IS 'What in a reply''s subject asks for an escalation, or only looks like it, and where it stands.';

CREATE TABLE kept_mail (
    id          uuid PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT service_now(),
    why         text NOT NULL CONSTRAINT reason_is_known CHECK (why IN ('no_ticket', 'stranger')),
    ticket_id   text,
    message_id  text,
    sender      text,
    subject     text NOT NULL,
    body        text NOT NULL,
    automatic   text CONSTRAINT automatic_is_known CHECK (automatic IN ('bounce', 'auto_reply')),
    by          text NOT NULL,
    customer_id text,
    CONSTRAINT a_stranger_wrote_on_a_ticket CHECK (why <> 'stranger' OR ticket_id IS NOT NULL)
);
CREATE INDEX ON kept_mail (received_at, id);
CREATE INDEX ON kept_mail (ticket_id, received_at) WHERE ticket_id IS NOT NULL;
CREATE INDEX ON kept_mail (customer_id) WHERE customer_id IS NOT NULL;
COMMENT ON TABLE kept_mail IS 'Mail that names no ticket of ours, or comes from nobody whom its customer has named: for a person to look at.
Its id follows from the message, so that the same one delivered again is kept once.';
COMMENT ON COLUMN kept_mail.customer_id IS 'Whose it is, as far as can be told: of the ticket that it names, else whose contact sent it.
Erasing a customer deletes theirs here.';

CREATE TABLE reported (
    id          uuid PRIMARY KEY,
    ticket_id   text NOT NULL REFERENCES ticket,
    customer_id text NOT NULL,
    at          timestamptz NOT NULL,
    sender      text,
    issue_key   text,
    print       text,
    words       integer[] NOT NULL,
    counted     boolean NOT NULL DEFAULT false
);
CREATE INDEX may_repeat ON reported (customer_id, at) WHERE NOT counted AND sender IS NULL;
CREATE INDEX may_repeat_ticket ON reported (ticket_id, at) WHERE NOT counted;
CREATE INDEX may_repeat_key ON reported (customer_id, issue_key, at) WHERE NOT counted AND issue_key IS NOT NULL;
CREATE INDEX may_repeat_print ON reported (customer_id, print, at) WHERE NOT counted AND sender IS NULL AND print IS NOT NULL;
COMMENT ON TABLE reported IS 'Reports that may be one issue''s: tickets as they were opened (no sender), and contacts of verified senders.
print and words are hashes of what was written; erasing a customer deletes here too. counted: a repetition was made of it.';

-- The machine -------------------------------------------------------------------------------------------------------

CREATE TABLE allowed_move (
    id      smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trigger text NOT NULL,
    source  text,
    dest    text NOT NULL,
    CONSTRAINT a_move_is_listed_once UNIQUE NULLS NOT DISTINCT (trigger, source, dest),
    CONSTRAINT a_move_has_one_dest UNIQUE (id, dest)
);
COMMENT ON TABLE allowed_move IS 'Generated from machines.escalation: trigger, from and to are one thing. Rows are only added.';

CREATE SEQUENCE history_seq AS bigint;

CREATE TABLE history (
    seq            bigint NOT NULL,
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    escalation_id  uuid NOT NULL,
    version        integer NOT NULL,
    at             timestamptz NOT NULL,
    move           smallint NOT NULL,
    state          text NOT NULL,
    level          smallint NOT NULL,
    owner          text,
    ticket_id      text NOT NULL,
    customer_id    text NOT NULL,
    actor          text NOT NULL,
    on_behalf_of   text,
    actor_level    smallint NOT NULL,
    reason         text NOT NULL CONSTRAINT every_change_has_a_reason CHECK (reason <> ''),
    detail         json NOT NULL,
    guards         json NOT NULL,
    policy_version integer NOT NULL,
    changed        json NOT NULL,
    said           uuid,
    said_hash      text,
    messages       smallint NOT NULL,
    request_id     text NOT NULL,
    command        uuid NOT NULL,
    prev           text NOT NULL CONSTRAINT prev_is_sha256 CHECK (length(prev) = 64),
    hash           text NOT NULL CONSTRAINT hash_is_sha256 CHECK (length(hash) = 64),
    CONSTRAINT versions_are_unique UNIQUE (escalation_id, version),
    CONSTRAINT only_allowed_moves FOREIGN KEY (move, state) REFERENCES allowed_move (id, dest),
    CONSTRAINT a_text_has_its_hash CHECK ((said IS NULL) = (said_hash IS NULL))
) PARTITION BY RANGE (escalation_id);
CREATE INDEX ON history (seq);
CREATE INDEX ON history (ticket_id, seq);
CREATE INDEX ON history (customer_id, seq);
CREATE INDEX ON history (actor, seq);
CREATE INDEX ON history (move, seq);
CREATE INDEX ON history USING brin (at);
-- Two filters may each have many rows and none together: these find that out at once.
CREATE INDEX ON history (customer_id, actor, seq);
CREATE INDEX ON history (customer_id, move, seq);
CREATE INDEX ON history (actor, move, seq);
-- What somebody held to its end. Written once in an escalation's life, and once more if it is rated.
CREATE INDEX ended ON history (owner, escalation_id) WHERE state = 'closed';
COMMENT ON TABLE history IS 'One row per transition, append-only. Partitioned by the month in which the escalation was opened
(its id is a UUIDv7), so a chain never straddles partitions and (escalation_id, version) stays unique.';

CREATE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history is append-only: % refused', tg_op USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER history_is_append_only BEFORE UPDATE OR DELETE ON history
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only();
CREATE TRIGGER history_is_not_truncated BEFORE TRUNCATE ON history
    FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only();

CREATE FUNCTION first_id_of(month timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN (lpad(to_hex((extract(epoch FROM month) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

CREATE FUNCTION make_history_partitions(since timestamptz, months integer) RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    month timestamptz := date_trunc('month', since, 'UTC');
    made  integer := 0;
    name  text;
BEGIN
    FOR i IN 1..months LOOP
        name := 'history_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
        IF to_regclass(name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE TABLE %I PARTITION OF history FOR VALUES FROM (%L) TO (%L)', name,
                               first_id_of(month), first_id_of(month + interval '1 month'));
                EXECUTE format('CREATE TRIGGER history_is_not_truncated BEFORE TRUNCATE ON %I
                                FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only()', name);
                made := made + 1;
            EXCEPTION
                WHEN check_violation THEN NULL;  -- history_rest has rows of that month, and keeps it
                WHEN duplicate_table THEN NULL;  -- another node has just made it
            END;
        END IF;
        month := month + interval '1 month';
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION make_history_partitions IS 'Called by every migrate, and daily by the service, which owns no table: hence as the
definer. What no month was made for goes to history_rest.';

CREATE TABLE history_rest PARTITION OF history DEFAULT;
CREATE TRIGGER history_is_not_truncated BEFORE TRUNCATE ON history_rest
    FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only();

CREATE TABLE history_span (
    after_seq bigint PRIMARY KEY,
    last_seq  bigint NOT NULL,
    since     timestamptz NOT NULL,
    until     timestamptz NOT NULL,
    lowest    uuid,
    highest   uuid,
    CONSTRAINT a_span_goes_forward CHECK (last_seq > after_seq AND until >= since)
);
COMMENT ON TABLE history_span IS 'Between which instants, and which escalations'' ids, the rows lie whose numbers are above after_seq, up to
last_seq. Numbers are nearly in the order of time, but nothing promises it: a window of time is looked for among the
numbers that these say, and those in the months of these ids. Written by the service now and then, for what is complete;
whatever is above the last one is not told of yet.';
CREATE TRIGGER history_span_is_append_only BEFORE UPDATE OR DELETE ON history_span
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only();

CREATE TABLE tree_tile (
    height smallint NOT NULL CONSTRAINT every_eighth_height CHECK (height % 8 = 0),
    place  bigint NOT NULL,
    nodes  bytea NOT NULL CONSTRAINT at_most_256_nodes CHECK (length(nodes) BETWEEN 32 AND 8192 AND length(nodes) % 32 = 0),
    PRIMARY KEY (height, place)
);
COMMENT ON TABLE tree_tile IS 'Full nodes of the tree (RFC 9162) over history''s hashes in the order of seq, 256 beside each other; those of the heights
between follow from them.';

CREATE TABLE checkpoint (
    size bigint PRIMARY KEY,
    seq  bigint NOT NULL CONSTRAINT a_row_ends_one_checkpoint UNIQUE,
    head text NOT NULL,
    at   timestamptz NOT NULL,
    note text NOT NULL
);
COMMENT ON TABLE checkpoint IS 'Heads of the tree over the first size rows, the last of which is seq; note is signed, and kept elsewhere too.';
CREATE TRIGGER checkpoint_is_append_only BEFORE UPDATE OR DELETE ON checkpoint
    FOR EACH ROW EXECUTE FUNCTION history_is_append_only();

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

CREATE TABLE escalation (
    id                    uuid PRIMARY KEY,
    ticket_id             text NOT NULL REFERENCES ticket,
    customer_id           text NOT NULL REFERENCES customer,
    tier                  text NOT NULL,
    state                 text NOT NULL CONSTRAINT state_is_known CHECK (state IN
                              ('open', 'l1', 'l2', 'l3', 'l4', 'de_escalating', 'closed')),
    level                 smallint NOT NULL CONSTRAINT level_is_0_to_4 CHECK (level BETWEEN 0 AND 4),
    target_level          smallint NOT NULL CONSTRAINT target_is_a_level CHECK (target_level BETWEEN 1 AND 4),
    owner                 text,
    opened_at             timestamptz NOT NULL,
    opened_by             text NOT NULL,
    policy_version        integer NOT NULL REFERENCES policy,
    version               integer NOT NULL,
    situations            json NOT NULL,
    engaged               text[] NOT NULL,
    chain                 text[] NOT NULL,
    handoff               json,
    engage_by             timestamptz,
    respond_by            timestamptz,
    page_by               timestamptz,
    next_update_by        timestamptz,
    steps                 json NOT NULL,
    acts                  json NOT NULL,
    criterion             text,
    evidence              text,
    csat                  smallint CONSTRAINT csat_is_1_to_5 CHECK (csat BETWEEN 1 AND 5),
    follows               uuid REFERENCES escalation,
    opened_revision       integer NOT NULL,
    de_escalated_revision integer NOT NULL,
    closed_at             timestamptz,
    updated_at            timestamptz NOT NULL,
    head                  text NOT NULL,
    offered_to            text GENERATED ALWAYS AS
        (CASE WHEN handoff ->> 'status' IN ('offered', 'briefed') THEN handoff ->> 'to' END) STORED,
    notifying             integer,
    CONSTRAINT closed_has_its_instant CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CONSTRAINT closed_has_no_timer CHECK
        (state <> 'closed' OR coalesce(engage_by, page_by, next_update_by) IS NULL),
    CONSTRAINT level_fits_state CHECK (CASE state WHEN 'open' THEN level = 0
        WHEN 'l1' THEN level = 1 WHEN 'l2' THEN level = 2 WHEN 'l3' THEN level = 3 WHEN 'l4' THEN level = 4 ELSE true END),
    CONSTRAINT de_escalating_has_a_criterion CHECK (state <> 'de_escalating' OR criterion IS NOT NULL),
    CONSTRAINT only_an_ending_notifies CHECK (notifying IS NULL OR state = 'de_escalating'),
    CONSTRAINT a_level_has_a_handoff CHECK (state NOT IN ('l1', 'l2', 'l3', 'l4') OR handoff IS NOT NULL),
    CONSTRAINT the_owner_is_engaged CHECK (owner IS NULL OR owner = ANY (engaged))
) WITH (fillfactor = 70);
-- Predicates on closed_at, not on state: an index whose columns or predicate change makes an update write every index.
CREATE UNIQUE INDEX one_live_escalation_per_ticket ON escalation (ticket_id) WHERE closed_at IS NULL;
CREATE INDEX ON escalation (ticket_id, id);
CREATE INDEX ON escalation (customer_id, id);
CREATE INDEX notifying ON escalation (id) WHERE notifying IS NOT NULL;
COMMENT ON COLUMN escalation.notifying IS 'The version whose messages to the chain wait for their first try; then notify_chain is done.';

CREATE FUNCTION a_state_has_its_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lost record;
BEGIN
    -- One by one through the key, never by a join: its plan stays good however large history becomes.
    SELECT a.id, a.version, a.state INTO lost FROM after a WHERE a.state IS DISTINCT FROM
        (SELECT h.state FROM history h WHERE h.escalation_id = a.id AND h.version = a.version) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a_state_has_its_history: escalation % is in state % by its version %, of which history has no such row',
            lost.id, lost.state, lost.version
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'a_state_has_its_history', TABLE = 'escalation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER a_new_state_has_its_history AFTER INSERT ON escalation
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION a_state_has_its_history();
CREATE TRIGGER a_state_has_its_history AFTER UPDATE ON escalation
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION a_state_has_its_history();
CREATE INDEX closed_lately ON escalation (closed_at, opened_at) WHERE closed_at IS NOT NULL;
-- What was live at an instant: a few of all. Written as an escalation opens and closes, not in between.
CREATE INDEX stood_at ON escalation USING gist (tstzrange(opened_at, closed_at));

CREATE FUNCTION holders(owner text, offered_to text, closed_at timestamptz) RETURNS text[] LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN closed_at IS NULL THEN
        array_remove(ARRAY[owner, CASE WHEN offered_to IS DISTINCT FROM owner THEN offered_to END], NULL) END;

CREATE TABLE holding (
    person text NOT NULL,
    hand   integer NOT NULL DEFAULT pg_backend_pid(),
    held   integer NOT NULL,
    PRIMARY KEY (person, hand)
) WITH (fillfactor = 50);
COMMENT ON TABLE holding IS 'How many live escalations each person owns or is offered, as a sum: every connection counts in rows of
its own, up or down, so that batches which concern the same people never wait for each other.';

CREATE FUNCTION holdings_are_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_op = 'INSERT' THEN
        INSERT INTO holding AS h (person, held)
            SELECT person, count(*) FROM after, unnest(holders(owner, offered_to, closed_at)) AS person GROUP BY person
            ON CONFLICT (person, hand) DO UPDATE SET held = h.held + excluded.held;
    ELSE
        INSERT INTO holding AS h (person, held)
            SELECT person, sum(by) FROM (
                SELECT unnest(holders(owner, offered_to, closed_at)) AS person, 1 AS by FROM after
                UNION ALL
                SELECT unnest(holders(owner, offered_to, closed_at)), -1 FROM before) AS changed
            GROUP BY person HAVING sum(by) <> 0
            ON CONFLICT (person, hand) DO UPDATE SET held = h.held + excluded.held;
    END IF;
    RETURN NULL;
END $$;
-- Once a statement: 2 µs a row, where a trigger FOR EACH ROW costs 36 and indexes on owner and offered_to 14.
CREATE TRIGGER holdings_of_new_ones_are_counted AFTER INSERT ON escalation
    REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION holdings_are_counted();
CREATE TRIGGER holdings_are_counted AFTER UPDATE ON escalation
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION holdings_are_counted();

CREATE TABLE timer (
    ticket_id text NOT NULL REFERENCES ticket,
    kind      text NOT NULL CONSTRAINT kind_is_known CHECK (kind IN
                  ('engage', 'respond', 'update', 'p1', 'first_response', 'resolution')),
    due_at    timestamptz NOT NULL,
    PRIMARY KEY (ticket_id, kind)
) WITH (fillfactor = 70);
CREATE INDEX ON timer (due_at);
COMMENT ON TABLE timer IS 'When the clock acts next. A node reads what is due and hands it in as a command; nothing is claimed.';

CREATE TABLE outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    escalation_id uuid NOT NULL,
    version       integer NOT NULL,
    ordinal       smallint NOT NULL,
    ticket_id     text NOT NULL,
    customer_id   text NOT NULL,
    audience      text NOT NULL CONSTRAINT audience_is_known CHECK (audience IN
                      ('person', 'escalations', 'customer', 'account_manager', 'help_desk')),
    recipient     text NOT NULL,
    template      text NOT NULL,
    payload       json NOT NULL,
    planned_at    timestamptz NOT NULL,
    status        text NOT NULL DEFAULT 'planned' CONSTRAINT status_is_known CHECK (status IN
                      ('planned', 'delivered', 'parked')),
    attempts      smallint NOT NULL DEFAULT 0,
    next_try_at   timestamptz NOT NULL DEFAULT '-infinity',
    target        text,
    leased_until  timestamptz,
    first_tried_at timestamptz,
    delivered_at  timestamptz,
    error         text,
    passed        text[] NOT NULL DEFAULT '{}',
    receipt       text,
    together      text,
    told_in       bigint,
    CONSTRAINT one_row_per_planned_message UNIQUE (escalation_id, version, ordinal),
    CONSTRAINT delivered_somewhere CHECK (status <> 'delivered' OR (target IS NOT NULL AND delivered_at IS NOT NULL))
);
CREATE INDEX unrouted ON outbox (id) WHERE status = 'planned' AND target IS NULL;
CREATE INDEX due ON outbox (target, next_try_at, id) WHERE status = 'planned' AND target IS NOT NULL;
CREATE INDEX told_together ON outbox (target, recipient, together, id) WHERE together IS NOT NULL;
COMMENT ON TABLE outbox IS 'Planned messages, one row each, whatever becomes of it. A row is routed to a target (a channel of this
installation), leased for a moment by the node that sends it, and delivered, tried again or parked.';
COMMENT ON COLUMN outbox.leased_until IS 'By the real clock, and renewed while sending: a dead node''s rows are free when it has passed.';
COMMENT ON COLUMN outbox.passed IS 'Targets that refused a page: it is sent over another one.';
COMMENT ON COLUMN outbox.receipt IS 'What the receiver calls the message, where it names it: a Slack timestamp begins a thread.';
COMMENT ON COLUMN outbox.together IS 'The issue of a page to a person that may be told together with others of it.';
COMMENT ON COLUMN outbox.told_in IS 'Of a page so told: the row that was the first of its message.';

CREATE TABLE signing_key (
    id     integer PRIMARY KEY,
    secret text NOT NULL
);
INSERT INTO signing_key VALUES (1, gen_random_uuid()::text || gen_random_uuid()::text);
COMMENT ON TABLE signing_key IS 'What links to customers are signed with; each installation draws its own.';

CREATE TABLE denial (
    id            uuid PRIMARY KEY,
    at            timestamptz NOT NULL,
    status        smallint NOT NULL CONSTRAINT status_is_a_refusal CHECK (status IN (403, 409, 422)),
    trigger       text NOT NULL,
    escalation_id uuid,
    ticket_id     text,
    customer_id   text,
    state         text,
    actor         text NOT NULL,
    on_behalf_of  text,
    failed        json NOT NULL,
    request_id    text NOT NULL
);
CREATE INDEX ON denial (at, id);
CREATE INDEX ON denial (escalation_id);
CREATE INDEX ON denial (actor, at);
COMMENT ON TABLE denial IS 'A refused real attempt: who, what, which guards. Its id is the command''s.';

CREATE TABLE answered (
    principal_id text NOT NULL,
    key          text NOT NULL,
    fingerprint  text NOT NULL,
    status       smallint NOT NULL,
    body         text NOT NULL,
    etag         integer,
    customer_id  text,
    at           timestamptz NOT NULL,
    PRIMARY KEY (principal_id, key)
) WITH (toast_tuple_target = 8160); -- a body of 2 kB is kept as it is, not compressed on the way in
CREATE INDEX ON answered USING brin (at);
COMMENT ON TABLE answered IS 'What was answered under an Idempotency-Key, byte for byte, for 48 hours.';

-- What people make of a week -----------------------------------------------------------------------------------------

CREATE TABLE review (
    week      text PRIMARY KEY CONSTRAINT week_is_iso CHECK (week ~ '^\d{4}-W(0[1-9]|[1-4]\d|5[0-3])$'),
    signed_by text,
    signed_at timestamptz,
    CONSTRAINT who_signs_says_when CHECK ((signed_by IS NULL) = (signed_at IS NULL))
);
COMMENT ON TABLE review IS 'The review of an ISO week in UTC, from the first thing that was written into it; signed when it is done.
What it tells of escalations is read from them each time.';

CREATE TABLE review_mark (
    week          text NOT NULL REFERENCES review,
    escalation_id uuid NOT NULL REFERENCES escalation,
    by            text NOT NULL,
    at            timestamptz NOT NULL DEFAULT service_now(),
    PRIMARY KEY (week, escalation_id)
);
COMMENT ON TABLE review_mark IS 'This escalation was reviewed in that week''s review.';

CREATE TABLE review_note (
    id   uuid PRIMARY KEY,
    week text NOT NULL REFERENCES review,
    text text NOT NULL CONSTRAINT a_note_says_something CHECK (text ~ '\S'),
    by   text NOT NULL,
    at   timestamptz NOT NULL DEFAULT service_now(),
    place integer GENERATED ALWAYS AS IDENTITY
);
CREATE INDEX ON review_note (week, place);
COMMENT ON COLUMN review_note.place IS 'In which order they were written: two may be of one instant.';

CREATE TABLE review_action (
    id      uuid PRIMARY KEY,
    week    text NOT NULL REFERENCES review,
    text    text NOT NULL CONSTRAINT an_action_says_something CHECK (text ~ '\S'),
    owner   text NOT NULL REFERENCES person,
    due     date,
    by      text NOT NULL,
    at      timestamptz NOT NULL DEFAULT service_now(),
    place   integer GENERATED ALWAYS AS IDENTITY,
    done_by text,
    done_at timestamptz,
    CONSTRAINT who_is_done_says_when CHECK ((done_by IS NULL) = (done_at IS NULL))
);
CREATE INDEX ON review_action (week, place);
CREATE INDEX ON review_action (week) WHERE done_at IS NULL;
COMMENT ON TABLE review_action IS 'What a review wants done, and by whom. That it was done may be told after the review was signed: it changes
nothing of what was reviewed.';

CREATE FUNCTION a_signed_review_is_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Locked, so that nothing is written beside a sign-off that is about to commit.
    PERFORM FROM review r WHERE r.week = new.week AND r.signed_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a_signed_review_is_closed: % was signed', new.week
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'a_signed_review_is_closed', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER a_signed_review_is_closed BEFORE INSERT ON review_mark
    FOR EACH ROW EXECUTE FUNCTION a_signed_review_is_closed();
CREATE TRIGGER a_signed_review_is_closed BEFORE INSERT ON review_note
    FOR EACH ROW EXECUTE FUNCTION a_signed_review_is_closed();
CREATE TRIGGER a_signed_review_is_closed BEFORE INSERT ON review_action
    FOR EACH ROW EXECUTE FUNCTION a_signed_review_is_closed();
CREATE FUNCTION a_signature_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a_signature_stays: % was signed by %', old.week, old.signed_by
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'a_signature_stays', TABLE = 'review';
END $$;
CREATE TRIGGER a_signature_stays BEFORE UPDATE ON review
    FOR EACH ROW WHEN (old.signed_at IS NOT NULL) EXECUTE FUNCTION a_signature_stays();

-- What is erased ------------------------------------------------------------------------------------------------------

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

-- The auditor -----------------------------------------------------------------------------------------------------

CREATE TABLE audit (
    only_row     boolean PRIMARY KEY DEFAULT true CONSTRAINT there_is_one_audit CHECK (only_row),
    part         text NOT NULL,
    after        text NOT NULL,
    found        integer NOT NULL,
    found_before integer NOT NULL,
    rounds       bigint NOT NULL,
    looked_at    timestamptz NOT NULL,
    round_at     timestamptz
);
COMMENT ON TABLE audit IS 'How far the auditor is, which checks everything slice by slice, whichever node it runs on; found counts this round''s
findings, found_before those of the last whole one. By the real clock. Without its row it begins anew.';

-- Rights: the service appends, and owns nothing ----------------------------------------------------------------------

DO $$ BEGIN
    CREATE ROLE escalation_service NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- roles belong to the cluster; another database made it
END $$;
GRANT USAGE ON SCHEMA public TO escalation_service;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO escalation_service;
GRANT USAGE ON SEQUENCE history_seq TO escalation_service;
REVOKE EXECUTE ON FUNCTION make_history_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_history_partitions TO escalation_service;
REVOKE EXECUTE ON FUNCTION erase_tickets, erase_customer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_tickets, erase_customer TO escalation_service;
GRANT INSERT ON history, denial, said, ticket_event, contact, outbox, policy, checkpoint, history_span TO escalation_service;
GRANT INSERT, UPDATE ON principal, api_key, person, customer, reported, escalation, virtual_clock,
    tree_tile TO escalation_service;
GRANT INSERT, DELETE ON kept_mail, rota_window TO escalation_service;
GRANT INSERT, UPDATE ON rota, audit, rearming TO escalation_service;
GRANT INSERT, UPDATE, DELETE ON ticket, timer, answered, holding, session TO escalation_service;
GRANT UPDATE (status, attempts, next_try_at) ON outbox TO escalation_service;
GRANT UPDATE (target, leased_until, first_tried_at, delivered_at, error, passed, receipt) ON outbox TO escalation_service;
GRANT UPDATE (together, told_in) ON outbox TO escalation_service;
GRANT INSERT ON review, review_mark, review_note, review_action TO escalation_service;
GRANT UPDATE (signed_by, signed_at) ON review TO escalation_service;
GRANT UPDATE (done_by, done_at) ON review_action TO escalation_service;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO escalation_service;
