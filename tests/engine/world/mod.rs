//! Plays a dialogue: one engine, its peers, virtual time.
//!
//! - `words`: what its words mean. `setup`: how things stand. `expect`: what must have come of it.

mod expect;
mod setup;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use callgate::call::config::{EngineConfig, Listener, UnknownSource};
use callgate::call::messages::MessageStep;
use callgate::call::record::{Change, Record};
use callgate::call::recover::Recovered;
use callgate::engine::Engine;
use callgate::engine::door::{Answer, Ask, Input, Output, SendToken};
use callgate::flow::{ConnectionId, Domain, Flow, ListenerId, Transport};
use callgate::ids::{AccountSid, NumberSid, OrganizationSid};
use callgate::reason::Reason;
use callgate::routing::limits::Limits;
use callgate::routing::model::*;
use callgate::routing::{Builder, Directory};
use callgate::time::Instant;

use crate::peer::{Peer, Text};
use crate::script::{duration, option, steps};

use self::words::{destination, document, follow, gateway, hook, organization, rules, trunk};

pub struct World {
    engine: Option<Engine>,
    config: EngineConfig,
    trunk: Trunk,
    organization: Organization,
    gateways: Vec<Arc<Gateway>>,
    /// The account's group of gateways, and its main number.
    group: Option<Arc<str>>,
    dialling: DialPolicy,
    main: Option<Arc<str>>,
    profile: VoiceProfile,
    callback: bool,
    now: Instant,
    peers: BTreeMap<String, Peer>,
    asks: VecDeque<Ask>,
    current: Option<Ask>,
    aborts: usize,
    records: Vec<Record>,
    seen_records: usize,
    tokens: BTreeMap<String, SendToken>,
    wait: Option<Instant>,
    ignored: Vec<String>,
    /// What peers say to OPTIONS, by name, and what they said just now.
    checks: BTreeMap<String, Vec<String>>,
    answers: VecDeque<(String, String)>,
    closed: Vec<String>,
    events: u32,
    terminals: u32,
    to_tags: BTreeMap<String, String>,
    steps: VecDeque<MessageStep>,
    names: BTreeMap<Domain, Arc<str>>,
}

/// Plays `text` to its end.
pub fn play(text: &str) {
    let mut world = World::new();
    for (line, words) in steps(text) {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.step(&words)));
        if let Err(panic) = outcome {
            eprintln!("in line {line}: {}", words.join(" "));
            std::panic::resume_unwind(panic);
        }
    }
    world.nothing_is_left();
}

impl World {
    fn new() -> Self {
        let listener = |id, transport| Listener {
            id: ListenerId(id),
            name: format!("{transport:?}").to_lowercase().into(),
            transport,
            bind: "203.0.113.1:5060".parse().expect("an address"),
            advertise: None,
            local_nets: Vec::new(),
        };
        let config = EngineConfig {
            listeners: vec![listener(0, Transport::Udp), listener(1, Transport::Tcp)],
            ..EngineConfig::default()
        };
        let mut world = Self {
            engine: None,
            config,
            trunk: trunk(),
            organization: organization(),
            gateways: Vec::new(),
            group: None,
            dialling: DialPolicy::default(),
            main: None,
            profile: VoiceProfile {
                voice: Some(hook("https://app.example/voice")),
                ..VoiceProfile::default()
            },
            callback: true,
            now: Instant::from_millis(1000),
            peers: BTreeMap::new(),
            asks: VecDeque::new(),
            current: None,
            aborts: 0,
            records: Vec::new(),
            seen_records: 0,
            tokens: BTreeMap::new(),
            wait: None,
            ignored: Vec::new(),
            checks: BTreeMap::new(),
            answers: VecDeque::new(),
            closed: Vec::new(),
            events: 0,
            terminals: 0,
            to_tags: BTreeMap::new(),
            steps: VecDeque::new(),
            names: BTreeMap::new(),
        };
        for (name, address) in [
            ("trunk", "192.0.2.10:5060"),
            ("bob", "198.51.100.20:5060"),
            ("carol", "198.51.100.30:5060"),
            ("dave", "198.51.100.60:5060"),
            ("erin", "198.51.100.50:5060"),
            ("proxy", "198.51.100.40:5060"),
            ("stranger", "192.0.2.99:5060"),
        ] {
            world.peers.insert(name.into(), Peer::new(name, address.parse().expect("an address"), false));
        }
        world
    }

