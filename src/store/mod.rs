//! SQL: one interface over SQLite and PostgreSQL.
