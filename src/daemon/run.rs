//! From READY to the end: signals, reload, drain, stop.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;
use tokio::time::{Instant, timeout_at};

use super::drain::{drain, refuse, settled};
use super::front::{Front, stand_back};
use super::notify;
use super::reload::reload;
use super::shard::Command;
use super::start::{Fault, Running, StartError, start};
use super::succession::{Predecessor, Stage};
use super::upgrade::{Progress, UpgradeError, end_successor, say, upgrade};
use crate::api::UpgradeState;
use crate::config::Config;
use crate::net::Line;
use crate::telemetry::Metrics;
use crate::telemetry::log::{Log, LogError};

/// Why callgate did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The log.
    #[error("the log cannot be set up")]
    Log(#[from] LogError),
    /// The runtime or the signals.
    #[error("the process cannot be set up")]
    Process(#[source] io::Error),
    /// A step of the start.
    #[error("callgate did not start")]
    Start(#[from] StartError),
    /// The ready file.
    #[error("the ready file `{}` cannot be written (node.ready-file)", path.display())]
    ReadyFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A shard panicked.
    #[error("shard {0} panicked: what it shares with the others is in doubt, so the process ends")]
    ShardDied(u16),
    /// The new process did not take over.
    #[error("the new process did not take over: the process ends, and the next start takes the calls over")]
    NotFollowed,
    /// A task of control panicked.
    #[error("a task of control panicked: the process ends, to be started anew")]
    ControlDied,
}

impl ServeError {
    /// The exit code, as sysexits has them: 75 try again, 70 a fault of callgate's own, 78 configuration.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::ShardDied(_) | Self::ControlDied | Self::NotFollowed => 70,
            Self::Log(_) => 78,
            Self::Process(_) | Self::ReadyFile { .. } => 71,
            Self::Start(StartError::Bind(_) | StartError::Advertise(_)) => 78,
            Self::Start(_) => 75,
        }
    }
}

