//! What can go wrong between callgate and its database, in the words of whoever must act on it.

use crate::store::secrets::SecretError;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another row already has this value where it must be unique.
    #[error("{table}: another row already has this {field}")]
    Duplicate {
        /// The table.
        table: String,
        /// The column that must differ.
        field: String,
    },
    /// A rule of the database refuses the row; the rule's name says what it wants.
    #[error("{}", sentence(name))]
    Constraint {
        /// The constraint, `numbers_voice_method_is_get_or_post` say.
        name: String,
    },
    /// There is no such row.
    #[error("no row of {table} has the id {id}")]
    NotFound {
        /// The table.
        table: &'static str,
        /// The id as 32 hexadecimal digits.
        id: String,
    },
    /// A row holds what callgate cannot read.
    #[error(transparent)]
    BadRow(#[from] BadRow),
    /// The database cannot be reached, or did not answer in time. Trying again later may help.
    #[error("the database is unreachable")]
    Unavailable(#[source] sqlx::Error),
    /// The database refused a statement.
    #[error("the database refused a statement")]
    Sql(#[source] sqlx::Error),
    /// The store was made by a newer callgate, or its migrations were changed.
    #[error("the database's schema cannot be used: {0}")]
    Schema(String),
    /// `[store] url` names no store.
    #[error("`{0}` is no store URL: expected sqlite://PATH or postgres://…")]
    Url(String),
    /// A file of the store's could not be made or read.
    #[error("{path}: cannot be used")]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The system starts no more threads, or gives them nothing to wait with.
    #[error("no thread could be started")]
    Thread(#[source] std::io::Error),
    /// A secret cannot be sealed or opened.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// What the store's functions return.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A row written by hand that callgate cannot use; the rest of the table is used without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{table} row {id}: {column} is {value:?}, which is not {expected}")]
pub struct BadRow {
    /// The table.
    pub table: &'static str,
    /// The row's id, as it stands.
    pub id: String,
    /// The column.
    pub column: &'static str,
    /// What it holds.
    pub value: String,
    /// What it should hold.
    pub expected: &'static str,
}

impl StoreError {
    /// Whether the same request may succeed later without a change.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Database(refusal) => match of_refusal(refusal.as_ref()) {
                Some(told) => told,
                None if is_passing(refusal.as_ref()) => Self::Unavailable(error),
                None => Self::Sql(error),
            },
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::Protocol(_) => {
                Self::Unavailable(error)
            }
            _ => Self::Sql(error),
        }
    }
}

/// SQLite says `UNIQUE constraint failed: numbers.number, numbers.scope`, PostgreSQL names the
/// index, ours being `TABLE_unique_FIELD`.
fn of_refusal(refusal: &dyn sqlx::error::DatabaseError) -> Option<StoreError> {
    let message = refusal.message();
    if let Some(columns) = message.strip_prefix("UNIQUE constraint failed: ") {
        let first = columns.split(',').next().unwrap_or(columns);
        let (table, field) = first.split_once('.').unwrap_or(("", first));
        return Some(StoreError::Duplicate { table: table.to_owned(), field: field.to_owned() });
    }
    if let Some(name) = message.strip_prefix("CHECK constraint failed: ") {
        return Some(StoreError::Constraint { name: name.to_owned() });
    }
    if let Some(column) = message.strip_prefix("NOT NULL constraint failed: ") {
        return Some(StoreError::Constraint { name: column.replace('.', "_") + "_is_there" });
    }
    if refusal.code().as_deref() == Some(SQLITE_CONSTRAINT_TRIGGER) {
        return Some(StoreError::Constraint { name: message.to_owned() });
    }
    let name = refusal.constraint()?;
    if !refusal.is_unique_violation() {
        return Some(StoreError::Constraint { name: name.to_owned() });
    }
    let (table, field) = name
        .split_once("_unique_")
        .unwrap_or_else(|| name.split_once("_pkey").map_or(("", name), |(table, _)| (table, "id")));
    Some(StoreError::Duplicate { table: table.to_owned(), field: field.to_owned() })
}

/// What `RAISE(ABORT, …)` in a trigger of ours comes with.
const SQLITE_CONSTRAINT_TRIGGER: &str = "1811";

/// Locked, busy, full or out of reach: SQLite's primary codes, PostgreSQL's classes.
fn is_passing(refusal: &dyn sqlx::error::DatabaseError) -> bool {
    let code = refusal.code().unwrap_or_default();
    if let Ok(number) = code.parse::<u32>()
        && code.len() < 5
    {
        const BUSY: u32 = 5;
        const LOCKED: u32 = 6;
        const IOERR: u32 = 10;
        const FULL: u32 = 13;
        const CANTOPEN: u32 = 14;
        return matches!(number & 0xff, BUSY | LOCKED | IOERR | FULL | CANTOPEN);
    }
    ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class))
}

/// `numbers_voice_method_is_get_or_post` reads as a sentence already.
fn sentence(name: &str) -> String {
    format!("the rule {name} refuses this: {}", name.replace('_', " "))
}
