//! All stream connections of the process, for whoever sends, and the way into the shards for
//! whatever arrives.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::{mpsc, oneshot};

use super::hosts::Hosts;
use super::outbox::{Outbox, Refused};
use crate::engine::door::SendToken;
use crate::flow::{ConnectionId, Domain, Flow, ListenerId, Transport};
use crate::sip::Fault;
use crate::telemetry::Seldom;
use crate::telemetry::metrics::SipMetrics;

/// What reaches a shard other than through its own datagram sockets.
#[derive(Debug)]
pub enum Arrival {
    /// One whole message.
    Message {
        /// What it came through.
        flow: Flow,
        /// Its bytes.
        bytes: Bytes,
        /// When the network brought it.
        since: Instant,
    },
    /// A connection's peer has proved by its certificate to be these domains.
    Proved(Flow, Arc<[Arc<str>]>),
    /// A connection is gone.
    Closed(Flow),
    /// What was sent with this token did not leave.
    Failed(SendToken),
    /// What a stream could not be read on from: answered where it can be, before the connection ends.
    Broken {
        /// What it came through.
        flow: Flow,
        /// The bytes that are no message.
        bytes: Bytes,
        /// What is wrong with them.
        fault: Fault,
        /// Told when the answer, if there is one, waits to be written.
        answered: oneshot::Sender<()>,
    },
    /// What another process of this node sends over a connection of this one.
    Leave {
        /// The connection.
        flow: Flow,
        /// One whole message.
        bytes: Bytes,
    },
    /// A message that was handed to another process of this node, which has come back from there.
    Returned {
        /// What it came through.
        flow: Flow,
        /// Its bytes.
        bytes: Bytes,
        /// When the network brought it.
        since: Instant,
    },
    /// Whether an open transaction goes over this connection, on which nothing passed for long.
    InUse(Flow, oneshot::Sender<bool>),
}

/// Who is told when a send fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The index of the shard.
    pub shard: usize,
    /// Its name for the send.
    pub token: SendToken,
}

/// Which shard owns a message, by index; `None`: anybody's.
pub type Owner = Arc<dyn Fn(&[u8]) -> Option<usize> + Send + Sync>;

/// The way into the shards: one bounded queue each.
#[derive(Clone)]
pub struct Delivery {
    inlets: Arc<[mpsc::Sender<Arrival>]>,
    owner: Owner,
    metrics: SipMetrics,
}

impl Delivery {
    /// Delivers into `inlets`, one per shard; `owner` says into which a message goes.
    #[must_use]
    pub fn new(inlets: Vec<mpsc::Sender<Arrival>>, owner: Owner, metrics: SipMetrics) -> Self {
        Self { inlets: inlets.into(), owner, metrics }
    }

    /// The way into one shard.
    #[must_use]
    pub fn inlet(&self, shard: usize) -> mpsc::Sender<Arrival> {
        self.inlets[shard].clone()
    }

    /// The shard that owns a message, without looking where there is only one; `None`: whoever has it.
    #[must_use]
    pub fn owner(&self, message: &[u8]) -> Option<usize> {
        if self.inlets.len() == 1 { Some(0) } else { (self.owner)(message) }
    }

    fn inlet_of(&self, message: &[u8]) -> &mpsc::Sender<Arrival> {
        &self.inlets[self.owner(message).unwrap_or(0)]
    }

    /// Hands a datagram over to another shard; `since`: when the network brought it. At the limit it is dropped as the network would, and counted.
    pub fn datagram(&self, shard: usize, flow: Flow, message: &[u8], since: Instant) {
        let arrival = Arrival::Message { flow, bytes: Bytes::copy_from_slice(message), since };
        match self.inlets[shard].try_send(arrival) {
            Ok(()) => self.metrics.handed_over.inc(),
            Err(_) => self.metrics.handover_dropped.inc(),
        };
    }

