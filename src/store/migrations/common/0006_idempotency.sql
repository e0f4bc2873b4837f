-- Answers to bulk requests that named a key, so that a repeated one is answered and not done again. Kept for a day.
CREATE TABLE idempotency (
    key         TEXT NOT NULL PRIMARY KEY,
    digest      TEXT NOT NULL,
    answer      TEXT NOT NULL,
    at          TEXT NOT NULL
);
CREATE INDEX idempotency_at ON idempotency (at);
