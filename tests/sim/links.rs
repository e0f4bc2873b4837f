//! The paths between everybody: datagrams that are lost, doubled, late and out of order; streams that
//! keep their order, refuse to open, and break.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use callgate::engine::door::{Input, SendToken};
use callgate::flow::{ConnectionId, Flow, ListenerId, Transport};

use crate::dirty;
use crate::phone::MS;
use crate::restart::Life;
use crate::world::{Event, ROUTER, World};

/// The TCP connections between the router and telephones.
#[derive(Default)]
pub struct Streams {
    all: BTreeMap<u64, Stream>,
}

struct Stream {
    phone: SocketAddr,
    flow: Flow,
    open: bool,
    /// What was sent before arrives before.
    last: [u64; 2],
}

impl Streams {
    /// The open connection of a telephone.
    fn of(&self, phone: SocketAddr) -> Option<u64> {
        self.all.iter().rev().find(|(_, stream)| stream.open && stream.phone == phone).map(|(id, _)| *id)
    }

    /// The open connection that leads to this peer.
    fn to(&self, peer: SocketAddr) -> Option<u64> {
        self.all.iter().rev().find(|(_, stream)| stream.open && stream.flow.peer == peer).map(|(id, _)| *id)
    }

    fn is_open(&self, id: u64) -> bool {
        self.all.get(&id).is_some_and(|stream| stream.open)
    }

    /// Nobody is there any more who held them.
    pub fn break_all(&mut self) {
        self.all.values_mut().for_each(|stream| stream.open = false);
    }

    fn flow(&self, id: u64) -> Flow {
        self.all[&id].flow
    }
}

impl World {
    /// A datagram leaves; the link decides what becomes of it.
    pub fn datagram(&mut self, from: SocketAddr, to: SocketAddr, bytes: Arc<[u8]>) {
        let wire = self.evidence.sent(from, to, false, bytes.clone());
        let copies = if self.rng.chance(self.options.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            if self.rng.chance(self.options.loss) {
                self.evidence.dropped(wire);
                continue;
            }
            let delay = if self.rng.chance(10) { self.rng.between(20, 900) } else { self.rng.between(1, 20) };
            let bytes = self.touched(&bytes);
            self.at(self.now + delay * MS, Event::Arrive { wire, from, to, stream: None, bytes });
        }
    }

    /// A telephone speaks over its connection, or over a new one.
    pub fn stream_in(&mut self, phone: SocketAddr, bytes: Arc<[u8]>) {
        let wire = self.evidence.sent(phone, ROUTER, true, bytes.clone());
        let id = self.streams.of(phone).unwrap_or_else(|| {
            let ephemeral = 40_000 + u16::try_from(self.streams.all.len() % 20_000).expect("a port");
            let peer = SocketAddr::new(phone.ip(), ephemeral);
            let flow = Flow {
                transport: Transport::Tcp,
                listener: ListenerId(1),
                local: ROUTER.ip(),
                peer,
                connection: None,
                domain: None,
            };
            self.open(phone, flow)
        });
        self.frame(id, 0, wire, phone, ROUTER, &bytes);
    }

    /// The router speaks over a stream. What cannot leave is told at once, or after a while.
    pub fn stream_out(&mut self, shard: usize, flow: Flow, bytes: Arc<[u8]>, token: SendToken) -> bool {
        let held = match flow.connection {
            Some(id) => Some(id.0),
            None => self.streams.to(flow.peer),
        };
        let phone = held.map_or(flow.peer, |id| self.streams.all[&id].phone);
        let wire = self.evidence.sent(ROUTER, phone, true, bytes.clone());
        let id = match held {
            Some(id) if self.streams.is_open(id) => id,
            Some(_) => {
                self.evidence.dropped(wire);
                return false;
            }
            None if !self.phones.contains_key(&flow.peer) || (!self.options.plain && self.rng.chance(30)) => {
                self.evidence.dropped(wire);
                let after = self.rng.between(1, 2_000) * MS;
                self.at(self.now + after, Event::Failed { shard, token });
                return true;
            }
            None => self.open(flow.peer, flow),
        };
        self.frame(id, 1, wire, ROUTER, phone, &bytes);
        true
    }

    fn frame(
        &mut self,
        id: u64,
        way: usize,
        wire: usize,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &Arc<[u8]>,
    ) {
        let at = self.now + self.rng.between(1, 30) * MS;
        let stream = self.streams.all.get_mut(&id).expect("a connection that was opened");
        let at = at.max(stream.last[way]);
        stream.last[way] = at;
        let bytes = self.touched(bytes);
        self.at(at, Event::Arrive { wire, from, to, stream: Some(id), bytes });
    }

    fn open(&mut self, phone: SocketAddr, mut flow: Flow) -> u64 {
        let id = self.streams.all.len() as u64 + 1;
        flow.connection = Some(ConnectionId(id));
        self.streams.all.insert(id, Stream { phone, flow, open: true, last: [0; 2] });
        if !self.options.plain && self.rng.chance(25) {
            let at = self.now + self.rng.between(20, 12_000) * MS;
            self.at(at, Event::Cut(id));
        }
        id
    }

    /// A connection breaks, with all that is on its way in it.
    pub fn cut(&mut self, id: u64) {
        let Some(stream) = self.streams.all.get_mut(&id).filter(|stream| stream.open) else { return };
        stream.open = false;
        let flow = stream.flow;
        for shard in 0..self.shards() {
            self.drive(shard, Input::FlowClosed(flow));
        }
    }

    pub fn arrive(
        &mut self,
        wire: usize,
        from: SocketAddr,
        to: SocketAddr,
        stream: Option<u64>,
        bytes: &[u8],
    ) {
        if stream.is_some_and(|id| !self.streams.is_open(id)) || to == ROUTER && self.life == Life::Down {
            return self.evidence.dropped(wire);
        }
        self.evidence.delivered(wire);
        if to == ROUTER {
            let datagram = Flow {
                transport: Transport::Udp,
                listener: ListenerId(0),
                local: ROUTER.ip(),
                peer: from,
                connection: None,
                domain: None,
            };
            let flow = stream.map_or(datagram, |id| self.streams.flow(id));
            let shard = self.owner(bytes);
            self.drive(shard, Input::Received { flow, bytes });
        } else if self.phones.contains_key(&to) {
            let hop = crate::phone::Hop { addr: from, tcp: stream.is_some() };
            self.phone(to, |phone, hands| phone.receive(hands, hop, bytes));
        } else if let Some((next, bytes)) = self.proxies.get(&to).and_then(|proxy| proxy.forward(bytes)) {
            self.datagram(to, next, bytes.into());
        }
    }

    /// In a dirty world some messages are not what was sent.
    fn touched(&mut self, bytes: &Arc<[u8]>) -> Arc<[u8]> {
        if !self.rng.chance(self.options.dirty) {
            return bytes.clone();
        }
        dirty::mutate(&mut self.rng, bytes).into()
    }
}
