//! The engine itself: inputs in, effects out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::call::ask::Counter;
use crate::call::desk::{CallKey, Desk, Due, Effect, Map, Owner, Role};
use crate::call::state::Call;
use crate::engine::config::EngineConfig;
use crate::engine::door::{Answer, AskId, Input, Output, SendToken};
use crate::engine::message::Asking;
use crate::engine::pressure::Pressure;
use crate::engine::watch::Watch;
use crate::flow::{ConnectionId, Flow};
use crate::ids::{CallSid, TrunkSid};
use crate::routing::Directory;
use crate::routing::limits::{Limits, Permit};
use crate::routing::model::{Hook, Trunk};
use crate::sip::Message;
use crate::time::Instant;
use crate::transaction::step::Tell;
use crate::transaction::table::{Kind, Outcome, TransactionId};

/// A connection, and the domains that its peer proved to be.
type Proof = (Flow, Arc<[Arc<str>]>);

/// The protocol core of one shard: deterministic, no socket, no clock.
///
/// `handle` one input, then `poll` until [`Output::Wait`]; the moment it names comes back as
/// [`Input::Timeout`].
#[derive(Debug)]
pub struct Engine {
    pub(super) desk: Desk,
    pub(super) calls: Map<CallKey, Entry>,
    pub(super) sids: Map<CallSid, CallKey>,
    /// The domains that clients proved by certificate, while their connections last.
    pub(super) proved: Map<ConnectionId, Proof>,
    pub(super) directory: Option<Arc<Directory>>,
    /// What an unknown source is treated as, where the configuration lets it in.
    pub(super) stranger: Arc<Trunk>,
    pub(super) limits: Limits,
    pub(super) draining: bool,
    pub(super) journal_full: bool,
    pub(super) unanswered: usize,
    pub(super) max_calls: usize,
    /// How late everything is.
    pub(super) pressure: Pressure,
    /// Which gateways are there.
    pub(super) watch: Watch,
    /// MESSAGEs whose application is asked.
    pub(super) messages: Map<AskId, Asking>,
    /// MESSAGEs of applications' documents without a final response, and whose document it was.
    pub(super) replies: Map<TransactionId, CallSid>,
}

/// A call in its table.
#[derive(Debug)]
pub(super) struct Entry {
    pub call: Box<Call>,
    pub permit: Option<Permit>,
    pub unanswered: bool,
}

/// How much the engine remembers: all zero when all is quiet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Calls, ended ones that still absorb retransmissions included.
    pub calls: usize,
    /// Calls without a final response to the caller.
    pub unanswered: usize,
    /// Transactions of both kinds.
    pub transactions: usize,
    /// What is under way: unanswered calls, and transactions that wait for a response or an ACK.
    /// Answered calls do not count, as their dialogs are in the journal.
    pub open: usize,
    /// Timers that are set.
    pub timers: usize,
    /// Tags of dialogs, early ones included.
    pub dialogs: usize,
    /// Asks without an answer.
    pub asks: usize,
    /// MESSAGEs of applications' documents without a final response.
    pub replies: usize,
}

impl Engine {
    /// An engine with nothing in it; the same seed and inputs give the same outputs. Until its first
    /// directory it answers new calls 503.
    #[must_use]
    pub fn new(config: Arc<EngineConfig>, seed: [u8; 32]) -> Self {
        let (max_calls, late) = (config.max_calls, config.overload_delay);
        let mut desk = Desk::new(config, seed);
        let mut state = || foldhash::fast::FixedState::with_seed(desk.generator.next_u64());
        let (calls, sids, proved) =
            (Map::with_hasher(state()), Map::with_hasher(state()), Map::with_hasher(state()));
        let pressure = Pressure::new(late, Map::with_hasher(state()));
        let (messages, replies) = (Map::with_hasher(state()), Map::with_hasher(state()));
        Self {
            desk,
            calls,
            sids,
            proved,
            directory: None,
            stranger: Arc::new(Trunk::named(TrunkSid(0), "")),
            limits: Limits::default(),
            draining: false,
            journal_full: false,
            unanswered: 0,
            max_calls,
            pressure,
            watch: Watch::default(),
            messages,
            replies,
        }
    }

