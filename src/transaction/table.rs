//! All transactions of an engine: which one a message belongs to, and what follows.
//!
//! The table sends nothing and waits for nothing. Its functions say what is to leave through which
//! flow and what the transaction's user is to hear; its timers run in the engine's queue under keys
//! made from [`Due`], and come back through [`Table::expired`].

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::client_invite::{self, ClientInvite};
use super::client_other::{self, ClientOther};
use super::key::{RequestParts, ResponseParts};
use super::server_invite::{self, ServerInvite};
use super::server_other::{self, ServerOther};
use super::slots::Slots;
pub use super::slots::TransactionId;
use super::step::{Change, Refused, Send, Step, Tell};
use super::timer::{Base, Timer};
use super::{compose, key};
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

/// What a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An INVITE that came to us.
    ServerInvite,
    /// Another request that came to us.
    ServerOther,
    /// An INVITE of ours.
    ClientInvite,
    /// Another request of ours.
    ClientOther,
    /// The CANCEL of an INVITE of ours. What becomes of it is of no matter; the INVITE's end is.
    ClientCancel,
}

/// What follows from one event.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'t, U> {
    /// To which transaction it happened.
    pub id: TransactionId,
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub owner: U,
    /// What is to leave now.
    pub send: Option<Leaves<'t>>,
    /// What its user hears.
    pub tell: Option<Tell>,
    /// It is over; its id means nothing any more.
    pub ended: bool,
    /// How often what leaves has left before.
    pub sent_before: u16,
    /// How often its request has come again.
    pub came_again: u16,
}

/// Kept bytes that are to leave.
#[derive(Clone, Copy, Debug)]
pub struct Leaves<'t> {
    /// The transaction that hears of a failure ([`Table::failed`]).
    pub id: TransactionId,
    /// Through what.
    pub flow: Flow,
    /// One whole message.
    pub bytes: &'t [u8],
}

/// How a received request stands to what is there.
#[derive(Debug)]
pub enum Arrival<'t, U> {
    /// It is the same request again, or the ACK of an INVITE here.
    Matched(Outcome<'t, U>),
    /// A CANCEL not seen before, with the INVITE it means, where there is one (9.2). Make a
    /// transaction for it, answer it 200 or 481, and tell the INVITE's owner.
    Cancel(Option<TransactionId>),
    /// A copy that came another way while the first is unanswered: 482 (8.2.2.2).
    Merged,
    /// An ACK without a transaction: it is for a 2xx, or for nobody.
    Ack,
    /// Anything else: make a transaction for it.
    New,
}

/// Where the response that was just given is to go.
#[derive(Clone, Copy, Debug)]
pub struct Responded {
    /// Through what.
    pub flow: Flow,
    /// The transaction is over.
    pub ended: bool,
}

/// What became of a wish to cancel.
#[derive(Debug)]
pub enum Cancelling<'t, U> {
    /// The CANCEL is to leave now, in a transaction of its own.
    Now(Outcome<'t, U>),
    /// No provisional response yet: it leaves when one comes (9.1).
    Later,
    /// A final response came, or it was cancelled before, or there is no such INVITE.
    TooLate,
}

/// The table. `U` says whose a transaction is, `S` hashes the keys (seeded by the engine).
#[derive(Debug)]
pub struct Table<U, S> {
    base: Base,
    pub(super) slots: Slots<Transaction<U>>,
    pub(super) index: HashMap<Arc<[u8]>, TransactionId, S>,
    merged: HashMap<Arc<[u8]>, TransactionId, S>,
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
    merge_key: Option<Arc<[u8]>>,
    /// What is sent again: our request, our last response, or the ACK.
    pub(super) kept: Box<[u8]>,
    repeat: Option<TimerId>,
    end: Option<TimerId>,
    pub(super) cancel: Cancel,
    /// Where responses go when the connection of the request is gone (18.2.2).
    fallback: Option<Flow>,
    sent_before: u16,
    came_again: u16,
}

#[derive(Debug)]
pub(super) enum Machine {
    ServerInvite(ServerInvite),
    ServerOther(ServerOther),
    ClientInvite(ClientInvite),
    ClientOther(ClientOther),
    ClientCancel(ClientOther),
}

#[derive(Debug)]
pub(super) enum Cancel {
    No,
    /// Wanted, with these header lines, once a provisional response came.
    Wanted(Box<[u8]>),
    Sent,
}

