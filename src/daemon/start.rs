//! The start, step by step. Each step needs those before it; the first that fails ends the start
//! with its own sentence.
//!
//! 1. The data directory and this node's identity.
//! 2. The store: key file, migrations, first start. A store that is away stops nothing.
//! 3. The directory: from the store, else the last good one from the disk.
//! 4. The journal: opened, and what it holds given to the callbacks.
//! 5. The listeners: bound before anything is promised.
//! 6. The shards.
//! 7. Control: API, callbacks, follower.
//! 8. READY.

use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::clock::Clock;
use super::control::{Bans, Control};
use super::doors::{bound_sockets, taken_sockets};
use super::first::{FirstStart, FirstStartError, GivenAdmin, instance, shard_key};
use super::follow::Following;
use super::follower::Follower;
use super::forget::Forgetting;
use super::ledger::{Deliveries, Unread, pump, restore};
use super::listeners::BadAdvertise;
use super::notices::Notices;
use super::projection::Projection;
use super::receivers::Receivers;
use super::reload::{Levers, Reloading};
use super::reports::{Reported, observer, sample, watch_journal};
use super::settings::{
    connection_limits, engine_config, follow_config, journal_config, providers_client, stream_limits,
};
use super::shards::{Birthright, Heritage, ShardError, Shards};
use super::succession::{Bequest, Parking, Predecessor, Succession, SuccessionError};
use super::takeover::spread;
use super::traces::Traces;
use super::upgrade::{Holdings, Progress, Taking, copies, hear, program, say};
use crate::api::{
    Api, Handles, HttpTls, HttpTlsError, Service, UpgradeState, router, serve_tcp, serve_tls, serve_unix,
};
use crate::call::mint::ShardKey;
use crate::callback::{self, Callbacks};
use crate::config::Config;
use crate::dns::{self, BadServer, Resolver};
use crate::engine::door::Recovered;
use crate::engine::virtual_shard;
use crate::journal::{Journal, JournalError, Replay};
use crate::net::{BadListener, BindError, Bound, Connections, Edge, Line, Owner, Tls, TlsError};
use crate::outbound::{Client, Providers, SetupError, Urls};
use crate::routing::Directory;
use crate::routing::limits::Limits;
use crate::store::{SecretError, Store, StoreError, random_id};
use crate::telemetry::{Calls, Health, Metrics};
use crate::webhook;

