//! The life of stream connections: accepted or opened, read, written, ended.
//!
//! Each connection is one local task of the shard that accepted or opened it. It ends when the peer
//! closes, when a message is broken, too large or too slow, when nothing passed for the idle time and
//! no open transaction goes over it, and when its outbox was given up.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::connections::{Connection, Connections, Delivery, Sent, Waiting};
use super::edge::Edge;
use super::tls::{Tls, Wire};
use crate::engine::door::SendToken;
use crate::flow::{Domain, Flow, ListenerId, Transport};
use crate::sip::{Frame, FrameError, Framer};
use crate::telemetry::Seldom;

/// Guards the lines about connections that strangers can make us close.
static CLOSED: Seldom = Seldom::new();

/// The answer to a CRLF CRLF ping (RFC 5626 3.5.1).
pub(super) const PONG: &[u8] = b"\r\n";

/// How long the answer to a broken message may take to leave.
const PARTING: Duration = Duration::from_secs(1);

/// How often a connection whose peer says nothing more is looked at: is an answer still due?
const HALF_CLOSED_LOOK: Duration = Duration::from_millis(250);

/// Bytes read at once.
const READ: usize = 8 << 10;

/// How long things on a stream may take.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// Silence after which a connection is closed.
    pub idle: Duration,
    /// From the first byte of a message to its last.
    pub message: Duration,
    /// Opening a connection.
    pub connect: Duration,
    /// The same for a message above `large`, which was to leave over TCP only for its size.
    pub connect_large: Duration,
    /// What counts as large, in bytes.
    pub large: usize,
    /// Shaking hands for TLS.
    pub handshake: Duration,
}

/// One shard's streams.
#[derive(Clone)]
pub struct Streams {
    shard: usize,
    pub(super) connections: Arc<Connections>,
    edge: Arc<Edge>,
    delivery: Delivery,
    limits: StreamLimits,
    tls: Option<Tls>,
}

/// Connections to be flushed at the end of a turn.
#[derive(Debug, Default)]
pub struct Dirty(Vec<Arc<Connection>>);

impl Dirty {
    /// Writes what this turn queued, once per connection.
    pub fn flush(&mut self) {
        for connection in self.0.drain(..) {
            if !matches!(connection.outbox.flush(), Ok(true)) {
                connection.outbox.wake.notify_one();
            }
        }
    }
}

impl Streams {
    /// The streams of shard `shard`.
    #[must_use]
    pub fn new(
        shard: usize,
        (connections, edge): (Arc<Connections>, Arc<Edge>),
        delivery: Delivery,
        limits: StreamLimits,
        tls: Option<Tls>,
    ) -> Self {
        Self { shard, connections, edge, delivery, limits, tls }
    }

    /// Accepts on `listener` for ever, as a local task of this shard.
    pub fn accept(&self, id: ListenerId, transport: Transport, listener: TcpListener) {
        tokio::task::spawn_local(self.clone().accept_loop(id, transport, listener));
    }

    /// `host` is the name of `domain`, which peers of flows must prove to be over TLS.
    pub fn named(&self, domain: Domain, host: Arc<str>) {
        self.connections.named(domain, host);
    }

    /// Queues one message along `flow`, opening a connection where there is none; false when it
    /// cannot leave. A connection that fails to open later is told to the shard by `token`.
    #[must_use]
    pub fn send(&self, flow: &Flow, message: &[u8], token: SendToken, dirty: &mut Dirty) -> bool {
        let waiting = (token != SendToken(0)).then_some(Waiting { shard: self.shard, token });
        match self.connections.send(flow, message, waiting) {
            Sent::Queued(connection) => {
                if !dirty.0.iter().any(|known| Arc::ptr_eq(known, &connection)) {
                    dirty.0.push(connection);
                }
            }
            Sent::Open(connection) => {
                let limit = if message.len() > self.limits.large {
                    self.limits.connect_large
                } else {
                    self.limits.connect
                };
                tokio::task::spawn_local(self.clone().open(connection, limit));
            }
            Sent::Failed => return false,
        }
        true
    }

