//! `callgate upgrade`, as the process that follows sees it; `upgrade` has the whole story.
//!
//! - `bequest`: the process before and what it gives. `parking`: events that wait for those before them.

mod bequest;
mod parking;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::ledger::restore;
use super::shard::Command;
use super::shards::in_turn;
use super::upgrade::{Progress, Taking, say, tell};
use crate::api::UpgradeState;
use crate::ids::CallSid;
use crate::journal::{Estate, JournalError};
use crate::net::Line;

pub use bequest::{Bequest, FORM, Predecessor, SUCCEEDS, SuccessionError, cannot_follow};
pub use parking::Parking;

/// How far this process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The other reads the sockets and has its calls.
    Behind,
    /// The other ends, and its calls are on their way.
    Held,
    /// Sockets and calls are this process's.
    Front,
}

/// What a succession begins with; the fields of [`Succession`] say more.
pub struct Inheritance {
    /// Where its calls go.
    pub calls: Taking,
    /// Those whose events wait.
    pub parking: Arc<Parking>,
    /// At the front, and alone.
    pub turns: (watch::Sender<bool>, watch::Sender<bool>),
    /// The ends of the hand-offs.
    pub over: Vec<oneshot::Receiver<()>>,
    /// Until dialogs are looked at again.
    pub liveness: Duration,
    /// The live generation.
    pub live: watch::Receiver<u64>,
}

/// What is done when the other leaves.
pub struct Succession {
    /// Where its calls go.
    pub calls: Taking,
    /// Those whose events wait.
    pub parking: Arc<Parking>,
    /// True: the sockets are this process's, the API's too.
    pub front: watch::Sender<bool>,
    /// True: the journal of the other is this process's.
    pub alone: watch::Sender<bool>,
    /// Each resolves when a shard of the other hands nothing on any more.
    pub over: Vec<oneshot::Receiver<()>>,
    /// Until the two dialogs of an answered call are looked at again.
    pub liveness: Duration,
    /// What generation is live here.
    pub live: watch::Receiver<u64>,
    /// What is told of it.
    pub progress: Progress,
    stage: watch::Sender<Stage>,
    /// The other's journal, as far as it was read while that one still served.
    ahead: Option<Estate>,
    adopted: HashSet<CallSid>,
}

impl Succession {
    /// Before anything is taken over.
    #[must_use]
    pub fn new(inheritance: Inheritance, progress: Progress) -> Self {
        let Inheritance { calls, parking, turns: (front, alone), over, liveness, live } = inheritance;
        let stage = watch::Sender::new(Stage::Behind);
        Self {
            calls,
            parking,
            front,
            alone,
            over,
            liveness,
            live,
            progress,
            stage,
            ahead: None,
            adopted: HashSet::new(),
        }
    }

    /// Tells how far this process has come.
    #[must_use]
    pub fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Follows the other until it has ended; `first` once the sockets are this process's.
    pub async fn run(&mut self, line: &Line, first: impl FnOnce()) {
        let mut first = Some(first);
        self.live.mark_changed();
        while let Some(word) = self.next_word(line).await {
            let done = match word.as_slice() {
                b"\"hold\"" => {
                    self.read_ahead().await;
                    self.hold().await;
                    "held"
                }
                b"\"yours\"" => {
                    self.take_over(true).await;
                    if let Some(first) = first.take() {
                        first();
                    }
                    "front"
                }
                _ => continue,
            };
            if let Err(error) = say(line, &json!(done)).await {
                tracing::debug!(%error, "the former process has ended");
            }
        }
        if let Some(first) = first {
            tracing::warn!(
                "the former process ended before it had handed over: its calls are taken over as after a restart"
            );
            self.take_over(false).await;
            first();
        }
        self.inherit().await;
        self.progress.end(UpgradeState::Complete, None);
    }

    /// What the other says next, while it is told what generation is live here; `None`: it has ended.
    async fn next_word(&mut self, line: &Line) -> Option<Vec<u8>> {
        loop {
            tokio::select! {
                heard = line.receive() => match heard {
                    Ok(heard) => return heard.map(|(text, _)| text),
                    Err(error) => {
                        tracing::warn!(%error, "the line to the former process broke");
                        return None;
                    }
                },
                Ok(()) = self.live.changed() => self.tell_live(line).await,
            }
        }
    }

    async fn tell_live(&mut self, line: &Line) {
        let live: Value = json!({ "live": *self.live.borrow_and_update() });
        if let Err(error) = say(line, &live).await {
            tracing::debug!(%error, "the former process has ended");
        }
    }

    /// Reads the other's journal while that one still reads the sockets: afterwards little is left, and messages wait
    /// for as long as that takes.
    async fn read_ahead(&mut self) {
        let (home, journal) = (self.calls.home.clone(), self.calls.journal.clone());
        let read = tokio::task::spawn_blocking(move || Estate::read(&home, &journal)).await;
        match read {
            Ok(Ok(estate)) => self.ahead = Some(estate),
            Ok(Err(error)) => tracing::warn!(%error, "the former process's journal cannot be read yet"),
            Err(error) => tracing::error!(%error, "nobody read the former process's journal"),
        }
    }

    /// The whole of the other's journal.
    fn estate(&mut self) -> Result<Estate, JournalError> {
        let (home, journal) = (&self.calls.home, &self.calls.journal);
        match self.ahead.take() {
            Some(mut estate) => estate.go_on(home, journal).map(|()| estate),
            None => Estate::read(home, journal),
        }
    }

    async fn hold(&self) {
        self.stage.send_replace(Stage::Held);
        in_turn(&self.calls.shards, Command::Hold).await;
    }

    /// The calls, then the sockets. `clean`: both sides of each call are known to be there.
    async fn take_over(&mut self, clean: bool) {
        self.stage.send_replace(Stage::Held);
        let mut calls = Vec::new();
        match self.estate() {
            Ok(estate) => {
                calls = estate.replay().unfinished;
                self.adopted = calls.iter().map(|call| call.facts.call).collect();
                self.parking.park(&self.adopted);
                self.calls.journal.adopt(&estate, &self.adopted);
            }
            Err(error) => tracing::error!(%error, "the former process's calls cannot be taken over"),
        }
        self.progress.step(format!("{} calls of the former process go on", calls.len()));
        self.calls.go_on(calls, if clean { self.liveness } else { Duration::ZERO }).await;
        for over in self.over.drain(..) {
            if over.await.is_err() {
                tracing::error!("a shard is gone");
            }
        }
        for shard in &self.calls.shards {
            tell(shard, Command::Front).await;
        }
        self.front.send_replace(true);
        self.stage.send_replace(Stage::Front);
    }

    /// What the other left undelivered and unprojected.
    async fn inherit(&mut self) {
        match Estate::read(&self.calls.home, &self.calls.journal) {
            Ok(estate) => {
                self.calls.journal.merge(&estate, &self.calls.home, &self.adopted);
                self.calls.merged(&estate).await;
                restore(estate.replay(), &self.calls.callbacks);
            }
            Err(error) => {
                tracing::error!(%error, "the former process's journal cannot be read; the next start does")
            }
        }
        self.parking.release(&self.calls.callbacks);
        self.alone.send_replace(true);
    }
}
