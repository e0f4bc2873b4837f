//! The simulated world: virtual time, one generator, links that lose, double, delay and reorder, and
//! the engines in the middle, driven through `handle` and `poll` only. One seed is one world.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use callgate::engine::Engine;
use callgate::engine::config::{EngineConfig, Listener};
use callgate::engine::door::{Answer, Ask, AskId, Input, Output, SendToken};
use callgate::flow::{ListenerId, Transport};
use callgate::routing::limits::Limits;
use callgate::routing::model::Follow;
use callgate::time::Instant;

use crate::application::Application;
use crate::evidence::{Evidence, What};
use crate::links::Streams;
use crate::operator::Intent;
use crate::phone::{Hands, Mood, Phone};
use crate::provision;
use crate::proxy::Proxy;
use crate::restart::Life;
use crate::rng::Rng;
use crate::strays::{self, Strays};
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
    /// Percent of messages damaged on their way.
    pub dirty: u64,
    /// Engines that share the router's address.
    pub shards: usize,
    /// Calls placed.
    pub calls: u16,
    /// What is done to the engine's outputs, to prove that a truth can fail.
    pub tamper: Option<Tamper>,
    /// What all targets do; `None`: by chance.
    pub mood: Option<Mood>,
    /// No hang-ups before the answer, no slow applications, no operator: calls that should just work.
    pub plain: bool,
    /// Telephones that vanish in the middle of a call, in percent.
    pub vanish: u64,
    /// Strangers throw things at the router in between.
    pub strays: bool,
    /// How often the router dies by `kill -9`.
    pub kills: u64,
    /// It may die between a message and its record.
    pub torn: bool,
    /// Trunks and targets of every kind: trusted or not, with one early dialog, redirecting, challenging,
    /// behind names with several addresses. What is lost, and over how many shards, is drawn, too.
    pub wide: bool,
    /// How often somebody hangs up from outside; 0: by chance.
    pub hangups: u64,
}

impl Default for Options {
    fn default() -> Self {
        let (tamper, mood) = (None, None);
        Self {
            loss: 20,
            doubled: 5,
            dirty: 0,
            shards: 1,
            calls: 6,
            tamper,
            mood,
            plain: false,
            vanish: 8,
            strays: false,
            kills: 0,
            torn: false,
            wide: false,
            hangups: 0,
        }
    }
}

impl Options {
    /// What a wide world draws for itself, and whose Contacts are followed in it.
    fn widen(&mut self, rng: &mut Rng) -> Follow {
        if !self.wide {
            return Follow::No;
        }
        if !self.plain {
            self.loss = rng.pick(&[0, 5, 20]);
            self.shards = rng.pick(&[1, 1, 3]);
        }
        if self.plain {
            Follow::Any
        } else {
            rng.pick(&[Follow::No, Follow::Known, Follow::Any, Follow::Any])
        }
    }
}

#[derive(Debug)]
pub enum Event {
    Arrive { wire: usize, from: SocketAddr, to: SocketAddr, stream: Option<u64>, bytes: Arc<[u8]> },
    Call(SocketAddr),
    Wake(SocketAddr),
    Timeout { shard: usize },
    Answer { shard: usize, ask: AskId, answer: Answer },
    Failed { shard: usize, token: SendToken },
    Cut(u64),
    Operate(Intent),
    Stray,
    Kill,
    Start,
}

pub struct World {
    pub options: Options,
    pub rng: Rng,
    pub now: u64,
    order: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    pub config: Arc<EngineConfig>,
    pub engines: Vec<Engine>,
    waits: Vec<Option<u64>>,
    pub phones: BTreeMap<SocketAddr, Phone>,
    pub proxies: BTreeMap<SocketAddr, Proxy>,
    pub streams: Streams,
    pub strays: Strays,
    pub generation: u64,
    application: Application,
    pub tampering: Tampering,
    pub evidence: Evidence,
    pub life: Life,
}

/// Lives the world of `seed` to its end.
pub fn run(seed: u64, options: &Options) -> Evidence {
    World::new(seed, options.clone()).live()
}

