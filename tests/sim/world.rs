//! The simulated world: virtual time, one generator, links that lose, double, delay and reorder, and
//! the engines in the middle, driven through `handle` and `poll` only. One seed is one world.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use callgate::engine::Engine;
use callgate::engine::config::{EngineConfig, Listener};
use callgate::engine::door::{Answer, Ask, AskId, Input, Output};
use callgate::flow::{Flow, ListenerId, Transport};
use callgate::routing::limits::Limits;
use callgate::time::Instant;

use crate::application::Application;
use crate::evidence::{Evidence, What};
use crate::phone::{CallPlan, Hands, MS, Mood, Phone};
use crate::provision;
use crate::rng::Rng;
use crate::tamper::{Tamper, Tampering};

/// Where the router is.
pub const ROUTER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);
/// Targets stand on 203.0.113.1 to .6.
pub const TARGETS: u8 = 6;

/// What a world is like, beside its seed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Percent of datagrams lost.
    pub loss: u64,
    /// Percent of datagrams doubled.
    pub doubled: u64,
    /// Engines that share the router's address.
    pub shards: usize,
    /// Calls placed.
    pub calls: u16,
    /// What is done to the engine's outputs, to prove that a truth can fail.
    pub tamper: Option<Tamper>,
    /// What all targets do; `None`: by chance.
    pub mood: Option<Mood>,
    /// No hang-ups before the answer, no slow applications: calls that should just work.
    pub plain: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { loss: 20, doubled: 5, shards: 1, calls: 6, tamper: None, mood: None, plain: false }
    }
}

#[derive(Debug)]
enum Event {
    Arrive { wire: usize, from: SocketAddr, to: SocketAddr, bytes: Arc<[u8]> },
    Call(SocketAddr),
    Wake(SocketAddr),
    Timeout { shard: usize },
    Answer { shard: usize, ask: AskId, answer: Answer },
}

pub struct World {
    options: Options,
    rng: Rng,
    now: u64,
    order: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    config: Arc<EngineConfig>,
    engines: Vec<Engine>,
    waits: Vec<Option<u64>>,
    phones: BTreeMap<SocketAddr, Phone>,
    application: Application,
    tampering: Tampering,
    evidence: Evidence,
}