impl<U> Transaction<U> {
    fn is_open(&self) -> bool {
        use server_invite::State as Invited;
        match &self.machine {
            Machine::ServerInvite(machine) => {
                matches!(machine.state(), Invited::Proceeding | Invited::Completed)
            }
            Machine::ServerOther(machine) => {
                matches!(machine.state(), server_other::State::Trying | server_other::State::Proceeding)
            }
            Machine::ClientInvite(machine) => {
                matches!(machine.state(), client_invite::State::Calling | client_invite::State::Proceeding)
            }
            Machine::ClientOther(machine) | Machine::ClientCancel(machine) => {
                matches!(machine.state(), client_other::State::Trying | client_other::State::Proceeding)
            }
        }
    }
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
            transaction.fallback = fallback;
        }
    }

    /// The connection of a server transaction is gone: its responses go to the fallback from now on.
    pub fn leave_connection(&mut self, id: TransactionId) {
        if let Some(transaction) = self.slots.get_mut(id)
            && let Some(fallback) = transaction.fallback.take()
        {
            transaction.flow = fallback;
        }
    }

    /// Whether a server transaction still waits for a final response.
    #[must_use]
    pub fn is_unanswered(&self, id: TransactionId) -> bool {
        self.slots.get(id).is_some_and(|transaction| match &transaction.machine {
            Machine::ServerInvite(machine) => machine.state() == server_invite::State::Proceeding,
            Machine::ServerOther(machine) => {
                matches!(machine.state(), server_other::State::Trying | server_other::State::Proceeding)
            }
            _ => false,
        })
    }

    /// How many transactions still wait for a response of theirs, or for its ACK.
    #[must_use]
    pub fn open(&self) -> usize {
        self.slots.iter().filter(|transaction| transaction.is_open()).count()
    }

    /// Whether such a transaction goes over the stream connection `flow`: over that very one, or, for
    /// requests of our own, over whichever leads to its peer.
    #[must_use]
    pub fn uses(&self, flow: &Flow) -> bool {
        let peer = |flow: &Flow| (flow.transport, flow.listener, flow.peer);
        let over_it = |transaction: &&Transaction<U>| match transaction.flow.connection {
            Some(connection) => flow.connection == Some(connection),
            None => peer(&transaction.flow) == peer(flow),
        };
        self.slots.iter().filter(over_it).any(Transaction::is_open)
    }

    /// A request came.
    pub fn receive_request<K: From<Due>>(
        &mut self,
        now: Instant,
        request: &RequestParts<'_>,
        timers: &mut Timers<K>,
    ) -> Arrival<'_, U> {
        let invite = || b"INVITE".as_slice();
        let matched = match request.method {
            b"ACK" => match self.find_server(request, invite()) {
                Some(id) => (id, Machine::acknowledged as fn(&mut Machine) -> Step),
                None => return Arrival::Ack,
            },
            b"CANCEL" => match self.find_server(request, request.method) {
                Some(id) => (id, Machine::repeated as fn(&mut Machine) -> Step),
                None => return Arrival::Cancel(self.find_server(request, invite())),
            },
            method => match self.find_server(request, method) {
                Some(id) => (id, Machine::repeated as fn(&mut Machine) -> Step),
                None if self.is_merged(request) => return Arrival::Merged,
                None => return Arrival::New,
            },
        };
        let (id, event) = matched;
        if request.method != b"ACK"
            && let Some(transaction) = self.slots.get_mut(id)
        {
            transaction.came_again = transaction.came_again.saturating_add(1);
        }
        match self.run(now, id, timers, event) {
            Some(outcome) => Arrival::Matched(outcome),
            None => Arrival::New,
        }
    }

    /// Makes the server transaction of a request that [`Table::receive_request`] found to be new.
    /// `flow` is where its responses go.
    pub fn serve<K: From<Due>>(
        &mut self,
        now: Instant,
        request: &RequestParts<'_>,
        flow: Flow,
        owner: U,
        timers: &mut Timers<K>,
    ) -> TransactionId {
        let reliable = flow.transport.is_reliable();
        let (machine, step) = if request.method == b"INVITE" {
            (Machine::ServerInvite(ServerInvite::new(self.base, reliable)), Step::NOTHING)
        } else {
            let (machine, step) = ServerOther::new(self.base, reliable);
            (Machine::ServerOther(machine), step)
        };
        request.server_key(request.method, &mut self.scratch);
        let id = self.insert(machine, flow, owner, Box::default());
        // A CANCEL shares From tag, Call-ID and CSeq number with its INVITE and is no copy of anything.
        if request.method != b"CANCEL" && request.merge_key(&mut self.scratch) {
            let merge_key: Arc<[u8]> = self.scratch.as_slice().into();
            if let Some(transaction) = self.slots.get_mut(id) {
                transaction.merge_key = Some(Arc::clone(&merge_key));
            }
            self.merged.insert(merge_key, id);
        }
        self.set_timers(now, id, &step, timers);
        id
    }

    /// Gives a server transaction its next response, which the caller then sends through the flow
    /// that comes back.
    ///
    /// # Errors
    /// The response must not leave: see [`Refused`].
    pub fn respond<K: From<Due>>(
        &mut self,
        now: Instant,
        id: TransactionId,
        status: u16,
        bytes: &[u8],
        timers: &mut Timers<K>,
    ) -> Result<Responded, Refused> {
        let transaction = self.slots.get_mut(id).ok_or(Refused::Gone)?;
        let step = match &mut transaction.machine {
            Machine::ServerInvite(machine) => machine.respond(status)?,
            Machine::ServerOther(machine) => machine.respond(status)?,
            _ => return Err(Refused::Gone),
        };
        let invite = matches!(transaction.machine, Machine::ServerInvite(_));
        let is_success = (200..300).contains(&status);
        // A 2xx to INVITE is kept by whoever repeats it.
        transaction.kept = if step.ended || (invite && is_success) { Box::default() } else { bytes.into() };
        transaction.sent_before = 0;
        let flow = transaction.flow;
        if status >= 200 {
            self.forget_merged(id);
        }
        self.set_timers(now, id, &step, timers);
        if step.ended {
            self.forget(id, timers);
        }
        Ok(Responded { flow, ended: step.ended })
    }

    /// A response came; `None`: it belongs to no transaction and is dropped (RFC 6026, 8.9).
    pub fn receive_response<K: From<Due>>(
        &mut self,
        now: Instant,
        response: &ResponseParts<'_>,
        timers: &mut Timers<K>,
    ) -> Option<Outcome<'_, U>> {
        key::client_key(response.branch, response.method, &mut self.scratch);
        let id = *self.index.get(self.scratch.as_slice())?;
        let transaction = self.slots.get_mut(id)?;
        let step = match &mut transaction.machine {
            Machine::ClientInvite(machine) => machine.responded(response.status),
            Machine::ClientOther(machine) | Machine::ClientCancel(machine) => {
                machine.responded(response.status)
            }
            _ => Step::NOTHING,
        };
        if step.send == Some(Send::Ack) {
            transaction.kept = compose::ack(&transaction.kept, response.to)?;
        }
        if response.status < 200
            && let Some(extra) = transaction.take_wanted_cancel()
        {
            self.set_timers(now, id, &step, timers);
            let cancel = self.start_cancel(now, id, &extra, timers);
            return self.outcome_with(id, &step, cancel);
        }
        self.finish(now, id, step, timers)
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
            transaction.flow = fallback;
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

    fn find_server(&mut self, request: &RequestParts<'_>, method: &[u8]) -> Option<TransactionId> {
        request.server_key(method, &mut self.scratch);
        self.index.get(self.scratch.as_slice()).copied()
    }

    fn is_merged(&mut self, request: &RequestParts<'_>) -> bool {
        request.merge_key(&mut self.scratch) && self.merged.contains_key(self.scratch.as_slice())
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

    fn run<K: From<Due>>(
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
    fn outcome_with(&self, id: TransactionId, step: &Step, sender: TransactionId) -> Option<Outcome<'_, U>> {
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
                *running = Some(timers.start(now, after, K::from(Due { transaction: id, timer })));
            }
        }
    }

    fn forget<K>(&mut self, id: TransactionId, timers: &mut Timers<K>) -> Option<Transaction<U>> {
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

    fn forget_merged(&mut self, id: TransactionId) {
        let merge_key = self.slots.get_mut(id).and_then(|transaction| transaction.merge_key.take());
        if let Some(merge_key) = merge_key
            && self.merged.get(&merge_key) == Some(&id)
        {
            self.merged.remove(&merge_key);
        }
    }
}

