//! Forgetting what is older than its days of retention, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::store::{RetentionSection, Store, StoreError};
use crate::telemetry::Metrics;

/// A round begins this often; the first one waits as long as [`FIRST`].
const EVERY: Duration = Duration::from_secs(3600);
/// A start has better things to do.
const FIRST: Duration = Duration::from_secs(60);
/// Between two steps, so that the projection never waits for more than one.
const BREATH: Duration = Duration::from_millis(50);

/// Forgets for as long as it is polled.
pub struct Forgetting {
    store: Store,
    keep: RetentionSection,
    metrics: Arc<Metrics>,
    /// No call begun before this has a trace any more.
    traceless: Timestamp,
}

impl Forgetting {
    /// Keeps in `store` what `keep` says.
    #[must_use]
    pub fn new(store: Store, keep: RetentionSection, metrics: Arc<Metrics>) -> Self {
        Self { store, keep, metrics, traceless: Timestamp::UNIX_EPOCH }
    }

    /// A round each hour. A store that is away is tried again in the next one.
    pub async fn run(mut self) {
        tokio::time::sleep(FIRST).await;
        loop {
            if let Err(error) = self.round(Timestamp::now()).await {
                self.metrics.store.failures.inc();
                tracing::warn!(%error, "what is old could not be forgotten; tried again in an hour");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Everything that is old at `now`.
    ///
    /// # Errors
    /// The database is away; what was forgotten until then stays forgotten.
    pub async fn round(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if let Some(before) = cut(now, self.keep.traces_days) {
            while let Some((until, lines)) = self.store.forget_traces(self.traceless, before).await? {
                self.traceless = until;
                self.metrics.store.forgotten.add("trace_lines", lines);
                tokio::time::sleep(BREATH).await;
            }
        }
        let (store, keep) = (&self.store, &self.keep);
        self.all("delivered", cut(now, keep.delivered_days), |before| store.forget_delivered(before)).await?;
        self.all("given_up", cut(now, keep.dead_letters_days), |before| store.forget_given_up(before))
            .await?;
        self.all("notifications", cut(now, keep.notifications_days), |before| {
            store.forget_notifications(before)
        })
        .await?;
        self.all("calls", cut(now, keep.calls_days), |before| store.forget_calls(before)).await
    }

    /// One `step` after the other until one finds nothing older.
    async fn all(
        &self,
        what: &'static str,
        before: Option<Timestamp>,
        step: impl AsyncFn(Timestamp) -> Result<u64, StoreError>,
    ) -> Result<(), StoreError> {
        let Some(before) = before else { return Ok(()) };
        while let count @ 1.. = step(before).await? {
            self.metrics.store.forgotten.add(what, count);
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }
}

/// What began before this is old; `None`: nothing ever is.
fn cut(now: Timestamp, days: u32) -> Option<Timestamp> {
    (days > 0).then(|| now - SignedDuration::from_hours(24 * i64::from(days)))
}
