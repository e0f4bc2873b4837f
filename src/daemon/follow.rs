//! The directory follower: keeps the directory in step with the store, on the control thread.
//!
//! It loads at start, applies what the change log says as steps, and loads everything when a step
//! cannot say it, when asked, or after the database was away for long. Every generation goes into
//! the `ArcSwap` and is told through a watch channel; lookups never wait for any of it.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc, watch};

use crate::api::{GenerationNote, ReloadError, ReloadOptions, ReloadReport};
use crate::daemon::first::{FirstStart, FirstStartError};
use crate::daemon::follower::{Follower, Order, Shared};
use crate::daemon::full_load::Built;
use crate::daemon::loader;
use crate::daemon::on_disk::{self, GoneOn, OnDisk};
use crate::routing::Directory;
use crate::routing::model::Delta;
use crate::store::last_good::LastGood;
use crate::store::{Changes, Step, Store, StoreError};
use crate::telemetry::health::Severity;
use crate::telemetry::{Health, Metrics, chain};

/// How the follower behaves.
#[derive(Clone, Debug)]
pub struct FollowConfig {
    /// Where the last good directory is kept.
    pub last_good: PathBuf,
    /// Whether a start goes on from it: not while the process before this one still writes it.
    pub from_disk: bool,
    /// A full load that would drop more than this share of the numbers, in percent, is refused
    /// unless forced.
    pub shrink_guard: u32,
    /// How far back the change log is kept.
    pub change_log: SignedDuration,
}

/// The task behind it; [`Following::run`] it on the control thread.
pub struct Following {
    store: Store,
    config: FollowConfig,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    orders: mpsc::Receiver<Order>,
    kept: Option<LastGood>,
    retired: Vec<Arc<Directory>>,
    /// Whether a directory is live that came from the store or from disk.
    begun: bool,
    /// Whether the store has been migrated by this process.
    migrated: bool,
    /// What an empty store is to be given, until it has been.
    owed: Option<FirstStart>,
    heard: Option<Heard>,
}

/// Hears of rows that were written, with the directories before and after.
pub type Heard = Box<dyn Fn(&Delta, &Directory, &Directory) + Send>;

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following")
            .field("config", &self.config)
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

/// The database is tried again after this, doubled each time up to [`RETRY_AT_MOST`].
const RETRY: Duration = Duration::from_millis(250);
const RETRY_AT_MOST: Duration = Duration::from_secs(5);
/// Directories that went out of use are looked at this often.
const SWEEP: Duration = Duration::from_millis(500);
/// The change log is pruned this often.
const PRUNE: Duration = Duration::from_secs(3600);
/// The name of the matter when the first start cannot be completed.
const FIRST_START: &str = "first-start";
/// Generations remembered for `GET /admin/v1/generations`.
const HISTORY: usize = 64;

impl Following {
    /// A follower of `store` that publishes into `directory`. Nothing happens before
    /// [`Following::begin`] and [`Following::run`].
    #[must_use]
    pub fn new(
        store: Store,
        config: FollowConfig,
        directory: Arc<ArcSwap<Directory>>,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
    ) -> (Follower, Self) {
        let live = watch::Sender::new(directory.load().generation());
        let shared = Arc::new(Shared {
            directory,
            live,
            ahead: watch::Sender::new(None),
            touched: Arc::default(),
            written: Notify::new(),
            history: Mutex::default(),
        });
        // One reload at a time, one waiting would only repeat it.
        let (orders, taken) = mpsc::channel(1);
        let following = Self {
            store,
            config,
            health,
            metrics,
            shared: Arc::clone(&shared),
            orders: taken,
            kept: None,
            retired: Vec::new(),
            begun: false,
            migrated: false,
            owed: None,
            heard: None,
        };
        (Follower { shared, orders }, following)
    }

    /// Gives the store what a first start does as soon as it answers.
    #[must_use]
    pub fn owing(self, first: FirstStart) -> Self {
        Self { owed: Some(first), ..self }
    }

    /// Tells `heard` of every change that is not a full load, once it is live.
    pub fn tell(&mut self, heard: Heard) {
        self.heard = Some(heard);
    }