impl<U> Transaction<U> {
    fn take_wanted_cancel(&mut self) -> Option<Box<[u8]>> {
        let proceeding = matches!(&self.machine, Machine::ClientInvite(machine)
            if machine.state() == client_invite::State::Proceeding);
        match std::mem::replace(&mut self.cancel, Cancel::No) {
            Cancel::Wanted(extra) if proceeding => Some(extra),
            other => {
                self.cancel = other;
                None
            }
        }
    }
}

impl Machine {
    const fn kind(&self) -> Kind {
        match self {
            Self::ServerInvite(_) => Kind::ServerInvite,
            Self::ServerOther(_) => Kind::ServerOther,
            Self::ClientInvite(_) => Kind::ClientInvite,
            Self::ClientOther(_) => Kind::ClientOther,
            Self::ClientCancel(_) => Kind::ClientCancel,
        }
    }

    fn repeated(&mut self) -> Step {
        match self {
            Self::ServerInvite(machine) => machine.repeated(),
            Self::ServerOther(machine) => machine.repeated(),
            _ => Step::NOTHING,
        }
    }

    fn acknowledged(&mut self) -> Step {
        match self {
            Self::ServerInvite(machine) => machine.acknowledged(),
            _ => Step::NOTHING,
        }
    }

    fn expired(&mut self, timer: Timer) -> Step {
        match self {
            Self::ServerInvite(machine) => machine.expired(timer),
            Self::ServerOther(machine) => machine.expired(timer),
            Self::ClientInvite(machine) => machine.expired(timer),
            Self::ClientOther(machine) | Self::ClientCancel(machine) => machine.expired(timer),
        }
    }

    fn transport_failed(&mut self) -> Step {
        match self {
            Self::ServerInvite(machine) => machine.transport_failed(),
            Self::ServerOther(machine) => machine.transport_failed(),
            Self::ClientInvite(machine) => machine.transport_failed(),
            Self::ClientOther(machine) | Self::ClientCancel(machine) => machine.transport_failed(),
        }
    }
}
