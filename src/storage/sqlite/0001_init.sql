-- hookbox schema, version 1. Times are Unix milliseconds (UTC). Documented in docs/schema.md.
-- Nothing here needs more than SQLite 3.38, so that any sqlite3 shell can read and emit.

CREATE TABLE hookbox_setting (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Read by the trigger on hookbox_event; the limit that was last asked for at an open.
INSERT INTO hookbox_setting (name, value) VALUES ('payload_bytes_max', 262144);
-- How far the log has been routed: every webhook owed something up to here is marked.
INSERT INTO hookbox_setting (name, value) VALUES ('routed_position', 0);
-- A random number that each change of an app or a webhook sets anew.
INSERT INTO hookbox_setting (name, value) VALUES ('registry_version', 0);

CREATE TABLE hookbox_app (
    id         TEXT PRIMARY KEY,
    enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    profile    TEXT NOT NULL CHECK (json_valid(profile)),
    created_at INTEGER NOT NULL,
    -- A random number that each change sets anew.
    version    INTEGER NOT NULL DEFAULT (random())
) STRICT, WITHOUT ROWID;

-- The catalogue. A name that is not current is kept for subscriptions made while it was.
CREATE TABLE hookbox_event_type (
    name    TEXT PRIMARY KEY,
    current INTEGER NOT NULL DEFAULT 1 CHECK (current IN (0, 1))
) STRICT, WITHOUT ROWID;

INSERT INTO hookbox_event_type (name) VALUES
    ('user.created'), ('user.deleted'), ('user.profile.updated'),
    ('user.identifier.created'), ('user.identifier.deleted'),
    ('user.session.created'), ('user.session.revoked');

CREATE TABLE hookbox_key (
    app_id          TEXT NOT NULL REFERENCES hookbox_app (id),
    kid             TEXT NOT NULL,
    public_jwk      TEXT NOT NULL CHECK (json_valid(public_jwk)),
    sealed          BLOB NOT NULL,
    created_at      INTEGER NOT NULL,
    signs_from      INTEGER NOT NULL,
    signs_until     INTEGER,
    published_until INTEGER,
    PRIMARY KEY (app_id, kid)
) STRICT;

-- Keys of the management API. The id is the key's public part; of its secret part only the SHA-256 is
-- here.
CREATE TABLE hookbox_api_key (
    id                  TEXT PRIMARY KEY,
    digest              BLOB NOT NULL CHECK (length(digest) = 32),
    name                TEXT NOT NULL,
    -- The one app it is for; NULL: every app.
    app_id              TEXT REFERENCES hookbox_app (id),
    read_only           INTEGER NOT NULL CHECK (read_only IN (0, 1)),
    requests_per_second INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    expires_at          INTEGER,
    revoked_at          INTEGER,
    last_used_at        INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX hookbox_api_key_of_app ON hookbox_api_key (app_id);

CREATE TABLE hookbox_webhook (
    no               INTEGER PRIMARY KEY AUTOINCREMENT,
    id               TEXT NOT NULL UNIQUE,
    app_id           TEXT NOT NULL REFERENCES hookbox_app (id),
    url              TEXT NOT NULL,
    events           TEXT NOT NULL CHECK (json_valid(events)),
    verified         INTEGER NOT NULL CHECK (verified IN (0, 1)),
    enabled          INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    description      TEXT NOT NULL,
    environment      TEXT,
    overrides        TEXT NOT NULL CHECK (json_valid(overrides)),
    header_names     TEXT NOT NULL CHECK (json_valid(header_names)),
    has_basic_auth   INTEGER NOT NULL CHECK (has_basic_auth IN (0, 1)),
    sealed           BLOB NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    last_enabled_at  INTEGER,
    last_disabled_at INTEGER,
    version          INTEGER NOT NULL DEFAULT (random())
) STRICT;

CREATE INDEX hookbox_webhook_of_app ON hookbox_webhook (app_id, no);

-- The log: append-only. hookbox inserts here what it has checked; everybody else emits into the view
-- below, whose trigger checks. (A trigger on the table itself, even one that never fires, would double
-- the cost of an insert.)
CREATE TABLE hookbox_log (
    position        INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    app_id          TEXT NOT NULL,
    type            TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    idempotency_key TEXT,
    environment     TEXT,
    at_most_once    INTEGER NOT NULL,
    payload         TEXT NOT NULL,
    -- CRC-32 of the row (src/storage/sqlite/checksum.rs); NULL where plain SQL emitted it. It comes last:
    -- whatever turns in the row's header cannot part the payload from it unnoticed.
    checksum        INTEGER
) STRICT;

CREATE INDEX hookbox_log_of_type ON hookbox_log (app_id, type, position);
CREATE UNIQUE INDEX hookbox_log_key ON hookbox_log (app_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TRIGGER hookbox_log_immutable BEFORE UPDATE ON hookbox_log
BEGIN
    SELECT RAISE(ABORT, 'hookbox: events are immutable');
END;

-- Events, for reading and for emitting by plain SQL.
CREATE VIEW hookbox_event AS
SELECT position, id, app_id, type, created_at, idempotency_key, environment, at_most_once, payload
FROM hookbox_log;

CREATE TRIGGER hookbox_event_emit INSTEAD OF INSERT ON hookbox_event
BEGIN
    SELECT RAISE(ABORT, 'hookbox: invalid_request: leave position to hookbox')
    WHERE NEW.position IS NOT NULL;
    SELECT RAISE(ABORT, 'hookbox: invalid_request: leave id to hookbox')
    WHERE NEW.id IS NOT NULL;
    -- A key that is known is the same event: nothing to do, whatever the conflict clause.
    SELECT RAISE(IGNORE) WHERE EXISTS (
        SELECT 1 FROM hookbox_log
        WHERE app_id = NEW.app_id AND idempotency_key = NEW.idempotency_key
    );
    SELECT RAISE(ABORT, 'hookbox: app_not_found: create the app before emitting its events')
    WHERE NOT EXISTS (SELECT 1 FROM hookbox_app WHERE id = NEW.app_id);
    SELECT RAISE(ABORT, 'hookbox: session_disabled: the app is disabled, enable it first')
    WHERE EXISTS (SELECT 1 FROM hookbox_app WHERE id = NEW.app_id AND enabled = 0);
    SELECT RAISE(ABORT, 'hookbox: invalid_webhook_event: the type is not in hookbox_event_type')
    WHERE NOT EXISTS (
        SELECT 1 FROM hookbox_event_type WHERE name = NEW.type AND current = 1
    );
    -- What is no text at all is the table's to refuse.
    SELECT RAISE(ABORT, 'hookbox: invalid_payload: the payload is not valid JSON')
    WHERE typeof(NEW.payload) NOT IN ('blob', 'null') AND NOT json_valid(NEW.payload);
    SELECT RAISE(ABORT, 'hookbox: payload_too_large: see payload_bytes_max in hookbox_setting')
    WHERE length(CAST(NEW.payload AS BLOB)) >
        (SELECT value FROM hookbox_setting WHERE name = 'payload_bytes_max');
    SELECT RAISE(ABORT, 'hookbox: invalid_request: idempotency_key must have 1 to 255 bytes')
    WHERE length(CAST(NEW.idempotency_key AS BLOB)) NOT BETWEEN 1 AND 255;
    SELECT RAISE(ABORT, 'hookbox: invalid_request: environment must have 1 to 64 characters of A-Z a-z 0-9 . _ -')
    WHERE length(NEW.environment) NOT BETWEEN 1 AND 64 OR NEW.environment GLOB '*[^A-Za-z0-9._-]*';
    SELECT RAISE(ABORT, 'hookbox: invalid_request: leave created_at to hookbox, or give Unix milliseconds')
    WHERE NEW.created_at NOT BETWEEN 0 AND 281474976710655;
    INSERT INTO hookbox_log
        (id, app_id, type, created_at, idempotency_key, environment, at_most_once, payload)
    SELECT (
            -- A ULID: 48 bits of time and 80 of randomness, in Crockford's base 32.
            WITH RECURSIVE digit (n, text) AS (
                SELECT 0, 'evt_'
                UNION ALL
                SELECT n + 1, text || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 +
                    CASE WHEN n < 10 THEN (emitted.at >> (45 - 5 * n)) & 31
                         ELSE random() & 31 END, 1)
                FROM digit WHERE n < 26
            )
            SELECT text FROM digit WHERE n = 26
        ),
        NEW.app_id, NEW.type, emitted.at, NEW.idempotency_key, NEW.environment,
        coalesce(NEW.at_most_once, 0) <> 0, NEW.payload
    FROM (SELECT coalesce(NEW.created_at,
              CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) AS at) emitted;
END;

CREATE TRIGGER hookbox_event_immutable INSTEAD OF UPDATE ON hookbox_event
BEGIN
    SELECT RAISE(ABORT, 'hookbox: events are immutable');
END;

CREATE TRIGGER hookbox_event_kept INSTEAD OF DELETE ON hookbox_event
BEGIN
    SELECT RAISE(ABORT, 'hookbox: events are deleted by retention only');
END;

-- Between which log positions a webhook was active and subscribed to a type ('*': all). It is owed
-- the events of its app and that type (and environment, unless NULL) after from_position and up to
-- until_position (NULL: still open).
CREATE TABLE hookbox_subscription (
    webhook_no     INTEGER NOT NULL REFERENCES hookbox_webhook (no) ON DELETE CASCADE,
    type           TEXT NOT NULL,
    from_position  INTEGER NOT NULL,
    until_position INTEGER,
    environment    TEXT,
    app_id         TEXT NOT NULL,
    PRIMARY KEY (webhook_no, type, from_position)
) STRICT, WITHOUT ROWID;

CREATE INDEX hookbox_subscription_of_type ON hookbox_subscription (app_id, type, webhook_no);

-- Where each webhook stands.
CREATE TABLE hookbox_webhook_state (
    webhook_no        INTEGER PRIMARY KEY REFERENCES hookbox_webhook (no) ON DELETE CASCADE,
    app_id            TEXT NOT NULL,
    -- Every event owed up to here is in a batch.
    cursor            INTEGER NOT NULL,
    -- Whether anything owed after the cursor has been routed.
    has_backlog       INTEGER NOT NULL DEFAULT 0,
    -- Whether a sender should look at it now; else due_at says when (NULL: when something happens).
    ready             INTEGER NOT NULL DEFAULT 0,
    due_at            INTEGER,
    -- Which senders its batches go through: 0 well, 1 untried, 2 failing.
    class             INTEGER NOT NULL DEFAULT 1,
    health            TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(health)),
    last_http_code    INTEGER,
    last_http_code_at INTEGER
) STRICT;

CREATE INDEX hookbox_webhook_state_ready ON hookbox_webhook_state (class, app_id, due_at)
    WHERE ready = 1;
CREATE INDEX hookbox_webhook_state_timer ON hookbox_webhook_state (due_at)
    WHERE ready = 0 AND due_at IS NOT NULL;
CREATE INDEX hookbox_webhook_state_backlog ON hookbox_webhook_state (cursor)
    WHERE has_backlog = 1;

-- Ranges of the log that a webhook is to be sent once more.
CREATE TABLE hookbox_replay (
    no             INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_no     INTEGER NOT NULL REFERENCES hookbox_webhook (no) ON DELETE CASCADE,
    cursor         INTEGER NOT NULL,
    until_position INTEGER NOT NULL
) STRICT;

CREATE INDEX hookbox_replay_of_webhook ON hookbox_replay (webhook_no, no);

CREATE TABLE hookbox_batch (
    no             INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    webhook_no     INTEGER NOT NULL REFERENCES hookbox_webhook (no) ON DELETE CASCADE,
    parent_id      TEXT,
    -- Inclusive ranges of log positions: [[17,116],[118,118]]
    positions      TEXT NOT NULL CHECK (json_valid(positions)),
    first_position INTEGER NOT NULL,
    last_position  INTEGER NOT NULL,
    event_count    INTEGER NOT NULL,
    at_most_once   INTEGER NOT NULL,
    -- Spelled out here and below: for a list of more than two SQLite builds a table, at each write.
    status         TEXT NOT NULL CHECK (
                       status = 'waiting' OR status = 'leased' OR status = 'delivered'
                       OR status = 'exhausted' OR status = 'parked' OR status = 'cancelled'),
    end_reason     TEXT,
    created_at     INTEGER NOT NULL,
    attempts       INTEGER NOT NULL,
    failures       INTEGER NOT NULL,
    window_start   INTEGER,
    due_at         INTEGER,
    fence          INTEGER NOT NULL,
    ended_at       INTEGER,
    CHECK ((due_at IS NULL) = (status NOT IN ('waiting', 'leased'))),
    CHECK ((ended_at IS NOT NULL) =
           (status = 'delivered' OR status = 'exhausted' OR status = 'cancelled'))
) STRICT;

CREATE INDEX hookbox_batch_of_webhook ON hookbox_batch (webhook_no, no);
-- Only what may still be sent: their size does not grow with what was delivered. A query must have the
-- same condition literally to use them.
CREATE INDEX hookbox_batch_open_position ON hookbox_batch (first_position)
    WHERE status NOT IN ('delivered', 'cancelled');
CREATE INDEX hookbox_batch_open ON hookbox_batch (webhook_no, status, due_at)
    WHERE status NOT IN ('delivered', 'cancelled');

CREATE TABLE hookbox_attempt (
    no          INTEGER PRIMARY KEY AUTOINCREMENT,
    batch_no    INTEGER NOT NULL REFERENCES hookbox_batch (no) ON DELETE CASCADE,
    webhook_no  INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    http_status INTEGER,
    error       TEXT,
    excerpt     TEXT NOT NULL,
    CHECK ((http_status IS NULL) <> (error IS NULL))
) STRICT;

CREATE INDEX hookbox_attempt_of_batch ON hookbox_attempt (batch_no);
CREATE INDEX hookbox_attempt_of_webhook ON hookbox_attempt (webhook_no, no);

-- Views for people.

CREATE VIEW hookbox_webhooks AS
SELECT w.app_id, w.id AS webhook_id, w.url, w.verified AND w.enabled AS active, w.verified,
       w.enabled, w.events, w.environment, s.last_http_code,
       strftime('%Y-%m-%dT%H:%M:%SZ', s.last_http_code_at / 1000, 'unixepoch') AS last_http_code_date,
       strftime('%Y-%m-%dT%H:%M:%SZ', w.created_at / 1000, 'unixepoch') AS created
FROM hookbox_webhook w JOIN hookbox_webhook_state s ON s.webhook_no = w.no;

CREATE VIEW hookbox_backlog AS
SELECT w.app_id, w.id AS webhook_id, w.verified AND w.enabled AS active, s.has_backlog,
       (SELECT count(*) FROM hookbox_batch b WHERE b.webhook_no = w.no AND b.status = 'waiting') AS waiting,
       (SELECT count(*) FROM hookbox_batch b WHERE b.webhook_no = w.no AND b.status = 'leased') AS leased,
       (SELECT count(*) FROM hookbox_batch b WHERE b.webhook_no = w.no AND b.status = 'parked') AS parked,
       strftime('%Y-%m-%dT%H:%M:%SZ', s.due_at / 1000, 'unixepoch') AS next_due,
       coalesce(json_extract(s.health, '$.consecutive_failures'), 0) AS consecutive_failures
FROM hookbox_webhook w JOIN hookbox_webhook_state s ON s.webhook_no = w.no;

CREATE VIEW hookbox_recent_attempts AS
SELECT strftime('%Y-%m-%dT%H:%M:%SZ', a.started_at / 1000, 'unixepoch') AS started, a.duration_ms,
       w.app_id, w.id AS webhook_id, b.id AS batch_id, a.number, a.http_status, a.error, a.excerpt
FROM hookbox_attempt a
JOIN hookbox_batch b ON b.no = a.batch_no
JOIN hookbox_webhook w ON w.no = a.webhook_no
ORDER BY a.no DESC LIMIT 1000;

CREATE VIEW hookbox_batch_event AS
SELECT b.id AS batch_id, b.status, e.id AS event_id, e.position, e.type
FROM hookbox_batch b
JOIN json_each(b.positions) r
JOIN hookbox_log e
    ON e.position BETWEEN json_extract(r.value, '$[0]') AND json_extract(r.value, '$[1]');
