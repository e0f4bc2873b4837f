//! A shard: one thread that owns all its calls touch.
//!
//! One turn: the directory is compared, datagram sockets are drained, then what other threads, local
//! tasks and *control* brought, then timers; after each input the engine is polled dry. At the end of
//! the turn streams are flushed and records handed to the journal, once each. Every source has its
//! part in every turn, so that none of them starves while another floods. Nothing is spawned per
//! datagram, and what one call says leaves in the order the engine said it.

use std::collections::HashSet;
use std::future::poll_fn;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::effects::Effects;
use super::narrate::Narrator;
use super::notices::Notices;
use crate::call::record::{Change, Record};
use crate::engine::door::{Answer, AskId, Counter, Input, Output, Recovered, SendToken, Standings};
use crate::engine::{Engine, Footprint};
use crate::flow::{Flow, ListenerId, Transport};
use crate::ids::CallSid;
use crate::net::{
    Arrival, Cause, Delivery, Dirty, Edge, MAX_DATAGRAM, Passage, Streams, UdpPort, bring, is_elsewhere,
    is_keepalive,
};
use crate::routing::Directory;
use crate::routing::model::Hook;
use crate::telemetry::{Calls, Metrics};
use crate::time::Instant;

/// Datagrams of one socket, arrivals and answers taken in one turn before the others get theirs.
const BATCH: usize = 64;

/// What *control* tells a shard.
#[derive(Debug)]
pub enum Command {
    /// End a call.
    Hangup(CallSid),
    /// Ask another URL what an unanswered call shall do.
    GoOn(CallSid, Hook),
    /// No new calls from here on, or again.
    Drain(bool),
    /// The most unanswered calls at once from here on.
    MaxCalls(usize),
    /// How long messages may wait before fewer calls are admitted.
    OverloadDelay(Duration),
    /// The journal can take no more, or can again.
    JournalFull(bool),
    /// The process that follows takes what is not of a call here; `None`: there is none any more.
    Follower(Option<UnixStream>),
    /// Only what open transactions wait for is taken in here: all else waits for the process that follows. Or
    /// no longer.
    Closing(bool),
    /// Take in nothing until calls are taken over: what came before is another's. Answered once it holds.
    Hold(oneshot::Sender<()>),
    /// Take calls over and go on.
    TakeOver(Vec<Recovered>),
    /// The sockets are this process's alone: read them.
    Front,
    /// How much is under way?
    Look(oneshot::Sender<Load>),
    /// Leave the loop.
    Stop,
}

/// The shard that checks the gateways meets a new directory after so long, also where nothing wakes it.
const LOOK: Duration = Duration::from_secs(1);

/// What a shard has under way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// What the engine remembers.
    pub engine: Footprint,
    /// Asks held back or running.
    pub asks: usize,
}

impl Load {
    /// Whether nothing would be lost that the journal does not keep.
    #[must_use]
    pub fn may_stop(&self) -> bool {
        self.engine.open == 0 && self.engine.asks == 0 && self.asks == 0
    }
}

/// Everything a shard is born with.
pub struct ShardParts {
    /// Its index.
    pub index: u16,
    /// The clock of the process.
    pub clock: Clock,
    /// Its engine.
    pub engine: Engine,
    /// Its datagram sockets.
    pub ports: Vec<UdpPort>,
    /// Its streams.
    pub streams: Streams,
    /// Who has been refused too often.
    pub edge: Arc<Edge>,
    /// The way to the other shards.
    pub delivery: Delivery,
    /// What others bring.
    pub arrivals: mpsc::Receiver<Arrival>,
    /// What *control* says.
    pub commands: mpsc::Receiver<Command>,
    /// Records and asks.
    pub effects: Effects,
    /// Calls of an earlier life, which come before everything but the directory.
    pub recovered: Vec<Recovered>,
    /// Listening sockets of streams.
    pub doors: Vec<(ListenerId, Transport, std::net::TcpListener)>,
    /// The process before this one, while that one has connections.
    pub before: Option<Passage>,
    /// Whether the sockets are read: not while another process still does.
    pub front: bool,
    /// The live directory.
    pub directory: Arc<ArcSwap<Directory>>,
    /// The live calls.
    pub calls: Arc<Calls>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What accounts are told.
    pub notices: Notices,
}