    /// Counts admitted calls together with the other engines of the node that share `limits`.
    #[must_use]
    pub fn sharing(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Takes in what happened at `now`; moments must not run backwards.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.desk.now = self.desk.now.max(now);
        if self.desk.effects.is_empty() {
            self.desk.print.clear();
        }
        match input {
            Input::Received { flow, bytes } => self.guarded(|engine| engine.received(flow, bytes)),
            Input::Broken { flow, bytes, fault } => self.guarded(|engine| engine.broken(flow, bytes, fault)),
            Input::Proved { flow, names } => {
                if let Some(connection) = flow.connection {
                    self.proved.insert(connection, (flow, names));
                }
            }
            Input::FlowClosed(flow) => self.flow_closed(flow),
            Input::SendFailed(token) => self.send_failed(token),
            Input::Answered { ask, answer } => self.answered(ask, Some(answer)),
            Input::Recovered(recovered) => self.guarded(|engine| engine.recover(&recovered)),
            Input::Directory(directory) => self.set_directory(directory),
            Input::Hangup { call } => self.hang_up(call),
            Input::GoOn { call, hook } => self.go_on(call, hook),
            Input::Drain(draining) => {
                self.draining = draining;
                self.watch_gateways();
            }
            Input::Standings(standings) => self.desk.standings = standings,
            Input::MaxCalls(most) => self.max_calls = most,
            Input::OverloadDelay(most) => self.pressure.set_target(most),
            // Nothing follows from it but what later calls meet.
            Input::Waited(wait) => return self.pressure.waited(self.desk.now, wait),
            Input::Behind(lag) => return self.pressure.set_behind(lag),
            Input::JournalFull(full) => self.journal_full = full,
            Input::Timeout => {}
        }
        self.expire();
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Output<'_> {
        let desk = &mut self.desk;
        match desk.effects.pop_front() {
            Some(Effect::Send { flow, range, token }) => {
                Output::Send { flow, bytes: &desk.print[range], token }
            }
            Some(Effect::Named(domain, host)) => Output::Named { domain, host },
            Some(Effect::Ask(ask)) => Output::Ask(ask),
            Some(Effect::Abort(ask)) => Output::Abort(ask),
            Some(Effect::Record(record)) => Output::Record(record),
            Some(Effect::Trace(call, at, item)) => Output::Trace { call, at, item },
            Some(Effect::Message(sid, step)) => Output::Message { sid, step },
            Some(Effect::Gateway(gateway, news)) => Output::Gateway { gateway, news },
            Some(Effect::Remark(account, reason, number)) => Output::Remark { account, reason, number },
            Some(Effect::Count(counter)) => Output::Count(counter),
            None => Output::Wait(desk.timers.next()),
        }
    }

