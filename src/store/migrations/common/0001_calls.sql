-- The projection of the journal: what lists and traces are read from. Never edited by people.

CREATE TABLE projected (
    node        TEXT NOT NULL PRIMARY KEY,
    position    BIGINT NOT NULL
);

CREATE TABLE calls (
    id          TEXT NOT NULL PRIMARY KEY,
    sequence    BIGINT NOT NULL,
    node        TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    number_id   TEXT,
    number      TEXT NOT NULL,
    trunk_id    TEXT,
    caller      TEXT NOT NULL,
    called      TEXT NOT NULL,
    caller_name TEXT NOT NULL,
    forwarded_from TEXT NOT NULL,
    sip_call_id TEXT NOT NULL,
    sip_source  TEXT NOT NULL,
    generation  BIGINT NOT NULL,
    status      TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    answered_at TEXT,
    ended_at    TEXT,
    duration_ms BIGINT NOT NULL,
    sip_code    BIGINT,
    reason      TEXT,
    hangup_source TEXT
);
CREATE INDEX calls_account ON calls (account_id, started_at);
CREATE INDEX calls_started ON calls (started_at);
CREATE INDEX calls_sip_call_id ON calls (sip_call_id);

-- Each INVITE toward a target.
CREATE TABLE legs (
    id          TEXT NOT NULL PRIMARY KEY,
    sequence    BIGINT NOT NULL,
    call_id     TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    caller      TEXT NOT NULL,
    called      TEXT NOT NULL,
    status      TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    answered_at TEXT,
    ended_at    TEXT,
    duration_ms BIGINT NOT NULL,
    sip_code    BIGINT
);
CREATE INDEX legs_call ON legs (call_id);
CREATE INDEX legs_account ON legs (account_id, started_at);

-- Both directions in one list, as the Calls API shows them.
CREATE VIEW call_legs AS
    SELECT id, NULL AS call_id, account_id, number_id, caller, called, caller_name, forwarded_from, status,
        started_at, answered_at, ended_at, duration_ms, sip_code, reason, hangup_source FROM calls
    UNION ALL
    SELECT id, call_id, account_id, NULL, caller, called, '', '', status,
        started_at, answered_at, ended_at, duration_ms, sip_code, NULL, NULL FROM legs;

-- Each a stretch of a call's records in words, with the number of the first: a row for each record cost more.
CREATE TABLE events (
    call_id     TEXT NOT NULL,
    sequence    BIGINT NOT NULL,
    at          TEXT NOT NULL,
    text        TEXT NOT NULL,
    PRIMARY KEY (call_id, sequence)
);

CREATE TABLE trace (
    call_id     TEXT NOT NULL,
    line        BIGINT NOT NULL,
    at          TEXT NOT NULL,
    text        TEXT NOT NULL,
    PRIMARY KEY (call_id, line)
);

CREATE TABLE deliveries (
    id          TEXT NOT NULL PRIMARY KEY,
    call_id     TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    sequence    BIGINT NOT NULL,
    revision    BIGINT NOT NULL,
    node        TEXT NOT NULL,
    status      TEXT NOT NULL,
    url         TEXT NOT NULL,
    method      TEXT NOT NULL,
    body        TEXT NOT NULL,
    state       TEXT NOT NULL,
    attempts    BIGINT NOT NULL,
    created_at  TEXT NOT NULL,
    next_attempt_at TEXT,
    finished_at TEXT,
    last_error  TEXT,
    first_at    TEXT,
    first_http_status BIGINT,
    first_took_ms BIGINT,
    leased_by   TEXT,
    leased_until TEXT
);
CREATE INDEX deliveries_call ON deliveries (call_id, sequence);
-- Most are delivered when they are first written, and none of this index's business.
CREATE INDEX deliveries_pending ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_created ON deliveries (created_at);

-- What was wrong with an account's URLs and documents.
CREATE TABLE notifications (
    id          TEXT NOT NULL PRIMARY KEY,
    account_id  TEXT NOT NULL,
    call_id     TEXT,
    at          TEXT NOT NULL,
    error_code  BIGINT NOT NULL,
    reason      TEXT NOT NULL,
    text        TEXT NOT NULL,
    url         TEXT NOT NULL,
    method      TEXT,
    http_status BIGINT
);
CREATE INDEX notifications_account ON notifications (account_id, at);
CREATE INDEX notifications_at ON notifications (at);

-- But for a first one that the receiver took: most deliveries are one row.
CREATE TABLE attempts (
    delivery_id TEXT NOT NULL,
    attempt     BIGINT NOT NULL,
    at          TEXT NOT NULL,
    http_status BIGINT,
    error       TEXT,
    took_ms     BIGINT NOT NULL,
    PRIMARY KEY (delivery_id, attempt)
);