impl World {
    fn new(seed: u64, mut options: Options) -> Self {
        let mut rng = Rng::new(seed);
        let follow = options.widen(&mut rng);
        let listener = |id, name: &str, transport| Listener {
            id: ListenerId(id),
            name: name.into(),
            transport,
            bind: ROUTER,
            advertise: None,
            local_nets: Vec::new(),
        };
        let config = Arc::new(EngineConfig {
            listeners: vec![listener(0, "main", Transport::Udp), listener(1, "stream", Transport::Tcp)],
            follow_redirects: follow,
            ..EngineConfig::default()
        });
        let (mut engines, limits) = (Vec::new(), Limits::default());
        for _ in 0..options.shards {
            let mut born = [0; 32];
            born.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.next().to_be_bytes()));
            engines.push(Engine::new(config.clone(), born).sharing(limits.clone()));
        }
        let application = Application::new(rng.fork(), &options, follow);
        let tampering = Tampering::new(options.tamper);
        Self {
            waits: vec![None; options.shards],
            strays: Strays::new(rng.fork()),
            options,
            rng,
            now: 0,
            order: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            config,
            engines,
            phones: BTreeMap::new(),
            proxies: BTreeMap::new(),
            streams: Streams::default(),
            generation: 0,
            application,
            tampering,
            evidence: Evidence::new(),
            life: Life::Up,
        }
    }

    pub fn shards(&self) -> usize {
        self.engines.len()
    }

    /// Which engine a message is for.
    pub fn owner(&self, bytes: &[u8]) -> usize {
        provision::owner(bytes, &self.config.shard_key, self.engines.len())
    }

    pub fn at(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse((at.max(self.now), self.order)));
        self.events.insert(self.order, event);
    }

    fn live(mut self) -> Evidence {
        self.people();
        self.operators();
        self.strangers();
        self.killers();
        while let Some(Reverse((at, order))) = self.queue.pop() {
            self.now = at;
            self.evidence.now = at;
            let event = self.events.remove(&order).expect("each event is queued once");
            if at > 7_200_000_000_000_000 || order > 400_000 {
                self.evidence.restless = Some(format!("after {} s and {order} events", at / 1_000_000_000));
                break;
            }
            self.happen(event);
        }
        self.evidence.footprints = self.engines.iter().map(Engine::footprint).collect();
        self.evidence.dials = self.application.take_dials();
        self.evidence.conclude();
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
            Event::Arrive { wire, from, to, stream, bytes } => self.arrive(wire, from, to, stream, &bytes),
            Event::Failed { shard, token } => self.drive(shard, Input::SendFailed(token)),
            Event::Cut(id) => self.cut(id),
            Event::Operate(intent) => self.operate(intent),
            Event::Stray => self.stray(),
            Event::Kill => self.kill(),
            Event::Start => self.start_again(),
        }
    }

    pub fn phone(&mut self, addr: SocketAddr, act: impl FnOnce(&mut Phone, &mut Hands<'_>)) {
        let mut out = Vec::new();
        let phone = self.phones.get_mut(&addr).expect("a telephone that exists");
        act(phone, &mut Hands { now: self.now, rng: &mut self.rng, out: &mut out });
        if let Some(wake) = phone.wake() {
            self.at(wake, Event::Wake(addr));
        }
        for parcel in out {
            match parcel.to.tcp {
                true => self.stream_in(addr, parcel.bytes.into()),
                false => self.datagram(addr, parcel.to.addr, parcel.bytes.into()),
            }
        }
    }

    /// One input, and all that comes of it.
    pub fn drive(&mut self, shard: usize, input: Input<'_>) {
        if self.life == Life::Down {
            return;
        }
        let begun = self.evidence.log.len();
        self.engines[shard].handle(Instant::from_nanos(self.now), input);
        let (mut sends, mut asks) = (Vec::new(), Vec::new());
        loop {
            match self.engines[shard].poll() {
                Output::Send { flow, bytes, token } => sends.push((flow, bytes.to_vec(), token)),
                Output::Ask(ask) => asks.push(*ask),
                Output::Abort(ask) => self.evidence.note(What::Aborted(shard, ask.0)),
                Output::Record(record) => {
                    for record in self.tampering.record(record) {
                        self.evidence.note(What::Record(shard, Box::new(record)));
                    }
                }
                Output::Count(counter) if !self.strays.thrown => {
                    self.evidence.note(What::Counted(shard, counter))
                }
                Output::Count(_)
                | Output::Message { .. }
                | Output::Trace { .. }
                | Output::Named { .. }
                | Output::Remark { .. }
                | Output::Gateway { .. } => {}
                Output::Wait(until) => {
                    self.waits[shard] = until.map(Instant::as_nanos);
                    break;
                }
            }
        }
        if let Some(at) = self.waits[shard] {
            self.at(at, Event::Timeout { shard });
        }
        let mut failed = Vec::new();
        for (flow, bytes, token) in sends {
            if strays::is_stranger(flow.peer) {
                self.evidence.to_strangers.push(bytes);
                continue;
            }
            for bytes in self.tampering.send(bytes) {
                if flow.transport == Transport::Udp {
                    self.datagram(ROUTER, flow.peer, bytes.into());
                } else if !self.stream_out(shard, flow, bytes.into(), token) {
                    failed.push(token);
                }
            }
        }
        // A question leaves only when what stands before it is written.
        if self.life == Life::Dying && asks.is_empty() {
            return self.die_in_the_middle(begun);
        }
        for ask in asks {
            self.ask(shard, ask);
        }
        for token in failed {
            self.drive(shard, Input::SendFailed(token));
        }
    }

    /// What the engines waited for comes to nobody any more.
    pub fn forget_engines(&mut self) {
        self.waits.fill(None);
        for event in self.events.values_mut() {
            if matches!(event, Event::Answer { .. } | Event::Failed { .. }) {
                *event = Event::Timeout { shard: 0 };
            }
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
}
