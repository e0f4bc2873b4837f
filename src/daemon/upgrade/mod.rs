//! `callgate upgrade`, as the process that is replaced sees it. `succession` is the other side.
//!
//! - `holdings`: what is given, and where calls come back to. `progress`: how far it is. `words`: what both say.
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
//! A new process that is told to end before step 4 gives back what is of no call of its own, and is taken back
//! when its calls have settled; one that is told later takes everything first. Where the old one is told, both are.
//! One at a time: a second one is refused while one is under way.

mod holdings;
mod progress;
mod words;

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::shard::{Command, Load};
use super::succession::{FORM, SUCCEEDS};
use crate::net::Line;

pub(super) use holdings::tell;
pub use holdings::{Holdings, Taking, copies, program};
pub use progress::{Progress, end_successor};
pub use words::{hear, say};

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
    /// It was told to.
    #[error("the new process was told to end")]
    Leaving,
    /// It speaks in another way.
    #[error("the new process is of a version that cannot follow this one ({0}): restart instead")]
    Form(Value),
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
            let mut clean = matches!(error, UpgradeError::Leaving);
            if clean {
                progress.ahead(None);
                clean = gone(&line, holdings.leaving).await;
            }
            progress.change(|note| note.successor = None);
            let status = end(&mut child);
            // Of one that ended by itself both sides of each call are known to be there.
            holdings.calls.back(if clean { holdings.liveness } else { Duration::ZERO }).await;
            Err(match error {
                UpgradeError::Ended(_) => UpgradeError::Ended(status),
                error => error,
            })
        }
    }
}

fn spawn(holdings: &Holdings) -> Result<(Line, Child), UpgradeError> {
    let (line, far) = Line::pair()?;
    let mut process = Process::new(&holdings.program);
    process.args(std::env::args_os().skip(1)).env(SUCCEEDS, std::process::id().to_string());
    process.stdin(Stdio::from(far));
    let child = (holdings.front)
        .run(move || process.spawn())
        .map_err(|error| UpgradeError::Spawn(holdings.program.clone(), error))?;
    Ok((line, child))
}

/// Until the new process has ended by itself, which gives back what is not of its own calls meanwhile; false:
/// it has not.
async fn gone(line: &Line, within: Duration) -> bool {
    let ended = async { while let Ok(Some(_)) = line.receive().await {} };
    let has_ended = timeout(within, ended).await.is_ok();
    if !has_ended {
        tracing::warn!("the new process does not end: it is killed");
    }
    has_ended
}

/// Ends what is left of the new process; how it ended.
fn end(child: &mut Child) -> String {
    if let Err(error) = child.kill() {
        tracing::debug!(%error, "the new process had ended");
    }
    child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
}

async fn lead(holdings: &Holdings, progress: &Progress, line: &Line) -> Result<(), UpgradeError> {
    let ready = hear(line, progress, "say that it is ready", STARTING).await?;
    if ready["ready"]["form"] != json!(FORM) {
        return Err(UpgradeError::Form(ready["ready"].clone()));
    }
    let version = ready["ready"]["version"].as_str().unwrap_or("?").to_owned();
    progress.step(format!("the new process has loaded its directory (version {version})"));
    let streams = give(holdings, line).await?;
    hear(line, progress, "take the sockets", PROMPT).await?;
    let mut streams = streams.into_iter();
    for shard in &holdings.calls.shards {
        tell(shard, Command::Follower(streams.next())).await;
    }
    progress.step("the new process has the sockets, and takes new calls".to_owned());
    settle(holdings, progress, line).await?;
    say(line, &json!("hold")).await?;
    hear(line, progress, "hold still", PROMPT).await?;
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
        if let Ok(ended) = timeout(LOOK, hear(line, progress, "stay", holdings.patience)).await {
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
