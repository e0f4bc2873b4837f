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

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::clock::Clock;
use super::effects::Scribe;
use super::first::{FirstStartError, GivenAdmin, first_start, instance};
use super::listeners::{BadAdvertise, for_engine};
use super::shards::{Birthright, Heritage, ShardError, Shards};
use crate::call::config::{EngineConfig, Timers, UnknownSource};
use crate::call::mint::ShardKey;
use crate::call::record::Record;
use crate::config::Config;
use crate::dns::{self, Resolver};
use crate::net::{BindError, Bound, Connections, Owner, SourceWord, StreamLimits, bind_all};
use crate::outbound::{Client, SetupError, Urls};
use crate::routing::Directory;
use crate::store::{SecretError, Store, StoreError, random_id};
use crate::telemetry::health::Severity;
use crate::telemetry::{Calls, Health, Metrics};
use crate::webhook::Setup;

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
    /// The HTTP client.
    #[error("the HTTP client cannot be made")]
    Client(#[from] SetupError),
    /// A listener's words.
    #[error("sip.listener")]
    Advertise(#[from] BadAdvertise),
    /// A port.
    #[error("SIP cannot be served")]
    Bind(#[from] BindError),
    /// A thread.
    #[error("a shard did not start")]
    Shard(#[from] ShardError),
}

/// A callgate that runs.
pub struct Running {
    /// Its listeners.
    pub bound: Vec<Bound>,
    /// Its shards.
    pub shards: Shards,
    /// Its store.
    pub store: Store,
    /// What is degraded.
    pub health: Arc<Health>,
}

/// Starts everything.
///
/// # Errors
/// The first step that failed.
pub async fn start(config: &Config, metrics: Arc<Metrics>) -> Result<Running, StartError> {
    let clock = Clock::start();
    let health = Arc::new(Health::new());
    let data_dir = &config.node.data_dir;
    std::fs::create_dir_all(data_dir)
        .map_err(|source| StartError::DataDir { path: data_dir.clone(), source })?;
    let instance = instance(data_dir)?;
    let store = open_store(config, &health).await?;
    let directory = Arc::new(ArcSwap::from_pointee(Directory::default()));
    let calls = Arc::new(Calls::new(clock.origin_wall()));
    let (bound, sockets) = bind_all(
        &config.sip.planned().unwrap_or_default(),
        config.node.shard_count(),
        config.sip.receive_buffer,
    )?;
    warn_of_buffers(&bound, config.sip.receive_buffer);
    let shards = sockets.len();
    let key = ShardKey(random_id()?.to_be_bytes());
    let resolver = Resolver::new(dns::Config::default());
    let client = Client::new(config.webhook.outbound(), resolver.lookup_fn(), Arc::new(Urls::default()))?;
    let keys_in = directory.clone();
    let heritage = Heritage {
        clock,
        engine: Arc::new(engine_config(config, &bound, key, shards, &directory)?),
        directory,
        calls,
        metrics: metrics.clone(),
        webhook: Arc::new(Setup {
            instance,
            budget: config.webhook.budget(),
            keys: Arc::new(move |sid| keys_in.load().account(sid).map(|account| account.keys.clone())),
            origin: clock.origin_wall(),
        }),
        client,
        resolver,
        connections: Arc::new(Connections::new(
            config.sip.tcp_connections,
            config.sip.tcp_write_queue,
            metrics.sip.clone(),
        )),
        limits: stream_limits(config),
    };
    let mut births = Vec::new();
    for sockets in sockets {
        births.push(Birthright { sockets, scribe: Box::new(Unjournaled(0)), seed: seed()? });
    }
    let shards = Shards::start(&heritage, births, owner(shards)).await?;
    Ok(Running { bound, shards, store, health })
}

struct Unjournaled(u64);

impl Scribe for Unjournaled {
    fn write(&mut self, batch: &mut Vec<Record>) {
        self.0 += batch.drain(..).count() as u64;
    }

    fn written(&mut self) -> u64 {
        self.0
    }

    fn grown(&mut self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(std::future::pending())
    }
}

/// Opens and migrates the store. One that is away is said in `/ready`; the last good directory
/// routes meanwhile.
async fn open_store(config: &Config, health: &Health) -> Result<Store, StartError> {
    let store = Store::open(config.store.opening(&config.secrets))?;
    let prepared = match store.migrate().await {
        Ok(applied) => {
            for name in applied {
                tracing::info!(name, "migration applied");
            }
            first_start(&store, &config.node.data_dir, &GivenAdmin::from_environment()).await
        }
        Err(error) => Err(error.into()),
    };
    match prepared {
        Ok(()) => {}
        Err(FirstStartError::Store(error)) if error.is_unavailable() => {
            let sentence = "the store does not answer: the last good directory routes meanwhile";
            health.raise("store", Severity::Degraded, sentence);
            tracing::warn!(%error, "the store is away");
        }
        Err(FirstStartError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(error.into()),
    }
    Ok(store)
}

fn engine_config(
    config: &Config,
    bound: &[Bound],
    shard_key: ShardKey,
    shards: usize,
    directory: &ArcSwap<Directory>,
) -> Result<EngineConfig, BadAdvertise> {
    let sip = &config.sip;
    let unknown_source = match sip.unknown_source {
        SourceWord::Reject => UnknownSource::Reject,
        SourceWord::Drop => UnknownSource::Drop,
        SourceWord::DefaultOrganization => match directory.load().default_organization() {
            Some(organization) => UnknownSource::DefaultOrganization(organization.sid),
            None => {
                tracing::warn!(
                    "sip.unknown-source: there is no default organization, so unknown sources get 403"
                );
                UnknownSource::Reject
            }
        },
    };
    Ok(EngineConfig {
        listeners: for_engine(bound)?,
        unknown_source,
        timers: Timers { t1: Duration::from_millis(sip.t1_ms), ..Timers::default() },
        first_response: Duration::from_millis(sip.first_response_ms),
        liveness: Duration::from_secs(sip.liveness_seconds),
        max_calls: config.limits.unanswered_calls.div_ceil(shards),
        udp_size_limit: sip.udp_size_limit,
        shard_key,
        ..EngineConfig::default()
    })
}

fn stream_limits(config: &Config) -> StreamLimits {
    let sip = &config.sip;
    StreamLimits {
        idle: Duration::from_secs(sip.tcp_idle_seconds),
        message: Duration::from_millis(sip.tcp_message_ms),
        connect: Duration::from_millis(sip.tcp_connect_ms),
        connect_large: Duration::from_millis(sip.tcp_connect_large_ms),
        large: sip.udp_size_limit,
    }
}

fn owner(_shards: usize) -> Owner {
    Arc::new(|_| 0)
}

fn seed() -> Result<[u8; 32], SecretError> {
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(&random_id()?.to_be_bytes());
    seed[16..].copy_from_slice(&random_id()?.to_be_bytes());
    Ok(seed)
}

fn warn_of_buffers(bound: &[Bound], wanted: usize) {
    for one in bound {
        if let Some(granted) = one.receive_buffer.filter(|granted| *granted < wanted) {
            tracing::warn!(
                listener = one.plan.name,
                granted,
                wanted,
                "the kernel grants a smaller receive buffer: raise net.core.rmem_max, or bursts are lost"
            );
        }
    }
}

impl Running {
    /// Ends everything in the order that loses nothing: the shards first, then what they write to.
    pub async fn stop(self) {
        self.shards.stop().await;
        self.store.close().await;
    }
}