    /// Hands a message of a stream over; waits, and with it the stream, while the shard has no room.
    pub(super) async fn message(&self, flow: Flow, bytes: Bytes) {
        let inlet = self.inlet_of(&bytes);
        let arrival = Arrival::Message { flow, bytes, since: Instant::now() };
        let arrival = match inlet.try_send(arrival) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(arrival) | mpsc::error::TrySendError::Closed(arrival)) => {
                arrival
            }
        };
        self.metrics.handover_paused.inc();
        // A shard that is gone takes the process with it; there is nobody left to tell.
        drop(inlet.send(arrival).await);
    }

    /// Every shard hears it before any message of the connection.
    pub(super) async fn proved(&self, flow: Flow, names: Arc<[Arc<str>]>) {
        for inlet in self.inlets.iter() {
            drop(inlet.send(Arrival::Proved(flow, names.clone())).await);
        }
    }

    pub(super) async fn closed(&self, flow: Flow) {
        for inlet in self.inlets.iter() {
            drop(inlet.send(Arrival::Closed(flow)).await);
        }
    }

    /// Has broken bytes answered; returns when the answer waits in the outbox, or there is none.
    pub(super) async fn broken(&self, flow: Flow, bytes: Bytes, fault: Fault) {
        let (answered, done) = oneshot::channel();
        let inlet = self.inlet_of(&bytes);
        if inlet.send(Arrival::Broken { flow, bytes, fault, answered }).await.is_ok() && done.await.is_err() {
            tracing::debug!(peer = %flow.peer, "broken bytes stay without an answer");
        }
    }

    /// Whether a shard has an open transaction over `flow`. One that does not answer may have.
    pub(super) async fn in_use(&self, flow: Flow) -> bool {
        for inlet in self.inlets.iter() {
            let (reply, answer) = oneshot::channel();
            if inlet.send(Arrival::InUse(flow, reply)).await.is_ok() && answer.await.unwrap_or(true) {
                return true;
            }
        }
        false
    }

    pub(super) async fn failed(&self, waiting: Vec<Waiting>) {
        for Waiting { shard, token } in waiting {
            self.metrics.send_failed.inc();
            drop(self.inlets[shard].send(Arrival::Failed(token)).await);
        }
    }
}

/// One connection as its senders see it.
#[derive(Debug)]
pub(super) struct Connection {
    pub flow: Flow,
    /// Who the peer must prove to be, where the connection is ours and TLS; `None`: its address.
    pub host: Option<Arc<str>>,
    /// It was accepted: its source counts it.
    accepted: bool,
    pub outbox: Outbox,
}

type Map<K, V> = DashMap<K, V, foldhash::fast::RandomState>;

/// How many connections there may be, and what may wait on each.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// At once.
    pub most: usize,
    /// At once from one source: an IPv4 address, or an IPv6 /64.
    pub per_source: usize,
    /// Bytes that may wait to be written on one.
    pub write_queue: usize,
}

/// Who is at the other end: two domains at one address are two.
type PeerKey = (Transport, ListenerId, SocketAddr, Option<Domain>);

/// The connections of all shards.
#[derive(Debug)]
pub struct Connections {
    by_id: Map<ConnectionId, Arc<Connection>>,
    by_peer: Map<PeerKey, ConnectionId>,
    hosts: Hosts,
    /// Accepted connections by source.
    sources: Map<IpAddr, usize>,
    next: AtomicU64,
    open: AtomicUsize,
    limits: ConnectionLimits,
    pub(super) metrics: SipMetrics,
}

