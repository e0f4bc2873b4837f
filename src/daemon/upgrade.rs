//! `callgate upgrade`, as the process that is replaced sees it. `succession` is the other side.
//!
//! The new process is one more shard that stands behind each of ours:
//!
//! 1. **Start.** The same words, the same environment, from the file that this process was started from: whatever
//!    stands there now. Its standard input is the line between the two. It opens the store, loads the
//!    directory, says that it is ready and how it writes; what it cannot read it refuses here.
//! 2. **Sockets.** It gets every listening socket by SCM_RIGHTS, so that the SO_REUSEPORT group never
//!    changes; it sends through them and reads none. It begins a journal beside ours (`journal::estate`).
//! 3. **Behind.** This process goes on reading. A message of a transaction or dialog it has is its own; all
//!    else, new calls first of all, goes to the shard of the same index over there. No list of Call-IDs has to be kept in
//!    step for that, as it is always this one that reads. Connections stay here: what the other says over one comes back the same
//!    way.
//! 4. **Closing.** When no call here is unanswered, `node.upgrade-seconds` at most, the other holds
//!    still, and here only what open transactions wait for is taken in, for 400 ms at most: less than
//!    any sender waits before it repeats itself. What is open after that is gone on with as after a restart.
//! 5. **Yours.** The shards end, every record is written, and the other reads the journal as a start
//!    does: answered calls go on there. Then it reads the sockets, and MAINPID is its own.
//! 6. **The end.** Callbacks in flight come home, and the process ends. What it leaves undelivered the
//!    other delivers, its own events of adopted calls behind that, and the store gets the rest of this journal
//!    before the other's.
//!
//! Whoever dies is followed by the other: the line ends, and what the dead one's journal holds is taken over as after a
//! restart. Before step 5 that is this process, which takes all calls itself again; behind it the new one.
//! One at a time: a second one is refused while one is under way.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::ledger::restore;
use super::shard::{Command, Load};
use super::succession::{FORM, SUCCEEDS};
use super::takeover::spread;
use crate::api::{self, UpgradeNote, UpgradeState};
use crate::callback;
use crate::ids::CallSid;
use crate::journal::{Estate, Journal, JournalError, gather};
use crate::net::{Bound, Line, ShardSockets};
use crate::telemetry::Metrics;

/// How often the shards are asked what is left.
const LOOK: Duration = Duration::from_millis(20);
/// How long open transactions are waited for while nothing new is taken in: less than T1.
const CLOSING: Duration = Duration::from_millis(400);
/// How long the new process may take to start.
const STARTING: Duration = Duration::from_secs(180);
/// How long it may take for one word.
const PROMPT: Duration = Duration::from_secs(30);

