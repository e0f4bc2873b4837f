//! All transactions of an engine: which one a message belongs to, and what follows.
//!
//! The table sends nothing and waits for nothing. Its functions say what is to leave through which
//! flow and what the transaction's user is to hear; its timers run in the engine's queue under keys
//! made from [`Due`], and come back through [`Table::expired`].

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

pub use super::machine::Kind;
use super::machine::Machine;
pub use super::outcome::{Arrival, Cancelling, Leaves, Outcome, Responded};
use super::slots::Slots;
pub use super::slots::TransactionId;
use super::step::{Change, Send, Step};
use super::timer::{Base, Timer};
use crate::flow::Flow;
use crate::time::Instant;
use crate::timers::{TimerId, Timers};

/// What a timer of the table is for; the engine's timer keys are made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Due {
    /// Whose.
    pub transaction: TransactionId,
    /// Which.
    pub timer: Timer,
}

/// The table. `U` says whose a transaction is, `S` hashes the keys (seeded by the engine).
#[derive(Debug)]
pub struct Table<U, S> {
    base: Base,
    pub(super) slots: Slots<Transaction<U>>,
    pub(super) index: HashMap<Arc<[u8]>, TransactionId, S>,
    pub(super) merged: HashMap<Arc<[u8]>, TransactionId, S>,
    /// Where keys are written to be looked up.
    pub(super) scratch: Vec<u8>,
    /// What the last transaction that ended still has to send.
    parting: Box<[u8]>,
}

#[derive(Debug)]
pub(super) struct Transaction<U> {
    pub(super) machine: Machine,
    pub(super) owner: U,
    pub(super) flow: Flow,
    key: Arc<[u8]>,
    pub(super) merge_key: Option<Arc<[u8]>>,
    /// What is sent again: our request, our last response, or the ACK.
    pub(super) kept: Box<[u8]>,
    repeat: Option<TimerId>,
    end: Option<TimerId>,
    pub(super) cancel: Cancel,
    /// Where responses go when the connection of the request is gone (18.2.2).
    fallback: Option<Box<Flow>>,
    pub(super) sent_before: u16,
    pub(super) came_again: u16,
}

#[derive(Debug)]
pub(super) enum Cancel {
    No,
    /// Wanted, with these header lines, once a provisional response came.
    Wanted(Box<[u8]>),
    Sent,
}

impl<U: Copy, S: BuildHasher + Clone> Table<U, S> {
    /// An empty table.
    #[must_use]
    pub fn new(base: Base, hasher: S) -> Self {
        Self {
            base,
            slots: Slots::new(),
            index: HashMap::with_hasher(hasher.clone()),
            merged: HashMap::with_hasher(hasher),
            scratch: Vec::new(),
            parting: Box::default(),
        }
    }

    /// How many transactions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whose a transaction is; `None` when it is over.
    #[must_use]
    pub fn owner(&self, id: TransactionId) -> Option<U> {
        self.slots.get(id).map(|transaction| transaction.owner)
    }

    /// Gives a transaction to another owner.
    pub fn set_owner(&mut self, id: TransactionId, owner: U) {
        if let Some(transaction) = self.slots.get_mut(id) {
            transaction.owner = owner;
        }
    }

    /// What its messages go through.
    #[must_use]
    pub fn flow(&self, id: TransactionId) -> Option<Flow> {
        self.slots.get(id).map(|transaction| transaction.flow)
    }

    /// Names where the responses of a server transaction go once its connection is gone.
    pub fn set_fallback(&mut self, id: TransactionId, fallback: Option<Flow>) {
        if let Some(transaction) = self.slots.get_mut(id) {
            transaction.fallback = fallback.map(Box::new);
        }
    }

    /// The connection of a server transaction is gone: its responses go to the fallback from now on.
    pub fn leave_connection(&mut self, id: TransactionId) {
        if let Some(transaction) = self.slots.get_mut(id)
            && let Some(fallback) = transaction.fallback.take()
        {
            transaction.flow = *fallback;
        }
    }

    /// Whether a server transaction still waits for a final response.
    #[must_use]
    pub fn is_unanswered(&self, id: TransactionId) -> bool {
        self.slots.get(id).is_some_and(|transaction| transaction.machine.is_unanswered())
    }

    /// How many transactions still wait for a response of theirs, or for its ACK.
    #[must_use]
    pub fn open(&self) -> usize {
        self.slots.iter().filter(|transaction| transaction.machine.is_open()).count()
    }

    /// Whether such a transaction goes over the stream connection `flow`: over that very one, or, for
    /// requests of our own, over whichever leads to its peer.
    #[must_use]
    pub fn uses(&self, flow: &Flow) -> bool {
        let peer = |flow: &Flow| (flow.transport, flow.listener, flow.peer, flow.domain);
        let over_it = |transaction: &&Transaction<U>| match transaction.flow.connection {
            Some(connection) => flow.connection == Some(connection),
            None => peer(&transaction.flow) == peer(flow),
        };
        self.slots.iter().filter(over_it).any(|transaction| transaction.machine.is_open())
    }

