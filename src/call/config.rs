//! What the engine is born with, and its calls read.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::call::mint::ShardKey;
use crate::flow::{ListenerId, Transport};
use crate::routing::model::{Follow, Prefix};

/// Everything the engine needs to know that is not in the directory.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The listeners, by [`ListenerId`].
    pub listeners: Vec<Listener>,
    /// What sources without a trunk get.
    pub unknown_source: UnknownSource,
    /// Parts of User-Agents, in lower case, that tell scanners: from a source without a trunk they get no answer.
    pub scanners: Vec<Box<[u8]>>,
    /// The timers.
    pub timers: Timers,
    /// `first-response`: a target that gave no response at all within it is left.
    pub first_response: Duration,
    /// Which Contacts of a 3xx are followed where no gateway says it.
    pub follow_redirects: Follow,
    /// How long a target that was silent, unreachable or answered 503 is tried last; zero: not at all.
    pub dead_target: Duration,
    /// Gateways are checked by OPTIONS this often; zero: not at all.
    pub check_interval: Duration,
    /// Checks in a row that must fail before a gateway is down, and succeed before it is up again.
    pub check_thresholds: (u32, u32),
    /// Addresses of this host, for what is said outside calls where a listener is bound to all of them.
    pub own_addresses: Vec<IpAddr>,
    /// Liveness: in-dialog OPTIONS to both sides this often where nothing else refreshes the session.
    pub liveness: Duration,
    /// Session-Expires where the caller asks for none, in seconds (RFC 4028); 0: none.
    pub session_expires: u32,
    /// Most unanswered calls at once on this engine; beyond: 503 `overloaded`.
    pub max_calls: usize,
    /// While every message waits longer than this before the engine sees it, fewer new calls are admitted;
    /// zero: never.
    pub overload_delay: Duration,
    /// The hard limit of one webhook question, the room's own budget included.
    pub ask_limit: Duration,
    /// A request above this size leaves over TCP where the target allows (RFC 3261 18.1.1).
    pub udp_size_limit: usize,
    /// `Server` and `User-Agent`.
    pub product: Arc<str>,
    /// Wall time since 1970 of the engine's zero: what a CallSid begins with.
    pub epoch: Duration,
    /// The key of the node's virtual shards, the same for all its engines.
    pub shard_key: ShardKey,
}

/// A listener as the engine sees it.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its index.
    pub id: ListenerId,
    /// What trunks name it by.
    pub name: Arc<str>,
    /// How it listens.
    pub transport: Transport,
    /// Where it is bound, the real port filled in.
    pub bind: SocketAddr,
    /// What Via and Contact say to peers outside `local_nets`: host and port.
    pub advertise: Option<(Arc<str>, u16)>,
    /// Networks toward which nothing is advertised.
    pub local_nets: Vec<Prefix>,
}

/// What a source without a trunk gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownSource {
    /// A stateless 403.
    #[default]
    Reject,
    /// Silence.
    Drop,
    /// The default organization, whichever the live directory says that is; 403 without one.
    DefaultOrganization,
}

/// RFC 3261's timers (annex A).
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    /// Round-trip estimate (500 ms).
    pub t1: Duration,
    /// Greatest retransmission interval (4 s).
    pub t2: Duration,
    /// How long a message stays in the network (5 s).
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            unknown_source: UnknownSource::default(),
            scanners: Vec::new(),
            timers: Timers::default(),
            first_response: Duration::from_secs(3),
            follow_redirects: Follow::No,
            dead_target: Duration::from_secs(30),
            check_interval: Duration::ZERO,
            check_thresholds: (3, 2),
            own_addresses: Vec::new(),
            liveness: Duration::from_secs(900),
            session_expires: 1800,
            max_calls: 100_000,
            overload_delay: Duration::ZERO,
            ask_limit: Duration::from_secs(16),
            udp_size_limit: 1300,
            product: concat!("callgate/", env!("CARGO_PKG_VERSION")).into(),
            epoch: Duration::ZERO,
            shard_key: ShardKey::default(),
        }
    }
}
