//! What is given to the process that follows, and where calls of another process go.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::callback;
use crate::daemon::front::Front;
use crate::daemon::ledger::restore;
use crate::daemon::shard::{Command, Load};
use crate::daemon::takeover::spread;
use crate::engine::door::Recovered;
use crate::ids::CallSid;
use crate::journal::{Estate, Journal, JournalError, gather};
use crate::net::{Bound, ShardSockets};
use crate::telemetry::Metrics;

/// What is given away, and what is taken back.
pub struct Holdings {
    /// Who starts the new process.
    pub front: Front,
    /// Every shard's sockets once more, with shard and listener.
    pub sockets: Vec<(usize, usize, OwnedFd)>,
    /// The listeners.
    pub bound: Vec<Bound>,
    /// The API's.
    pub http: OwnedFd,
    /// The command line's.
    pub unix: OwnedFd,
    /// The file that this process was started from.
    pub program: PathBuf,
    /// `node.upgrade-seconds`.
    pub patience: Duration,
    /// How long a new process that is told to end may take for it.
    pub leaving: Duration,
    /// Until the two dialogs of an answered call are looked at.
    pub liveness: Duration,
    /// Calls and what becomes of them.
    pub calls: Taking,
}

/// Where calls of another process go.
#[derive(Clone)]
pub struct Taking {
    /// This process's journal.
    pub journal: Arc<Journal>,
    /// Where it stands in the end.
    pub home: PathBuf,
    /// Callbacks.
    pub callbacks: callback::Feed,
    /// The shards.
    pub shards: Vec<mpsc::Sender<Command>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The sockets of all shards once more.
///
/// # Errors
/// Out of descriptors.
pub fn copies(sockets: &[ShardSockets]) -> io::Result<Vec<(usize, usize, OwnedFd)>> {
    let mut copies = Vec::new();
    for (shard, sockets) in sockets.iter().enumerate() {
        for (listener, socket) in &sockets.udp {
            copies.push((shard, usize::from(listener.0), socket.as_fd().try_clone_to_owned()?));
        }
        for (listener, _, socket) in &sockets.tcp {
            copies.push((shard, usize::from(listener.0), socket.as_fd().try_clone_to_owned()?));
        }
    }
    Ok(copies)
}

/// The file that this process was started from, whatever stands there now.
///
/// # Errors
/// `/proc` is not there.
pub fn program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or_else(|| path.clone(), PathBuf::from))
}

pub(in crate::daemon) async fn tell(shard: &mpsc::Sender<Command>, command: Command) {
    if shard.send(command).await.is_err() {
        tracing::error!("a shard is gone");
    }
}

impl Taking {
    pub(super) async fn loads(&self) -> Vec<Load> {
        let mut loads = Vec::new();
        for shard in &self.shards {
            let (reply, answer) = oneshot::channel();
            tell(shard, Command::Look(reply)).await;
            loads.extend(answer.await);
        }
        loads
    }

    /// Takes everything again, with what the other's journal holds; its calls are
    /// looked at so much later.
    pub(super) async fn back(&self, put_off: Duration) {
        for shard in &self.shards {
            tell(shard, Command::Follower(None)).await;
            tell(shard, Command::Closing(false)).await;
        }
        if let Err(error) = self.read_back(put_off).await {
            tracing::error!(%error, "calls of the new process are lost to this one; the next start takes them over");
        }
    }

    async fn read_back(&self, put_off: Duration) -> Result<(), JournalError> {
        let Some(estate) = self.estate_beside()? else { return Ok(()) };
        gather(&self.home).map_err(JournalError::Read)?;
        let mut replay = estate.replay();
        let calls = std::mem::take(&mut replay.unfinished);
        self.journal.merge(&estate, &self.home, &std::collections::HashSet::<CallSid>::new());
        self.merged(&estate).await;
        restore(replay, &self.callbacks);
        self.go_on(calls, put_off).await;
        Ok(())
    }

    /// Calls of the other to the shards that own them, looked at so much later.
    pub(in crate::daemon) async fn go_on(&self, calls: Vec<Recovered>, put_off: Duration) {
        self.metrics.calls.recovered.inc_by(calls.len() as u64);
        let mut parts = spread(calls, self.shards.len());
        parts.iter_mut().flatten().for_each(|call| call.probe_after += put_off);
        for (shard, part) in self.shards.iter().zip(parts) {
            tell(shard, Command::TakeOver(part)).await;
        }
    }

    /// What the other wrote, where it did.
    fn estate_beside(&self) -> Result<Option<Estate>, JournalError> {
        let folders = std::fs::read_dir(&self.home).map_err(JournalError::Read)?;
        let mut beside = folders.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        beside.next().map(|folder| Estate::read(&folder, &self.journal)).transpose()
    }

    /// Until the journal has taken an estate in.
    pub async fn merged(&self, estate: &Estate) {
        while !self.journal.has(estate) {
            sleep(Duration::from_millis(2)).await;
        }
    }
}
