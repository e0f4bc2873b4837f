//! What the daemon wires into the API.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;

use crate::ids::{AccountSid, CallSid};
use crate::outbound::Providers;
use crate::routing::Directory;
use crate::routing::model::Hook;
use crate::store::calls::{AttemptRow, DeliveryRow};
use crate::telemetry::{Calls, Health, Metrics};

/// A future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the API reads and asks of the rest of the process.
#[derive(Clone)]
pub struct Handles {
    /// The directory that routes calls right now.
    pub directory: Arc<ArcSwap<Directory>>,
    /// Whoever keeps the directory in step with the store.
    pub follower: Arc<dyn Follower>,
    /// The live calls and recent traces.
    pub calls: Arc<Calls>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// Readiness and what is degraded.
    pub health: Arc<Health>,
    /// What is done to live calls.
    pub control: Arc<dyn CallControl>,
    /// Who gets no answers for a while.
    pub bans: Arc<dyn Bans>,
    /// Those who are told of calls.
    pub receivers: Arc<dyn Receivers>,
    /// The way to the next version of the program.
    pub upgrade: Arc<dyn Upgrade>,
    /// Carriers, names, places and addresses, as far as there are providers of them.
    pub providers: Providers,
    /// Brings those metrics up to the moment that are not counted as they happen.
    pub sample: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Handles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handles(…)")
    }
}

/// Keeps the directory in step with the store; the daemon's follower implements it.
pub trait Follower: Send + Sync {
    /// Builds the directory from scratch (and, unless `check_only`, makes it live).
    fn reload(&self, options: ReloadOptions) -> BoxFuture<'_, Result<ReloadReport, ReloadError>>;

    /// Waits until `generation` or a later one is live, at most `limit`; answers the generation
    /// that is live then.
    fn wait(&self, generation: u64, limit: Duration) -> BoxFuture<'_, u64>;

    /// Something was written here: the store is looked at now, not when its turn comes.
    fn look(&self);

    /// The last generations that went live on this node, newest first, few in number.
    fn history(&self) -> Vec<GenerationNote>;
}

/// Replaces this process by what its program's file starts now; the daemon implements it.
pub trait Upgrade: Send + Sync {
    /// Begins.
    ///
    /// # Errors
    /// Why not now.
    fn begin(&self) -> Result<UpgradeNote, UpgradeRefused>;

    /// How far the last one is.
    fn note(&self) -> UpgradeNote;
}

/// Why no upgrade begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeRefused {
    /// One is under way.
    UnderWay,
    /// The process has been told to end.
    Ending,
}

/// How far an upgrade is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeNote {
    /// What became of it so far.
    pub state: UpgradeState,
    /// This process.
    pub pid: u32,
    /// The process that is to follow, while both run.
    pub successor: Option<u32>,
    /// What was done, in words.
    pub steps: Vec<String>,
    /// Why this process goes on serving.
    pub error: Option<String>,
}

/// See [`UpgradeNote`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeState {
    /// There was none.
    Idle,
    /// Two processes share the calls.
    Running,
    /// This process has followed another, which has ended.
    Complete,
    /// This process goes on.
    Failed,
}

/// Does to live calls what is asked for from outside; the daemon implements it over its shards. A
/// call that is not there is left alone.
pub trait CallControl: Send + Sync {
    /// Ends a call, answered or not.
    fn hang_up(&self, call: CallSid) -> BoxFuture<'_, ()>;

    /// Gives a call that is not answered yet the document of another URL.
    fn go_on(&self, call: CallSid, hook: Hook) -> BoxFuture<'_, ()>;
}

/// The sources that get no answers for a while; the daemon implements it over its edge.
pub trait Bans: Send + Sync {
    /// All of them, those that last longest first.
    fn list(&self) -> Vec<BanNote>;

    /// Ends those of a source; how many there were: one for its datagrams, one for its connections.
    fn lift(&self, source: IpAddr) -> usize;
}

/// A source that gets no answers for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanNote {
    /// Its address; of IPv6 the first of its /64.
    pub source: IpAddr,
    /// Its connections are meant, not its datagrams.
    pub stream: bool,
    /// What it did: refused, unreadable, stray or scanner.
    pub cause: &'static str,
    /// Since when.
    pub since: SystemTime,
    /// How long it still lasts.
    pub left: Duration,
    /// What was dropped meanwhile.
    pub dropped: u64,
}

/// The receivers of status callbacks; the daemon implements it over its queue and journal.
pub trait Receivers: Send + Sync {
    /// Those that answered 410 and get nothing, by account and URL.
    fn disabled(&self) -> Vec<(AccountSid, Arc<str>)>;

    /// Sends to `url` again, for this account or for all it is disabled for; answers which.
    fn enable(&self, account: Option<AccountSid>, url: &str) -> Vec<AccountSid>;

    /// Sends a delivery once more, now, whatever became of it; keeping what came of it is the caller's.
    fn send_again(&self, delivery: DeliveryRow) -> BoxFuture<'_, SentAgain>;
}

/// What came of a delivery that was sent once more.
#[derive(Clone, Debug)]
pub struct SentAgain {
    /// The try, counted behind those there were.
    pub attempt: AttemptRow,
    /// The receiver took it.
    pub taken: bool,
}

/// How to reload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadOptions {
    /// Build and compare, change nothing.
    pub check_only: bool,
    /// Go on even when more numbers would vanish than the shrink guard allows.
    pub force: bool,
}

/// What a reload found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReloadReport {
    /// The generation that was live before.
    pub from: u64,
    /// The generation that was built.
    pub to: u64,
    /// Whether it is live now.
    pub applied: bool,
    /// Numbers before.
    pub numbers_before: u64,
    /// Numbers after.
    pub numbers_after: u64,
    /// Rows that are new.
    pub added: u64,
    /// Rows that are gone.
    pub removed: u64,
    /// Rows that are there in both and differ.
    pub changed: u64,
    /// Rows that were left out, with the reason, in words.
    pub skipped: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Why a reload did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The shrink guard.
    #[error(
        "{removed} of {before} numbers would vanish, more than the {share} % that `store.shrink-guard` allows: \
         look with check_only=true, then repeat with force=true"
    )]
    Shrinks {
        /// Numbers before.
        before: u64,
        /// How many of them would vanish.
        removed: u64,
        /// The allowed share in percent.
        share: u32,
    },
    /// Another reload is under way.
    #[error("another reload is under way: wait for it, then repeat")]
    Busy,
    /// The store could not be read.
    #[error("the store could not be read; the directory stays as it is")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// One generation that went live on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationNote {
    /// Its number.
    pub generation: u64,
    /// When it went live, in milliseconds since 1970.
    pub at_ms: i64,
    /// How it came: `delta`, `full`, or `last_good`, from the disk at a start.
    pub kind: &'static str,
    /// Rows written by it.
    pub written: u64,
    /// Rows removed by it.
    pub removed: u64,
}
