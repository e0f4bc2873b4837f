//! How far an upgrade is, and where one is ordered.

use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::{mpsc, watch};

use crate::api::{self, UpgradeNote, UpgradeRefused, UpgradeState};

/// What an upgrade has come to, for whoever asks.
#[derive(Clone)]
pub struct Progress(Arc<Told>);

struct Told {
    note: Mutex<UpgradeNote>,
    orders: mpsc::Sender<()>,
    ahead: watch::Sender<Option<u64>>,
}

impl Progress {
    /// In this state, and where orders arrive. `ahead` is told what generation is live in the process that
    /// is to follow, while there is one.
    #[must_use]
    pub fn new(state: UpgradeState, ahead: watch::Sender<Option<u64>>) -> (Self, mpsc::Receiver<()>) {
        let (orders, taken) = mpsc::channel(1);
        let note = beginning(state);
        (Self(Arc::new(Told { note: Mutex::new(note), orders, ahead })), taken)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut UpgradeNote)) {
        change(&mut self.0.note.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// One more step is done.
    pub fn step(&self, step: String) {
        tracing::info!(step, "upgrade");
        self.change(|note| note.steps.push(step));
    }

    /// What generation is live in the process that is to follow, which takes new calls.
    pub(super) fn ahead(&self, generation: Option<u64>) {
        self.0.ahead.send_replace(generation);
    }

    /// It is over.
    pub fn end(&self, state: UpgradeState, error: Option<String>) {
        self.ahead(None);
        self.change(|note| (note.state, note.error, note.successor) = (state, error, None));
    }

    /// The process that is to follow, while there is one.
    #[must_use]
    pub fn successor(&self) -> Option<u32> {
        api::Upgrade::note(self).successor
    }
}

impl api::Upgrade for Progress {
    fn begin(&self) -> Result<UpgradeNote, UpgradeRefused> {
        let mut note = self.0.note.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.orders.is_closed() {
            return Err(UpgradeRefused::Ending);
        }
        if note.state == UpgradeState::Running || self.0.orders.try_send(()).is_err() {
            return Err(UpgradeRefused::UnderWay);
        }
        *note = beginning(UpgradeState::Running);
        Ok(note.clone())
    }

    fn note(&self) -> UpgradeNote {
        self.0.note.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Of this process, before any step.
fn beginning(state: UpgradeState) -> UpgradeNote {
    UpgradeNote { state, pid: std::process::id(), successor: None, steps: Vec::new(), error: None }
}

/// Tells the process that is to follow that this one ends: it does too; a second time, at once.
pub fn end_successor(pid: Option<u32>) {
    let pid = pid.and_then(|pid| i32::try_from(pid).ok());
    if let Some(Err(error)) = pid.map(|pid| kill(Pid::from_raw(pid), Signal::SIGTERM)) {
        tracing::debug!(%error, "the new process had ended");
    }
}
