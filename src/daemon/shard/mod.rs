//! A shard: one thread that owns all its calls touch.
//!
//! One turn: the directory is compared, datagram sockets are drained, then what other threads, local
//! tasks and *control* brought, then timers; after each input the engine is polled dry. At the end of
//! the turn streams are flushed and records handed to the journal, once each. Every source has its
//! part in every turn, so that none of them starves while another floods. Nothing is spawned per
//! datagram, and what one call says leaves in the order the engine said it.
//!
//! - `intake`: what comes in. `orders`: what *control* says. `outcome`: what the engine makes of it.

mod intake;
mod orders;
mod outcome;

use std::collections::HashSet;
use std::future::poll_fn;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::daemon::clock::Clock;
use crate::daemon::effects::Effects;
use crate::daemon::narrate::Narrator;
use crate::daemon::notices::Notices;
use crate::daemon::yielding::Yielding;
use crate::engine::door::{Answer, AskId, Input, Recovered, SendToken, Standings};
use crate::engine::{Engine, Footprint};
use crate::flow::{Flow, ListenerId, Transport};
use crate::ids::CallSid;
use crate::net::{Arrival, Delivery, Dirty, Edge, MAX_DATAGRAM, Passage, Streams, UdpPort};
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
    /// This process does not follow after all: what is of no call here goes back to the process before.
    Leaving,
    /// Take calls over and go on.
    TakeOver(Vec<Recovered>),
    /// The sockets are this process's alone: read them.
    Front,
    /// How much is under way?
    Look(oneshot::Sender<Load>),
    /// Read the sockets no more: what stands in them is for whoever reads next. Answered once nothing of them can come
    /// to another shard from here.
    Deaf(oneshot::Sender<()>),
    /// Take in what has come, and leave the loop. All shards are deaf by then.
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
    /// Who stands aside while messages wait.
    pub yielding: Yielding,
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
    leaving: bool,
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
            leaving: false,
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
        self.last_turn();
        if let Some((passage, carrying)) = self.follower.take() {
            drop(passage);
            if let Err(error) = carrying.await {
                tracing::error!(%error, "what carried messages to the new process ended by itself");
            }
        }
    }

    /// What other shards had read for this one before all were deaf.
    fn last_turn(&mut self) {
        while self.arrived() {}
        self.dirty.flush();
        self.parts.effects.turn();
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

    fn timers(&mut self) {
        if self.wait.is_some_and(|at| at <= self.parts.clock.now()) {
            self.handle(Input::Timeout);
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

async fn until(timer: Option<tokio::time::Instant>) {
    match timer {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