/// Why callgate did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory.
    #[error("the data directory `{}` cannot be made (node.data-dir)", path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Identity or first credentials.
    #[error("first start")]
    First(#[from] FirstStartError),
    /// The store's configuration or key file, or a schema newer than this program.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// No randomness.
    #[error("the system gives no randomness")]
    Random(#[from] SecretError),
    /// A name server.
    #[error("dns.servers")]
    Dns(#[from] BadServer),
    /// The HTTP client.
    #[error("the HTTP client cannot be made")]
    Client(#[from] SetupError),
    /// A listener's words.
    #[error("sip.listener")]
    Advertise(#[from] BadAdvertise),
    /// A certificate, a key or a CA.
    #[error("TLS cannot be spoken")]
    Tls(#[from] TlsError),
    /// The API's certificate.
    #[error("the API cannot speak TLS")]
    HttpTls(#[from] HttpTlsError),
    /// A port.
    #[error("SIP cannot be served")]
    Bind(#[from] BindError),
    /// A listener's address.
    #[error("sip.listen")]
    Listener(#[from] BadListener),
    /// The journal.
    #[error("the journal cannot be used (journal.directory)")]
    Journal(#[from] JournalError),
    /// The API's port.
    #[error("the API cannot listen on {listen} (http.listen); is another process there?")]
    Http {
        /// Where.
        listen: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The command line's socket.
    #[error("the command line's socket `{}` cannot be bound (http.socket)", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A thread.
    #[error("a shard did not start")]
    Shard(#[from] ShardError),
    /// The process before this one.
    #[error("the former process cannot be followed")]
    Succession(#[from] SuccessionError),
    /// The sockets, for an upgrade one day.
    #[error("the sockets cannot be kept for an upgrade")]
    Copies(#[source] std::io::Error),
}

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
    tasks: JoinSet<()>,
    stop_api: watch::Sender<bool>,
    store: Store,
    journal: Arc<Journal>,
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

/// Starts everything; runs inside a `LocalSet`.
///
/// With `before`, sockets are taken over from there, and calls later ([`Running::succession`]).
///
/// # Errors
/// The first step that failed.
pub async fn start(
    config: &Config,
    metrics: Arc<Metrics>,
    before: Option<&Predecessor>,
) -> Result<Running, StartError> {
    let program = program().map_err(StartError::Copies)?;
    let clock = Clock::start();
    let health = Arc::new(Health::new());
    let data_dir = &config.node.data_dir;
    // What is made in it tells who called whom: for the daemon's own user.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|source| StartError::DataDir { path: data_dir.clone(), source })?;
    let instance = instance(data_dir)?;

    let first = FirstStart { data_dir: data_dir.clone(), given: GivenAdmin::from_environment() };
    let (store, prepared) = open_store(config, &first).await?;
    let directory = Arc::new(ArcSwap::from_pointee(Directory::default()));
    let (follower, mut following) = Following::new(
        store.clone(),
        follow_config(config),
        directory.clone(),
        health.clone(),
        metrics.clone(),
    );
    if !prepared {
        following = following.owing(first);
    }
    if !following.begin().await? {
        tracing::warn!("the store does not answer: routing with the last good directory where there is one");
    }

    let mut bequest = match before {
        Some(before) => Some(before.bequest(&config.sip.planned()?).await?),
        None => None,
    };
    let (journal, mut replay) = open_journal(config, &clock, bequest.as_ref())?;
    let journal = Arc::new(journal);
    let tls = config.sip.tls_files(&config.sip.planned()?).map(Tls::new).transpose()?;
    let http_tls = HttpTls::of(&config.http)?;
    let streams = bequest.as_mut().map(|bequest| std::mem::take(&mut bequest.streams));
    let (bound, sockets, http, unix) = match bequest {
        Some(bequest) => taken_sockets(config, bequest)?,
        None => bound_sockets(config).await?,
    };
    let kept = copies(&sockets).map_err(StartError::Copies)?;

    let calls = Arc::new(Calls::new(clock.origin_wall()));
    let transports = bound.iter().map(|one| one.plan.spec.transport).collect();
    let resolver = Resolver::new(dns::Setup { config: config.dns.clone(), transports })?;
    let client = Client::new(config.webhook.outbound(), resolver.lookup_fn(), Arc::new(Urls::default()))?;
    let guard = client.guard().clone();
    let providers = Providers::new(&config.providers, &providers_client(config, &resolver)?);
    let keys_in = directory.clone();
    let keys: webhook::Keys =
        Arc::new(move |sid| keys_in.load().account(sid).map(|account| account.keys.clone()));
    let key = shard_key(data_dir)?;
    let allowance = webhook::Allowance::from(config.webhook.budget());
    let named = directory.clone();
    let known = Arc::new(move |ip| named.load().trunks().names(ip));
    let edge = Arc::new(Edge::new(&config.edge, known, metrics.edge.clone()));
    let (notices, writing) = Notices::new(store.clone(), metrics.clone());
    let heritage = Heritage {
        notices: notices.clone(),
        clock,
        engine: Arc::new(engine_config(config, &bound, &clock, key, sockets.len())?),
        admission: Limits::default(),
        directory: directory.clone(),
        calls: calls.clone(),
        metrics: metrics.clone(),
        webhook: Arc::new(webhook::Setup {
            instance,
            budget: allowance.clone(),
            keys: keys.clone(),
            names: providers.cnam.clone(),
            origin: clock.origin_wall(),
        }),
        client: client.clone(),
        resolver: resolver.clone(),
        connections: Arc::new(Connections::new(connection_limits(config), metrics.sip.clone())),
        edge: edge.clone(),
        limits: stream_limits(config),
        tls: tls.clone(),
    };
    let owner = owner(sockets.len(), key);
    let mut births = Vec::new();
    let recovered = taken_over(&mut replay, sockets.len(), &metrics);
    let (mut streams, mut over) = (streams.map(Vec::into_iter), Vec::new());
    let is_first = streams.is_none();
    for (sockets, recovered) in sockets.into_iter().zip(recovered) {
        let behind = streams.as_mut().and_then(Iterator::next).map(|stream| {
            let (ends, end) = oneshot::channel();
            over.push(end);
            (stream, ends)
        });
        births.push(Birthright {
            sockets,
            scribe: Box::new(journal.pen()),
            seed: seed()?,
            recovered,
            behind,
        });
    }
    let shards = Shards::start(&heritage, births, owner).await?;

    let mut tasks = JoinSet::new();
    let deliveries = Arc::new(Deliveries::new(journal.pen()));
    let outcomes = Arc::new(Reported::new(deliveries.clone(), metrics.clone(), notices.clone()));
    let written = deliveries.clone();
    tasks.spawn_local(async move { written.write().await });
    let backlog = Arc::new(Unread::new(journal.archive()));
    let urls = client.urls().clone();
    let again = client.clone();
    let (feed, callbacks) = Callbacks::new(callback::Setup {
        config: callback::Config::default(),
        instance,
        client,
        keys,
        outcomes,
        backlog,
    });
    restore(replay, &feed);
    tasks.spawn_local(callbacks.run());
    let receivers = Arc::new(Receivers::new(feed.clone(), deliveries, again, directory.clone()));
    let written = receivers.clone();
    following.tell(Box::new(move |delta, before, after| written.written(delta, before, after)));
    tasks.spawn_local(following.run());
    let (gauge, waiting, counted) = (journal.gauge(), feed.clone(), metrics.clone());
    let bans = edge.clone();
    let sample = Arc::new(move || {
        sample(&gauge, &waiting, &urls, &counted);
        counted.edge.banned.set(i64::try_from(bans.count()).unwrap_or(i64::MAX));
    });
    journal.observe(observer(&metrics));
    let parking = Arc::new(Parking::default());
    tasks.spawn_local(pump(journal.feed(), feed.clone(), parking.clone()));
    tasks.spawn_local(Traces::new(calls.clone(), journal.pen(), journal.gauge(), notices).run());
    let body = move |notice: &callback::Notice| callback::body(notice, instance);
    let projection = Projection::new(
        instance,
        store.clone(),
        journal.feed_from(0),
        journal.gauge(),
        metrics.clone(),
        Box::new(body),
    );
    tasks.spawn_local(writing.run());
    tasks.spawn_local(follower.lists_ahead(store.clone()).run());
    let ((front, at_front), (alone, is_alone)) = (watch::channel(is_first), watch::channel(is_first));
    let mut left = is_alone.clone();
    tasks.spawn_local(async move {
        // The other's part of the journal comes before this process's.
        turned(&mut left).await;
        projection.run().await;
    });
    tasks.spawn_local(Forgetting::new(store.clone(), config.retention.clone(), metrics.clone()).run());
    tasks.spawn_local(watch_journal(journal.gauge(), shards.commands(), health.clone()));

    let (stop_api, stop) = watch::channel(false);
    let service =
        Service::new(store.clone(), directory.clone(), guard.clone()).strict(config.inventory.strict);
    let follower_handle = Arc::new(Reloading {
        follower: follower.clone(),
        resolver: resolver.clone(),
        tls: tls.clone(),
        http_tls: http_tls.clone(),
    });
    let state = if is_first { UpgradeState::Idle } else { UpgradeState::Running };
    let (progress, orders) = Progress::new(state);
    let taking = Taking {
        journal: journal.clone(),
        home: config.journal.directory.clone(),
        callbacks: feed,
        shards: shards.commands(),
        metrics: metrics.clone(),
    };
    let copied = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned().map_err(StartError::Copies);
    let holdings = Rc::new(Holdings {
        sockets: kept,
        bound: bound.clone(),
        http: copied(http.as_fd())?,
        unix: copied(unix.as_fd())?,
        program,
        patience: Duration::from_secs(config.node.upgrade_seconds),
        calls: taking.clone(),
    });
    let liveness = Duration::from_secs(config.sip.liveness_seconds);
    let following_on =
        before.map(|_| Succession::new(taking, parking, (front, alone), over, liveness, progress.clone()));
    let handles = Handles {
        upgrade: Arc::new(progress.clone()),
        directory,
        follower: follower_handle,
        calls,
        metrics,
        health: health.clone(),
        control: Arc::new(Control::new(shards.commands())),
        bans: Arc::new(Bans(edge.clone())),
        receivers,
        providers,
        sample,
    };
    let api = Api::new(handles, service, config.http.clone(), config.kazoo.clone());
    let http_at =
        http.local_addr().map_err(|source| StartError::Http { listen: config.http.listen, source })?;
    let (over_tcp, over_unix, http_config) = (router(&api), router(&api), config.http.clone());
    let (stop_tcp, unix_config) = (stop.clone(), config.http.clone());
    let shown = http_tls.clone();
    let (mut tcp_turn, mut unix_turn) = (at_front.clone(), at_front);
    tasks.spawn_local(async move {
        turned(&mut tcp_turn).await;
        match shown {
            Some(tls) => serve_tls(http, &tls, over_tcp, &http_config, stop_tcp).await,
            None => serve_tcp(http, over_tcp, &http_config, stop_tcp).await,
        }
    });
    tasks.spawn_local(async move {
        turned(&mut unix_turn).await;
        serve_unix(unix, over_unix, &unix_config, stop).await;
    });
    let levers = Levers { allowance, guard, edge, resolver, tls, http_tls };
    Ok(Running {
        bound,
        http: http_at,
        shards,
        health,
        follower,
        levers,
        tasks,
        stop_api,
        store,
        journal,
        holdings,
        progress,
        orders: Some(orders),
        succession: following_on,
    })
}

/// Until it is this process's turn. Whoever would say so is gone only with the process.
async fn turned(turn: &mut watch::Receiver<bool>) {
    if turn.wait_for(|turn| *turn).await.is_err() && !*turn.borrow() {
        std::future::pending::<()>().await;
    }
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
        let taken = hear(&line, "take over", TAKING).await;
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

/// The journal of the configuration with what it holds, or one beside another process's.
fn open_journal(
    config: &Config,
    clock: &Clock,
    bequest: Option<&Bequest>,
) -> Result<(Journal, Replay), JournalError> {
    let mut settings = journal_config(config, clock);
    let Some(bequest) = bequest else { return Journal::open(&settings) };
    let (folder, start) = &bequest.journal;
    folder.clone_into(&mut settings.path);
    Ok((Journal::begin(&settings, *start)?, Replay::default()))
}

/// Opens and migrates the store, and completes a first start; true when that is done. A store that
/// is away stops nothing: the follower does the same once it answers.
async fn open_store(config: &Config, first: &FirstStart) -> Result<(Store, bool), StartError> {
    let store = Store::open(config.store.opening(&config.secrets))?;
    let prepared = match store.migrate().await {
        Ok(applied) => {
            for name in applied {
                tracing::info!(name, "migration applied");
            }
            first.complete(&store).await
        }
        Err(error) => Err(error.into()),
    };
    match prepared {
        Ok(()) => Ok((store, true)),
        Err(FirstStartError::Store(error)) if error.is_unavailable() => {
            tracing::warn!(%error, "the store is away");
            Ok((store, false))
        }
        Err(error) => Err(error.into()),
    }
}

/// What the shards take over, and a line about it.
fn taken_over(replay: &mut Replay, shards: usize, metrics: &Metrics) -> Vec<Vec<Recovered>> {
    let unfinished = std::mem::take(&mut replay.unfinished);
    let (calls, undelivered) = (unfinished.len(), replay.undelivered.len());
    if calls > 0 || undelivered > 0 {
        let answered = unfinished.iter().filter(|call| call.talk.is_some()).count();
        tracing::info!(answered, unanswered = calls - answered, undelivered, "the journal was replayed");
    }
    metrics.calls.recovered.inc_by(calls as u64);
    spread(unfinished, shards)
}

/// Which shard a raw message belongs to; one that cannot be read is anybody's.
fn owner(shards: usize, key: ShardKey) -> Owner {
    Arc::new(move |bytes| virtual_shard(bytes, &key).map_or(0, |owner| usize::from(owner.0) % shards.max(1)))
}

fn seed() -> Result<[u8; 32], SecretError> {
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(&random_id()?.to_be_bytes());
    seed[16..].copy_from_slice(&random_id()?.to_be_bytes());
    Ok(seed)
}