/// A running shard.
pub struct Shard {
    parts: ShardParts,
    directory: Cache<Arc<ArcSwap<Directory>>, Arc<Directory>>,
    known: Option<Arc<Directory>>,
    standings: Arc<Standings>,
    buffer: Vec<u8>,
    dirty: Dirty,
    failed: Vec<SendToken>,
    narrator: Narrator,
    /// How long the datagrams of the batch that is read had waited.
    late: Duration,
    wait: Option<Instant>,
    stopping: bool,
    /// The process that follows, and what carries to it.
    follower: Option<(Passage, JoinHandle<()>)>,
    /// Connections of the process before, whose messages come from there.
    elsewhere: HashSet<Flow>,
    closing: bool,
    held: bool,
}

impl Shard {
    /// A shard that has not turned yet.
    #[must_use]
    pub fn new(parts: ShardParts) -> Self {
        Self {
            directory: Cache::new(parts.directory.clone()),
            known: None,
            standings: parts.metrics.gateways.standings(),
            parts,
            buffer: vec![0; MAX_DATAGRAM],
            dirty: Dirty::default(),
            failed: Vec::new(),
            narrator: Narrator::default(),
            late: Duration::ZERO,
            wait: None,
            stopping: false,
            follower: None,
            elsewhere: HashSet::new(),
            closing: false,
            held: false,
        }
    }

    /// Turns until it is told to stop. Runs inside a `LocalSet`.
    pub async fn run(mut self) {
        self.compare_directory();
        self.recover();
        self.open_doors();
        while !self.stopping {
            self.compare_directory();
            let more = self.datagrams() | self.arrived() | self.answered();
            self.commanded();
            self.timers();
            self.dirty.flush();
            self.parts.effects.turn();
            if more {
                // Local tasks (questions, connections) get their turn, and the driver is polled.
                tokio::task::yield_now().await;
            } else if !self.stopping {
                self.sleep().await;
            }
        }
        if let Some((passage, carrying)) = self.follower.take() {
            drop(passage);
            if let Err(error) = carrying.await {
                tracing::error!(%error, "what carried messages to the new process ended by itself");
            }
        }
    }

