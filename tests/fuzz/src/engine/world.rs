//! One engine in virtual time, and what must hold of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use callgate::call::config::EngineConfig;
use callgate::call::record::{Change, Record};
use callgate::call::recover::Recovered;
use callgate::engine::door::{Answer, Ask, Counter, Input, Output, Question, SendToken};
use callgate::engine::{Engine, Footprint};
use callgate::flow::{ConnectionId, Flow, ListenerId, Transport};
use callgate::ids::CallSid;
use callgate::journal::Entry;
use callgate::reason::Reason;
use callgate::routing::limits::Limits;
use callgate::routing::model::{Hook, Method};
use callgate::sip::Message;
use callgate::time::Instant;

use super::Choices;
use super::setup;

/// Where peers are: the trunk, two targets, a stranger.
pub(super) const PEERS: [&str; 4] =
    ["192.0.2.10:5060", "198.51.100.20:5060", "198.51.100.30:5060", "192.0.2.99:5060"];

/// How much of what passed is kept to be taken up again.
const KEPT: usize = 64;

/// Most timers that fire in one event: a day of them is another test's matter.
const TIMERS: usize = 4_000;

/// A message that the engine sent.
pub(super) struct Sent {
    /// Its place in [`PEERS`].
    pub(super) peer: usize,
    pub(super) bytes: Vec<u8>,
    token: SendToken,
}

/// The world of one run.
pub(super) struct World {
    engine: Engine,
    config: Arc<EngineConfig>,
    now: Instant,
    wait: Option<Instant>,
    sent: VecDeque<Sent>,
    received: VecDeque<(usize, Vec<u8>)>,
    asks: VecDeque<Ask>,
    records: BTreeMap<CallSid, Vec<Record>>,
    tcp: bool,
    kind: u8,
    lives: u8,
}

impl World {
    pub(super) fn new(kind: u8) -> Self {
        let config = Arc::new(setup::config());
        let engine = Engine::new(config.clone(), [7; 32]).sharing(Limits::default());
        let mut world = Self {
            engine,
            config,
            now: Instant::from_millis(1000),
            wait: None,
            sent: VecDeque::new(),
            received: VecDeque::new(),
            asks: VecDeque::new(),
            records: BTreeMap::new(),
            tcp: kind & 1 != 0,
            kind,
            lives: 7,
        };
        world.input(Input::Directory(Arc::new(setup::directory(kind))));
        world
    }

    /// The message that was sent `nth` last.
    pub(super) fn sent(&self, nth: usize) -> Option<&Sent> {
        self.sent.get(nth)
    }

    /// The message that came `nth` last.
    pub(super) fn received(&self, nth: usize) -> Option<&(usize, Vec<u8>)> {
        self.received.get(nth)
    }

    pub(super) fn receive(&mut self, peer: usize, bytes: &[u8]) {
        self.received.push_front((peer, bytes.to_vec()));
        self.received.truncate(KEPT);
        let flow = self.flow(peer);
        self.input(Input::Received { flow, bytes });
    }

    /// Answers one of the questions, as it is answered or as another would be.
    pub(super) fn answer(&mut self, choices: &mut Choices<'_>) {
        let nth = choices.below(self.asks.len());
        let Some(ask) = self.asks.get(nth) else { return };
        let (id, resolve) = (ask.id, matches!(ask.question, Question::Resolve(_)));
        let kind = choices.byte();
        let answer = match (kind, resolve) {
            (0..20, _) => Answer::NoDocument { reason: Reason::WebhookTimeout, http_status: None },
            (20..30, _) => Answer::NoAddress,
            (30..40, _) => Answer::NoDocument { reason: Reason::WebhookStatus, http_status: Some(404) },
            (40..50, false) | (50.., true) => Answer::Addresses(setup::addresses(choices)),
            _ => Answer::Document(Box::new(setup::document(choices))),
        };
        // Now and then it is answered twice.
        if kind & 1 == 0 {
            self.asks.remove(nth);
        }
        self.input(Input::Answered { ask: id, answer });
    }

    /// What is done from outside any call.
    pub(super) fn outside(&mut self, choices: &mut Choices<'_>) {
        let call = self.records.keys().nth(choices.below(self.records.len())).copied();
        let on = choices.byte() & 1 != 0;
        match (choices.byte() % 8, call) {
            (0, Some(call)) => self.input(Input::Hangup { call }),
            (1, Some(call)) => {
                let hook = Hook { url: "https://app.example/other".into(), method: Method::Post };
                self.input(Input::GoOn { call, hook });
            }
            (2, _) => self.input(Input::Drain(on)),
            (3, _) => self.input(Input::JournalFull(on)),
            (4, _) => self.input(Input::MaxCalls(choices.below(4))),
            (5, _) => self.input(Input::Waited(Duration::from_millis(u64::from(choices.byte()) * 10))),
            (6, _) => {
                self.kind = choices.byte();
                self.input(Input::Directory(Arc::new(setup::directory(self.kind))));
            }
            _ => self.tcp = on,
        }
    }