    fn step(&mut self, words: &[String]) {
        let rest = &words[1..];
        let first = words[0].as_str();
        if let Some(name) = first.strip_suffix('>') {
            return self.peer_sends(name, rest);
        }
        if let Some(name) = first.strip_suffix('<') {
            return self.peer_got(name, rest);
        }
        match first {
            "set" => self.set(rest),
            "peer" => {
                let is = |kind: &str| rest.iter().any(|word| word == kind);
                let address = rest[1].parse().expect("an address");
                let mut peer = Peer::new(&rest[0], address, is("tcp") || is("tls"));
                peer.tls = is("tls");
                self.peers.insert(rest[0].clone(), peer);
            }
            "wait" => self.pass(duration(&rest[0])),
            "ask" => self.expect_ask(rest),
            "answer" => self.answer(rest),
            "aborted" => {
                assert_eq!(self.aborts, 1, "asks that were aborted");
                self.aborts = 0;
            }
            "nothing" => self.expect_nothing(),
            "ignore" => self.ignored.extend(rest.iter().cloned()),
            "record" => self.expect_record(rest),
            "step" => self.expect_step(rest),
            "draining" => {
                let at: usize = rest[0].parse().expect("which gateway, from 1");
                Arc::make_mut(&mut self.gateways[at - 1]).draining = rest[1] == "on";
                let directory = Arc::new(self.directory());
                self.input(Input::Directory(directory));
            }
            "drain" => self.input(Input::Drain(true)),
            "checks" => drop(self.checks.insert(rest[0].clone(), rest[1..].to_vec())),
            "close" => self.close(&rest[0]),
            "unreachable" => {
                let token = self.tokens[&rest[0]];
                self.input(Input::SendFailed(token));
            }
            "panic" => {
                let call = self.records.last().expect("a record").call;
                self.engine().panic_inside(call);
                self.drain();
            }
            "hangup" => {
                let call = self.records.last().expect("a record").call;
                self.input(Input::Hangup { call });
            }
            "go-on" => {
                let call = self.records.last().expect("a record").call;
                self.input(Input::GoOn { call, hook: hook(&rest[0]) });
            }
            "restart" => self.restart(rest),
            // What the engine sent to itself comes in.
            "loop" => {
                let text =
                    self.peers.get_mut(&rest[0]).expect("a peer").inbox.pop_front().expect("a message");
                self.deliver(&rest[0], &text.whole);
            }
            "again" => {
                let bytes = self.peers[&rest[0]].last_sent.clone();
                self.deliver(&rest[0], &bytes);
            }
            other => panic!("no step: {other}"),
        }
    }

    fn engine(&mut self) -> &mut Engine {
        if self.engine.is_none() {
            let directory = self.directory();
            let mut engine =
                Engine::new(Arc::new(self.config.clone()), [7; 32]).sharing(Limits::default()).watching(true);
            engine.handle(self.now, Input::Directory(Arc::new(directory)));
            self.engine = Some(engine);
        }
        self.engine.as_mut().expect("just made")
    }

    fn input(&mut self, input: Input<'_>) {
        let now = self.now;
        self.engine().handle(now, input);
        self.drain();
        while let Some((name, answer)) = self.answers.pop_front() {
            self.deliver(&name, &answer);
        }
    }

    fn drain(&mut self) {
        loop {
            let output = self.engine.as_mut().expect("running").poll();
            match output {
                Output::Send { flow, bytes, token } => {
                    let text = Text::read(bytes);
                    callgate::sip::Message::scan(bytes)
                        .unwrap_or_else(|fault| panic!("{fault} in\n{}", text.whole));
                    self.sent(flow, text, token);
                }
                Output::Ask(ask) => self.asks.push_back(*ask),
                Output::Abort(_) => self.aborts += 1,
                Output::Record(record) => self.check_record(record),
                Output::Message { step, .. } => self.steps.push_back(step),
                Output::Trace { .. } | Output::Count(_) | Output::Gateway { .. } | Output::Remark { .. } => {}
                Output::Named { domain, host } => drop(self.names.insert(domain, host)),
                Output::Wait(moment) => {
                    self.wait = moment;
                    return;
                }
            }
        }
    }

