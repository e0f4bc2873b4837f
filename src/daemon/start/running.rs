//! What was started, and its two ends.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::daemon::follower::Follower;
use crate::daemon::reload::Levers;
use crate::daemon::shards::Shards;
use crate::daemon::succession::Succession;
use crate::daemon::upgrade::{Holdings, Progress, hear, say};
use crate::journal::Journal;
use crate::net::{Bound, Line};
use crate::store::Store;
use crate::telemetry::Health;

/// A callgate that runs.
pub struct Running {
    /// Its listeners.
    pub bound: Vec<Bound>,
    /// Where the API listens.
    pub http: SocketAddr,
    /// Its shards.
    pub shards: Shards,
    /// What is degraded.
    pub health: Arc<Health>,
    /// Whoever keeps the directory in step.
    pub follower: Follower,
    /// What a reload of the configuration changes.
    pub levers: Levers,
    pub(super) tasks: JoinSet<()>,
    pub(super) stop_api: watch::Sender<bool>,
    pub(super) store: Store,
    pub(super) journal: Arc<Journal>,
    /// What an upgrade gives away.
    pub holdings: Rc<Holdings>,
    /// What is told of one, and where it is ordered.
    pub progress: Progress,
    /// Orders to upgrade.
    pub orders: Option<mpsc::Receiver<()>>,
    /// Where this process follows another, until that has ended.
    pub succession: Option<Succession>,
}

/// Who panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// That shard.
    Shard(u16),
    /// A task of *control*.
    Control,
}

impl Running {
    /// Resolves when a shard or a task of *control* has panicked: what is shared is in doubt then.
    pub async fn fault(&mut self) -> Fault {
        loop {
            tokio::select! {
                index = self.shards.death() => return Fault::Shard(index),
                Some(ended) = self.tasks.join_next() => {
                    if ended.is_err_and(|error| error.is_panic()) {
                        return Fault::Control;
                    }
                }
            }
        }
    }

    /// Gives everything to the process at the other end of `line`, which holds still, and ends. False: that
    /// process did not take it, so that a restart has to.
    pub async fn hand_over(mut self, line: Line) -> bool {
        let gauge = self.journal.gauge();
        self.shards.stop().await;
        while !gauge.oldest_unwritten().is_zero() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let said = say(&line, &serde_json::json!("yours")).await;
        let taken = hear(&line, &self.progress, "take over", TAKING).await;
        if let (Ok(()), Err(error)) = (&said, &taken) {
            tracing::error!(error = error as &dyn std::error::Error, "the new process did not take over");
        }
        self.stop_api.send_replace(true);
        if tokio::time::timeout(RESTING, self.holdings.calls.callbacks.rest()).await.is_err() {
            tracing::warn!("callbacks in flight are made again by the new process");
        }
        self.tasks.shutdown().await;
        self.store.close().await;
        said.is_ok() && taken.is_ok()
    }

    /// Ends everything in the order that loses nothing: the API, the shards, then what they write to.
    pub async fn stop(mut self) {
        self.stop_api.send_replace(true);
        self.shards.stop().await;
        self.tasks.shutdown().await;
        self.store.close().await;
        drop(self.journal);
    }
}

/// How long the new process may take over what this one had; a try of a callback may take 15 s.
const TAKING: Duration = Duration::from_secs(60);
const RESTING: Duration = Duration::from_secs(16);
