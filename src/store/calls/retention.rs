//! Forgetting what is old, in short transactions: the projection writes to the same tables.

use jiff::Timestamp;

use crate::store::column::Column;
use crate::store::error::{BadRow, Result};
use crate::store::open::Store;
use crate::store::sql::{Purpose, Sql, Tx};

/// Rows, or calls with what hangs on them, that one transaction forgets: some ten milliseconds.
pub const FORGOTTEN_AT_ONCE: u64 = 500;

const OLD_CALLS: &str = "(SELECT id FROM calls WHERE started_at < $1 AND ended_at < $1 AND NOT EXISTS \
     (SELECT 1 FROM deliveries WHERE call_id = calls.id AND state = 'pending') ORDER BY started_at LIMIT $2)";
const DELIVERED: &str = "(SELECT id FROM deliveries WHERE created_at < $1 AND state = 'delivered' \
     ORDER BY created_at LIMIT $2)";
const GIVEN_UP: &str = "(SELECT id FROM deliveries WHERE created_at < $1 AND state IN ('dead', 'superseded') \
     ORDER BY created_at LIMIT $2)";
const NOTIFIED: &str = "(SELECT id FROM notifications WHERE at < $1 ORDER BY at LIMIT $2)";
const TRACED: &str = "(SELECT id FROM calls WHERE started_at > $1 AND started_at <= $2)";

impl Store {
    /// Forgets some calls that ended before `before` and have no pending delivery, oldest first,
    /// with everything that hangs on them; how many, 0 when none is left.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_calls(&self, before: Timestamp) -> Result<u64> {
        let mut tx = self.calls.begin(Purpose::Write).await?;
        for head in [
            "DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE call_id IN ",
            "DELETE FROM trace WHERE (call_id IN ",
            "DELETE FROM legs WHERE (call_id IN ",
            "DELETE FROM events WHERE (call_id IN ",
            "DELETE FROM deliveries WHERE (call_id IN ",
        ] {
            forget(&mut tx, &[head, OLD_CALLS, ")"], before).await?;
        }
        let forgotten = forget(&mut tx, &["DELETE FROM calls WHERE id IN ", OLD_CALLS], before).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    /// Forgets some deliveries made before `before` that the receiver has, with their tries; how
    /// many, 0 when none is left.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_delivered(&self, before: Timestamp) -> Result<u64> {
        self.forget_deliveries(DELIVERED, before).await
    }

    /// The same of those that were given up: dead letters and superseded events.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_given_up(&self, before: Timestamp) -> Result<u64> {
        self.forget_deliveries(GIVEN_UP, before).await
    }

    /// Forgets some notifications made before `before`; how many, 0 when none is left.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_notifications(&self, before: Timestamp) -> Result<u64> {
        let mut tx = self.calls.begin(Purpose::Write).await?;
        let forgotten =
            forget(&mut tx, &["DELETE FROM notifications WHERE id IN ", NOTIFIED], before).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    async fn forget_deliveries(&self, old: &'static str, before: Timestamp) -> Result<u64> {
        let mut tx = self.calls.begin(Purpose::Write).await?;
        forget(&mut tx, &["DELETE FROM attempts WHERE delivery_id IN ", old], before).await?;
        let forgotten = forget(&mut tx, &["DELETE FROM deliveries WHERE id IN ", old], before).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    /// Forgets the traces of some calls that started after `from`, up to `before`: up to when, and
    /// how many lines; `None` when no call is left there. Whoever goes on from there looks at no call
    /// twice, for the calls themselves stay.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_traces(
        &self,
        from: Timestamp,
        before: Timestamp,
    ) -> Result<Option<(Timestamp, u64)>> {
        let mut tx = self.calls.begin(Purpose::Write).await?;
        let rows = tx
            .rows(
                "SELECT max(started_at) FROM (SELECT started_at FROM calls WHERE started_at > $1 AND started_at < $2 \
                 ORDER BY started_at LIMIT $3) AS step",
                &[from.bind(), before.bind(), FORGOTTEN_AT_ONCE.bind()],
            )
            .await?;
        let Some(row) = rows.first().filter(|row| !row.is_null(0)) else { return Ok(None) };
        let until = Timestamp::read(row, 0).map_err(|misread| BadRow {
            table: "calls",
            id: "the oldest".to_owned(),
            column: "started_at",
            value: misread.value,
            expected: misread.expected,
        })?;
        let sql = Sql::of(&["DELETE FROM trace WHERE call_id IN ", TRACED]);
        let lines = tx.execute(sql, &[from.bind(), until.bind()]).await?;
        tx.commit().await?;
        Ok(Some((until, lines)))
    }
}

async fn forget(tx: &mut Tx, parts: &[&'static str], before: Timestamp) -> Result<u64> {
    tx.execute(Sql::of(parts), &[before.bind(), FORGOTTEN_AT_ONCE.bind()]).await
}
