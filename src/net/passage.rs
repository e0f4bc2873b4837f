//! The hand-off between shards of two processes: messages with what they came through, in order,
//! over a Unix stream. What came over a connection is answered by the process that has the connection: the
//! answers go the same way back.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::connections::Arrival;
use super::udp::MAX_DATAGRAM;
use crate::flow::{ConnectionId, Flow, ListenerId, Transport};
use crate::telemetry::metrics::SipMetrics;

/// Messages that may wait on their way to the other process.
const WAITING: usize = 4_096;

/// Marks connections of the other process.
const ELSEWHERE: u64 = 1 << 63;

/// Whether what is sent along `flow` leaves over a connection of another process of this node.
#[must_use]
pub fn is_elsewhere(flow: &Flow) -> bool {
    flow.connection.is_some_and(|connection| connection.0 & ELSEWHERE != 0)
}

/// A shard's way to the shard of the same index in another process of this node.
#[derive(Debug)]
pub struct Passage {
    frames: mpsc::Sender<Vec<u8>>,
    metrics: SipMetrics,
}

impl Passage {
    /// Over this half of a stream; what it gives beside itself must be polled on the shard's own thread, and ends, with
    /// everything written, when the passage is dropped.
    pub fn new(stream: OwnedWriteHalf, metrics: SipMetrics) -> (Self, impl Future<Output = ()>) {
        let (frames, waiting) = mpsc::channel(WAITING);
        (Self { frames, metrics }, carry(stream, waiting))
    }

    /// Hands a message on that came at `since`. False at the limit: it is counted, and a datagram is
    /// dropped as the network would.
    #[must_use]
    pub fn pass(&self, flow: &Flow, message: &[u8], since: Instant) -> bool {
        self.give(frame(Kind::Message, flow, message, since.elapsed()))
    }

    /// Hands a message back that came from there and is of no call here. False at the limit, as with [`pass`].
    ///
    /// [`pass`]: Self::pass
    #[must_use]
    pub fn give_back(&self, flow: &Flow, message: &[u8], since: Instant) -> bool {
        self.give(frame(Kind::Returned, flow, message, since.elapsed()))
    }

    /// A connection from here, whose messages are handed on, is gone.
    pub fn closed(&self, flow: &Flow) {
        self.give(frame(Kind::Closed, flow, b"", Duration::ZERO));
    }

    /// Its peer has proved to be these.
    pub fn proved(&self, flow: &Flow, names: &[Arc<str>]) {
        self.give(frame(Kind::Proved, flow, names.join("\n").as_bytes(), Duration::ZERO));
    }

    /// A message that is to leave over a connection over there. False: it cannot.
    #[must_use]
    pub fn leave(&self, flow: &Flow, message: &[u8]) -> bool {
        self.give(frame(Kind::Leave, flow, message, Duration::ZERO))
    }

    fn give(&self, frame: Vec<u8>) -> bool {
        let given = self.frames.try_send(frame).is_ok();
        if given {
            self.metrics.handed_over.inc();
        } else {
            self.metrics.handover_dropped.inc();
        }
        given
    }
}

async fn carry(mut stream: OwnedWriteHalf, mut waiting: mpsc::Receiver<Vec<u8>>) {
    let mut batch = Vec::new();
    while let Some(first) = waiting.recv().await {
        batch.extend_from_slice(&first);
        while let Ok(more) = waiting.try_recv() {
            batch.extend_from_slice(&more);
        }
        if let Err(error) = stream.write_all(&batch).await {
            // It has ended; control hears of that too, and takes the calls back.
            tracing::debug!(%error, "messages for another process are lost with it");
            return;
        }
        batch.clear();
    }
}

/// Brings what the shard of another process hands on into this one, until that one ends or stops.
///
/// # Errors
/// What comes is no hand-off.
pub async fn bring(stream: OwnedReadHalf, inlet: mpsc::Sender<Arrival>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let length = match stream.read_u32().await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            length => length? as usize,
        };
        if length > MAX_DATAGRAM + HEAD {
            return Err(io::Error::other("no frame of a hand-off"));
        }
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await?;
        let arrival = read(bytes.into()).ok_or_else(|| io::Error::other("no frame of a hand-off"))?;
        if inlet.send(arrival).await.is_err() {
            return Ok(());
        }
    }
}

/// Before the bytes: what they are, transport, listener, local address, peer, connection, age in microseconds.
const HEAD: usize = 1 + 1 + 2 + 17 + 17 + 2 + 4 + 4 + 8 + 8;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A message that came.
    Message = 0,
    /// A connection is gone.
    Closed = 1,
    /// What the peer of a connection has proved to be, a name a line.
    Proved = 2,
    /// A message that is to leave over a connection of the reader's.
    Leave = 3,
    /// A message that the reader handed on, and is to look at itself.
    Returned = 4,
}

fn frame(kind: Kind, flow: &Flow, bytes: &[u8], age: Duration) -> Vec<u8> {
    let mut frame = Vec::with_capacity(4 + HEAD + bytes.len());
    let length = u32::try_from(HEAD + bytes.len()).expect("a message has 64 KiB at most");
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&[kind as u8, flow.transport as u8]);
    frame.extend_from_slice(&flow.listener.0.to_be_bytes());
    put_address(&mut frame, flow.local);
    put_address(&mut frame, flow.peer.ip());
    frame.extend_from_slice(&flow.peer.port().to_be_bytes());
    let (info, scope) = match flow.peer {
        SocketAddr::V6(peer) => (peer.flowinfo(), peer.scope_id()),
        SocketAddr::V4(_) => (0, 0),
    };
    frame.extend_from_slice(&info.to_be_bytes());
    frame.extend_from_slice(&scope.to_be_bytes());
    let connection = flow.connection.map_or(0, |connection| connection.0 & !ELSEWHERE);
    frame.extend_from_slice(&connection.to_be_bytes());
    frame.extend_from_slice(&u64::try_from(age.as_micros()).unwrap_or(u64::MAX).to_be_bytes());
    frame.extend_from_slice(bytes);
    frame
}