    /// The first directory: from the store, else the last good one from disk. True: from the
    /// store. Without either, the node is not ready and [`Following::run`] goes on trying.
    ///
    /// # Errors
    /// The store cannot be used whatever is waited: made by a newer callgate, say.
    pub async fn begin(&mut self) -> Result<bool, StoreError> {
        match self.open_and_load().await {
            Ok(()) => Ok(true),
            Err(error) if error.is_unavailable() => {
                self.away(&error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Follows until every [`Follower`] is gone.
    pub async fn run(mut self) {
        let mut retry = RETRY;
        loop {
            let ended = self.follow().await;
            match ended {
                Ok(()) => return,
                Err(error) => self.away(&error),
            }
            if self.wait_out(retry).await.is_break() {
                return;
            }
            retry = if self.store.ping().await.is_ok() { RETRY } else { (retry * 2).min(RETRY_AT_MOST) };
        }
    }

    /// Watches and steps until the database goes away (an error) or nobody is left (fine).
    async fn follow(&mut self) -> Result<(), StoreError> {
        let mut watch = self.store.watch().await?;
        if self.migrated && self.begun {
            self.step().await?;
        } else {
            self.open_and_load().await?;
        }
        let mut sweep = tokio::time::interval(SWEEP);
        let mut prune = tokio::time::interval(PRUNE);
        let shared = Arc::clone(&self.shared);
        loop {
            tokio::select! {
                changed = watch.changed(&shared.written) => {
                    changed?;
                    self.step().await?;
                }
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return Ok(()),
                },
                _ = sweep.tick() => self.sweep(),
                _ = prune.tick() => self.prune().await?,
            }
        }
    }

    /// Between two tries: orders are answered, with the database's absence if need be.
    async fn wait_out(&mut self, pause: Duration) -> std::ops::ControlFlow<()> {
        let until = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return std::ops::ControlFlow::Continue(()),
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return std::ops::ControlFlow::Break(()),
                },
            }
        }
    }

    async fn open_and_load(&mut self) -> Result<(), StoreError> {
        self.store.migrate().await?;
        self.migrated = true;
        self.first_start().await?;
        if !self.begun && self.config.from_disk && self.go_on().await? {
            return Ok(());
        }
        self.load_all("a start").await
    }

    /// From the directory on disk, with what changed since; false: everything has to be loaded.
    async fn go_on(&mut self) -> Result<bool, StoreError> {
        let started = Instant::now();
        let found = on_disk::go_on(&self.store, &self.config.last_good, &self.health).await?;
        let Some(GoneOn { directory, kept, step }) = found else { return Ok(false) };
        self.kept = kept;
        match step {
            None => self.publish(directory, "last_good", 0, 0),
            Some(step) => self.apply(&Arc::new(directory), *step, "last_good"),
        }
        self.metrics.store.up.set(1);
        let (live, took) = (self.shared.directory.load(), started.elapsed());
        self.metrics.directory.load_seconds.observe(took.as_secs_f64());
        let (generation, numbers) = (live.generation(), live.len());
        tracing::info!(generation, numbers, ?took, "going on from the directory on disk");
        Ok(true)
    }

    /// Makes the default organization and the administrator where the store was away so far.
    async fn first_start(&mut self) -> Result<(), StoreError> {
        let Some(first) = &self.owed else { return Ok(()) };
        match first.complete(&self.store).await {
            Ok(()) => self.health.clear(FIRST_START),
            Err(FirstStartError::Store(error)) => return Err(error),
            // A file or a variable: what routes goes on, and the next start says it again.
            Err(error) => {
                self.health.raise(FIRST_START, Severity::Degraded, chain(&error));
            }
        }
        self.owed = None;
        Ok(())
    }

    /// Applies what changed since the directory that is live.
    async fn step(&mut self) -> Result<(), StoreError> {
        let started = Instant::now();
        let live = self.shared.directory.load_full();
        match self.store.changes_since(live.generation()).await? {
            Changes::None => {
                self.metrics.store.up.set(1);
                self.health.clear("store");
                Ok(())
            }
            Changes::Step(step) => {
                self.apply(&live, *step, "delta");
                self.metrics.directory.load_seconds.observe(started.elapsed().as_secs_f64());
                match &self.kept {
                    Some(file) if file.is_long() => self.load_all("the file of steps is long").await,
                    _ => Ok(()),
                }
            }
            Changes::Everything(why) => self.load_all(why).await,
        }
    }

    /// A full load that nobody asked for: what the guard refuses stays as it is, and is told.
    async fn load_all(&mut self, why: &'static str) -> Result<(), StoreError> {
        tracing::info!(why, "loading everything");
        match self.reload(ReloadOptions::default()).await {
            Err(Refusal::Store(error)) => Err(error),
            Ok(_) | Err(Refusal::Shrinks { .. }) => Ok(()),
        }
    }

    /// Publishes what a step makes of a directory, as `kind`, and keeps the step on disk.
    fn apply(&mut self, live: &Arc<Directory>, step: Step, kind: &'static str) {
        let Step { mark, delta, kept: frame, bad } = step;
        on_disk::left_out(&bad);
        let (written, removed) = (delta.written.len() as u64, delta.removed.len() as u64);
        let next = live.apply(&delta, mark.generation);
        self.publish(next, kind, written, removed);
        if let Some(heard) = &self.heard {
            heard(&delta, live, &self.shared.directory.load());
        }
        on_disk::keep_step(&mut self.kept, &mark, &delta, frame.as_ref(), &self.health);
    }

