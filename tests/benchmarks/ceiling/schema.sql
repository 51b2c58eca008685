-- The smallest tables that one durable transition has to write, and 20,000 escalations at level 1.

CREATE TABLE escalation (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    ticket     text NOT NULL,
    tier       text NOT NULL,
    state      text NOT NULL,
    level      smallint,
    owner      text,
    version    int NOT NULL DEFAULT 1,
    opened_at  timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    doc        jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ON escalation (state, updated_at);

CREATE TABLE history (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    escalation_id uuid NOT NULL,
    version       int NOT NULL,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor         text NOT NULL,
    trigger       text NOT NULL,
    source        text NOT NULL,
    dest          text NOT NULL,
    detail        jsonb NOT NULL
);
CREATE UNIQUE INDEX ON history (escalation_id, version);
CREATE INDEX ON history USING brin (at);

CREATE TABLE outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    escalation_id uuid,
    topic         text,
    payload       jsonb,
    due           timestamptz DEFAULT now()
);

CREATE TABLE timer (
    escalation_id uuid,
    kind          text,
    due_at        timestamptz NOT NULL,
    PRIMARY KEY (escalation_id, kind)
);
CREATE INDEX ON timer (due_at);

INSERT INTO escalation (ticket, tier, state, level)
SELECT 'T-' || n, (ARRAY['enterprise', 'professional', 'starter'])[1 + n % 3], 'l1', 1
FROM generate_series(1, 20000) AS n;

-- pgbench draws numbers, not ids.
CREATE TABLE numbered AS SELECT row_number() OVER () AS n, id FROM escalation;
ALTER TABLE numbered ADD PRIMARY KEY (n);

ANALYZE;