    fn sent(&mut self, flow: Flow, text: Text, token: SendToken) {
        let is = |peer: &Peer| {
            peer.tcp == flow.transport.is_reliable() && peer.tls == (flow.transport == Transport::Tls)
        };
        let by_connection = flow.connection.map(|connection| connection.0);
        let peer = self.peers.values_mut().enumerate().find(|(at, peer)| {
            by_connection.map_or(peer.address == flow.peer && is(peer), |connection| connection == *at as u64)
        });
        let Some((_, peer)) = peer else { panic!("sent to nobody, {flow:?}:\n{}", text.whole) };
        peer.note(&text);
        if peer.tls && flow.connection.is_none() {
            peer.domain = flow.domain;
        }
        if text.is_request()
            && text.method() == "OPTIONS"
            && let Some(words) = self.checks.get(&peer.name)
        {
            if words[0] != "silent" {
                let answer = peer.respond(&words[0], &[&words[1..], &["OPTIONS".to_owned()]].concat());
                self.answers.push_back((peer.name.clone(), answer));
            }
            return;
        }
        peer.inbox.push_back(text);
        let name = peer.name.clone();
        self.tokens.insert(name, token);
    }

    fn flow(&self, name: &str) -> Flow {
        let (at, (_, peer)) =
            self.peers.iter().enumerate().find(|(_, (known, _))| *known == name).expect("a peer");
        let transport = peer.transport([Transport::Udp, Transport::Tcp, Transport::Tls]);
        let fits = |listener: &&Listener| {
            listener.transport == transport && listener.bind.is_ipv4() == peer.address.is_ipv4()
        };
        let listener = self.config.listeners.iter().find(fits).expect("a listener");
        Flow {
            transport,
            listener: listener.id,
            local: listener.bind.ip(),
            peer: peer.address,
            connection: (peer.tcp && !self.closed.contains(&peer.name)).then_some(ConnectionId(at as u64)),
            domain: peer.domain,
        }
    }

    fn deliver(&mut self, name: &str, text: &str) {
        let flow = self.flow(name);
        self.input(Input::Received { flow, bytes: text.as_bytes() });
    }

    /// `kill -9`, and another engine with what was written: all records but the `unwritten` last.
    fn restart(&mut self, words: &[String]) {
        let unwritten = option(words, "unwritten").map_or(0, |count| count.parse().expect("a number"));
        for record in self.records.split_off(self.records.len() - unwritten) {
            self.events -= u32::from(record.event.is_some());
            self.terminals -= u32::from(matches!(record.change, Change::Ended(_)));
        }
        self.seen_records = self.seen_records.min(self.records.len());
        self.closed.extend(self.peers.values().filter(|peer| peer.tcp).map(|peer| peer.name.clone()));
        self.asks.clear();
        self.names.clear();
        self.now += option(words, "down").map_or(Duration::from_secs(1), duration);
        let directory = Arc::new(self.directory());
        let mut engine = Engine::new(Arc::new(self.config.clone()), [8; 32]).sharing(Limits::default());
        engine.handle(self.now, Input::Directory(directory));
        self.engine = Some(engine);
        let mut calls: BTreeMap<_, Vec<Record>> = BTreeMap::new();
        for record in &self.records {
            calls.entry(record.call).or_default().push(record.clone());
        }
        for recovered in calls.values().filter_map(Recovered::of) {
            self.input(Input::Recovered(Box::new(recovered)));
        }
    }

    fn close(&mut self, name: &str) {
        let flow = self.flow(name);
        self.closed.push(name.into());
        self.input(Input::FlowClosed(flow));
    }

    fn peer_sends(&mut self, name: &str, words: &[String]) {
        let peer = self.peers.get_mut(name).expect("a peer");
        let first = words[0].as_str();
        let text = match first.chars().next() {
            Some('1'..='6') => peer.respond(first, &words[1..]),
            _ => peer.request(first, &words[1..]),
        };
        self.deliver(name, &text);
    }

    fn answer(&mut self, words: &[String]) {
        let ask = self.current.as_ref().expect("an ask").id;
        let answer = match words[0].as_str() {
            "addresses" => Answer::Addresses(words[1..].iter().map(|word| destination(word)).collect()),
            "no-address" => Answer::NoAddress,
            "failure" => Answer::NoDocument {
                reason: Reason::from_code(&words[1]).expect("a reason"),
                http_status: option(words, "http").map(|status| status.parse().expect("a status")),
            },
            _ => Answer::Document(Box::new(document(words))),
        };
        self.input(Input::Answered { ask, answer });
    }

    /// Time passes; each timer fires at its own moment.
    fn pass(&mut self, time: Duration) {
        self.engine();
        self.drain();
        let until = self.now + time;
        while let Some(next) = self.wait.filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.input(Input::Timeout);
        }
        self.now = until;
    }
}