fn read(mut frame: Bytes) -> Option<Arrival> {
    if frame.len() < HEAD {
        return None;
    }
    let bytes = frame.split_off(HEAD);
    let mut head = &frame[..];
    let [kind, transport] = take(&mut head)?;
    let listener = u16::from_be_bytes(take(&mut head)?);
    let local = take_address(&mut head)?;
    let ip = take_address(&mut head)?;
    let port = u16::from_be_bytes(take(&mut head)?);
    let (info, scope) = (u32::from_be_bytes(take(&mut head)?), u32::from_be_bytes(take(&mut head)?));
    let connection = u64::from_be_bytes(take(&mut head)?);
    let age = Duration::from_micros(u64::from_be_bytes(take(&mut head)?));
    let peer = match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, info, scope)),
    };
    let transport = [Transport::Udp, Transport::Tcp, Transport::Tls].into_iter().nth(transport.into())?;
    // What the reader has is its own; what the writer has is elsewhere.
    let own = kind == Kind::Leave as u8 || kind == Kind::Returned as u8;
    let mark = if own { 0 } else { ELSEWHERE };
    let connection = (connection != 0).then_some(ConnectionId(connection | mark));
    let flow = Flow { transport, listener: ListenerId(listener), local, peer, connection, domain: None };
    let now = Instant::now();
    let since = now.checked_sub(age).unwrap_or(now);
    match kind {
        0 => Some(Arrival::Message { flow, bytes, since }),
        1 => Some(Arrival::Closed(flow)),
        2 => {
            let names = std::str::from_utf8(&bytes).ok()?;
            Some(Arrival::Proved(flow, names.lines().map(Arc::from).collect()))
        }
        3 => Some(Arrival::Leave { flow, bytes }),
        4 => Some(Arrival::Returned { flow, bytes, since }),
        _ => None,
    }
}

fn put_address(frame: &mut Vec<u8>, address: IpAddr) {
    frame.push(if address.is_ipv4() { 4 } else { 6 });
    let bits = match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    frame.extend_from_slice(&bits.to_be_bytes());
}

fn take_address(head: &mut &[u8]) -> Option<IpAddr> {
    let [family] = take(head)?;
    let bits = u128::from_be_bytes(take(head)?);
    match family {
        4 => Some(IpAddr::V4(u32::try_from(bits).ok()?.into())),
        6 => Some(IpAddr::V6(bits.into())),
        _ => None,
    }
}

fn take<const N: usize>(head: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = head.split_first_chunk()?;
    *head = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_crosses_with_all_that_its_answer_needs() {
        for (local, peer) in [("127.0.0.7", "192.0.2.1:5060"), ("::1", "[2001:db8::1]:5062")] {
            let flow = Flow {
                transport: Transport::Tls,
                listener: ListenerId(3),
                local: local.parse().unwrap(),
                peer: peer.parse().unwrap(),
                connection: Some(ConnectionId(7)),
                domain: None,
            };
            let bytes = frame(Kind::Message, &flow, b"OPTIONS", Duration::from_millis(5));
            let Some(Arrival::Message { flow: there, bytes, since }) = read(bytes[4..].to_vec().into())
            else {
                panic!("a frame");
            };
            assert_eq!((there.peer, there.local, &bytes[..]), (flow.peer, flow.local, &b"OPTIONS"[..]));
            assert!(since.elapsed() >= Duration::from_millis(5));
            assert!(is_elsewhere(&there) && !is_elsewhere(&flow));
            // Back where it came from it is that process's own again.
            let bytes = frame(Kind::Leave, &there, b"SIP/2.0 200 OK", Duration::ZERO);
            let Some(Arrival::Leave { flow: back, bytes }) = read(bytes[4..].to_vec().into()) else {
                panic!("a frame");
            };
            assert_eq!((back, &bytes[..]), (flow, &b"SIP/2.0 200 OK"[..]));
            let bytes = frame(Kind::Returned, &there, b"OPTIONS", Duration::ZERO);
            let Some(Arrival::Returned { flow: back, .. }) = read(bytes[4..].to_vec().into()) else {
                panic!("a frame");
            };
            assert_eq!(back, flow);
            let names: Vec<Arc<str>> = vec!["a.example".into(), "b.example".into()];
            let bytes = frame(Kind::Proved, &flow, names.join("\n").as_bytes(), Duration::ZERO);
            let Some(Arrival::Proved(_, proved)) = read(bytes[4..].to_vec().into()) else {
                panic!("a frame")
            };
            assert_eq!(proved[..], names[..]);
        }
        let datagram = Flow {
            transport: Transport::Udp,
            listener: ListenerId(0),
            local: IpAddr::from([127, 0, 0, 1]),
            peer: "127.0.0.1:5060".parse().unwrap(),
            connection: None,
            domain: None,
        };
        let bytes = frame(Kind::Message, &datagram, b"", Duration::ZERO);
        let Some(Arrival::Message { flow, .. }) = read(bytes[4..].to_vec().into()) else { panic!("a frame") };
        assert_eq!(flow, datagram);
        assert!(read(Bytes::from_static(&[0; HEAD - 1])).is_none());
    }
}