/// Serves until a signal ends it. `config_file` is read again on HUP.
///
/// # Errors
/// When it cannot start, and when a fault ends it.
pub fn serve(config: Config, config_file: Option<PathBuf>) -> Result<(), ServeError> {
    let metrics = Arc::new(Metrics::new());
    let log = Log::start(&config.log, metrics.log.dropped.clone())?;
    let (front, jobs) = Front::new();
    let outcome = std::thread::scope(|scope| {
        let control = std::thread::Builder::new().name("control".into()).spawn_scoped(scope, || {
            stand_back();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(ServeError::Process)?;
            LocalSet::new().block_on(&runtime, control(config, config_file, metrics, &log, front))
        });
        let control = control.map_err(ServeError::Process)?;
        jobs.work();
        control.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    if let Err(error) = &outcome {
        tracing::error!(error = error as &dyn std::error::Error, "the end");
    }
    outcome
}

async fn control(
    config: Config,
    config_file: Option<PathBuf>,
    metrics: Arc<Metrics>,
    log: &Log,
    front: Front,
) -> Result<(), ServeError> {
    // Before the start: a TERM during it must not be lost.
    let mut signals = Signals::new().map_err(ServeError::Process)?;
    let before = Predecessor::of_environment().map_err(ServeError::Process)?;
    let started = tokio::select! {
        started = start(&config, metrics, before.as_ref(), &front) => started,
        () = signals.term() => return Ok(()),
    };
    let mut running = started?;
    let end = match before {
        Some(before) => follow(&config, before, &mut running, &mut signals).await,
        None => ready(&config, &running).map(|()| Followed::GoesOn),
    };
    let end = match end {
        Ok(Followed::GoesOn) => attend(&config, config_file, log, &mut running, &mut signals).await,
        Ok(Followed::Ends) => drained(&running, &mut signals, patience(&config)).await.map(|()| None),
        Ok(Followed::Leaves) => {
            // It never was the service's main process: nobody is to think that the service stops.
            running.stop().await;
            tracing::info!("stopped: the former process goes on");
            return Ok(());
        }
        Err(error) => Err(error),
    };
    if let Ok(Some(line)) = end {
        let taken = running.hand_over(line).await;
        tracing::info!("ended: the new process goes on");
        return if taken { Ok(()) } else { Err(ServeError::NotFollowed) };
    }
    notify::tell(&[NotifyState::Stopping]);
    running.stop().await;
    tracing::info!("stopped");
    end.map(drop)
}

/// What became of a process that was to follow another.
enum Followed {
    /// It is alone.
    GoesOn,
    /// It has the calls, and has been told to end.
    Ends,
    /// It was told to end before it had them, and has given back what came since.
    Leaves,
}

/// Behind another process until that one has ended, or a TERM ends this one.
async fn follow(
    config: &Config,
    before: Predecessor,
    running: &mut Running,
    signals: &mut Signals,
) -> Result<Followed, ServeError> {
    let Some(mut succession) = running.succession.take() else { return Ok(Followed::GoesOn) };
    if let Err(error) = say(&before.0, &serde_json::json!("serving")).await {
        tracing::debug!(%error, "the former process has ended already");
    }
    let (stage, mut at_front) = (succession.stage(), succession.stage());
    let mut told = Ok(());
    let mut is_told_to_end = false;
    {
        let first = || {
            notify::main_process();
            told = ready(config, running);
        };
        let mut run = std::pin::pin!(succession.run(&before.0, first));
        loop {
            tokio::select! {
                () = &mut run => break,
                () = signals.term(), if !is_told_to_end => {
                    is_told_to_end = true;
                    if *stage.borrow() == Stage::Behind {
                        break;
                    }
                }
                // What is half-way is nobody's: the calls are taken over first.
                _ = at_front.wait_for(|stage| *stage == Stage::Front), if is_told_to_end => break,
            }
        }
    }
    told?;
    if !is_told_to_end {
        return Ok(Followed::GoesOn);
    }
    if *stage.borrow() == Stage::Front {
        return Ok(Followed::Ends);
    }
    leave(&before.0, running, signals, patience(config)).await;
    Ok(Followed::Leaves)
}

/// Gives back what is not of calls here, until these have settled: the former process goes on.
async fn leave(line: &Line, running: &Running, signals: &mut Signals, deadline: Instant) {
    tracing::info!(
        "told to end: the former process goes on with what is settled here; a second TERM stops at once"
    );
    if let Err(error) = say(line, &serde_json::json!("leaving")).await {
        tracing::warn!(%error, "the former process has ended, too: the next start takes all calls over");
    }
    running.shards.tell(|| Command::Leaving).await;
    tokio::select! {
        () = settled(&running.shards, deadline) => {}
        () = signals.term() => tracing::warn!("stopped without waiting, as asked"),
    }
}

/// How long the end may take.
fn patience(config: &Config) -> Instant {
    Instant::now() + Duration::from_secs(config.node.drain_seconds)
}

/// Until TERM and its drain, a second TERM, or a shard's death; or until an upgrade: then with the line to
/// the process that follows.
async fn attend(
    config: &Config,
    config_file: Option<PathBuf>,
    log: &Log,
    running: &mut Running,
    signals: &mut Signals,
) -> Result<Option<Line>, ServeError> {
    let (holdings, progress) = (running.holdings.clone(), running.progress.clone());
    let mut orders = running.orders.take();
    let mut upgrading = None;
    loop {
        let ordered = async {
            match &mut orders {
                Some(orders) => orders.recv().await,
                None => std::future::pending().await,
            }
        };
        let under_way = async {
            match &mut upgrading {
                Some(upgrading) => Pin::as_mut(upgrading).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            word = signals.next() => match word {
                Word::Term => break,
                Word::Hup => reload(config_file.as_deref(), log, running).await,
            },
            Some(()) = ordered => upgrading = Some(Box::pin(upgrade(&holdings, &progress))),
            outcome = under_way => match outcome {
                Ok(line) => return Ok(Some(line)),
                Err(error) => {
                    upgrading = None;
                    failed(&progress, &error);
                }
            },
            fault = running.fault() => return Err(match fault {
                Fault::Shard(index) => ServeError::ShardDied(index),
                Fault::Control => ServeError::ControlDied,
            }),
        }
    }
    drop(orders);
    let deadline = patience(config);
    let Some(upgrading) = upgrading else {
        return drained(running, signals, deadline).await.map(|()| None);
    };
    match both_end(running, &progress, signals, upgrading, deadline).await {
        Both::HandedOver(line) => Ok(Some(line)),
        Both::AtOnce => Ok(None),
        Both::Settled => drained(running, signals, deadline).await.map(|()| None),
    }
}

/// What became of an upgrade whose two processes were told to end.
enum Both {
    /// The new process has everything, and ends as it was told to.
    HandedOver(Line),
    /// It has ended, and what it had is this process's again.
    Settled,
    /// Nobody waits any longer.
    AtOnce,
}

/// A TERM in the middle of an upgrade: no new calls here or there, and what the new process has is taken
/// back when it has ended.
async fn both_end(
    running: &Running,
    progress: &Progress,
    signals: &mut Signals,
    upgrading: impl Future<Output = Result<Line, UpgradeError>>,
    deadline: Instant,
) -> Both {
    let successor = progress.successor();
    notify::tell(&[NotifyState::Stopping]);
    refuse(&running.shards, &running.health).await;
    end_successor(successor);
    progress.end(
        UpgradeState::Failed,
        Some("the daemon has been told to end, and the new process with it".into()),
    );
    tokio::select! {
        // It is told at the same moment, and may take as long.
        outcome = timeout_at(deadline + Duration::from_secs(1), upgrading) => match outcome {
            Ok(Ok(line)) => return Both::HandedOver(line),
            Ok(Err(error)) => tracing::info!(error = &error as &dyn std::error::Error, "the new process has ended"),
            Err(_) => tracing::warn!("the new process does not end: its journal is read by the next start"),
        },
        () = signals.term() => {
            end_successor(successor);
            tracing::warn!("stopped without waiting, as asked");
            return Both::AtOnce;
        }
    }
    Both::Settled
}

fn failed(progress: &Progress, error: &UpgradeError) {
    tracing::error!(error = error as &dyn std::error::Error, "no upgrade: this process goes on");
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        text = format!("{text}: {source}");
    }
    progress.end(UpgradeState::Failed, Some(text));
}

/// The end without loss, or at once by a second TERM.
async fn drained(running: &Running, signals: &mut Signals, deadline: Instant) -> Result<(), ServeError> {
    tracing::info!("draining; a second TERM stops at once");
    notify::tell(&[NotifyState::Stopping]);
    tokio::select! {
        () = drain(&running.shards, &running.health, deadline) => {}
        () = signals.term() => tracing::warn!("stopped without waiting, as asked"),
    }
    Ok(())
}

fn ready(config: &Config, running: &Running) -> Result<(), ServeError> {
    let line = notify::ready_line(&running.bound, Some(running.http));
    tracing::info!(ready = %line, "ready");
    let path = &config.node.ready_file;
    if !path.as_os_str().is_empty() {
        notify::write_ready_file(path, &line)
            .map_err(|source| ServeError::ReadyFile { path: path.clone(), source })?;
    }
    notify::tell(&[NotifyState::Ready]);
    Ok(())
}

struct Signals {
    term: Signal,
    interrupt: Signal,
    hup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Word {
        tokio::select! {
            Some(()) = self.term.recv() => Word::Term,
            Some(()) = self.interrupt.recv() => Word::Term,
            Some(()) = self.hup.recv() => Word::Hup,
            else => std::future::pending().await,
        }
    }

    /// The next TERM; HUPs before it go unheard.
    async fn term(&mut self) {
        while self.next().await != Word::Term {}
    }
}

/// What a signal says; Ctrl-C on a terminal says TERM.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Term,
    Hup,
}