    /// Builds from scratch; publishes unless it is only a check or the guard refuses.
    async fn reload(&mut self, options: ReloadOptions) -> Result<ReloadReport, Refusal> {
        let started = Instant::now();
        let live = self.shared.directory.load_full();
        let keep = (!options.check_only).then(|| self.config.last_good.clone());
        let built = loader::load(&self.store, &live, keep, &self.health).await?;
        let Built { directory, mark, snapshot, mut report } = built;
        let guarded = !options.force && !options.check_only;
        if guarded && report.removed * 100 > report.numbers_before * u64::from(self.config.shrink_guard) {
            self.metrics.directory.loads.inc("refused");
            let refusal = Refusal::Shrinks { before: report.numbers_before, removed: report.removed };
            self.health.raise(
                "directory",
                Severity::Degraded,
                format!(
                    "the store has lost {} of {} numbers; the former ones go on routing: \
                     `callgate reload --force` if that is meant",
                    report.removed, report.numbers_before
                ),
            );
            return Err(refusal);
        }
        if !options.check_only {
            report.applied = true;
            self.metrics.directory.load_seconds.observe(started.elapsed().as_secs_f64());
            self.publish(directory, "full", report.added + report.changed, report.removed);
            self.kept = on_disk::finish(snapshot, mark, &self.health).await;
        }
        report.took = started.elapsed();
        Ok(report)
    }

    fn publish(&mut self, directory: Directory, kind: &'static str, written: u64, removed: u64) {
        let generation = directory.generation();
        self.metrics.directory.loads.inc(kind);
        for skipped in directory.skipped() {
            tracing::debug!(sid = %skipped.sid, why = %skipped.why, "a pattern is left out");
        }
        self.retired.push(self.shared.directory.swap(Arc::new(directory)));
        if self.begun {
            self.shared.touched.fetch_add(written + removed, Ordering::Relaxed);
        }
        self.begun = true;
        self.metrics.store.up.set(i64::from(kind != "last_good"));
        self.health.clear("store");
        self.health.clear("directory");
        let note =
            GenerationNote { generation, at_ms: Timestamp::now().as_millisecond(), kind, written, removed };
        tracing::debug!(generation, kind, written, removed, "a generation is live");
        let mut history = self.shared.history.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        history.truncate(HISTORY - 1);
        history.push_front(note);
        drop(history);
        self.shared.live.send_replace(generation);
    }

    /// The database is away: what is live goes on; at the start, the last good directory.
    fn away(&mut self, error: &StoreError) {
        self.metrics.directory.loads.inc("failed");
        self.metrics.store.failures.inc();
        self.metrics.store.up.set(0);
        tracing::debug!(error = %chain(error), "the database is away");
        if self.begun {
            self.health.raise(
                "store",
                Severity::Degraded,
                format!("{}; known numbers go on routing", chain(error)),
            );
            return;
        }
        match on_disk::read(&self.store, &self.config.last_good) {
            Ok(OnDisk { directory, .. }) => {
                let (generation, numbers) = (directory.generation(), directory.len());
                self.publish(directory, "last_good", numbers as u64, 0);
                self.health.raise(
                    "store",
                    Severity::Degraded,
                    format!(
                        "{}; routing with the last good directory, generation {generation}, {numbers} numbers",
                        chain(error)
                    ),
                );
            }
            Err(missing) => self.health.raise(
                "store",
                Severity::NotReady,
                format!("{}, and there is no directory: {}", chain(error), chain(&missing)),
            ),
        }
    }

    async fn obey(&mut self, order: Order) {
        let share = self.config.shrink_guard;
        let result = self.reload(order.options).await.map_err(|refusal| match refusal {
            Refusal::Shrinks { before, removed } => ReloadError::Shrinks { before, removed, share },
            Refusal::Store(error) => ReloadError::Store(Box::new(error)),
        });
        if order.answer.send(result).is_err() {
            tracing::debug!("who asked for the reload is gone");
        }
    }

    /// Frees directories that no shard holds any more: here, not on a shard.
    fn sweep(&mut self) {
        self.retired.retain(|directory| Arc::strong_count(directory) > 1);
    }

    async fn prune(&mut self) -> Result<(), StoreError> {
        let pruned = self.store.prune_change_log(self.config.change_log).await?;
        tracing::debug!(pruned, "change log pruned");
        Ok(())
    }
}

/// Why a full load did not go live.
#[derive(Debug)]
enum Refusal {
    Shrinks { before: u64, removed: u64 },
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