/// Lives the world of `seed` to its end.
pub fn run(seed: u64, options: &Options) -> Evidence {
    World::new(seed, options.clone()).live()
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut rng = Rng::new(seed);
        let config = Arc::new(EngineConfig {
            listeners: vec![Listener {
                id: ListenerId(0),
                name: "main".into(),
                transport: Transport::Udp,
                bind: ROUTER,
                advertise: None,
                local_nets: Vec::new(),
            }],
            ..EngineConfig::default()
        });
        let (mut engines, limits) = (Vec::new(), Limits::default());
        for _ in 0..options.shards {
            let mut born = [0; 32];
            born.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.next().to_be_bytes()));
            engines.push(Engine::new(config.clone(), born).sharing(limits.clone()));
        }
        let application = Application::new(rng.fork(), options.plain);
        let tampering = Tampering::new(options.tamper);
        let mut world = Self {
            waits: vec![None; options.shards],
            options,
            rng,
            now: 0,
            order: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            config,
            engines,
            phones: BTreeMap::new(),
            application,
            tampering,
            evidence: Evidence::new(),
        };
        world.people();
        world
    }

    /// Telephones on both sides, and when the callers call.
    fn people(&mut self) {
        for number in 1..=TARGETS {
            let addr = SocketAddr::from(([203, 0, 113, number], 5060));
            let mut phone = Phone::new(addr, CallPlan::default(), 15);
            phone.mood = self.options.mood;
            self.phones.insert(addr, phone);
        }
        for number in 0..self.options.calls {
            let addr = SocketAddr::from(([198, 51, 100, 7], 6000 + number));
            let plan = self.plan();
            self.phones.insert(addr, Phone::new(addr, plan, 15));
            let at = self.rng.between(1, 20_000) * MS;
            self.at(at, Event::Call(addr));
        }
    }

    fn plan(&mut self) -> CallPlan {
        let rng = &mut self.rng;
        let plain = self.options.plain;
        let number = if !plain && rng.chance(6) { "4040" } else { "1000" };
        CallPlan {
            number: number.to_owned(),
            cancel: (!plain && rng.chance(35)).then(|| {
                let latest = rng.pick(&[1, 30, 300, 2_000, 9_000, 30_000]);
                rng.between(0, latest) * MS
            }),
            eager_cancel: rng.chance(40),
            hold: rng.chance(60).then(|| rng.between(300, 9_000) * MS),
            lose_ack: !plain && rng.chance(6),
            merged: !plain && rng.chance(6),
            late_offer: rng.chance(15),
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse((at.max(self.now), self.order)));
        self.events.insert(self.order, event);
    }

    fn live(mut self) -> Evidence {
        for shard in 0..self.engines.len() {
            self.drive(shard, Input::Directory(provision::directory()));
        }
        while let Some(Reverse((at, order))) = self.queue.pop() {
            self.now = at;
            self.evidence.now = at;
            let event = self.events.remove(&order).expect("each event is queued once");
            if at > 7_200_000 * MS || order > 400_000 {
                self.evidence.restless = Some(format!("after {} s and {order} events", at / 1_000_000_000));
                break;
            }
            self.happen(event);
        }
        self.evidence.footprints = self.engines.iter().map(Engine::footprint).collect();
        self.evidence.dials = self.application.take_dials();
        self.tampering.at_the_end(&mut self.evidence);
        self.evidence
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Call(addr) => self.phone(addr, |phone, hands| phone.call(hands)),
            Event::Wake(addr) => {
                if self.phones[&addr].wake().is_some_and(|wake| wake <= self.now) {
                    self.phone(addr, |phone, hands| phone.tick(hands));
                }
            }
            Event::Timeout { shard } => {
                if self.waits[shard].is_some_and(|wait| wait <= self.now) {
                    self.waits[shard] = None;
                    self.drive(shard, Input::Timeout);
                }
            }
            Event::Answer { shard, ask, answer } => {
                self.evidence.note(What::Answered(shard, ask.0));
                self.drive(shard, Input::Answered { ask, answer });
            }
            Event::Arrive { wire, from, to, bytes } => self.arrive(wire, from, to, &bytes),
        }
    }

    fn arrive(&mut self, wire: usize, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.evidence.delivered(wire);
        if to == ROUTER {
            let shard = provision::owner(bytes, &self.config.shard_key, self.engines.len());
            let flow = Flow {
                transport: Transport::Udp,
                listener: ListenerId(0),
                local: ROUTER.ip(),
                peer: from,
                connection: None,
            };
            self.drive(shard, Input::Received { flow, bytes });
        } else if self.phones.contains_key(&to) {
            self.phone(to, |phone, hands| phone.receive(hands, bytes));
        }
    }

    fn phone(&mut self, addr: SocketAddr, act: impl FnOnce(&mut Phone, &mut Hands<'_>)) {
        let mut out = Vec::new();
        let phone = self.phones.get_mut(&addr).expect("a telephone that exists");
        act(phone, &mut Hands { now: self.now, rng: &mut self.rng, out: &mut out });
        if let Some(wake) = phone.wake() {
            self.at(wake, Event::Wake(addr));
        }
        for bytes in out {
            self.send(addr, ROUTER, bytes.into());
        }
    }

    /// One input, and all that comes of it.
    fn drive(&mut self, shard: usize, input: Input<'_>) {
        let now = Instant::from_nanos(self.now);
        self.engines[shard].handle(now, input);
        let (mut sends, mut asks, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            match self.engines[shard].poll() {
                Output::Send { flow, bytes, token } if flow.transport == Transport::Udp => {
                    sends.push((flow.peer, bytes.to_vec()));
                    let _ = token;
                }
                // Nothing listens on streams in this world.
                Output::Send { token, .. } => failed.push(token),
                Output::Ask(ask) => asks.push(*ask),
                Output::Abort(ask) => self.evidence.note(What::Aborted(shard, ask.0)),
                Output::Record(record) => {
                    for record in self.tampering.record(*record) {
                        self.evidence.note(What::Record(shard, Box::new(record)));
                    }
                }
                Output::Count(counter) => self.evidence.note(What::Counted(shard, counter)),
                Output::Trace { .. } => {}
                Output::Wait(until) => {
                    self.waits[shard] = until.map(Instant::as_nanos);
                    break;
                }
            }
        }
        if let Some(at) = self.waits[shard] {
            self.at(at, Event::Timeout { shard });
        }
        for (peer, bytes) in sends {
            for (peer, bytes) in self.tampering.send(peer, bytes) {
                self.send(ROUTER, peer, bytes.into());
            }
        }
        for ask in asks {
            self.ask(shard, ask);
        }
        for token in failed {
            self.drive(shard, Input::SendFailed(token));
        }
    }

    fn ask(&mut self, shard: usize, ask: Ask) {
        for ask in self.tampering.ask(ask) {
            self.evidence.note(What::Asked(shard, Box::new(ask.clone())));
            for (after, answer) in self.application.answers(&ask) {
                self.at(self.now + after, Event::Answer { shard, ask: ask.id, answer });
            }
        }
    }

    /// A datagram leaves; the link decides what becomes of it.
    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Arc<[u8]>) {
        let wire = self.evidence.sent(from, to, bytes.clone());
        let copies = if self.rng.chance(self.options.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            if self.rng.chance(self.options.loss) {
                self.evidence.dropped(wire);
                continue;
            }
            let delay = if self.rng.chance(10) { self.rng.between(20, 900) } else { self.rng.between(1, 20) };
            self.at(self.now + delay * MS, Event::Arrive { wire, from, to, bytes: bytes.clone() });
        }
    }
}
