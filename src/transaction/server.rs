//! Requests that came to us, and our responses to them (RFC 3261, 8.2.2.2, 9.2, 17.2.3).

use std::hash::BuildHasher;
use std::sync::Arc;

use super::key::RequestParts;
use super::machine::Machine;
use super::outcome::{Arrival, Responded};
use super::server_invite::ServerInvite;
use super::server_other::ServerOther;
use super::slots::TransactionId;
use super::step::{Refused, Step};
use super::table::{Due, Table};
use crate::flow::Flow;
use crate::time::Instant;
use crate::timers::Timers;

impl<U: Copy, S: BuildHasher + Clone> Table<U, S> {
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
            (Machine::ServerInvite(ServerInvite::new(self.base(), reliable)), Step::NOTHING)
        } else {
            let (machine, step) = ServerOther::new(self.base(), reliable);
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

    /// Whether a request belongs to a transaction that is there, or is another copy of one's request.
    pub fn knows_request(&mut self, request: &RequestParts<'_>) -> bool {
        match request.method {
            b"ACK" => self.find_server(request, b"INVITE").is_some(),
            b"CANCEL" => [&b"CANCEL"[..], b"INVITE"].iter().any(|of| self.find_server(request, of).is_some()),
            method => self.find_server(request, method).is_some() || self.is_merged(request),
        }
    }

    fn find_server(&mut self, request: &RequestParts<'_>, method: &[u8]) -> Option<TransactionId> {
        request.server_key(method, &mut self.scratch);
        self.index.get(self.scratch.as_slice()).copied()
    }

    fn is_merged(&mut self, request: &RequestParts<'_>) -> bool {
        request.merge_key(&mut self.scratch) && self.merged.contains_key(self.scratch.as_slice())
    }

    pub(super) fn forget_merged(&mut self, id: TransactionId) {
        let merge_key = self.slots.get_mut(id).and_then(|transaction| transaction.merge_key.take());
        if let Some(merge_key) = merge_key
            && self.merged.get(&merge_key) == Some(&id)
        {
            self.merged.remove(&merge_key);
        }
    }
}
