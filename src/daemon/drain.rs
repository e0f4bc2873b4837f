//! The drain: no new calls, and the end when nothing is left that a restart would lose.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::shard::{Command, Load};
use super::shards::Shards;
use crate::telemetry::Health;
use crate::telemetry::health::Severity;

/// How often the shards are asked what is left.
const LOOK: Duration = Duration::from_millis(50);

/// Refuses new INVITEs and answers OPTIONS with 503 until no unanswered call and no open transaction
/// is left, until `deadline` at most. Answered calls live in the journal.
pub async fn drain(shards: &Shards, health: &Health, deadline: Instant) {
    refuse(shards, health).await;
    settled(shards, deadline).await;
}

/// No new calls from here on.
pub async fn refuse(shards: &Shards, health: &Health) {
    health.raise("drain", Severity::NotReady, "shutting down: no new calls");
    shards.tell(|| Command::Drain(true)).await;
}

/// Until nothing is left that a restart would lose.
pub async fn settled(shards: &Shards, deadline: Instant) {
    loop {
        let loads = shards.loads().await;
        // A shard that does not answer has something under way.
        if loads.iter().all(|load| load.as_ref().is_some_and(Load::may_stop)) {
            tracing::info!("drained");
            return;
        }
        if Instant::now() >= deadline {
            let left: usize = loads.iter().flatten().map(|load| load.engine.open).sum();
            tracing::warn!(left, "the drain took too long: stopping with open transactions");
            return;
        }
        sleep(LOOK).await;
    }
}