    /// Accepts connections, where the sockets are read here.
    fn open_doors(&mut self) {
        if !self.parts.front {
            return;
        }
        for (listener, transport, socket) in self.parts.doors.drain(..) {
            match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => self.parts.streams.accept(listener, transport, socket),
                Err(error) => tracing::error!(%error, "connections cannot be accepted"),
            }
        }
    }

    /// Takes calls over.
    fn recover(&mut self) {
        for call in std::mem::take(&mut self.parts.recovered) {
            self.parts.calls.begin(&call.facts, self.parts.index);
            if let Some(talk) = &call.talk {
                self.parts.calls.answered(call.facts.call, talk.answered);
            }
            self.handle(Input::Recovered(Box::new(call)));
        }
    }

    /// Once per wake-up: a new generation is one more input. Generation 0 is none: until there is a
    /// directory the engine answers 503, not that nobody is known.
    fn compare_directory(&mut self) {
        self.compare_standings();
        let live = self.directory.load();
        if live.generation() == 0 || self.known.as_ref().is_some_and(|known| Arc::ptr_eq(known, live)) {
            return;
        }
        let live = live.clone();
        self.known = Some(live.clone());
        self.handle(Input::Directory(live));
    }

    /// The same for what all shards know of the gateways.
    fn compare_standings(&mut self) {
        let live = self.parts.metrics.gateways.standings();
        if !Arc::ptr_eq(&live, &self.standings) {
            self.standings = live.clone();
            self.handle(Input::Standings(live));
        }
    }

    /// Drains the datagram sockets; true when there may be more.
    fn datagrams(&mut self) -> bool {
        if !self.parts.front {
            return false;
        }
        let mut more = false;
        let mut buffer = std::mem::take(&mut self.buffer);
        for port in 0..self.parts.ports.len() {
            let mut left = BATCH;
            while left > 0 {
                left -= 1;
                match self.parts.ports[port].try_receive(&mut buffer) {
                    Ok(Some((flow, length))) => {
                        // The first has waited longest, and tells for its batch.
                        if left == BATCH - 1 {
                            self.late = self.parts.ports[port].waited();
                            self.waited(self.late);
                        }
                        self.datagram(flow, &buffer[..length]);
                    }
                    Ok(None) => break,
                    Err(error) => report_socket(&error),
                }
            }
            more |= left == 0;
        }
        self.buffer = buffer;
        more
    }

    fn datagram(&mut self, flow: Flow, bytes: &[u8]) {
        if self.parts.edge.refuses(flow.peer.ip(), false) || is_keepalive(bytes) {
            return;
        }
        self.parts.metrics.sip.received.inc();
        let owner = self.parts.delivery.owner(bytes);
        let now = std::time::Instant::now();
        let since = now.checked_sub(self.late).unwrap_or(now);
        if owner == usize::from(self.parts.index) {
            self.message(flow, bytes, since);
        } else {
            self.parts.delivery.datagram(owner, flow, bytes, since);
        }
    }

    /// A message of this shard's: of a call here, or, where a process follows, of one that is that one's.
    fn message(&mut self, flow: Flow, bytes: &[u8], since: std::time::Instant) {
        if is_elsewhere(&flow) {
            self.elsewhere.insert(flow);
        }
        if let Some((passage, _)) = &self.follower
            && !self.parts.engine.claims(bytes, self.closing)
            // A stream loses nothing: what cannot be handed on is looked at here.
            && (passage.pass(&flow, bytes, since) || flow.connection.is_none())
        {
            return;
        }
        self.handle(Input::Received { flow, bytes });
    }

    /// Takes what others brought; true when there may be more.
    fn arrived(&mut self) -> bool {
        if self.held {
            return false;
        }
        for at in 0..BATCH {
            match self.parts.arrivals.try_recv() {
                Ok(arrival) => {
                    if let (0, Arrival::Message { since, .. }) = (at, &arrival) {
                        self.waited(since.elapsed());
                    }
                    self.arrival(arrival);
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// Takes the answers that are there; true when there may be more.
    fn answered(&mut self) -> bool {
        for _ in 0..BATCH {
            let Some((ask, answer)) = self.parts.effects.try_next() else { return false };
            self.handle(Input::Answered { ask, answer });
        }
        true
    }

    /// A message of this turn had waited so long.
    fn waited(&mut self, wait: Duration) {
        self.parts.metrics.sip.queue_seconds.observe(wait.as_secs_f64());
        self.parts.engine.handle(self.parts.clock.now(), Input::Waited(wait));
    }

    /// Does what *control* said.
    fn commanded(&mut self) {
        while let Ok(command) = self.parts.commands.try_recv() {
            self.command(command);
        }
    }

    fn arrival(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Message { flow, bytes, since } => self.message(flow, &bytes, since),
            Arrival::Leave { flow, bytes } => {
                if !self.parts.streams.send(&flow, &bytes, SendToken(0), &mut self.dirty) {
                    tracing::debug!(peer = %flow.peer, "a connection was gone before its answer");
                }
            }
            Arrival::Proved(flow, names) => {
                if let Some((passage, _)) = &self.follower {
                    passage.proved(&flow, &names);
                }
                self.parts.edge.vouch(flow.peer.ip(), true);
                self.handle(Input::Proved { flow, names });
            }
            Arrival::Closed(flow) => {
                if let Some((passage, _)) = &self.follower {
                    passage.closed(&flow);
                }
                self.elsewhere.remove(&flow);
                self.handle(Input::FlowClosed(flow));
            }
            Arrival::Failed(token) => self.handle(Input::SendFailed(token)),
            Arrival::Broken { flow, bytes, fault, answered } => {
                self.handle(Input::Broken { flow, bytes: &bytes, fault });
                if answered.send(()).is_err() {
                    tracing::debug!(peer = %flow.peer, "a broken connection was gone before its answer");
                }
            }
            Arrival::InUse(flow, reply) => {
                if reply.send(self.parts.engine.uses_connection(&flow)).is_err() {
                    tracing::debug!(peer = %flow.peer, "a connection ended while it was looked at");
                }
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Hangup(call) => self.handle(Input::Hangup { call }),
            Command::GoOn(call, hook) => self.handle(Input::GoOn { call, hook }),
            Command::Drain(on) => self.handle(Input::Drain(on)),
            Command::OverloadDelay(most) => self.handle(Input::OverloadDelay(most)),
            Command::MaxCalls(most) => self.handle(Input::MaxCalls(most)),
            Command::JournalFull(full) => self.handle(Input::JournalFull(full)),
            Command::Look(reply) => {
                let load = Load { engine: self.parts.engine.footprint(), asks: self.parts.effects.asks() };
                if reply.send(load).is_err() {
                    tracing::debug!("whoever asked for a shard's load stopped waiting");
                }
            }
            Command::Stop => self.stopping = true,
            Command::Follower(stream) => self.followed_by(stream),
            Command::Closing(closing) => self.closing = closing,
            Command::Hold(held) => {
                self.held = true;
                if held.send(()).is_err() {
                    tracing::debug!("whoever wanted a shard to hold is gone");
                }
            }
            Command::TakeOver(calls) => {
                self.held = false;
                self.parts.recovered = calls;
                self.recover();
            }
            Command::Front => {
                self.parts.front = true;
                self.parts.before = None;
                self.open_doors();
                // They ended with the process that had them.
                for flow in std::mem::take(&mut self.elsewhere) {
                    self.handle(Input::FlowClosed(flow));
                }
            }
        }
    }

    fn followed_by(&mut self, stream: Option<UnixStream>) {
        self.follower = None;
        let Some(stream) = stream else { return };
        match tokio::net::UnixStream::from_std(stream) {
            Ok(stream) => {
                let (back, forth) = stream.into_split();
                let (passage, carrying) = Passage::new(forth, self.parts.metrics.sip.clone());
                for (flow, names) in self.parts.engine.proved() {
                    passage.proved(flow, names);
                }
                let inlet = self.parts.delivery.inlet(usize::from(self.parts.index));
                tokio::task::spawn_local(async move {
                    if let Err(error) = bring(back, inlet).await {
                        tracing::debug!(%error, "the new process has ended");
                    }
                });
                self.follower = Some((passage, tokio::task::spawn_local(carrying)));
            }
            Err(error) => tracing::error!(%error, "nothing can be handed to the new process"),
        }
    }

    fn timers(&mut self) {
        if self.wait.is_some_and(|at| at <= self.parts.clock.now()) {
            self.handle(Input::Timeout);
        }
    }

    /// One input, and everything that follows from it.
    fn handle(&mut self, input: Input<'_>) {
        let now = self.parts.clock.now();
        let peer = match &input {
            Input::Received { flow, .. } | Input::Broken { flow, .. } => Some(*flow),
            _ => None,
        };
        self.parts.engine.handle(now, input);
        self.poll(now, peer);
        while let Some(token) = self.failed.pop() {
            self.parts.engine.handle(now, Input::SendFailed(token));
            self.poll(now, None);
        }
    }

    fn poll(&mut self, now: Instant, from: Option<Flow>) {
        let ShardParts {
            engine, ports, streams, edge, effects, calls, metrics, notices, index, before, ..
        } = &mut self.parts;
        loop {
            match engine.poll() {
                Output::Send { flow, bytes, token } => {
                    if token != SendToken(0) && !bytes.starts_with(b"SIP/2.0 ") {
                        edge.vouch(flow.peer.ip(), flow.transport.is_reliable());
                    }
                    let sent = match flow.transport {
                        _ if is_elsewhere(&flow) => {
                            before.as_ref().is_some_and(|before| before.leave(&flow, bytes))
                        }
                        // The port counts what leaves it.
                        Transport::Udp => send_datagram(ports, &flow, bytes),
                        Transport::Tcp | Transport::Tls => {
                            let sent = streams.send(&flow, bytes, token, &mut self.dirty);
                            metrics.sip.sent.inc_by(u64::from(sent));
                            sent
                        }
                    };
                    if !sent {
                        metrics.sip.send_failed.inc();
                        if token != SendToken(0) {
                            self.failed.push(token);
                        }
                    }
                }
                Output::Named { domain, host } => streams.named(domain, host),
                Output::Ask(ask) => effects.ask(*ask),
                Output::Abort(ask) => effects.abort(ask),
                Output::Record(record) => {
                    note(calls, metrics, &self.narrator, *index, &record);
                    count_of_trunk(metrics, self.directory.load(), &record);
                    effects.record(*record);
                }
                Output::Trace { call, at, item } => calls.trace(call, at, item),
                Output::Message { sid, step } => {
                    self.narrator.message(calls, metrics, (sid, now), &step);
                    notices.answered(calls, sid, &step);
                }
                Output::Gateway { gateway, news } => {
                    let name = self.directory.load().gateway(gateway).map(|gateway| gateway.name.clone());
                    metrics.gateways.note(gateway, name.as_deref(), news, now);
                }
                Output::Remark { account, reason, number } => notices.unasked(account, reason, &number),
                Output::Count(counter) => {
                    metrics.count(counter);
                    if let Counter::Shed(trunk) = counter {
                        // Sources without a trunk are one.
                        let trunk = trunk.and_then(|sid| self.directory.load().trunk(sid));
                        metrics.calls.shed.inc(trunk.map_or("", |trunk| &trunk.name));
                    }
                    if let Counter::DialRefused { account, call, reason } = counter {
                        notices.refused(account, call, reason);
                    }
                    self.narrator.counted(counter, from.map(|flow| flow.peer), now);
                    // Until there is a directory nobody is a stranger.
                    if let (Some(flow), Counter::Proved) = (from, counter) {
                        edge.vouch(flow.peer.ip(), flow.transport.is_reliable());
                    }
                    if let (Some(flow), Some(cause), Some(_)) = (from, blamed(counter), &self.known) {
                        edge.blame(flow.peer.ip(), flow.transport.is_reliable(), cause);
                    }
                }
                Output::Wait(at) => {
                    self.wait = at;
                    return;
                }
            }
        }
    }

    /// Until something happens.
    async fn sleep(&mut self) {
        let held = self.held;
        let ShardParts { ports, arrivals, commands, effects, clock, index, front, .. } = &mut self.parts;
        let front = *front;
        let readable = poll_fn(|context| {
            if !front {
                return Poll::Pending;
            }
            // Every socket is asked, so that each of them wakes this task.
            let ready = ports.iter().filter(|port| port.poll_ready(context).is_ready()).count();
            if ready > 0 { Poll::Ready(()) } else { Poll::Pending }
        });
        let look = (*index == 0).then(|| clock.now() + LOOK);
        let next = self.wait.into_iter().chain(look).min();
        let timer = next.map(|at| clock.timer(at));
        let woken = tokio::select! {
            biased;
            () = readable => Woken::Sockets,
            Some(arrival) = arrivals.recv(), if !held => Woken::Arrival(arrival),
            answered = effects.next() => Woken::Answer(answered),
            Some(command) = commands.recv() => Woken::Command(command),
            () = until(timer) => Woken::Timer,
        };
        // Whatever woke it meets the directory that was live then.
        self.compare_directory();
        match woken {
            Woken::Arrival(arrival) => self.arrival(arrival),
            Woken::Answer(Some((ask, answer))) => self.handle(Input::Answered { ask, answer }),
            Woken::Command(command) => self.command(command),
            Woken::Sockets | Woken::Answer(None) | Woken::Timer => {}
        }
    }
}

/// What ended a shard's sleep.
enum Woken {
    Sockets,
    Arrival(Arrival),
    /// `None`: the journal has written more.
    Answer(Option<(AskId, Answer)>),
    Command(Command),
    Timer,
}

/// What a source is blamed for.
const fn blamed(counter: Counter) -> Option<Cause> {
    match counter {
        Counter::Stranger => Some(Cause::Refused),
        Counter::Scanner => Some(Cause::Scanner),
        Counter::Unreadable => Some(Cause::Unreadable),
        Counter::StrayResponse => Some(Cause::Stray),
        _ => None,
    }
}

async fn until(timer: Option<tokio::time::Instant>) {
    match timer {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn send_datagram(ports: &[UdpPort], flow: &Flow, bytes: &[u8]) -> bool {
    let Some(port) = ports.iter().find(|port| port.listener() == flow.listener) else { return false };
    match port.send(flow, bytes) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(peer = %flow.peer, %error, "a datagram could not be sent");
            false
        }
    }
}

/// Only what an operator can do something about; everything else is one datagram's bad luck.
fn report_socket(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionRefused {
        tracing::warn!(%error, "a datagram could not be received");
    }
}

/// A trunk that falls silent is seen by its count.
fn count_of_trunk(metrics: &Metrics, directory: &Directory, record: &Record) {
    if let Change::Admitted { facts, .. } = &record.change
        && let Some(trunk) = facts.trunk.and_then(|sid| directory.trunk(sid))
    {
        metrics.calls.trunk.inc(&trunk.name);
    }
}

/// What operators see of a record: the live calls and their counters.
fn note(calls: &Calls, metrics: &Metrics, narrator: &Narrator, shard: u16, record: &Record) {
    match &record.change {
        Change::Admitted { facts, .. } => {
            narrator.came(facts);
            calls.begin(facts, shard);
            metrics.calls.admitted.inc();
        }
        Change::Invited(_) => {
            if let Some(took) = calls.invited(record.call, record.at) {
                metrics.calls.setup_seconds.observe(took.as_secs_f64());
            }
        }
        Change::Answered { .. } => {
            narrator.answered(record.call);
            calls.answered(record.call, record.at);
            metrics.calls.answered.inc();
        }
        Change::Ended(terminal) => {
            narrator.ended(record.call, terminal);
            calls.end(record.call, *terminal);
        }
        _ => {}
    }
}
