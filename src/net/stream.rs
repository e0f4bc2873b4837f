//! The life of stream connections: accepted or opened, read, written, ended.
//!
//! Each connection is one local task of the shard that accepted or opened it. It ends when the peer
//! closes, when a message is broken, too large or too slow, when nothing passed for the idle time and
//! no open transaction goes over it, and when its outbox was given up.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::connections::{Connection, Connections, Delivery, Sent, Waiting};
use crate::engine::door::SendToken;
use crate::flow::{Flow, ListenerId, Transport};
use crate::sip::{Frame, FrameError, Framer};
use crate::telemetry::Seldom;

/// Guards the lines about connections that strangers can make us close.
static CLOSED: Seldom = Seldom::new();

/// The answer to a CRLF CRLF ping (RFC 5626 3.5.1).
const PONG: &[u8] = b"\r\n";

/// How long the answer to a broken message may take to leave.
const PARTING: Duration = Duration::from_secs(1);

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
}

/// One shard's streams.
#[derive(Clone)]
pub struct Streams {
    shard: usize,
    connections: Arc<Connections>,
    delivery: Delivery,
    limits: StreamLimits,
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
        connections: Arc<Connections>,
        delivery: Delivery,
        limits: StreamLimits,
    ) -> Self {
        Self { shard, connections, delivery, limits }
    }

    /// Accepts on `listener` for ever, as a local task of this shard.
    pub fn accept(&self, id: ListenerId, listener: TcpListener) {
        tokio::task::spawn_local(self.clone().accept_loop(id, listener));
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

    async fn accept_loop(self, id: ListenerId, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.accepted(id, stream, peer),
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

    fn accepted(&self, id: ListenerId, stream: TcpStream, peer: SocketAddr) {
        let Ok(local) = stream.local_addr() else { return };
        let flow =
            Flow { transport: Transport::Tcp, listener: id, local: local.ip(), peer, connection: None };
        if let Some(connection) = self.connections.add(flow) {
            tokio::task::spawn_local(self.clone().serve(connection, stream));
        }
    }

    async fn open(self, connection: Arc<Connection>, limit: Duration) {
        let peer = connection.flow.peer;
        let opened = timeout(limit, connect(&connection.flow)).await;
        match opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => self.serve(connection, stream).await,
            Err(error) => {
                tracing::debug!(%peer, %error, "cannot connect");
                self.connections.remove(&connection.flow);
                self.delivery.failed(connection.outbox.close()).await;
            }
        }
    }

    async fn serve(self, connection: Arc<Connection>, stream: TcpStream) {
        let stream = Arc::new(stream);
        let end = self.carry(&connection, &stream).await;
        let peer = connection.flow.peer;
        match end {
            End::Closed => tracing::debug!(%peer, "connection closed by the peer"),
            End::Idle => tracing::debug!(%peer, "connection closed: nothing passed"),
            End::GivenUp => {}
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
                let parted = timeout(PARTING, part(&connection, &stream)).await;
                if !matches!(parted, Ok(Ok(()))) {
                    tracing::debug!(%peer, "the peer did not take its leave");
                }
            }
        }
        self.connections.remove(&connection.flow);
        self.delivery.failed(connection.outbox.close()).await;
        self.delivery.closed(connection.flow).await;
    }

    async fn carry(&self, connection: &Connection, stream: &Arc<TcpStream>) -> End {
        if let Err(error) = stream.set_nodelay(true).and_then(|()| connection.outbox.open(stream.clone())) {
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
                ready = stream.writable(), if outbox.has_pending() => {
                    if let Err(error) = ready.and_then(|()| outbox.flush().map(drop)) {
                        return End::Broken(error);
                    }
                }
                ready = stream.readable() => match ready.and_then(|()| stream.try_read(&mut buffer)) {
                    Ok(0) => return End::Closed,
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
    GivenUp,
    Broken(io::Error),
    TooSlow,
    /// With the bytes that are no message.
    Unframed(FrameError, Bytes),
}

/// Writes what waits, says that nothing more comes, and reads until the peer agrees: closing with
/// unread bytes would reset the connection and take the answer with it.
async fn part(connection: &Connection, stream: &TcpStream) -> io::Result<()> {
    while !connection.outbox.flush()? {
        stream.writable().await?;
    }
    SockRef::from(stream).shutdown(Shutdown::Write)?;
    let mut sink = [0; READ];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut sink) {
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc;
    use tokio::task::LocalSet;

    use super::super::connections::Arrival;
    use super::*;
    use crate::telemetry::Metrics;

    const MESSAGE: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 4\r\n\r\nbody";

    struct World {
        streams: Streams,
        arrivals: mpsc::Receiver<Arrival>,
        address: SocketAddr,
    }

    async fn world(limits: StreamLimits, most: usize) -> World {
        let (inlet, arrivals) = mpsc::channel(16);
        let metrics = Metrics::new().sip;
        let delivery = Delivery::new(vec![inlet], Arc::new(|_| 0), metrics.clone());
        let connections = Arc::new(Connections::new(most, 64 << 10, metrics));
        let streams = Streams::new(0, connections, delivery, limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        streams.accept(ListenerId(0), listener);
        World { streams, arrivals, address }
    }

    fn limits() -> StreamLimits {
        let ms = Duration::from_millis;
        StreamLimits {
            idle: ms(5000),
            message: ms(5000),
            connect: ms(300),
            connect_large: ms(100),
            large: 1300,
        }
    }

    fn flow_to(peer: SocketAddr) -> Flow {
        let local = "127.0.0.1".parse().unwrap();
        Flow { transport: Transport::Tcp, listener: ListenerId(0), local, peer, connection: None }
    }

    async fn message(world: &mut World) -> (Flow, Vec<u8>) {
        match world.arrivals.recv().await.unwrap() {
            Arrival::Message { flow, bytes } => (flow, bytes.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn messages_are_framed_pings_answered_and_answers_leave_on_the_same_connection() {
        LocalSet::new()
            .run_until(async {
                let mut world = world(limits(), 8).await;
                let mut peer = TcpStream::connect(world.address).await.unwrap();
                peer.write_all(&[b"\r\n\r\n", MESSAGE, &MESSAGE[..20]].concat()).await.unwrap();
                let (flow, bytes) = message(&mut world).await;
                assert_eq!((bytes.as_slice(), flow.peer), (MESSAGE, peer.local_addr().unwrap()));
                let mut pong = [0; 2];
                peer.read_exact(&mut pong).await.unwrap();
                assert_eq!(&pong, PONG);
                peer.write_all(&MESSAGE[20..]).await.unwrap();
                assert_eq!(message(&mut world).await.1, MESSAGE);
                let mut dirty = Dirty::default();
                assert!(world.streams.send(&flow, b"answer", SendToken(0), &mut dirty));
                dirty.flush();
                let mut answer = [0; 6];
                peer.read_exact(&mut answer).await.unwrap();
                assert_eq!(&answer, b"answer");
                drop(peer);
                let Arrival::Closed(gone) = world.arrivals.recv().await.unwrap() else {
                    panic!("not closed")
                };
                assert_eq!(gone, flow);
                assert!(!world.streams.send(&flow, b"late", SendToken(0), &mut dirty));
            })
            .await;
    }

    #[tokio::test]
    async fn a_connection_is_opened_once_and_used_again() {
        LocalSet::new()
            .run_until(async {
                let mut world = world(limits(), 8).await;
                let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let flow = flow_to(target.local_addr().unwrap());
                let mut dirty = Dirty::default();
                assert!(world.streams.send(&flow, b"one ", SendToken(1), &mut dirty));
                assert!(world.streams.send(&flow, b"two ", SendToken(2), &mut dirty));
                dirty.flush();
                let (mut peer, _) = target.accept().await.unwrap();
                let mut both = [0; 8];
                peer.read_exact(&mut both).await.unwrap();
                assert_eq!(&both, b"one two ");
                peer.write_all(MESSAGE).await.unwrap();
                let (answer, _) = message(&mut world).await;
                assert!(answer.connection.is_some());
                assert_eq!(answer.peer, flow.peer);
            })
            .await;
    }

    #[tokio::test]
    async fn a_connection_that_cannot_be_opened_names_every_send() {
        LocalSet::new()
            .run_until(async {
                let mut world = world(limits(), 8).await;
                let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
                let mut dirty = Dirty::default();
                for token in [5, 6] {
                    assert!(world.streams.send(&flow_to(free), b"x", SendToken(token), &mut dirty));
                }
                for token in [5, 6] {
                    let Arrival::Failed(failed) = world.arrivals.recv().await.unwrap() else { panic!() };
                    assert_eq!(failed, SendToken(token));
                }
                assert_eq!(world.streams.connections.count(), 0);
            })
            .await;
    }

    #[tokio::test]
    async fn slow_silent_and_surplus_peers_are_closed() {
        LocalSet::new()
            .run_until(async {
                let short = StreamLimits {
                    idle: Duration::from_millis(150),
                    message: Duration::from_millis(50),
                    ..limits()
                };
                let World { streams: _streams, mut arrivals, address } = world(short, 2).await;
                tokio::task::spawn_local(async move {
                    let mut looks = 0;
                    while let Some(arrival) = arrivals.recv().await {
                        match arrival {
                            // A transaction waits at the first look, and is over at the second.
                            Arrival::InUse(_, reply) => {
                                looks += 1;
                                reply.send(looks == 1).unwrap();
                            }
                            Arrival::Closed(_) => {}
                            other => panic!("{other:?}"),
                        }
                    }
                });
                let began = Instant::now();
                let mut slow = TcpStream::connect(address).await.unwrap();
                let mut silent = TcpStream::connect(address).await.unwrap();
                slow.write_all(b"INVITE").await.unwrap();
                sleep(Duration::from_millis(10)).await;
                let mut surplus = TcpStream::connect(address).await.unwrap();
                assert_eq!(surplus.read(&mut [0]).await.unwrap_or(0), 0);
                assert!(began.elapsed() < Duration::from_millis(50), "at once");
                slow.write_all(b" sip:").await.unwrap();
                assert_eq!(slow.read(&mut [0]).await.unwrap_or(0), 0);
                assert!(began.elapsed() < Duration::from_millis(140), "the trickle does not extend it");
                assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
                assert!(began.elapsed() >= Duration::from_millis(300), "used by a transaction, it stays");
            })
            .await;
    }

    #[tokio::test]
    async fn broken_bytes_are_answered_before_the_connection_ends() {
        LocalSet::new()
            .run_until(async {
                let mut world = world(limits(), 8).await;
                let mut peer = TcpStream::connect(world.address).await.unwrap();
                let head = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: x\r\n\r\n";
                peer.write_all(head).await.unwrap();
                let Some(Arrival::Broken { flow, bytes, fault, answered }) = world.arrivals.recv().await
                else {
                    panic!("not broken")
                };
                assert_eq!((bytes.as_ref(), fault.status), (head.as_slice(), 400));
                assert!(world.streams.send(&flow, b"400", SendToken(0), &mut Dirty::default()));
                answered.send(()).unwrap();
                // What comes after it is read and forgotten: a reset would take the answer away.
                peer.write_all(&[b'x'; 4096]).await.unwrap();
                let mut answer = Vec::new();
                peer.read_to_end(&mut answer).await.unwrap();
                assert_eq!(answer, b"400");
            })
            .await;
    }

    #[tokio::test]
    async fn a_peer_that_never_reads_is_closed() {
        LocalSet::new()
            .run_until(async {
                let mut world = world(limits(), 8).await;
                let mut peer = TcpStream::connect(world.address).await.unwrap();
                peer.write_all(MESSAGE).await.unwrap();
                let (flow, _) = message(&mut world).await;
                let mut dirty = Dirty::default();
                let block = vec![b'x'; 60 << 10];
                let refused = (0..1000).any(|_| {
                    let taken = world.streams.send(&flow, &block, SendToken(0), &mut dirty);
                    dirty.flush();
                    !taken
                });
                assert!(refused);
                assert!(matches!(world.arrivals.recv().await, Some(Arrival::Closed(_))));
                assert_eq!(world.streams.connections.count(), 0);
            })
            .await;
    }
}