    /// A timer of the table is due; `None`: its transaction is over already.
    pub fn expired<K: From<Due>>(
        &mut self,
        now: Instant,
        due: Due,
        timers: &mut Timers<K>,
    ) -> Option<Outcome<'_, U>> {
        let transaction = self.slots.get_mut(due.transaction)?;
        if due.timer.repeats() {
            transaction.repeat = None;
        } else {
            transaction.end = None;
        }
        self.run(now, due.transaction, timers, |machine| machine.expired(due.timer))
    }

    /// What a transaction sent could not be sent; `None`: it is over already. A response is sent once
    /// more where the fallback leads; one that the transaction does not keep (a 2xx to INVITE) is its
    /// owner's matter, who hears of a transport error.
    pub fn failed<K: From<Due>>(
        &mut self,
        now: Instant,
        id: TransactionId,
        timers: &mut Timers<K>,
    ) -> Option<Outcome<'_, U>> {
        let transaction = self.slots.get_mut(id)?;
        if let Some(fallback) = transaction.fallback.take() {
            transaction.flow = *fallback;
            if !transaction.kept.is_empty() {
                return self.finish(now, id, Step::send(Send::Again), timers);
            }
        }
        self.run(now, id, timers, Machine::transport_failed)
    }

    /// Ends a transaction at once and without a word, its timers with it.
    pub fn abandon<K>(&mut self, id: TransactionId, timers: &mut Timers<K>) {
        self.forget(id, timers);
    }

    /// Puts in a transaction under the key that stands in `scratch`.
    pub(super) fn insert(
        &mut self,
        machine: Machine,
        flow: Flow,
        owner: U,
        kept: Box<[u8]>,
    ) -> TransactionId {
        let key: Arc<[u8]> = self.scratch.as_slice().into();
        let transaction = Transaction {
            machine,
            owner,
            flow,
            key: Arc::clone(&key),
            merge_key: None,
            kept,
            repeat: None,
            end: None,
            cancel: Cancel::No,
            fallback: None,
            sent_before: 0,
            came_again: 0,
        };
        let id = self.slots.insert(transaction);
        self.index.insert(key, id);
        id
    }

    pub(super) const fn base(&self) -> Base {
        self.base
    }

    pub(super) fn run<K: From<Due>>(
        &mut self,
        now: Instant,
        id: TransactionId,
        timers: &mut Timers<K>,
        event: impl FnOnce(&mut Machine) -> Step,
    ) -> Option<Outcome<'_, U>> {
        let step = event(&mut self.slots.get_mut(id)?.machine);
        self.finish(now, id, step, timers)
    }

    /// Does what a step says about timers and the end, and reports the rest.
    pub(super) fn finish<K: From<Due>>(
        &mut self,
        now: Instant,
        id: TransactionId,
        step: Step,
        timers: &mut Timers<K>,
    ) -> Option<Outcome<'_, U>> {
        if step.send == Some(Send::Again)
            && let Some(transaction) = self.slots.get_mut(id)
        {
            transaction.sent_before = transaction.sent_before.saturating_add(1);
        }
        self.set_timers(now, id, &step, timers);
        if !step.ended {
            return self.outcome_with(id, &step, id);
        }
        let over = self.forget(id, timers)?;
        self.parting = over.kept;
        let send =
            step.send.is_some().then_some(Leaves { id, flow: over.flow, bytes: self.parting.as_ref() });
        let kind = over.machine.kind();
        let (sent_before, came_again) = (over.sent_before, over.came_again);
        Some(Outcome {
            id,
            kind,
            owner: over.owner,
            send,
            tell: step.tell,
            ended: true,
            sent_before,
            came_again,
        })
    }

    /// The outcome for `id` of a step that did not end it, where what is kept of `sender` leaves.
    pub(super) fn outcome_with(
        &self,
        id: TransactionId,
        step: &Step,
        sender: TransactionId,
    ) -> Option<Outcome<'_, U>> {
        let transaction = self.slots.get(id)?;
        let sending = self.slots.get(sender)?;
        let send = (step.send.is_some() || sender != id).then_some(Leaves {
            id: sender,
            flow: sending.flow,
            bytes: sending.kept.as_ref(),
        });
        let (kind, owner) = (transaction.machine.kind(), transaction.owner);
        let (sent_before, came_again) = (sending.sent_before, transaction.came_again);
        Some(Outcome { id, kind, owner, send, tell: step.tell, ended: false, sent_before, came_again })
    }

    pub(super) fn set_timers<K: From<Due>>(
        &mut self,
        now: Instant,
        id: TransactionId,
        step: &Step,
        timers: &mut Timers<K>,
    ) {
        let Some(transaction) = self.slots.get_mut(id) else { return };
        for (running, change) in [(&mut transaction.repeat, step.repeat), (&mut transaction.end, step.end)] {
            if change == Change::Keep {
                continue;
            }
            if let Some(timer) = running.take() {
                timers.cancel(timer);
            }
            if let Change::Start(timer, after) = change {
                let due = K::from(Due { transaction: id, timer });
                let started = if timer.may_be_late() {
                    timers.start_late(now, after, due)
                } else {
                    timers.start(now, after, due)
                };
                *running = Some(started);
            }
        }
    }

    pub(super) fn forget<K>(&mut self, id: TransactionId, timers: &mut Timers<K>) -> Option<Transaction<U>> {
        self.forget_merged(id);
        let mut over = self.slots.remove(id)?;
        for timer in [over.repeat.take(), over.end.take()].into_iter().flatten() {
            timers.cancel(timer);
        }
        if self.index.get(&over.key) == Some(&id) {
            self.index.remove(&over.key);
        }
        Some(over)
    }
}
