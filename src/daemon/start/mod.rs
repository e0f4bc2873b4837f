//! The start, step by step. Each step needs those before it; the first that fails ends the start
//! with its own sentence.
//!
//! 1. The data directory and this node's identity.
//! 2. The store: key file, migrations, first start. A store that is away stops nothing.
//! 3. The directory: the last good one from the disk with what changed in the store since, else from the store; without a
//!    store what the disk has.
//! 4. The journal: opened, and what it holds given to the callbacks.
//! 5. The listeners: bound before anything is promised.
//! 6. The shards.
//! 7. Control: API, callbacks, follower.
//! 8. READY.
//!
//! `error`: why one ends. `running`: what was started. `steps`: some of them.

mod error;
mod running;
mod steps;

use std::os::fd::AsFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::api::{Api, Handles, HttpTls, Service, UpgradeState, router, serve_tcp, serve_tls, serve_unix};
use crate::callback::{self, Callbacks};
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::daemon::control::{Bans, Control};
use crate::daemon::doors::{bound_sockets, taken_sockets};
use crate::daemon::first::{FirstStart, GivenAdmin, instance, shard_key};
use crate::daemon::follow::Following;
use crate::daemon::forget::Forgetting;
use crate::daemon::front::Front;
use crate::daemon::gathering::Gathering;
use crate::daemon::ledger::{Deliveries, Pump, Unread, restore};
use crate::daemon::notices::Notices;
use crate::daemon::projection::Projection;
use crate::daemon::receivers::Receivers;
use crate::daemon::reload::{Levers, Reloading};
use crate::daemon::reports::{Reported, observer, sample, watch_journal};
use crate::daemon::settings::{
    connection_limits, engine_config, follow_config, providers_client, stream_limits,
};
use crate::daemon::shards::{Birthright, Heritage, Shards};
use crate::daemon::succession::{Inheritance, Parking, Predecessor, Succession};
use crate::daemon::traces::Traces;
use crate::daemon::upgrade::{Holdings, Progress, Taking, copies, program};
use crate::daemon::yielding::Yielding;
use crate::dns::{self, Resolver};
use crate::net::{Connections, Edge, Tls};
use crate::outbound::{Client, Providers, Urls};
use crate::routing::Directory;
use crate::routing::limits::Limits;
use crate::telemetry::{Calls, Health, Metrics};
use crate::webhook;

pub use error::StartError;
pub use running::{Fault, Running};
use steps::{open_journal, open_store, owner, seed, taken_over, turned};

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
    front: &Front,
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
        follow_config(config, before.is_none()),
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
    let (journal, mut replay) = open_journal(config, &clock, bequest.as_ref(), front)?;
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
    let yielding = Yielding::default();
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
        yielding: yielding.clone(),
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
    let shards = Shards::start(&heritage, births, owner, front).await?;

    let mut tasks = JoinSet::new();
    let deliveries = Arc::new(Deliveries::new(journal.pen()));
    let outcomes = Arc::new(Reported::new(deliveries.clone(), metrics.clone(), notices.clone()));
    let written = deliveries.clone();
    let delivery = callback::Config::default();
    let beat = delivery.beat;
    tasks.spawn_local(async move { written.write(beat).await });
    let backlog = Arc::new(Unread::new(journal.archive()));
    let urls = client.urls().clone();
    let again = client.clone();
    let (feed, callbacks) =
        Callbacks::new(callback::Setup { config: delivery, instance, client, keys, outcomes, backlog });
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
    let body = move |notice: &callback::Notice| callback::body(notice, instance);
    let gathering = Arc::new(Gathering::new(instance, Box::new(body)));
    let pump = Pump {
        callbacks: feed.clone(),
        parking: parking.clone(),
        gathering: gathering.clone(),
        yielding,
        beat,
        instance,
    };
    let live = calls.clone();
    tasks.spawn_local(pump.run(journal.feed().sharing(Box::new(move |call| live.facts(call)))));
    tasks.spawn_local(Traces::new(calls.clone(), journal.pen(), journal.gauge(), notices).run());
    let (archive, gauge) = (journal.archive(), journal.gauge());
    let projection = Projection::new(instance, store.clone(), archive, gathering, gauge, metrics.clone());
    tasks.spawn_local(writing.run());
    tasks.spawn_local(follower.lists_ahead(store.clone()).run());
    let ((ahead, at_front), (alone, is_alone)) = (watch::channel(is_first), watch::channel(is_first));
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
    let (progress, orders) = Progress::new(state, follower.ahead());
    let taking = Taking {
        journal: journal.clone(),
        home: config.journal.directory.clone(),
        callbacks: feed,
        shards: shards.commands(),
        metrics: metrics.clone(),
    };
    let copied = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned().map_err(StartError::Copies);
    let liveness = Duration::from_secs(config.sip.liveness_seconds);
    let holdings = Rc::new(Holdings {
        front: front.clone(),
        sockets: kept,
        bound: bound.clone(),
        http: copied(http.as_fd())?,
        unix: copied(unix.as_fd())?,
        program,
        patience: Duration::from_secs(config.node.upgrade_seconds),
        leaving: Duration::from_secs(config.node.drain_seconds + 5),
        liveness,
        calls: taking.clone(),
    });
    let live = follower.live();
    let inheritance = Inheritance { calls: taking, parking, turns: (ahead, alone), over, liveness, live };
    let following_on = before.map(|_| Succession::new(inheritance, progress.clone()));
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