    /// A send that failed, or a connection that is gone.
    pub(super) fn fail(&mut self, choices: &mut Choices<'_>) {
        let nth = choices.below(16);
        let Some(Sent { peer, token, .. }) = self.sent.get(nth) else { return };
        let (peer, token) = (*peer, *token);
        if choices.byte() & 1 == 0 {
            self.input(Input::SendFailed(token));
        } else {
            let flow = Flow {
                transport: Transport::Tcp,
                connection: Some(ConnectionId(peer as u64)),
                ..self.flow(peer)
            };
            self.input(Input::FlowClosed(flow));
        }
    }

    /// Time passes; each timer fires at its own moment.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..TIMERS {
            let Some(next) = self.wait.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            self.input(Input::Timeout);
        }
        self.now = self.now.max(until);
    }

    /// `kill -9`, and another engine with what was written: all records of each call but the `unwritten` last.
    pub(super) fn restart(&mut self, unwritten: usize) {
        if self.lives == 0 {
            return;
        }
        self.lives -= 1;
        for records in self.records.values_mut() {
            records.truncate(records.len().saturating_sub(unwritten).max(1));
        }
        self.asks.clear();
        self.wait = None;
        self.engine = Engine::new(self.config.clone(), [self.lives; 32]).sharing(Limits::default());
        self.now += Duration::from_secs(1);
        self.input(Input::Directory(Arc::new(setup::directory(self.kind))));
        let recovered: Vec<Recovered> = self.records.values().filter_map(Recovered::of).collect();
        for recovered in recovered {
            self.input(Input::Recovered(Box::new(recovered)));
        }
    }

    /// Nobody says anything any more: every call ends, and nothing is left of it.
    pub(super) fn conclude(mut self) {
        // The caller's longest session, its liveness check and 64*T1 behind it, for each of a few rounds.
        for _ in 0..8 {
            self.pass(Duration::from_secs(7_200));
        }
        for (call, records) in &self.records {
            let ends = records.iter().filter(|record| matches!(record.change, Change::Ended(_))).count();
            assert_eq!(ends, 1, "ends of {call:?}: {records:#?}");
        }
        assert_eq!(self.engine.footprint(), Footprint::default(), "what is left when all is quiet");
    }

    fn flow(&self, peer: usize) -> Flow {
        let transport = if self.tcp { Transport::Tcp } else { Transport::Udp };
        let listener = &self.config.listeners[usize::from(self.tcp)];
        Flow {
            transport,
            listener: ListenerId(listener.id.0),
            local: listener.bind.ip(),
            peer: PEERS[peer].parse().expect("an address"),
            connection: self.tcp.then_some(ConnectionId(peer as u64)),
            domain: None,
        }
    }

    fn input(&mut self, input: Input<'_>) {
        let broken = matches!(input, Input::Received { bytes, .. } if Message::scan(bytes).is_err());
        self.engine.handle(self.now, input);
        loop {
            match self.engine.poll() {
                Output::Send { flow, bytes, token } => {
                    // The refusal of what is broken repeats it.
                    if !(broken && bytes.starts_with(b"SIP/2.0 4"))
                        && let Err(fault) = Message::scan(bytes)
                    {
                        panic!("{fault} in\n{}", String::from_utf8_lossy(bytes));
                    }
                    let to = flow.peer.ip().to_string();
                    let peer = PEERS.iter().position(|peer| peer.starts_with(&to)).unwrap_or(1);
                    self.sent.push_front(Sent { peer, bytes: bytes.to_vec(), token });
                    self.sent.truncate(KEPT);
                }
                Output::Ask(ask) => self.asks.push_front(*ask),
                Output::Abort(ask) => self.asks.retain(|known| known.id != ask),
                Output::Record(record) => note(&mut self.records, record),
                Output::Count(Counter::Panic) => panic!("a panic inside"),
                Output::Wait(moment) => {
                    self.wait = moment;
                    return;
                }
                _ => {}
            }
        }
    }
}

/// Records and events have no gap, nothing follows the end, and the journal gives back what it is given.
fn note(records: &mut BTreeMap<CallSid, Vec<Record>>, record: Record) {
    let bytes = Entry::Record(record.clone()).to_bytes(0);
    let again = Entry::of_bytes(&bytes, 0).expect("what was written can be read");
    assert_eq!(again.to_bytes(0), bytes);
    let known = records.entry(record.call).or_default();
    assert_eq!(record.seq as usize, known.len(), "seq of {:?}", record.change);
    assert!(
        !known.iter().any(|known| matches!(known.change, Change::Ended(_))),
        "behind the end: {record:?}"
    );
    if let Some(event) = record.event {
        assert_eq!(event.sequence as usize, known.iter().filter(|known| known.event.is_some()).count());
    }
    known.push(record);
}
