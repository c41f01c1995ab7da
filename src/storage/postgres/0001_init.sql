-- hookbox schema for PostgreSQL, version 1. Times are Unix milliseconds (UTC). Documented in
-- docs/schema.md and docs/postgres.md. Names sort by their bytes (COLLATE "C"): the same on every
-- server, and no index breaks when the server's C library changes its mind about an order.

CREATE TABLE hookbox_setting (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value BIGINT NOT NULL
);

-- Read by the emit guard below; the limit that was last asked for at an open.
INSERT INTO hookbox_setting (name, value) VALUES ('payload_bytes_max', 262144);

CREATE TABLE hookbox_app (
    id         TEXT COLLATE "C" PRIMARY KEY,
    enabled    BOOLEAN NOT NULL,
    profile    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- A random number that each change sets anew.
    version    BIGINT NOT NULL DEFAULT floor(random() * 9007199254740992)::BIGINT
);

-- The catalogue. A name that is not current is kept for subscriptions made while it was.
CREATE TABLE hookbox_event_type (
    name    TEXT COLLATE "C" PRIMARY KEY,
    current BOOLEAN NOT NULL DEFAULT TRUE
);

INSERT INTO hookbox_event_type (name) VALUES
    ('user.created'), ('user.deleted'), ('user.profile.updated'),
    ('user.identifier.created'), ('user.identifier.deleted'),
    ('user.session.created'), ('user.session.revoked');

CREATE TABLE hookbox_key (
    app_id          TEXT COLLATE "C" NOT NULL REFERENCES hookbox_app (id),
    kid             TEXT COLLATE "C" NOT NULL,
    public_jwk      TEXT NOT NULL,
    sealed          BYTEA NOT NULL,
    created_at      BIGINT NOT NULL,
    signs_from      BIGINT NOT NULL,
    signs_until     BIGINT,
    published_until BIGINT,
    PRIMARY KEY (app_id, kid)
);

-- Keys of the management API. The id is the key's public part; of its secret part only the SHA-256 is
-- here.
CREATE TABLE hookbox_api_key (
    id                  TEXT COLLATE "C" PRIMARY KEY,
    digest              BYTEA NOT NULL CHECK (length(digest) = 32),
    name                TEXT NOT NULL,
    -- The one app it is for; NULL: every app.
    app_id              TEXT COLLATE "C" REFERENCES hookbox_app (id),
    read_only           BOOLEAN NOT NULL,
    requests_per_second BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT,
    revoked_at          BIGINT,
    last_used_at        BIGINT
);

CREATE INDEX hookbox_api_key_of_app ON hookbox_api_key (app_id);

CREATE TABLE hookbox_webhook (
    no               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id               TEXT COLLATE "C" NOT NULL UNIQUE,
    app_id           TEXT COLLATE "C" NOT NULL REFERENCES hookbox_app (id),
    url              TEXT NOT NULL,
    events           TEXT NOT NULL,
    verified         BOOLEAN NOT NULL,
    enabled          BOOLEAN NOT NULL,
    description      TEXT NOT NULL,
    environment      TEXT COLLATE "C",
    overrides        TEXT NOT NULL,
    header_names     TEXT NOT NULL,
    has_basic_auth   BOOLEAN NOT NULL,
    sealed           BYTEA NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    last_enabled_at  BIGINT,
    last_disabled_at BIGINT,
    version          BIGINT NOT NULL DEFAULT floor(random() * 9007199254740992)::BIGINT
);

CREATE INDEX hookbox_webhook_of_app ON hookbox_webhook (app_id, no);

