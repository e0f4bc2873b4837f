//! One way to speak to both servers: statements made of constant text with `$1` placeholders,
//! values and rows of one kind each. Everything else in this room is written once above it.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Postgres, Row as _, Sqlite, Transaction, ValueRef};

use crate::store::error::Result;
pub use crate::store::statement::Sql;

/// A value on its way in, or a column kept. Nulls keep their type: PostgreSQL asks for it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// BOOLEAN.
    Bool(Option<bool>),
    /// BIGINT, INTEGER.
    Int(Option<i64>),
    /// TEXT.
    Text(Option<String>),
    /// TEXT that is held elsewhere too; only ever bound.
    #[serde(skip)]
    Shared(Arc<str>),
}

/// One row that came back.
#[derive(Debug)]
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From PostgreSQL.
    Postgres(PgRow),
    /// From a file of ours.
    Kept(Vec<Value>),
}

macro_rules! getter {
    ($(#[$doc:meta])* $name:ident: $type:ty, $kept:pat => $value:expr) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// The column holds something else, in words.
        pub fn $name(&self, column: usize) -> std::result::Result<Option<$type>, String> {
            match self {
                Self::Sqlite(row) => row.try_get(column).map_err(|error| error.to_string()),
                Self::Postgres(row) => row.try_get(column).map_err(|error| error.to_string()),
                Self::Kept(values) => match &values[column] {
                    $kept => Ok($value),
                    Value::Bool(None) | Value::Int(None) | Value::Text(None) => Ok(None),
                    other => Err(format!("{other:?}")),
                },
            }
        }
    };
}

impl Row {
    getter!(
        /// A TEXT column.
        text: &str, Value::Text(Some(text)) => Some(text.as_str())
    );
    getter!(
        /// A BIGINT column.
        int: i64, Value::Int(Some(int)) => Some(*int)
    );
    getter!(
        /// A BOOLEAN column.
        bool: bool, Value::Bool(Some(bool)) => Some(*bool)
    );

    /// Whether the column is NULL.
    #[must_use]
    pub fn is_null(&self, column: usize) -> bool {
        match self {
            Self::Sqlite(row) => row.try_get_raw(column).is_ok_and(|value| value.is_null()),
            Self::Postgres(row) => row.try_get_raw(column).is_ok_and(|value| value.is_null()),
            Self::Kept(values) => {
                matches!(values[column], Value::Bool(None) | Value::Int(None) | Value::Text(None))
            }
        }
    }

    /// A number that an aggregate or a counter gave; null counts as 0.
    ///
    /// # Errors
    /// The column holds no number.
    pub fn count(&self, column: usize) -> Result<i64> {
        let decoded = self.int(column);
        Ok(decoded.map_err(|text| sqlx::Error::Decode(text.into()))?.unwrap_or(0))
    }
}

/// A pool of connections to one of the servers.
#[derive(Clone, Debug)]
pub enum Database {
    /// A SQLite file.
    Sqlite(SqlitePool),
    /// A PostgreSQL server.
    Postgres(PgPool),
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To write. SQLite takes its write lock at once: upgrading later could fail.
    Write,
    /// To read several things as of one moment.
    Snapshot,
}

/// A transaction; dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

/// What keeps PostgreSQL from reading a whole table for a range of an index.
macro_rules! by_ranges {
    () => {
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"
    };
}

impl Database {
    /// Begins a transaction.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin(&self, purpose: Purpose) -> Result<Tx> {
        Ok(match (self, purpose) {
            (Self::Sqlite(pool), Purpose::Write) => Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            (Self::Sqlite(pool), Purpose::Snapshot) => Tx::Sqlite(pool.begin_with("BEGIN").await?),
            (Self::Postgres(pool), Purpose::Write) => Tx::Postgres(pool.begin_with("BEGIN").await?),
            (Self::Postgres(pool), Purpose::Snapshot) => {
                Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        })
    }

    /// Begins a transaction for statements each of which reads a range of an index. PostgreSQL is told so: of
    /// a table that it has not looked at since it was filled it would rather read all.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin_ranges(&self) -> Result<Tx> {
        // In one round trip: a page of a list is hardly more than its round trips.
        const BEGIN: &str = concat!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ", by_ranges!());
        match self {
            Self::Sqlite(_) => self.begin(Purpose::Snapshot).await,
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin_with(BEGIN).await?)),
        }
    }

    /// All rows of one query.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn rows(&self, sql: impl Into<Sql>, values: &[Value]) -> Result<Vec<Row>> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(pool) => {
                let rows = sqlx::query_with(sql, sqlite(values)).fetch_all(pool).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(pool) => {
                let rows = sqlx::query_with(sql, postgres(values)).fetch_all(pool).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Closes every connection; waits for those in use.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// As [`Database::begin_ranges`] has it, for what is left of this transaction.
    ///
    /// # Errors
    /// The database is away.
    pub(crate) async fn by_ranges(&mut self) -> Result<()> {
        if let Self::Postgres(_) = self {
            self.script(by_ranges!().to_owned()).await?;
        }
        Ok(())
    }

    /// Runs a statement; how many rows it touched.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn execute(&mut self, sql: impl Into<Sql>, values: &[Value]) -> Result<u64> {
        let sql = sql.into();
        Ok(match self {
            Self::Sqlite(tx) => {
                sqlx::query_with(sql, sqlite(values)).execute(&mut **tx).await?.rows_affected()
            }
            Self::Postgres(tx) => {
                sqlx::query_with(sql, postgres(values)).execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    /// Inserts many rows with one statement: `head`, the `values` of all rows one after the other,
    /// `columns` each, and `tail`.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn insert(
        &mut self,
        head: &'static str,
        columns: usize,
        values: Vec<Value>,
        tail: &'static str,
    ) -> Result<()> {
        let rows = values.len() / columns;
        match self {
            Self::Sqlite(tx) => {
                let sql = Sql::values(head, columns, rows, tail, false);
                sqlx::query_with(sql, sqlite_owned(values)).execute(&mut **tx).await.map(drop)?;
            }
            Self::Postgres(tx) => {
                let sql = Sql::values(head, columns, rows, tail, true);
                sqlx::query_with(sql, postgres(&values)).execute(&mut **tx).await.map(drop)?;
            }
        }
        Ok(())
    }

    /// Runs a script of several statements without values (migrations).
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn script(&mut self, script: String) -> Result<()> {
        let script = sqlx::raw_sql(AssertSqlSafe(script));
        match self {
            Self::Sqlite(tx) => script.execute(&mut **tx).await.map(drop)?,
            Self::Postgres(tx) => script.execute(&mut **tx).await.map(drop)?,
        }
        Ok(())
    }

    /// All rows of one query.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn rows(&mut self, sql: impl Into<Sql>, values: &[Value]) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.each(sql, values, |row| rows.push(row)).await?;
        Ok(rows)
    }

    /// What the server would do for a statement, one step a line.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn plan(&mut self, parts: &[&'static str], values: &[Value]) -> Result<String> {
        let (explain, column) = match self {
            Self::Sqlite(_) => ("EXPLAIN QUERY PLAN ", 3),
            Self::Postgres(_) => ("EXPLAIN ", 0),
        };
        let rows = self.rows(Sql::asked(&[&[explain], parts].concat()), values).await?;
        let lines = rows.iter().filter_map(|row| row.text(column).ok().flatten());
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }

    /// Hands every row to `take` as it comes: memory stays bounded however many there are.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn each(
        &mut self,
        sql: impl Into<Sql>,
        values: &[Value],
        mut take: impl FnMut(Row),
    ) -> Result<()> {
        let sql = sql.into();
        let mut taken = 0;
        match self {
            Self::Sqlite(tx) => {
                let mut rows = sqlx::query_with(sql, sqlite(values)).fetch(&mut **tx);
                while let Some(row) = rows.try_next().await? {
                    take(Row::Sqlite(row));
                    breathe(&mut taken).await;
                }
            }
            Self::Postgres(tx) => {
                let mut rows = sqlx::query_with(sql, postgres(values)).fetch(&mut **tx);
                while let Some(row) = rows.try_next().await? {
                    take(Row::Postgres(row));
                    breathe(&mut taken).await;
                }
            }
        }
        Ok(())
    }

    /// Makes it last.
    ///
    /// # Errors
    /// The database is away or refuses; nothing of the transaction lasts then.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Lets the others of this thread go on now and then during a long list.
pub(super) async fn breathe(taken: &mut u32) {
    *taken += 1;
    if taken.is_multiple_of(256) {
        tokio::task::yield_now().await;
    }
}

const ENCODES: &str = "texts, integers and booleans always encode";

fn sqlite(values: &[Value]) -> SqliteArguments {
    sqlite_owned(values.to_vec())
}

fn sqlite_owned(values: Vec<Value>) -> SqliteArguments {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Bool(bool) => arguments.add(bool),
            Value::Int(int) => arguments.add(int),
            Value::Text(text) => arguments.add(text),
            Value::Shared(text) => arguments.add(text),
        }
        .expect(ENCODES);
    }
    arguments
}

fn postgres(values: &[Value]) -> PgArguments {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Bool(bool) => arguments.add(*bool),
            Value::Int(int) => arguments.add(*int),
            Value::Text(text) => arguments.add(text.as_deref()),
            Value::Shared(text) => arguments.add(&**text),
        }
        .expect(ENCODES);
    }
    arguments
}
