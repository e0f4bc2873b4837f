//! Deliveries that are due, given up, or wanted once more.

use jiff::{SignedDuration, Timestamp};

use crate::ids::InstanceSid;
use crate::store::calls::rows::{AttemptRow, DeliveryRow};
use crate::store::column::{Column, Word};
use crate::store::error::Result;
use crate::store::lists::readable;
use crate::store::open::Store;
use crate::store::sql::{Purpose, Sql};
use crate::store::table::Table;

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// To be tried, or tried again.
    Pending,
    /// The receiver has it.
    Delivered,
    /// Given up after the last try; kept for a replay.
    Dead,
    /// Given up because the call's terminal event was due.
    Superseded,
}

impl Word for DeliveryState {
    const EXPECTED: &'static str = "pending, delivered, dead or superseded";

    fn word(&self) -> String {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Superseded => "superseded",
        }
        .to_owned()
    }

    fn of_word(text: &str) -> Option<Self> {
        match text {
            "pending" => Some(Self::Pending),
            "delivered" => Some(Self::Delivered),
            "dead" => Some(Self::Dead),
            "superseded" => Some(Self::Superseded),
            _ => None,
        }
    }
}

impl Store {
    /// Takes up to `limit` pending deliveries that are due, soonest first, for `node` alone until
    /// the lease ends. Those of other nodes whose lease ended are taken too.
    ///
    /// # Errors
    /// The database is away.
    pub async fn claim_due(
        &self,
        node: InstanceSid,
        now: Timestamp,
        lease: SignedDuration,
        limit: u64,
    ) -> Result<Vec<DeliveryRow>> {
        // The outer condition is asked again of the row as it is when its lock is had, so that two
        // nodes never hold one delivery.
        const FREE: &str =
            "state = 'pending' AND next_attempt_at <= $1 AND (leased_until IS NULL OR leased_until <= $1) ";
        let mut tx = self.calls.begin(Purpose::Write).await?;
        let sql = Sql::of(&[
            "UPDATE deliveries SET leased_by = $2, leased_until = $3 WHERE ",
            FREE,
            "AND id IN (SELECT id FROM deliveries WHERE ",
            FREE,
            "ORDER BY next_attempt_at, call_id, sequence LIMIT $4)",
        ]);
        tx.execute(sql, &[now.bind(), node.bind(), (now + lease).bind(), limit.bind()]).await?;
        let sql = Sql::of(&[
            DeliveryRow::SELECT,
            "WHERE state = 'pending' AND leased_by = $1 AND leased_until = $2 \
             ORDER BY next_attempt_at, call_id, sequence",
        ]);
        let rows = tx.rows(sql, &[node.bind(), (now + lease).bind()]).await?;
        tx.commit().await?;
        Ok(readable(&rows))
    }

    /// Puts a dead, superseded or delivered delivery back among the pending, due now, its tries
    /// counted from 0 again. False: there is no such delivery, or it is pending already.
    ///
    /// # Errors
    /// The database is away.
    pub async fn replay(&self, delivery: &str, now: Timestamp) -> Result<bool> {
        let mut tx = self.calls.begin(Purpose::Write).await?;
        let changed = tx
            .execute(
                "UPDATE deliveries SET state = 'pending', next_attempt_at = $2, finished_at = NULL, \
                 revision = revision + 1, leased_by = NULL, leased_until = NULL \
                 WHERE id = $1 AND state <> 'pending'",
                &[delivery.to_owned().bind(), now.bind()],
            )
            .await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Keeps a try that was asked for: where it was taken, the delivery is delivered; else it stays what
    /// it is.
    ///
    /// # Errors
    /// The database is away.
    pub async fn tried_again(&self, attempt: &AttemptRow, taken: bool) -> Result<()> {
        let mut tx = self.calls.begin(Purpose::Write).await?;
        let (id, number) = (attempt.delivery_id.bind(), u64::from(attempt.attempt).bind());
        if taken {
            tx.execute(
                "UPDATE deliveries SET state = 'delivered', finished_at = $3, next_attempt_at = NULL, \
                 last_error = NULL, attempts = $2, revision = revision + 1 WHERE id = $1",
                &[id, number, attempt.at.bind()],
            )
            .await?;
        } else {
            tx.execute(
                "UPDATE deliveries SET last_error = $3, attempts = $2, revision = revision + 1 WHERE id = $1",
                &[id, number, attempt.error.bind()],
            )
            .await?;
        }
        let values = attempt.values();
        tx.insert(AttemptRow::INSERT_INTO, AttemptRow::COLUMNS.len(), values, " ON CONFLICT DO NOTHING")
            .await?;
        tx.commit().await
    }

    /// One delivery.
    ///
    /// # Errors
    /// The database is away, or the row cannot be read.
    pub async fn delivery(&self, id: &str) -> Result<Option<DeliveryRow>> {
        let sql = Sql::of(&[DeliveryRow::SELECT, "WHERE id = $1"]);
        let rows = self.calls.rows(sql, &[id.to_owned().bind()]).await?;
        Ok(rows.first().map(DeliveryRow::read).transpose()?)
    }
}