-- The events, append-only. `seq` is taken when a row is inserted, long before its transaction may
-- commit: it is no position. Routing gives that, in hookbox_log.
CREATE TABLE hookbox_event (
    seq             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              TEXT COLLATE "C" NOT NULL UNIQUE,
    app_id          TEXT COLLATE "C" NOT NULL,
    type            TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL
                    DEFAULT floor(extract(epoch FROM clock_timestamp()) * 1000)::BIGINT,
    idempotency_key TEXT COLLATE "C",
    environment     TEXT COLLATE "C",
    at_most_once    BOOLEAN NOT NULL DEFAULT FALSE,
    payload         TEXT NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE UNIQUE INDEX hookbox_event_key ON hookbox_event (app_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- The log: committed events in the order in which routing found them. Inserted and deleted, never
-- updated. Carving a batch reads hookbox_log_of_type alone.
CREATE TABLE hookbox_log (
    position     BIGINT PRIMARY KEY,
    event_seq    BIGINT NOT NULL UNIQUE,
    app_id       TEXT COLLATE "C" NOT NULL,
    type         TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL,
    environment  TEXT COLLATE "C",
    at_most_once BOOLEAN NOT NULL,
    bytes        BIGINT NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02);

CREATE INDEX hookbox_log_of_type ON hookbox_log (app_id, type, position)
    INCLUDE (environment, at_most_once, bytes);

-- How far routing is: one row. Who gives positions holds it FOR UPDATE; who saves that a webhook
-- has nothing more to be sent holds it FOR SHARE to the end of its transaction.
CREATE TABLE hookbox_log_head (
    no              SMALLINT PRIMARY KEY CHECK (no = 1),
    -- The last number seen of hookbox_event: those before it are in the log, or in hookbox_gap.
    seen_seq        BIGINT NOT NULL,
    -- The last position given.
    last_position   BIGINT NOT NULL,
    -- Every webhook owed something up to here is marked.
    routed_position BIGINT NOT NULL,
    -- When the older gaps were looked at.
    gaps_seen_at    BIGINT NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

INSERT INTO hookbox_log_head VALUES (1, 0, 0, 0, 0);

-- Numbers of hookbox_event, up to seen_seq, that were not there: their transactions have not
-- committed, or never will.
CREATE TABLE hookbox_gap (
    first_seq BIGINT PRIMARY KEY,
    last_seq  BIGINT NOT NULL,
    noted_at  BIGINT NOT NULL,
    -- When every transaction before this number has ended, nothing can appear any more.
    horizon   BIGINT
) WITH (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.1);

CREATE INDEX hookbox_gap_noted ON hookbox_gap (noted_at);

-- What is held by somebody, by name.
CREATE TABLE hookbox_lock (
    name TEXT COLLATE "C" PRIMARY KEY
);

INSERT INTO hookbox_lock VALUES ('routing');

-- Plain SQL emits: a row that comes without an id is checked here, and given one. Rows with an
-- id come from the library, which has checked them already.
CREATE FUNCTION hookbox_event_guard() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    digits CONSTANT TEXT := '0123456789abcdefghjkmnpqrstvwxyz';
    noise CONSTANT BYTEA := uuid_send(gen_random_uuid());
    of_app BOOLEAN;
BEGIN
    -- A key that is known is the same event: nothing to do.
    IF NEW.idempotency_key IS NOT NULL AND EXISTS (
        SELECT 1 FROM hookbox_event
        WHERE app_id = NEW.app_id AND idempotency_key = NEW.idempotency_key
    ) THEN
        RETURN NULL;
    END IF;
    SELECT enabled INTO of_app FROM hookbox_app WHERE id = NEW.app_id;
    IF of_app IS NULL THEN
        RAISE EXCEPTION 'hookbox: app_not_found: create the app before emitting its events';
    END IF;
    IF NOT of_app THEN
        RAISE EXCEPTION 'hookbox: session_disabled: the app is disabled, enable it first';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM hookbox_event_type WHERE name = NEW.type AND current) THEN
        RAISE EXCEPTION 'hookbox: invalid_webhook_event: the type is not in hookbox_event_type';
    END IF;
    BEGIN
        PERFORM NEW.payload::JSON;
    EXCEPTION WHEN OTHERS THEN
        RAISE EXCEPTION 'hookbox: invalid_payload: the payload is not valid JSON';
    END;
    IF octet_length(NEW.payload) >
        (SELECT value FROM hookbox_setting WHERE name = 'payload_bytes_max') THEN
        RAISE EXCEPTION 'hookbox: payload_too_large: see payload_bytes_max in hookbox_setting';
    END IF;
    IF octet_length(NEW.idempotency_key) NOT BETWEEN 1 AND 255 THEN
        RAISE EXCEPTION 'hookbox: invalid_request: idempotency_key must have 1 to 255 bytes';
    END IF;
    IF NEW.environment !~ '^[A-Za-z0-9._-]{1,64}$' THEN
        RAISE EXCEPTION 'hookbox: invalid_request: environment must have 1 to 64 characters of A-Z a-z 0-9 . _ -';
    END IF;
    IF NEW.created_at NOT BETWEEN 0 AND 281474976710655 THEN
        RAISE EXCEPTION 'hookbox: invalid_request: leave created_at to hookbox, or give Unix milliseconds';
    END IF;
    -- A ULID: 48 bits of time and 80 of randomness, in Crockford's base 32.
    NEW.id := 'evt_';
    FOR n IN 0..9 LOOP
        NEW.id := NEW.id || substr(digits, 1 + ((NEW.created_at >> (45 - 5 * n)) & 31)::INTEGER, 1);
    END LOOP;
    FOR n IN 0..15 LOOP
        NEW.id := NEW.id || substr(digits, 1 + (get_byte(noise, n) & 31), 1);
    END LOOP;
    RETURN NEW;
END $$;

CREATE TRIGGER hookbox_event_guard BEFORE INSERT ON hookbox_event FOR EACH ROW WHEN (NEW.id IS NULL)
    EXECUTE FUNCTION hookbox_event_guard();

CREATE FUNCTION hookbox_event_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'hookbox: events are immutable';
END $$;

CREATE TRIGGER hookbox_event_immutable BEFORE UPDATE ON hookbox_event FOR EACH ROW
    EXECUTE FUNCTION hookbox_event_immutable();

-- Wakes the engines when a host's own transaction has emitted. PostgreSQL lets only one transaction
-- that notifies commit at a time; a host that emits very often may SET hookbox.quiet = 'on' and is
-- then noticed within half a second. hookbox's own connections do, and notify now and then.
CREATE FUNCTION hookbox_event_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('hookbox_' || TG_RELID, '');
    RETURN NULL;
END $$;

CREATE TRIGGER hookbox_event_told AFTER INSERT ON hookbox_event FOR EACH STATEMENT
    WHEN (current_setting('hookbox.quiet', TRUE) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION hookbox_event_told();

-- Between which log positions a webhook was active and subscribed to a type ('*': all). It is owed
-- the events of its app and that type (and environment, unless NULL) after from_position and up to
-- until_position (NULL: still open).
CREATE TABLE hookbox_subscription (
    webhook_no     BIGINT NOT NULL REFERENCES hookbox_webhook (no) ON DELETE CASCADE,
    type           TEXT COLLATE "C" NOT NULL,
    from_position  BIGINT NOT NULL,
    until_position BIGINT,
    environment    TEXT COLLATE "C",
    app_id         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (webhook_no, type, from_position)
);

CREATE INDEX hookbox_subscription_of_type ON hookbox_subscription (app_id, type, webhook_no);

-- Where each webhook stands.
CREATE TABLE hookbox_webhook_state (
    webhook_no        BIGINT PRIMARY KEY REFERENCES hookbox_webhook (no) ON DELETE CASCADE,
    app_id            TEXT COLLATE "C" NOT NULL,
    -- Every event owed up to here is in a batch.
    cursor            BIGINT NOT NULL,
    -- Whether anything owed after the cursor has been routed.
    has_backlog       BOOLEAN NOT NULL DEFAULT FALSE,
    -- Whether a sender should look at it now; else due_at says when (NULL: when something happens).
    ready             BOOLEAN NOT NULL DEFAULT FALSE,
    due_at            BIGINT,
    -- Which senders its batches go through: 0 well, 1 untried, 2 failing.
    class             SMALLINT NOT NULL DEFAULT 1,
    health            TEXT NOT NULL DEFAULT '{}',
    last_http_code    INTEGER,
    last_http_code_at BIGINT
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX hookbox_webhook_state_of_app ON hookbox_webhook_state (app_id);
CREATE INDEX hookbox_webhook_state_ready ON hookbox_webhook_state (class, app_id, due_at)
    WHERE ready;
CREATE INDEX hookbox_webhook_state_timer ON hookbox_webhook_state (due_at)
    WHERE NOT ready AND due_at IS NOT NULL;

-- Webhooks that routing should have marked as having a backlog, and another transaction held. Whoever
-- claims next marks them.
CREATE TABLE hookbox_mark (
    no         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_no BIGINT NOT NULL
) WITH (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

-- Ranges of the log that a webhook is to be sent once more.
CREATE TABLE hookbox_replay (
    no             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_no     BIGINT NOT NULL REFERENCES hookbox_webhook (no) ON DELETE CASCADE,
    cursor         BIGINT NOT NULL,
    until_position BIGINT NOT NULL
);

CREATE INDEX hookbox_replay_of_webhook ON hookbox_replay (webhook_no, no);

-- No foreign keys from here on: each new batch would lock, and write to, the row of its webhook.
CREATE TABLE hookbox_batch (
    no             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             TEXT COLLATE "C" NOT NULL UNIQUE,
    webhook_no     BIGINT NOT NULL,
    parent_id      TEXT COLLATE "C",
    -- Inclusive ranges of log positions: [[17,116],[118,118]]
    positions      TEXT NOT NULL,
    first_position BIGINT NOT NULL,
    last_position  BIGINT NOT NULL,
    event_count    BIGINT NOT NULL,
    at_most_once   BOOLEAN NOT NULL,
    status         TEXT COLLATE "C" NOT NULL CHECK (status IN
                   ('waiting', 'leased', 'delivered', 'exhausted', 'parked', 'cancelled')),
    end_reason     TEXT COLLATE "C",
    created_at     BIGINT NOT NULL,
    attempts       BIGINT NOT NULL,
    failures       BIGINT NOT NULL,
    window_start   BIGINT,
    due_at         BIGINT,
    fence          BIGINT NOT NULL,
    ended_at       BIGINT,
    CHECK ((due_at IS NULL) = (status NOT IN ('waiting', 'leased'))),
    CHECK ((ended_at IS NULL) = (status IN ('waiting', 'leased', 'parked')))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX hookbox_batch_of_webhook ON hookbox_batch (webhook_no, no);
-- Only what may still be sent: their size does not grow with what was delivered. A query must name the
-- same statuses literally to use them.
CREATE INDEX hookbox_batch_open_position ON hookbox_batch (first_position)
    WHERE status IN ('waiting', 'leased', 'parked', 'exhausted');
CREATE INDEX hookbox_batch_open ON hookbox_batch (webhook_no, status, due_at)
    WHERE status IN ('waiting', 'leased', 'parked', 'exhausted');

CREATE TABLE hookbox_attempt (
    no          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_no    BIGINT NOT NULL,
    webhook_no  BIGINT NOT NULL,
    number      BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    http_status INTEGER,
    error       TEXT COLLATE "C",
    excerpt     TEXT NOT NULL,
    CHECK ((http_status IS NULL) <> (error IS NULL))
);

CREATE INDEX hookbox_attempt_of_batch ON hookbox_attempt (batch_no);
CREATE INDEX hookbox_attempt_of_webhook ON hookbox_attempt (webhook_no, no);

-- Views for people.

CREATE VIEW hookbox_webhooks AS
SELECT w.app_id, w.id AS webhook_id, w.url, w.verified AND w.enabled AS active, w.verified,
       w.enabled, w.events, w.environment, s.last_http_code,
       to_timestamp(s.last_http_code_at / 1000) AS last_http_code_date,
       to_timestamp(w.created_at / 1000) AS created
FROM hookbox_webhook w JOIN hookbox_webhook_state s ON s.webhook_no = w.no;

CREATE VIEW hookbox_backlog AS
SELECT w.app_id, w.id AS webhook_id, w.verified AND w.enabled AS active, s.has_backlog,
       (SELECT count(*) FROM hookbox_batch b WHERE b.webhook_no = w.no AND b.status = 'waiting') AS waiting,
       (SELECT count(*) FROM hookbox_batch b WHERE b.webhook_no = w.no AND b.status = 'leased') AS leased,
       (SELECT count(*) FROM hookbox_batch b WHERE b.webhook_no = w.no AND b.status = 'parked') AS parked,
       to_timestamp(s.due_at / 1000) AS next_due,
       coalesce((s.health::JSON ->> 'consecutive_failures')::BIGINT, 0) AS consecutive_failures
FROM hookbox_webhook w JOIN hookbox_webhook_state s ON s.webhook_no = w.no;

CREATE VIEW hookbox_recent_attempts AS
SELECT to_timestamp(a.started_at / 1000) AS started, a.duration_ms,
       w.app_id, w.id AS webhook_id, b.id AS batch_id, a.number, a.http_status, a.error, a.excerpt
FROM hookbox_attempt a
JOIN hookbox_batch b ON b.no = a.batch_no
JOIN hookbox_webhook w ON w.no = a.webhook_no
ORDER BY a.no DESC LIMIT 1000;

CREATE VIEW hookbox_batch_event AS
SELECT b.id AS batch_id, b.status, e.id AS event_id, l.position, l.type
FROM hookbox_batch b
CROSS JOIN LATERAL json_array_elements(b.positions::JSON) r
JOIN hookbox_log l ON l.position BETWEEN (r ->> 0)::BIGINT AND (r ->> 1)::BIGINT
JOIN hookbox_event e ON e.seq = l.event_seq;
