//! Streams against sockets of the test's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

use super::connections::{Arrival, ConnectionLimits, Connections, Delivery};
use super::edge::{Cause, Edge, EdgeConfig};
use super::stream::{Dirty, PONG, StreamLimits, Streams};
use crate::engine::door::SendToken;
use crate::flow::{Flow, ListenerId, Transport};
use crate::telemetry::Metrics;

const MESSAGE: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 4\r\n\r\nbody";

struct World {
    streams: Streams,
    edge: Arc<Edge>,
    arrivals: mpsc::Receiver<Arrival>,
    address: SocketAddr,
}

async fn world(limits: StreamLimits, most: usize) -> World {
    let (inlet, arrivals) = mpsc::channel(16);
    let Metrics { sip: metrics, edge: counted, .. } = Metrics::new();
    let edge = Arc::new(Edge::new(&EdgeConfig::default(), Arc::new(|_| false), counted));
    let delivery = Delivery::new(vec![inlet], Arc::new(|_| Some(0)), metrics.clone());
    let limited = ConnectionLimits { most, per_source: 4, write_queue: 64 << 10 };
    let connections = Arc::new(Connections::new(limited, metrics));
    let streams = Streams::new(0, (connections, edge.clone()), delivery, limits, None);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    streams.accept(ListenerId(0), Transport::Tcp, listener);
    World { streams, edge, arrivals, address }
}

fn limits() -> StreamLimits {
    let ms = Duration::from_millis;
    StreamLimits {
        idle: ms(5000),
        message: ms(5000),
        connect: ms(300),
        connect_large: ms(100),
        handshake: Duration::from_secs(1),
        large: 1300,
    }
}

fn flow_to(peer: SocketAddr) -> Flow {
    let local = "127.0.0.1".parse().unwrap();
    Flow { transport: Transport::Tcp, listener: ListenerId(0), local, peer, connection: None, domain: None }
}

async fn message(world: &mut World) -> (Flow, Vec<u8>) {
    match world.arrivals.recv().await.unwrap() {
        Arrival::Message { flow, bytes, .. } => (flow, bytes.to_vec()),
        other => panic!("{other:?}"),
    }
}

/// The next connection that closes; no transaction goes over any.
async fn closed(world: &mut World) -> Flow {
    loop {
        match world.arrivals.recv().await.unwrap() {
            Arrival::InUse(_, reply) => reply.send(false).unwrap(),
            Arrival::Closed(gone) => return gone,
            other => panic!("{other:?}"),
        }
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
            assert_eq!(closed(&mut world).await, flow);
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
            let World { streams: _streams, mut arrivals, address, .. } = world(short, 2).await;
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
            let Some(Arrival::Broken { flow, bytes, fault, answered }) = world.arrivals.recv().await else {
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
            closed(&mut world).await;
            assert_eq!(world.streams.connections.count(), 0);
        })
        .await;
}

#[tokio::test]
async fn a_peer_that_says_nothing_more_still_gets_its_answer() {
    LocalSet::new()
        .run_until(async {
            let mut world = world(limits(), 8).await;
            let mut peer = TcpStream::connect(world.address).await.unwrap();
            peer.write_all(MESSAGE).await.unwrap();
            peer.shutdown().await.unwrap();
            let (flow, _) = message(&mut world).await;
            for _ in 0..2 {
                let Some(Arrival::InUse(_, reply)) = world.arrivals.recv().await else { panic!("not asked") };
                reply.send(true).unwrap();
            }
            let mut dirty = Dirty::default();
            assert!(world.streams.send(&flow, b"answer", SendToken(3), &mut dirty));
            dirty.flush();
            let answered = tokio::task::spawn_local(async move {
                let mut answer = Vec::new();
                peer.read_to_end(&mut answer).await.unwrap();
                answer
            });
            // Who sent it hears of no failure, as it arrived.
            assert_eq!(closed(&mut world).await, flow);
            assert_eq!(answered.await.unwrap(), b"answer");
        })
        .await;
}

#[tokio::test]
async fn a_peer_that_is_gone_is_found_out_by_its_answer() {
    LocalSet::new()
        .run_until(async {
            let mut world = world(limits(), 8).await;
            let mut peer = TcpStream::connect(world.address).await.unwrap();
            peer.write_all(MESSAGE).await.unwrap();
            let (flow, _) = message(&mut world).await;
            drop(peer);
            let Some(Arrival::InUse(_, reply)) = world.arrivals.recv().await else { panic!("not asked") };
            reply.send(true).unwrap();
            let mut dirty = Dirty::default();
            assert!(world.streams.send(&flow, b"answer", SendToken(3), &mut dirty));
            dirty.flush();
            let failed = loop {
                match world.arrivals.recv().await.unwrap() {
                    Arrival::InUse(_, reply) => reply.send(true).unwrap(),
                    Arrival::Failed(token) => break token,
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(failed, SendToken(3));
        })
        .await;
}

#[tokio::test]
async fn one_source_takes_its_share_and_gets_it_back() {
    LocalSet::new()
        .run_until(async {
            let world = world(limits(), 64).await;
            let mut held = Vec::new();
            for _ in 0..4 {
                held.push(TcpStream::connect(world.address).await.unwrap());
            }
            let mut fifth = TcpStream::connect(world.address).await.unwrap();
            assert_eq!(fifth.read(&mut [0]).await.unwrap_or(0), 0, "refused");
            let other = tokio::net::TcpSocket::new_v4().unwrap();
            other.bind("127.0.0.9:0".parse().unwrap()).unwrap();
            let mut other = other.connect(world.address).await.unwrap();
            other.write_all(b"\r\n\r\n").await.unwrap();
            other.read_exact(&mut [0; 2]).await.expect("another source is served");
            let mut world = world;
            held.pop();
            closed(&mut world).await;
            let mut again = TcpStream::connect(world.address).await.unwrap();
            again.write_all(b"\r\n\r\n").await.unwrap();
            again.read_exact(&mut [0; 2]).await.expect("room again");
        })
        .await;
}

#[tokio::test]
async fn a_banned_source_is_not_heard_any_more_and_gets_no_new_connection() {
    LocalSet::new()
        .run_until(async {
            let mut world = world(limits(), 8).await;
            let mut peer = TcpStream::connect(world.address).await.unwrap();
            peer.write_all(MESSAGE).await.unwrap();
            message(&mut world).await;
            for _ in 0..2 {
                world.edge.blame(peer.local_addr().unwrap().ip(), true, Cause::Scanner);
            }
            peer.write_all(MESSAGE).await.unwrap();
            closed(&mut world).await;
            let mut again = TcpStream::connect(world.address).await.unwrap();
            assert_eq!(again.read(&mut [0; 8]).await.unwrap_or(0), 0, "closed at once");
        })
        .await;
}
