//! Noticing that the directory's tables changed, whoever changed them.

use std::io;
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{Connection, Row as _, SqliteConnection};
use tokio::sync::Notify;
use tokio::time::Interval;

use crate::store::error::Result;
use crate::store::open::{Store, sqlite_options};
use crate::store::sql::Database;

/// Wakes whoever follows the directory. It may wake without need; it never misses a change.
#[derive(Debug)]
pub struct Watch {
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// `PRAGMA data_version` on a connection of its own: it changes when any other one commits.
    Sqlite { connection: Box<SqliteConnection>, version: i64 },
    /// LISTEN, and a look every second in case a notification was lost. The look's clock lives
    /// here, for whoever waits drops the wait and asks again more often than that.
    Postgres { listener: Box<PgListener>, look: Interval },
}

/// How often SQLite is asked. The question costs no system call of weight.
const POLL: Duration = Duration::from_millis(50);
/// The net under LISTEN.
const NET: Duration = Duration::from_secs(1);

impl Store {
    /// Begins to watch. Changes made after this are noticed.
    ///
    /// # Errors
    /// The database is away.
    pub async fn watch(&self) -> Result<Watch> {
        let source = match &self.directory {
            Database::Sqlite(pool) => {
                let path = pool.connect_options().get_filename().to_owned();
                let mut connection = Box::new(SqliteConnection::connect_with(&sqlite_options(&path)).await?);
                let version = data_version(&mut connection).await?;
                Source::Sqlite { connection, version }
            }
            Database::Postgres(pool) => {
                let mut listener = PgListener::connect_with(pool).await?;
                // A lost connection is told at once, not after it was tried again for seconds.
                listener.eager_reconnect(false);
                listener.listen("callgate_generation").await?;
                Source::Postgres { listener: Box::new(listener), look: tokio::time::interval(NET) }
            }
        };
        Ok(Watch { source })
    }
}

impl Watch {
    /// Waits until something may have changed: `written` says that this process did, and SQLite is asked at once.
    /// May be dropped and called again.
    ///
    /// # Errors
    /// The database went away; begin to watch anew.
    pub async fn changed(&mut self, written: &Notify) -> Result<()> {
        match &mut self.source {
            Source::Sqlite { connection, version } => loop {
                let now = data_version(connection).await?;
                if now != *version {
                    *version = now;
                    return Ok(());
                }
                tokio::select! {
                    () = tokio::time::sleep(POLL) => {}
                    () = written.notified() => {}
                }
            },
            Source::Postgres { listener, look } => tokio::select! {
                received = listener.try_recv() => match received? {
                    Some(_) => Ok(()),
                    None => Err(sqlx::Error::Io(io::ErrorKind::ConnectionAborted.into()).into()),
                },
                _ = look.tick() => Ok(()),
            },
        }
    }
}

async fn data_version(connection: &mut SqliteConnection) -> Result<i64> {
    Ok(sqlx::query("PRAGMA data_version").fetch_one(connection).await?.try_get(0)?)
}
