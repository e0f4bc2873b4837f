//! Answers that were given to requests with a key of their own.

use jiff::{SignedDuration, Timestamp};

use crate::store::column::Column;
use crate::store::error::Result;
use crate::store::open::Store;

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

impl Store {
    /// The answer given under `key`, with the digest of the request it was given to.
    ///
    /// # Errors
    /// The database is away.
    pub async fn answered(&self, key: &str) -> Result<Option<(String, String)>> {
        let sql = "SELECT digest, answer FROM idempotency WHERE key = $1 AND at > $2";
        let rows = self.directory.rows(sql, &[key.to_owned().bind(), oldest().bind()]).await?;
        let text = |row: &crate::store::sql::Row, at| row.text(at).ok().flatten().unwrap_or("").to_owned();
        Ok(rows.first().map(|row| (text(row, 0), text(row, 1))))
    }

    /// Keeps an answer for a day; what is older goes.
    ///
    /// # Errors
    /// The database is away.
    pub async fn keep_answer(&self, key: &str, digest: &str, answer: &str) -> Result<()> {
        let mut tx = self.writers_turn().await?;
        tx.execute("DELETE FROM idempotency WHERE at <= $1", &[oldest().bind()]).await?;
        let values = [key, digest, answer].map(|text| text.to_owned().bind());
        let mut values = values.to_vec();
        values.push(Timestamp::now().bind());
        let sql = "INSERT INTO idempotency (key, digest, answer, at) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO NOTHING";
        tx.execute(sql, &values).await?;
        tx.commit().await
    }
}

fn oldest() -> Timestamp {
    Timestamp::now().checked_sub(KEPT).unwrap_or(Timestamp::MIN)
}
