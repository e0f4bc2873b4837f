//! `callgate upgrade`, as the process that follows sees it; `upgrade` has the whole story.

use std::collections::HashSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use super::ledger::restore;
use super::shard::Command;
use super::takeover::spread;
use super::upgrade::{Progress, Taking, say, tell};
use crate::api::UpgradeState;
use crate::callback::{self, Notice};
use crate::flow::{ListenerId, Transport};
use crate::ids::CallSid;
use crate::journal::{Estate, FORM as JOURNAL_FORM};
use crate::net::{Bound, Line, Planned, ShardSockets, granted_buffer};
use crate::telemetry::chain;

/// Set for the process that follows: the one before it. Its standard input is the line.
pub const SUCCEEDS: &str = "CALLGATE_SUCCEEDS";

/// What both must agree in: the words of the line and the frames of the hand-off, and the journal's version.
pub const FORM: [u8; 2] = [1, JOURNAL_FORM];

/// Why it does not follow.
#[derive(Debug, thiserror::Error)]
pub enum SuccessionError {
    /// The line.
    #[error("the process before is gone")]
    Line(#[from] io::Error),
    /// Something else came.
    #[error("the process before speaks in another way ({0}): restart instead")]
    Word(String),
    /// Other listeners.
    #[error(
        "sip.listen or sip.listener has changed ({0}): the sockets cannot be taken over, restart instead"
    )]
    Listeners(String),
}

/// The process before.
pub struct Predecessor(pub Line);

/// What it gave.
pub struct Bequest {
    /// Its listeners, as this process has planned them.
    pub bound: Vec<Bound>,
    /// Their sockets.
    pub sockets: Vec<ShardSockets>,
    /// What each of its shards hands on.
    pub streams: Vec<UnixStream>,
    /// The API's.
    pub http: TcpListener,
    /// The command line's.
    pub unix: UnixListener,
    /// Where to begin a journal.
    pub journal: (PathBuf, u64),
}

impl Predecessor {
    /// The one that started this process, where one did to be followed.
    ///
    /// # Errors
    /// Standard input is no line.
    pub fn of_environment() -> io::Result<Option<Self>> {
        if std::env::var_os(SUCCEEDS).is_none() {
            return Ok(None);
        }
        let line = std::io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Some(Self(Line::of(line)?)))
    }

    /// Says why it does not follow.
    pub async fn failed(&self, error: &dyn std::error::Error) {
        if let Err(error) = say(&self.0, &json!({ "failed": chain(error) })).await {
            tracing::debug!(%error, "nobody hears why");
        }
    }

    /// Says that all is loaded, and gets what the other has.
    ///
    /// # Errors
    /// [`SuccessionError`].
    pub async fn bequest(&self, plans: &[Planned]) -> Result<Bequest, SuccessionError> {
        let version = env!("CARGO_PKG_VERSION");
        say(&self.0, &json!({ "ready": { "form": FORM, "version": version } })).await?;
        let mut given = Given::default();
        loop {
            let (text, mut along) = self.0.receive().await?.ok_or_else(ended)?;
            let word: Value = serde_json::from_slice(&text).map_err(io::Error::from)?;
            let fd = along.pop();
            match fd {
                Some(fd) => given.take(&word, fd)?,
                None => return given.whole(plans, &word),
            }
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the line has ended")
}

/// What came so far.
#[derive(Default)]
struct Given {
    sockets: Vec<(usize, usize, Listening, OwnedFd)>,
    streams: Vec<UnixStream>,
    http: Option<TcpListener>,
    unix: Option<UnixListener>,
}

/// A listener as the other has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listening {
    transport: String,
    bind: SocketAddr,
    address: SocketAddr,
}

impl Given {
    fn take(&mut self, word: &Value, fd: OwnedFd) -> Result<(), SuccessionError> {
        let bad = || SuccessionError::Word(word.to_string());
        if let Some(one) = word.get("socket") {
            let number =
                |name: &str| one[name].as_u64().and_then(|at| usize::try_from(at).ok()).ok_or_else(bad);
            let address = |name: &str| one[name].as_str().and_then(|text| text.parse().ok()).ok_or_else(bad);
            let transport = one["transport"].as_str().ok_or_else(bad)?.to_owned();
            let listening = Listening { transport, bind: address("bind")?, address: address("address")? };
            self.sockets.push((number("shard")?, number("listener")?, listening, fd));
        } else if word.get("hand_off").is_some() {
            self.streams.push(fd.into());
        } else if word == "http" {
            self.http = Some(fd.into());
        } else if word == "cli" {
            self.unix = Some(fd.into());
        } else {
            return Err(bad());
        }
        Ok(())
    }

    fn whole(self, plans: &[Planned], word: &Value) -> Result<Bequest, SuccessionError> {
        let bad = || SuccessionError::Word(word.to_string());
        let folder = word["journal"]["folder"].as_str().ok_or_else(bad)?;
        let start = word["journal"]["start"].as_u64().ok_or_else(bad)?;
        let (bound, sockets) = sort(self.sockets, plans, self.streams.len())?;
        Ok(Bequest {
            bound,
            sockets,
            streams: self.streams,
            http: self.http.ok_or_else(bad)?,
            unix: self.unix.ok_or_else(bad)?,
            journal: (folder.into(), start),
        })
    }
}