    async fn accept_loop(self, id: ListenerId, transport: Transport, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.accepted(id, transport, stream, peer),
                Err(error) => {
                    // Out of descriptors, mostly: wait for some to come back instead of spinning.
                    static LINE: Seldom = Seldom::new();
                    if let Some(kept_back) = LINE.due() {
                        tracing::warn!(%error, kept_back, "cannot accept a connection");
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn accepted(&self, id: ListenerId, transport: Transport, stream: TcpStream, peer: SocketAddr) {
        if self.edge.refuses(peer.ip(), true) {
            return;
        }
        let Ok(local) = stream.local_addr() else { return };
        let flow = Flow { transport, listener: id, local: local.ip(), peer, connection: None, domain: None };
        if let Some(connection) = self.connections.accept(flow) {
            tokio::task::spawn_local(self.clone().welcome(connection, stream));
        }
    }

    /// Shakes hands where the listener wants it, and serves.
    async fn welcome(self, connection: Arc<Connection>, stream: TcpStream) {
        let shaken = match (connection.flow.transport, &self.tls) {
            (Transport::Tls, Some(tls)) => {
                let shaking = Wire::accept(stream, tls.live().server.clone());
                timeout(self.limits.handshake, shaking).await
            }
            (Transport::Tls, None) => Ok(Err(io::ErrorKind::Unsupported.into())),
            _ => Ok(Ok(Wire::plain(stream))),
        };
        match shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(wire) => {
                let names = wire.names();
                if !names.is_empty() {
                    self.delivery.proved(connection.flow, names.into()).await;
                }
                self.serve(connection, wire).await;
            }
            Err(error) => {
                self.connections.metrics.handshakes_failed.inc();
                if let Some(kept_back) = CLOSED.due() {
                    let peer = connection.flow.peer;
                    tracing::info!(%peer, %error, kept_back, "connection closed: no TLS handshake");
                }
                self.connections.remove(&connection);
                self.delivery.failed(connection.outbox.close()).await;
            }
        }
    }

    async fn open(self, connection: Arc<Connection>, limit: Duration) {
        let peer = connection.flow.peer;
        match self.opened(&connection, limit).await {
            Ok(wire) => self.serve(connection, wire).await,
            Err(error) => {
                tracing::debug!(%peer, %error, "cannot connect");
                if connection.flow.transport == Transport::Tls {
                    self.connections.metrics.handshakes_failed.inc();
                    if let Some(kept_back) = CLOSED.due() {
                        let host = connection.host.as_deref();
                        tracing::info!(%peer, host, %error, kept_back, "cannot connect over TLS");
                    }
                }
                self.connections.remove(&connection);
                self.delivery.failed(connection.outbox.close()).await;
            }
        }
    }

    async fn opened(&self, connection: &Connection, limit: Duration) -> io::Result<Wire> {
        let late = |_| Err(io::ErrorKind::TimedOut.into());
        let stream = timeout(limit, connect(&connection.flow)).await.unwrap_or_else(late)?;
        if connection.flow.transport != Transport::Tls {
            return Ok(Wire::plain(stream));
        }
        let Some(tls) = &self.tls else { return Err(io::ErrorKind::Unsupported.into()) };
        let name = match &connection.host {
            Some(host) => ServerName::try_from(host.trim_matches(['[', ']']).to_owned()),
            None => Ok(connection.flow.peer.ip().into()),
        };
        let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let shaking = Wire::connect(stream, tls.live().client.clone(), name);
        timeout(self.limits.handshake, shaking).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn serve(self, connection: Arc<Connection>, wire: Wire) {
        let wire = Arc::new(wire);
        let end = self.carry(&connection, &wire).await;
        let peer = connection.flow.peer;
        match end {
            End::Closed => {
                connection.outbox.settle();
                tracing::debug!(%peer, "connection closed by the peer");
            }
            End::Idle => tracing::debug!(%peer, "connection closed: nothing passed"),
            End::GivenUp | End::Banned => {}
            End::Broken(error) => tracing::debug!(%peer, %error, "connection broken"),
            End::TooSlow => {
                self.connections.metrics.connections_refused.inc();
                if let Some(kept_back) = CLOSED.due() {
                    tracing::info!(%peer, kept_back, "connection closed: a message took too long to arrive");
                }
            }
            End::Unframed(error, rest) => {
                self.connections.metrics.connections_refused.inc();
                if let Some(kept_back) = CLOSED.due() {
                    tracing::info!(%peer, %error, kept_back, "connection closed");
                }
                self.delivery.broken(connection.flow, rest, error.0).await;
                let parted = timeout(PARTING, part(&connection, &wire)).await;
                if !matches!(parted, Ok(Ok(()))) {
                    tracing::debug!(%peer, "the peer did not take its leave");
                }
            }
        }
        self.connections.remove(&connection);
        self.delivery.failed(connection.outbox.close()).await;
        self.delivery.closed(connection.flow).await;
    }

    async fn carry(&self, connection: &Connection, wire: &Arc<Wire>) -> End {
        let opened = wire.stream().set_nodelay(true).and_then(|()| connection.outbox.open(wire.clone()));
        if let Err(error) = opened {
            return End::Broken(error);
        }
        let (mut buffer, mut framer) = ([0; READ], Framer::new());
        let mut last = Instant::now();
        let mut message_began = None;
        loop {
            let outbox = &connection.outbox;
            let deadline = message_began.map_or(last + self.limits.idle, |began| began + self.limits.message);
            tokio::select! {
                biased;
                () = outbox.wake.notified() => {}
                ready = wire.writable(), if outbox.has_pending() => {
                    if let Err(error) = ready.and_then(|()| outbox.flush().map(drop)) {
                        return End::Broken(error);
                    }
                }
                ready = wire.readable() => match ready.and_then(|()| wire.try_read(&mut buffer)) {
                    Ok(0) => return self.answer_due(connection, wire).await,
                    Ok(_) if self.edge.refuses(connection.flow.peer.ip(), true) => return End::Banned,
                    Ok(length) => match self.frames(connection, &mut framer, &buffer[..length]).await {
                        Ok(Left::Nothing) => message_began = None,
                        Ok(Left::NewPart) => message_began = Some(Instant::now()),
                        Ok(Left::SamePart) => message_began = Some(message_began.unwrap_or_else(Instant::now)),
                        Err(error) => return End::Unframed(error, Bytes::copy_from_slice(framer.rest())),
                    },
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return End::Broken(error),
                },
                () = sleep_until(deadline) => match message_began {
                    Some(_) => return End::TooSlow,
                    // A transaction that waits is use too: the next look is a whole idle time later.
                    None if outbox.take_used() || self.delivery.in_use(connection.flow).await => {}
                    None => return End::Idle,
                },
            }
            if connection.outbox.is_closed() {
                return End::GivenUp;
            }
            last = Instant::now();
        }
    }

    /// The peer says nothing more. It may still listen: what is open is answered before the
    /// connection ends, and a peer that is gone altogether is found out by writing.
    async fn answer_due(&self, connection: &Connection, wire: &Wire) -> End {
        let outbox = &connection.outbox;
        outbox.half_close();
        let until = Instant::now() + self.limits.idle;
        loop {
            // A peer that is gone says so once something was written to it.
            match wire.stream().take_error() {
                Ok(None) => {}
                Ok(Some(error)) | Err(error) => return End::Broken(error),
            }
            let due = Instant::now() < until && self.delivery.in_use(connection.flow).await;
            if !due && !outbox.has_pending() {
                return End::Closed;
            }
            tokio::select! {
                biased;
                () = outbox.wake.notified() => {}
                ready = wire.writable(), if outbox.has_pending() => {
                    if let Err(error) = ready.and_then(|()| outbox.flush().map(drop)) {
                        return End::Broken(error);
                    }
                }
                () = sleep(HALF_CLOSED_LOOK) => {}
            }
            if outbox.is_closed() {
                return End::GivenUp;
            }
        }
    }

    /// Delivers every message that `bytes` makes whole; says what is left.
    async fn frames(
        &self,
        connection: &Connection,
        framer: &mut Framer,
        bytes: &[u8],
    ) -> Result<Left, FrameError> {
        let mut part = Left::SamePart;
        framer.push(bytes);
        while let Some(frame) = framer.take()? {
            match frame {
                Frame::Ping => {
                    if connection.outbox.push(PONG, None).is_ok() {
                        connection.outbox.wake.notify_one();
                    }
                }
                Frame::Message(message) => {
                    self.connections.metrics.received.inc();
                    part = Left::NewPart;
                    self.delivery.message(connection.flow, Bytes::copy_from_slice(message)).await;
                }
            }
        }
        Ok(if framer.is_inside() { part } else { Left::Nothing })
    }
}

/// What is left in a connection's buffer after the whole messages are taken out.
enum Left {
    Nothing,
    /// The beginning of a message that arrived with this read.
    NewPart,
    /// A message that goes on from an earlier read, or is the first.
    SamePart,
}

enum End {
    Closed,
    Idle,
    Banned,
    GivenUp,
    Broken(io::Error),
    TooSlow,
    /// With the bytes that are no message.
    Unframed(FrameError, Bytes),
}

/// Writes what waits, says that nothing more comes, and reads until the peer agrees: closing with
/// unread bytes would reset the connection and take the answer with it.
async fn part(connection: &Connection, wire: &Wire) -> io::Result<()> {
    while !connection.outbox.flush()? {
        wire.writable().await?;
    }
    wire.shutdown()?;
    let mut sink = [0; READ];
    loop {
        wire.readable().await?;
        match wire.try_read(&mut sink) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn connect(flow: &Flow) -> io::Result<TcpStream> {
    let socket = if flow.peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !flow.local.is_unspecified() && flow.local.is_ipv4() == flow.peer.is_ipv4() {
        socket.bind(SocketAddr::new(flow.local, 0))?;
    }
    socket.connect(flow.peer).await
}
