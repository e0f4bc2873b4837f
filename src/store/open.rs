//! Opening a store: its two databases, migrated, and its key file.

use std::future::ready;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::store::error::{Result, StoreError};
use crate::store::ladders::Ladders;
use crate::store::migrate;
use crate::store::secrets::Vault;
use crate::store::sql::Database;

/// Where the store is and which key file opens its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// `sqlite://PATH` or `postgres://…`.
    pub url: String,
    /// Made at first start, 0600.
    pub key_file: PathBuf,
    /// Connections to each database.
    pub connections: u32,
}

impl StoreConfig {
    /// A store at `url` with its key file at `key_file`.
    #[must_use]
    pub fn new(url: impl Into<String>, key_file: impl Into<PathBuf>) -> Self {
        Self { url: url.into(), key_file: key_file.into(), connections: 8 }
    }

    /// Whether opening it would make it: a SQLite file that is not there yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        sqlite_path(&self.url).is_some_and(|path| !path.exists())
    }
}

/// The store: what people edit, and the projection of the journal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) directory: Database,
    pub(crate) calls: Database,
    pub(crate) vault: Arc<Vault>,
    pub(crate) ladders: Arc<Ladders>,
}

/// How long a connection may take to come, and a lock to be freed.
const PATIENCE: Duration = Duration::from_secs(5);

impl Store {
    /// Opens both databases without waiting for them: a server that is away is noticed at the
    /// first use. A SQLite file is made where it is not there.
    ///
    /// # Errors
    /// The URL names no store, or the key file cannot be used.
    pub fn open(config: StoreConfig) -> Result<Self> {
        let vault = Arc::new(Vault::open(&config.key_file)?);
        let (directory, calls) = if let Some(path) = sqlite_path(&config.url) {
            make_folder(path)?;
            let pool = |options| sqlite(options, config.connections);
            (pool(sqlite_options(path)), pool(calls_options(&calls_path(path))))
        } else if config.url.starts_with("postgres://") || config.url.starts_with("postgresql://") {
            let database = postgres(postgres_options(&config.url)?, config.connections);
            (database.clone(), database)
        } else {
            return Err(StoreError::Url(config.url));
        };
        Ok(Self { directory, calls, vault, ladders: Arc::default() })
    }

    /// The same store, the directory over a connection of its own, opened when it is first used: on SQLite that is a
    /// thread, which has the priority of whoever opens it.
    #[must_use]
    pub fn apart(&self) -> Self {
        let directory = match &self.directory {
            Database::Sqlite(pool) => sqlite(pool.connect_options().as_ref().clone(), 1),
            Database::Postgres(pool) => postgres(pool.connect_options().as_ref().clone(), 1),
        };
        Self { directory, ..self.clone() }
    }

    /// Closes the connections to the directory alone.
    pub async fn close_directory(&self) {
        self.directory.close().await;
    }

    /// Applies what migrations are due, in both databases; their names.
    ///
    /// # Errors
    /// The database is away, newer than this program, or refuses.
    pub async fn migrate(&self) -> Result<Vec<&'static str>> {
        let mut applied = migrate::migrate(&self.directory, migrate::DIRECTORY).await?;
        applied.extend(migrate::migrate(&self.calls, migrate::CALLS).await?);
        Ok(applied)
    }

    /// The migrations that [`Store::migrate`] would apply; all of them where the store is empty.
    ///
    /// # Errors
    /// The database is away, or its user may not create tables.
    pub async fn due(&self) -> Result<Vec<&'static str>> {
        let mut due = migrate::due(&self.directory, migrate::DIRECTORY).await?;
        due.extend(migrate::due(&self.calls, migrate::CALLS).await?);
        Ok(due)
    }

    /// Whether the databases answer.
    ///
    /// # Errors
    /// One does not.
    pub async fn ping(&self) -> Result<()> {
        self.directory.rows("SELECT 1", &[]).await?;
        self.calls.rows("SELECT 1", &[]).await?;
        Ok(())
    }

    /// Whether the store is embedded (SQLite).
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.directory, Database::Sqlite(_))
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.directory.close().await;
        self.calls.close().await;
    }
}

pub(crate) fn sqlite_path(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    (!path.is_empty() && !path.contains(['?', '#'])).then(|| Path::new(path))
}

/// `data/callgate.db` has its projection in `data/callgate-calls.db`.
pub(crate) fn calls_path(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map_or("db".into(), |ending| ending.to_string_lossy());
    path.with_file_name(format!("{stem}-calls.{ending}"))
}

fn make_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::create_dir_all(folder)
            .map_err(|source| StoreError::File { path: folder.to_owned(), source }),
        _ => Ok(()),
    }
}

fn sqlite(options: SqliteConnectOptions, connections: u32) -> Database {
    Database::Sqlite(
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            // A full disk ends a transaction that the pool still counts: nothing can begin on that connection any more.
            .before_acquire(|connection, _| Box::pin(ready(Ok(!connection.is_in_transaction()))))
            .connect_lazy_with(options),
    )
}

/// SQLite's page cache per connection, in KiB (negative) as its pragma has it: the upper levels of
/// every index of some million rows.
const CACHE: &str = "-16384";
/// Pages in the write-ahead log before they are carried over: the end of an index is written to many
/// times before it is.
const CHECKPOINT: &str = "4096";

/// NORMAL in WAL mode: a power cut may lose the last commits, never the file.
pub(crate) fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("cache_size", CACHE)
        .pragma("wal_autocheckpoint", CHECKPOINT)
        .busy_timeout(PATIENCE)
        .row_buffer_size(1024)
}

/// The projection's pages are larger, its log of as many bytes: it is written at the ends of its tables and
/// indexes, where a page of 4 KiB is written over and over (58 us of CPU a call, 44 with these). A file
/// that is there already keeps the pages it has.
fn calls_options(path: &Path) -> SqliteConnectOptions {
    sqlite_options(path).page_size(16_384).pragma("wal_autocheckpoint", "1024")
}

fn postgres_options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::Url(without_password(url)))?;
    Ok(options.application_name("callgate"))
}

fn postgres(options: PgConnectOptions, connections: u32) -> Database {
    let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
    Database::Postgres(pool.connect_lazy_with(options))
}

fn without_password(url: &str) -> String {
    url.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, host)| format!("postgres://…@{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projection_has_a_file_of_its_own() {
        assert_eq!(calls_path(Path::new("data/callgate.db")), Path::new("data/callgate-calls.db"));
        assert_eq!(sqlite_path("sqlite://data/callgate.db"), Some(Path::new("data/callgate.db")));
        assert_eq!(sqlite_path("sqlite:///var/lib/c.db"), Some(Path::new("/var/lib/c.db")));
        assert_eq!(sqlite_path("mysql://x"), None);
    }

    #[test]
    fn an_error_shows_no_password() {
        assert_eq!(without_password("postgres://u:secret@host/db"), "postgres://…@host/db");
    }
}