/// The sockets by shard, where they are those that this process would have bound.
fn sort(
    given: Vec<(usize, usize, Listening, OwnedFd)>,
    plans: &[Planned],
    shards: usize,
) -> Result<(Vec<Bound>, Vec<ShardSockets>), SuccessionError> {
    let count = given.iter().map(|(_, listener, ..)| listener + 1).max().unwrap_or(0);
    if count != plans.len() {
        return Err(SuccessionError::Listeners(format!("{count} listeners became {}", plans.len())));
    }
    let mut sockets: Vec<_> = (0..shards).map(|_| ShardSockets::default()).collect();
    let mut bound: Vec<Option<Bound>> = plans.iter().map(|_| None).collect();
    for (shard, listener, was, fd) in given {
        let plan = &plans[listener];
        let transport = plan.spec.transport;
        if transport.via_token() != was.transport || plan.spec.bind != was.bind {
            let now =
                format!("{} {} is now {} {}", was.transport, was.bind, transport.via_token(), plan.spec.bind);
            return Err(SuccessionError::Listeners(now));
        }
        let id = ListenerId(u16::try_from(listener).map_err(io::Error::other)?);
        let datagram = transport == Transport::Udp;
        let receive_buffer = if datagram { Some(granted_buffer(&fd)?) } else { None };
        bound[listener] = Some(Bound { id, plan: plan.clone(), address: was.address, receive_buffer });
        let place = sockets.get_mut(shard).ok_or_else(|| SuccessionError::Word(format!("shard {shard}")))?;
        if datagram {
            place.udp.push((id, fd.into()));
        } else {
            place.tcp.push((id, transport, fd.into()));
        }
    }
    Ok((bound.into_iter().flatten().collect(), sockets))
}

/// Events of adopted calls, until those before them are known to be delivered or are ours to deliver.
#[derive(Default)]
pub struct Parking(Mutex<(HashSet<CallSid>, Vec<Notice>)>);

impl Parking {
    /// The notice, unless it has to wait.
    pub fn pass(&self, notice: Notice) -> Option<Notice> {
        let mut parked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if parked.0.contains(&notice.call()) {
            parked.1.push(notice);
            return None;
        }
        Some(notice)
    }

    fn park(&self, calls: &HashSet<CallSid>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.extend(calls);
    }

    fn release(&self, callbacks: &callback::Feed) {
        let (_, notices) = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for notice in notices {
            callbacks.push(notice);
        }
    }
}

/// What is done when the other leaves.
pub struct Succession {
    /// Where its calls go.
    pub calls: Taking,
    /// Those whose events wait.
    pub parking: std::sync::Arc<Parking>,
    /// True: the sockets are this process's, the API's too.
    pub front: watch::Sender<bool>,
    /// True: the journal of the other is this process's.
    pub alone: watch::Sender<bool>,
    /// Each resolves when a shard of the other hands nothing on any more.
    pub over: Vec<oneshot::Receiver<()>>,
    /// Until the two dialogs of an answered call are looked at again.
    pub liveness: Duration,
    /// What is told of it.
    pub progress: Progress,
    adopted: HashSet<CallSid>,
}

impl Succession {
    /// Before anything is taken over.
    #[must_use]
    pub fn new(
        calls: Taking,
        parking: std::sync::Arc<Parking>,
        (front, alone): (watch::Sender<bool>, watch::Sender<bool>),
        over: Vec<oneshot::Receiver<()>>,
        liveness: Duration,
        progress: Progress,
    ) -> Self {
        Self { calls, parking, front, alone, over, liveness, progress, adopted: HashSet::new() }
    }

    /// Follows the other until it has ended; `first` once the sockets are this process's.
    pub async fn run(&mut self, line: &Line, first: impl FnOnce()) {
        let mut first = Some(first);
        loop {
            let heard = match line.receive().await {
                Ok(Some((text, _))) => text,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "the line to the former process broke");
                    break;
                }
            };
            let done = match heard.as_slice() {
                b"\"hold\"" => {
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

    async fn hold(&self) {
        for shard in &self.calls.shards {
            let (held, holds) = oneshot::channel();
            tell(shard, Command::Hold(held)).await;
            if holds.await.is_err() {
                tracing::error!("a shard is gone");
            }
        }
    }

    /// The calls, then the sockets. `clean`: both sides of each call are known to be there.
    async fn take_over(&mut self, clean: bool) {
        let mut calls = Vec::new();
        match Estate::read(&self.calls.home, &self.calls.journal) {
            Ok(estate) => {
                calls = estate.replay().unfinished;
                self.adopted = calls.iter().map(|call| call.facts.call).collect();
                self.parking.park(&self.adopted);
                self.calls.journal.adopt(&estate, &self.adopted);
            }
            Err(error) => tracing::error!(%error, "the former process's calls cannot be taken over"),
        }
        self.calls.metrics.calls.recovered.inc_by(calls.len() as u64);
        self.progress.step(format!("{} calls of the former process go on", calls.len()));
        let mut parts = spread(calls, self.calls.shards.len());
        if clean {
            let put_off = |call: &mut crate::engine::door::Recovered| call.probe_after += self.liveness;
            parts.iter_mut().flatten().for_each(put_off);
        }
        for (shard, part) in self.calls.shards.iter().zip(parts) {
            tell(shard, Command::TakeOver(part)).await;
        }
        for over in self.over.drain(..) {
            if over.await.is_err() {
                tracing::error!("a shard is gone");
            }
        }
        for shard in &self.calls.shards {
            tell(shard, Command::Front).await;
        }
        self.front.send_replace(true);
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