    /// How much is remembered now.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        Footprint {
            calls: self.calls.len(),
            unanswered: self.unanswered,
            transactions: self.desk.table.len(),
            open: self.unanswered + self.desk.table.open().saturating_sub(self.watch.open),
            timers: self.desk.timers.len().saturating_sub(self.watch.timers()),
            dialogs: self.desk.tags.len(),
            asks: self.desk.asks.len(),
            replies: self.replies.len(),
        }
    }

    /// The connections whose peers have proved to be somebody, and whom.
    pub fn proved(&self) -> impl Iterator<Item = (&Flow, &[Arc<str>])> {
        self.proved.values().map(|(flow, names)| (flow, &names[..]))
    }

    /// Whether an open transaction goes over the stream connection `flow`, which is not idle then.
    #[must_use]
    pub fn uses_connection(&self, flow: &Flow) -> bool {
        self.desk.table.uses(flow)
    }

    /// Panics inside a call, for the tests that show what becomes of it and of the others.
    #[doc(hidden)]
    pub fn panic_inside(&mut self, call: CallSid) {
        if let Some(&key) = self.sids.get(&call) {
            self.with(key, |_, _| panic!("a panic that a test asked for"));
        }
    }

    fn expire(&mut self) {
        while let Some(expired) = self.desk.timers.pop(self.desk.now) {
            match expired.key {
                Due::Transaction(due) => {
                    let desk = &mut self.desk;
                    let followed = desk.table.expired(desk.now, due, &mut desk.timers).map(Followed::of);
                    self.follow(followed, None);
                }
                Due::Call(key, what) => self.with(key, |call, desk| call.timer_due(desk, what)),
                Due::Check(at) => self.check_due(at),
                Due::Ask(ask) => {
                    self.desk.effects.push_back(Effect::Abort(ask));
                    self.answered(ask, None);
                }
            }
        }
    }

    /// A panic outside any call (while a message is read or routed) loses that message and no more:
    /// what is read and routed changes no call.
    fn guarded(&mut self, run: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| run(self))).is_err() {
            self.desk.count(Counter::Panic);
        }
    }

    fn answered(&mut self, ask: AskId, answer: Option<Answer>) {
        let Some(key) = self.desk.take_ask(ask) else { return };
        if key == 0 && self.check_resolved(ask, answer.as_ref()) {
            return;
        }
        if let Some(asking) = self.messages.remove(&ask) {
            self.guarded(|engine| engine.message_answered(asking, answer));
        } else {
            self.with(key, |call, desk| call.answered_ask(desk, ask, answer));
        }
    }

    fn send_failed(&mut self, token: SendToken) {
        let Some(id) = TransactionId::from_u64(token.0) else { return };
        let stale = self.desk.table.flow(id).filter(|flow| flow.connection.is_some());
        if let (Some(flow), Some(owner)) = (stale, self.desk.table.owner(id)) {
            self.with(owner.call, |call, desk| call.connection_failed(desk, owner.role, &flow));
        }
        let desk = &mut self.desk;
        let followed = desk.table.failed(desk.now, id, &mut desk.timers).map(Followed::of);
        self.follow(followed, None);
    }

    fn flow_closed(&mut self, flow: crate::flow::Flow) {
        let Some(connection) = flow.connection else { return };
        self.proved.remove(&connection);
        for key in self.desk.close(connection) {
            self.with(key, |call, desk| call.connection_closed(desk, &flow));
        }
    }

    fn set_directory(&mut self, directory: Arc<Directory>) {
        self.desk.provision = Some(Arc::new(super::provision::Live(directory.clone(), self.limits.clone())));
        self.directory = Some(directory);
        self.watch_gateways();
    }

    fn hang_up(&mut self, call: CallSid) {
        if let Some(&key) = self.sids.get(&call) {
            self.with(key, |call, desk| call.hang_up_from_outside(desk));
        }
    }

    fn go_on(&mut self, call: CallSid, hook: Hook) {
        if let Some(&key) = self.sids.get(&call) {
            self.with(key, |call, desk| call.go_on_from_outside(desk, hook));
        }
    }

    /// Puts a new call into its tables and lets it begin.
    pub(super) fn begin(&mut self, call: Call, permit: Permit) {
        let (key, sid) = (call.key(), call.sid());
        self.unanswered += 1;
        self.sids.insert(sid, key);
        self.calls.insert(key, Entry { call: Box::new(call), permit: Some(permit), unanswered: true });
        self.with(key, |call, desk| call.start(desk));
    }

    /// What follows from an event in the transaction table: bytes leave, the call hears of it.
    pub(super) fn follow(&mut self, followed: Option<Followed>, response: Option<&Message<'_>>) {
        let Some(event) = followed else { return };
        let Owner { call, role } = event.owner;
        if let Some((id, flow, bytes)) = &event.send {
            self.desk.send(*flow, bytes, SendToken(id.to_u64()));
            if let Some(entry) = self.calls.get(&call) {
                let (sid, leg) = (entry.call.sid(), entry.call.leg_of_role(role));
                self.desk.trace_again(sid, leg, bytes, false, event.sent_before);
            }
        }
        if role == Role::Reply {
            return self.reply_heard(&event, response);
        }
        if let (Role::Check(at), Some(tell)) = (role, event.tell) {
            self.check_told(at, event.id, tell, response);
        }
        if call == 0 || event.kind == Kind::ClientCancel {
            return;
        }
        if event.tell.is_some() || event.ended {
            self.with(call, |call, desk| {
                match (event.tell, response) {
                    (Some(Tell::Response), Some(response)) => call.responded(desk, role, response),
                    (Some(tell), _) => call.told(desk, event.kind, role, tell),
                    (None, _) => {}
                }
                if event.ended {
                    call.transaction_over(event.id, event.kind, role);
                }
            });
        }
    }

    /// Runs one call, and only that one: a panic in it ends it alone.
    pub(super) fn with(&mut self, key: CallKey, run: impl FnOnce(&mut Call, &mut Desk)) {
        let Some(entry) = self.calls.get_mut(&key) else { return };
        let desk = &mut self.desk;
        let (call, before) = (&mut entry.call, desk.effects.len());
        if catch_unwind(AssertUnwindSafe(|| run(call, desk))).is_err() {
            desk.count(Counter::Panic);
            let failed = catch_unwind(AssertUnwindSafe(|| call.fail(desk)));
            if failed.is_err() && !call.is_over() {
                // Whatever `fail` could not do is not tried again; the terminal record must leave.
                let buried = catch_unwind(AssertUnwindSafe(|| call.bury(desk)));
                if buried.is_err() {
                    desk.effects.truncate(before);
                }
            }
            call.give_up();
        }
        self.tidy(key);
    }

    fn tidy(&mut self, key: CallKey) {
        let Some(entry) = self.calls.get_mut(&key) else { return };
        if entry.unanswered && !entry.call.is_unanswered() {
            entry.unanswered = false;
            self.unanswered -= 1;
        }
        if entry.call.is_over() {
            if let Some(permit) = entry.permit.take() {
                permit.release();
            }
            entry.call.shed(&mut self.desk);
        }
        if entry.call.is_gone() {
            entry.call.forget(&mut self.desk);
            self.sids.remove(&entry.call.sid());
            self.calls.remove(&key);
        }
    }
}

/// An [`Outcome`] that no longer borrows the table.
pub(super) struct Followed {
    pub id: TransactionId,
    pub kind: Kind,
    pub owner: Owner,
    send: Option<(TransactionId, crate::flow::Flow, Box<[u8]>)>,
    pub tell: Option<Tell>,
    pub ended: bool,
    sent_before: u16,
    pub came_again: u16,
}

impl Followed {
    pub(super) fn of(outcome: Outcome<'_, Owner>) -> Self {
        Self {
            id: outcome.id,
            kind: outcome.kind,
            owner: outcome.owner,
            send: outcome.send.map(|leaves| (leaves.id, leaves.flow, leaves.bytes.into())),
            tell: outcome.tell,
            ended: outcome.ended,
            sent_before: outcome.sent_before,
            came_again: outcome.came_again,
        }
    }
}