/// Why this process goes on serving.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// It could not be started.
    #[error("`{}` cannot be started", .0.display())]
    Spawn(PathBuf, #[source] io::Error),
    /// The line or a socket pair.
    #[error("the new process cannot be spoken to")]
    Line(#[from] io::Error),
    /// It said why.
    #[error("the new process did not start: {0}")]
    Refused(String),
    /// It did not say why.
    #[error("the new process ended ({0}); the log has its last words")]
    Ended(String),
    /// Too slow.
    #[error("the new process did not {0} within {n} s", n = .1.as_secs())]
    Slow(&'static str, Duration),
    /// It speaks in another way.
    #[error("the new process is of a version that cannot follow this one ({0}): restart instead")]
    Form(Value),
}

/// What an upgrade has come to, for whoever asks.
#[derive(Clone)]
pub struct Progress(Arc<Told>);

struct Told {
    note: Mutex<UpgradeNote>,
    orders: mpsc::Sender<()>,
}

impl Progress {
    /// In this state, and where orders arrive.
    #[must_use]
    pub fn new(state: UpgradeState) -> (Self, mpsc::Receiver<()>) {
        let (orders, taken) = mpsc::channel(1);
        let note =
            UpgradeNote { state, pid: std::process::id(), successor: None, steps: Vec::new(), error: None };
        (Self(Arc::new(Told { note: Mutex::new(note), orders })), taken)
    }

    fn change(&self, change: impl FnOnce(&mut UpgradeNote)) {
        change(&mut self.0.note.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// One more step is done.
    pub fn step(&self, step: String) {
        tracing::info!(step, "upgrade");
        self.change(|note| note.steps.push(step));
    }

    /// It is over.
    pub fn end(&self, state: UpgradeState, error: Option<String>) {
        self.change(|note| (note.state, note.error, note.successor) = (state, error, None));
    }

    /// The process that is to follow, while there is one.
    #[must_use]
    pub fn successor(&self) -> Option<u32> {
        api::Upgrade::note(self).successor
    }
}

impl api::Upgrade for Progress {
    fn begin(&self) -> Result<UpgradeNote, UpgradeNote> {
        let mut note = self.0.note.lock().unwrap_or_else(PoisonError::into_inner);
        if note.state == UpgradeState::Running || self.0.orders.try_send(()).is_err() {
            return Err(note.clone());
        }
        let pid = note.pid;
        *note = UpgradeNote {
            state: UpgradeState::Running,
            pid,
            successor: None,
            steps: Vec::new(),
            error: None,
        };
        Ok(note.clone())
    }

    fn note(&self) -> UpgradeNote {
        self.0.note.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is given away, and what is taken back.
pub struct Holdings {
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

/// Steps 1 to 4. Once it comes back with the line, step 5 is due and nothing is taken back any more.
///
/// # Errors
/// The new process is gone, and this one has all calls.
pub async fn upgrade(holdings: &Holdings, progress: &Progress) -> Result<Line, UpgradeError> {
    progress.step(format!("starting {}", holdings.program.display()));
    let (line, mut child) = spawn(holdings)?;
    progress.change(|note| note.successor = Some(child.id()));
    let outcome = lead(holdings, progress, &line).await;
    match outcome {
        Ok(()) => Ok(line),
        Err(error) => {
            let status = end(&mut child);
            holdings.calls.back().await;
            Err(match error {
                UpgradeError::Ended(_) => UpgradeError::Ended(status),
                error => error,
            })
        }
    }
}

fn spawn(holdings: &Holdings) -> Result<(Line, Child), UpgradeError> {
    let (line, far) = Line::pair()?;
    let child = Process::new(&holdings.program)
        .args(std::env::args_os().skip(1))
        .env(SUCCEEDS, std::process::id().to_string())
        .stdin(Stdio::from(far))
        .spawn()
        .map_err(|error| UpgradeError::Spawn(holdings.program.clone(), error))?;
    Ok((line, child))
}

/// Ends what is left of the new process; how it ended.
fn end(child: &mut Child) -> String {
    if let Err(error) = child.kill() {
        tracing::debug!(%error, "the new process had ended");
    }
    child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
}

async fn lead(holdings: &Holdings, progress: &Progress, line: &Line) -> Result<(), UpgradeError> {
    let ready = hear(line, "say that it is ready", STARTING).await?;
    if ready["ready"]["form"] != json!(FORM) {
        return Err(UpgradeError::Form(ready["ready"].clone()));
    }
    let version = ready["ready"]["version"].as_str().unwrap_or("?").to_owned();
    progress.step(format!("the new process has loaded its directory (version {version})"));
    let streams = give(holdings, line).await?;
    hear(line, "take the sockets", PROMPT).await?;
    let mut streams = streams.into_iter();
    for shard in &holdings.calls.shards {
        tell(shard, Command::Follower(streams.next())).await;
    }
    progress.step("the new process has the sockets, and takes new calls".to_owned());
    settle(holdings, progress, line).await?;
    say(line, &json!("hold")).await?;
    hear(line, "hold still", PROMPT).await?;
    close(holdings, progress).await;
    Ok(())
}

/// Everything that is given away, and where messages are handed on from here.
async fn give(holdings: &Holdings, line: &Line) -> Result<Vec<UnixStream>, UpgradeError> {
    for (shard, listener, socket) in &holdings.sockets {
        let bound = &holdings.bound[*listener];
        let transport = bound.plan.spec.transport.via_token();
        let told = json!({ "socket": {
            "shard": shard, "listener": listener, "transport": transport, "bind": bound.plan.spec.bind,
            "address": bound.address,
        }});
        line.send(told.to_string().as_bytes(), Some(socket.as_fd())).await?;
    }
    let mut streams = Vec::new();
    for shard in 0..holdings.calls.shards.len() {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        let told = json!({ "hand_off": shard });
        line.send(told.to_string().as_bytes(), Some(far.as_fd())).await?;
        streams.push(near);
    }
    line.send(json!("http").to_string().as_bytes(), Some(holdings.http.as_fd())).await?;
    line.send(json!("cli").to_string().as_bytes(), Some(holdings.unix.as_fd())).await?;
    let (folder, start) = holdings.calls.journal.beside();
    say(line, &json!({ "journal": { "folder": folder, "start": start } })).await?;
    Ok(streams)
}

/// Until no call here is unanswered, as long as that may take.
async fn settle(holdings: &Holdings, progress: &Progress, line: &Line) -> Result<(), UpgradeError> {
    let deadline = Instant::now() + holdings.patience;
    loop {
        let loads = holdings.calls.loads().await;
        let unanswered: usize = loads.iter().map(|load| load.engine.unanswered).sum();
        if unanswered == 0 {
            progress.step("no call of this process is unanswered".to_owned());
            return Ok(());
        }
        if Instant::now() >= deadline {
            progress.step(format!("{unanswered} calls are unanswered after node.upgrade-seconds: they end"));
            return Ok(());
        }
        if let Ok(ended) = timeout(LOOK, hear(line, "stay", holdings.patience)).await {
            ended?;
        }
    }
}

/// Until nothing is open, for a moment at most.
async fn close(holdings: &Holdings, progress: &Progress) {
    let deadline = Instant::now() + CLOSING;
    for shard in &holdings.calls.shards {
        tell(shard, Command::Closing(true)).await;
    }
    loop {
        let loads = holdings.calls.loads().await;
        let open: usize = loads.iter().map(|load| load.engine.open).sum();
        if loads.iter().all(Load::may_stop) {
            return progress.step("nothing is open here any more".to_owned());
        }
        if Instant::now() >= deadline {
            return progress.step(format!("{open} transactions are open: they go on as after a restart"));
        }
        sleep(Duration::from_millis(2)).await;
    }
}

/// Says one word.
///
/// # Errors
/// The other has ended.
pub async fn say(line: &Line, word: &Value) -> io::Result<()> {
    line.send(word.to_string().as_bytes(), None).await
}

/// The next word, what it was to do having failed where it says so.
///
/// # Errors
/// It has ended, or was too slow.
pub async fn hear(line: &Line, what: &'static str, within: Duration) -> Result<Value, UpgradeError> {
    let heard = timeout(within, line.receive()).await.map_err(|_| UpgradeError::Slow(what, within))??;
    let Some((text, _)) = heard else { return Err(UpgradeError::Ended(String::new())) };
    let word: Value = serde_json::from_slice(&text).map_err(io::Error::from)?;
    match word["failed"].as_str() {
        Some(why) => Err(UpgradeError::Refused(why.to_owned())),
        None => Ok(word),
    }
}

/// Tells the process that is to follow that this one ends: it does too.
pub fn end_successor(progress: &Progress) {
    let pid = progress.successor().and_then(|pid| i32::try_from(pid).ok());
    if let Some(Err(error)) = pid.map(|pid| kill(Pid::from_raw(pid), Signal::SIGTERM)) {
        tracing::debug!(%error, "the new process had ended");
    }
}

pub(super) async fn tell(shard: &mpsc::Sender<Command>, command: Command) {
    if shard.send(command).await.is_err() {
        tracing::error!("a shard is gone");
    }
}

impl Taking {
    async fn loads(&self) -> Vec<Load> {
        let mut loads = Vec::new();
        for shard in &self.shards {
            let (reply, answer) = oneshot::channel();
            tell(shard, Command::Look(reply)).await;
            loads.extend(answer.await);
        }
        loads
    }

    /// Takes everything again, with what the other's journal holds.
    async fn back(&self) {
        for shard in &self.shards {
            tell(shard, Command::Follower(None)).await;
            tell(shard, Command::Closing(false)).await;
        }
        if let Err(error) = self.read_back().await {
            tracing::error!(%error, "calls of the new process are lost to this one; the next start takes them over");
        }
    }

    async fn read_back(&self) -> Result<(), JournalError> {
        let Some(estate) = self.estate_beside()? else { return Ok(()) };
        gather(&self.home).map_err(JournalError::Read)?;
        let mut replay = estate.replay();
        let calls = std::mem::take(&mut replay.unfinished);
        self.metrics.calls.recovered.inc_by(calls.len() as u64);
        self.journal.merge(&estate, &self.home, &std::collections::HashSet::<CallSid>::new());
        self.merged(&estate).await;
        restore(replay, &self.callbacks);
        let parts = spread(calls, self.shards.len());
        for (shard, calls) in self.shards.iter().zip(parts) {
            tell(shard, Command::TakeOver(calls)).await;
        }
        Ok(())
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