/// What became of a send on a stream.
#[derive(Debug)]
pub(super) enum Sent {
    /// It waits in the connection's outbox: flush it at the end of the turn.
    Queued(Arc<Connection>),
    /// The connection is new: somebody must open it.
    Open(Arc<Connection>),
    /// It did not leave.
    Failed,
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits, metrics: SipMetrics) -> Self {
        Self {
            by_id: Map::default(),
            by_peer: Map::default(),
            hosts: Hosts::default(),
            sources: Map::default(),
            next: AtomicU64::new(1),
            open: AtomicUsize::new(0),
            limits,
            metrics,
        }
    }

    /// How many are open or being opened.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// `host` is the name of `domain`.
    pub(super) fn named(&self, domain: Domain, host: Arc<str>) {
        self.hosts.keep(domain, host);
    }

    /// An accepted connection, given its own id; `None` at a limit.
    pub(super) fn accept(&self, flow: Flow) -> Option<Arc<Connection>> {
        let source = source(flow.peer.ip());
        {
            let mut held = self.sources.entry(source).or_insert(0);
            if *held >= self.limits.per_source {
                self.metrics.connections_refused.inc();
                static LINE: Seldom = Seldom::new();
                if let Some(kept_back) = LINE.due() {
                    tracing::warn!(peer = %flow.peer, kept_back, "connection refused: its source has too many (sip.tcp-connections-per-source)");
                }
                return None;
            }
            *held += 1;
        }
        let added = self.add(flow, None, true);
        if added.is_none() {
            self.leave(source);
        }
        added
    }

    fn add(&self, mut flow: Flow, host: Option<Arc<str>>, accepted: bool) -> Option<Arc<Connection>> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.limits.most {
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.metrics.connections_refused.inc();
            return None;
        }
        self.metrics.connections.inc();
        let id = ConnectionId(self.next.fetch_add(1, Ordering::Relaxed));
        flow.connection = Some(id);
        let outbox = Outbox::new(self.limits.write_queue);
        let connection = Arc::new(Connection { flow, host, accepted, outbox });
        self.by_id.insert(id, connection.clone());
        // Who connected to us over TLS has not proved to be the target that has this address.
        if !(accepted && flow.transport == Transport::Tls) {
            self.by_peer.insert(peer_key(&flow), id);
        }
        Some(connection)
    }

    /// Forgets a connection that ended.
    pub(super) fn remove(&self, connection: &Connection) {
        let flow = &connection.flow;
        let Some(id) = flow.connection else { return };
        if self.by_id.remove(&id).is_some() {
            self.by_peer.remove_if(&peer_key(flow), |_, held| *held == id);
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.metrics.connections.dec();
            if connection.accepted {
                self.leave(source(flow.peer.ip()));
            }
        }
    }

    fn leave(&self, source: IpAddr) {
        if let Some(mut held) = self.sources.get_mut(&source) {
            *held -= 1;
        }
        self.sources.remove_if(&source, |_, held| *held == 0);
    }

    /// The connection to the peer of `flow`, where there is one to whom it is meant for.
    fn to_peer(&self, flow: &Flow) -> Option<Arc<Connection>> {
        let id = *self.by_peer.get(&peer_key(flow))?;
        Some(self.by_id.get(&id)?.clone())
    }

    /// A connection to be opened, to whom `flow` is meant for. `None`: at a limit, or nobody knows that
    /// name any more, so nothing could prove it.
    fn begin(&self, flow: &Flow) -> Option<Arc<Connection>> {
        let host = match flow.domain {
            Some(domain) => Some(self.hosts.of(domain)?),
            None => None,
        };
        self.add(*flow, host, false)
    }

    /// Queues one message on the connection `flow` names, or on one to its peer.
    pub(super) fn send(&self, flow: &Flow, message: &[u8], waiting: Option<Waiting>) -> Sent {
        let held = match flow.connection {
            Some(id) => self.by_id.get(&id).map(|held| held.clone()),
            None => self.to_peer(flow),
        };
        let (connection, new) = match held {
            Some(connection) if !connection.outbox.is_closed() => (connection, false),
            // The connection a response belongs to is gone (RFC 3261 18.2.2 would dial the Via's port,
            // which trunks behind NAT do not answer): the transaction's timers decide.
            _ if flow.connection.is_some() => return Sent::Failed,
            _ => match self.begin(flow) {
                Some(connection) => (connection, true),
                None => return Sent::Failed,
            },
        };
        match connection.outbox.push(message, waiting) {
            Ok(()) if new => Sent::Open(connection),
            Ok(()) => Sent::Queued(connection),
            Err(why) => {
                if why == Refused::Full {
                    self.metrics.write_overflow.inc();
                    static LINE: Seldom = Seldom::new();
                    if let Some(kept_back) = LINE.due() {
                        tracing::warn!(peer = %flow.peer, kept_back, "connection closed: the peer does not read what it is sent");
                    }
                }
                Sent::Failed
            }
        }
    }
}

/// What counts as one source: nobody has one IPv6 address.
pub(super) fn source(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::from((ip.to_bits() & !u128::from(u64::MAX)).to_be_bytes()),
        ip => ip,
    }
}

fn peer_key(flow: &Flow) -> PeerKey {
    (flow.transport, flow.listener, flow.peer, flow.domain)
}
