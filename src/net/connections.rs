//! All stream connections of the process, for whoever sends, and the way into the shards for
//! whatever arrives.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::{mpsc, oneshot};

use super::outbox::{Outbox, Refused};
use crate::engine::door::SendToken;
use crate::flow::{ConnectionId, Flow, ListenerId, Transport};
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
    },
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

/// Which shard owns a message, by index.
pub type Owner = Arc<dyn Fn(&[u8]) -> usize + Send + Sync>;

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

    /// The shard that owns a message; 0 without looking where there is only one.
    #[must_use]
    pub fn owner(&self, message: &[u8]) -> usize {
        if self.inlets.len() == 1 { 0 } else { (self.owner)(message) }
    }

    /// Hands a datagram over to another shard. At the limit it is dropped as the network would, and counted.
    pub fn datagram(&self, shard: usize, flow: Flow, message: &[u8]) {
        let arrival = Arrival::Message { flow, bytes: Bytes::copy_from_slice(message) };
        match self.inlets[shard].try_send(arrival) {
            Ok(()) => self.metrics.handed_over.inc(),
            Err(_) => self.metrics.handover_dropped.inc(),
        };
    }

    /// Hands a message of a stream over; waits, and with it the stream, while the shard has no room.
    pub(super) async fn message(&self, flow: Flow, bytes: Bytes) {
        let inlet = &self.inlets[self.owner(&bytes)];
        let arrival = Arrival::Message { flow, bytes };
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

    pub(super) async fn closed(&self, flow: Flow) {
        for inlet in self.inlets.iter() {
            drop(inlet.send(Arrival::Closed(flow)).await);
        }
    }

    /// Has broken bytes answered; returns when the answer waits in the outbox, or there is none.
    pub(super) async fn broken(&self, flow: Flow, bytes: Bytes, fault: Fault) {
        let (answered, done) = oneshot::channel();
        let inlet = &self.inlets[self.owner(&bytes)];
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
    pub outbox: Outbox,
}

type Map<K, V> = DashMap<K, V, foldhash::fast::RandomState>;

/// The connections of all shards.
#[derive(Debug)]
pub struct Connections {
    by_id: Map<ConnectionId, Arc<Connection>>,
    by_peer: Map<(Transport, ListenerId, SocketAddr), ConnectionId>,
    next: AtomicU64,
    open: AtomicUsize,
    most: usize,
    write_limit: usize,
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
    /// At most `most` connections with `write_limit` waiting bytes each.
    #[must_use]
    pub fn new(most: usize, write_limit: usize, metrics: SipMetrics) -> Self {
        Self {
            by_id: Map::default(),
            by_peer: Map::default(),
            next: AtomicU64::new(1),
            open: AtomicUsize::new(0),
            most,
            write_limit,
            metrics,
        }
    }

    /// How many are open or being opened.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// A connection along `flow`, given its own id; `None` at the limit.
    pub(super) fn add(&self, mut flow: Flow) -> Option<Arc<Connection>> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.metrics.connections_refused.inc();
            return None;
        }
        self.metrics.connections.inc();
        let id = ConnectionId(self.next.fetch_add(1, Ordering::Relaxed));
        flow.connection = Some(id);
        let connection = Arc::new(Connection { flow, outbox: Outbox::new(self.write_limit) });
        self.by_id.insert(id, connection.clone());
        self.by_peer.insert(peer_key(&flow), id);
        Some(connection)
    }

    /// Forgets a connection that ended.
    pub(super) fn remove(&self, flow: &Flow) {
        let Some(id) = flow.connection else { return };
        if self.by_id.remove(&id).is_some() {
            self.by_peer.remove_if(&peer_key(flow), |_, held| *held == id);
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.metrics.connections.dec();
        }
    }

    /// Queues one message on the connection `flow` names, or on one to its peer.
    pub(super) fn send(&self, flow: &Flow, message: &[u8], waiting: Option<Waiting>) -> Sent {
        let id = flow.connection.or_else(|| self.by_peer.get(&peer_key(flow)).map(|id| *id));
        let held = id.and_then(|id| self.by_id.get(&id).map(|held| held.clone()));
        let (connection, new) = match held {
            Some(connection) if !connection.outbox.is_closed() => (connection, false),
            // The connection a response belongs to is gone (RFC 3261 18.2.2 would dial the Via's port,
            // which trunks behind NAT do not answer): the transaction's timers decide.
            _ if flow.connection.is_some() => return Sent::Failed,
            _ => match self.add(*flow) {
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

fn peer_key(flow: &Flow) -> (Transport, ListenerId, SocketAddr) {
    (flow.transport, flow.listener, flow.peer)
}
