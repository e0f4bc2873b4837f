//! Requests of our own, and the CANCEL of an INVITE (RFC 3261, 9.1).

use std::hash::BuildHasher;

use super::client_invite::{self, ClientInvite};
use super::client_other::ClientOther;
use super::key::ResponseParts;
use super::machine::Machine;
use super::outcome::{Cancelling, Outcome};
use super::slots::TransactionId;
use super::step::{Send, Step};
use super::table::{Cancel, Due, Table, Transaction};
use super::{compose, key};
use crate::flow::Flow;
use crate::time::Instant;
use crate::timers::Timers;

/// A request of ours, printed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its method. Never ACK: that of a 2xx has no transaction, that of a refusal is sent here.
    pub method: &'a [u8],
    /// The branch of its Via, which begins with [`key::MAGIC_COOKIE`] and is used once.
    pub branch: &'a [u8],
    /// The whole message.
    pub bytes: &'a [u8],
}

impl<U: Copy, S: BuildHasher + Clone> Table<U, S> {
    /// Makes the client transaction of a request that the caller now sends through `flow`.
    pub fn request<K: From<Due>>(
        &mut self,
        now: Instant,
        request: Request<'_>,
        flow: Flow,
        owner: U,
        timers: &mut Timers<K>,
    ) -> TransactionId {
        let reliable = flow.transport.is_reliable();
        let (machine, step, is_kept) = if request.method == b"INVITE" {
            let (machine, step) = ClientInvite::new(self.base(), reliable);
            // Also on a reliable transport: ACK and CANCEL are made from it.
            (Machine::ClientInvite(machine), step, true)
        } else {
            let (machine, step) = ClientOther::new(self.base(), reliable);
            (Machine::ClientOther(machine), step, !reliable)
        };
        key::client_key(request.branch, request.method, &mut self.scratch);
        let kept = if is_kept { request.bytes.into() } else { Box::default() };
        let id = self.insert(machine, flow, owner, kept);
        self.set_timers(now, id, &step, timers);
        id
    }

    /// Wishes an INVITE of ours cancelled. `extra` holds header lines for the CANCEL, each with its
    /// CRLF (Reason, RFC 3326). It leaves when a provisional response is there, at once or later;
    /// from then on a final response is waited for no longer than 64*T1.
    pub fn cancel<K: From<Due>>(
        &mut self,
        now: Instant,
        invite: TransactionId,
        extra: &[u8],
        timers: &mut Timers<K>,
    ) -> Cancelling<'_, U> {
        let Some(transaction) = self.slots.get_mut(invite) else { return Cancelling::TooLate };
        let Machine::ClientInvite(machine) = &transaction.machine else { return Cancelling::TooLate };
        match (machine.state(), &transaction.cancel) {
            (client_invite::State::Calling, Cancel::No) => {
                transaction.cancel = Cancel::Wanted(extra.into());
                Cancelling::Later
            }
            (client_invite::State::Calling, Cancel::Wanted(_)) => Cancelling::Later,
            (client_invite::State::Proceeding, Cancel::No) => {
                let cancel = self.start_cancel(now, invite, extra, timers);
                let sent = Step { send: Some(Send::New), ..Step::NOTHING };
                match self.finish(now, cancel, sent, timers) {
                    Some(outcome) if cancel != invite => Cancelling::Now(outcome),
                    _ => Cancelling::TooLate,
                }
            }
            _ => Cancelling::TooLate,
        }
    }

    /// Whether a wish to cancel this INVITE was heard: a 2xx to it is acknowledged and then ended by BYE.
    #[must_use]
    pub fn is_cancelled(&self, invite: TransactionId) -> bool {
        self.slots.get(invite).is_some_and(|transaction| !matches!(transaction.cancel, Cancel::No))
    }

    /// Whether a response belongs to a transaction that is there.
    pub fn knows_response(&mut self, response: &ResponseParts<'_>) -> bool {
        key::client_key(response.branch, response.method, &mut self.scratch);
        self.index.contains_key(self.scratch.as_slice())
    }

    /// Makes the CANCEL's own transaction: same flow, same branch (9.1). Gives back `invite` where
    /// the INVITE that is kept cannot be read, which nothing that was printed here can be.
    pub(super) fn start_cancel<K: From<Due>>(
        &mut self,
        now: Instant,
        invite: TransactionId,
        extra: &[u8],
        timers: &mut Timers<K>,
    ) -> TransactionId {
        let Some(transaction) = self.slots.get_mut(invite) else { return invite };
        let Some((bytes, branch)) = compose::cancel(&transaction.kept, extra) else { return invite };
        transaction.cancel = Cancel::Sent;
        let (flow, owner) = (transaction.flow, transaction.owner);
        let waits = match &mut transaction.machine {
            Machine::ClientInvite(machine) => machine.cancelled(),
            _ => Step::NOTHING,
        };
        self.set_timers(now, invite, &waits, timers);
        let (machine, step) = ClientOther::new(self.base(), flow.transport.is_reliable());
        key::client_key(&branch, b"CANCEL", &mut self.scratch);
        let id = self.insert(Machine::ClientCancel(machine), flow, owner, bytes);
        self.set_timers(now, id, &step, timers);
        id
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
        // Nothing of it is sent again once a 2xx was accepted: its user sends the ACKs.
        if matches!(&transaction.machine, Machine::ClientInvite(machine) if machine.state() == client_invite::State::Accepted)
        {
            transaction.kept = Box::default();
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
