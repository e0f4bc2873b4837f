-- Tokens that are given for a while (Kazoo's user_auth and api_auth): only their keyed hashes.

CREATE TABLE sessions (
    token_hash  TEXT NOT NULL PRIMARY KEY,
    account_id  TEXT NOT NULL,
    expires_at  TEXT NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires_at);
