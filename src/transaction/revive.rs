//! Transactions of a process that went away, put back so that what still comes for them is known.

use std::hash::BuildHasher;

use super::client::Request;
use super::client_invite::ClientInvite;
use super::key;
use super::machine::Machine;
use super::table::{Due, Table, TransactionId};
use crate::flow::Flow;
use crate::time::Instant;
use crate::timers::Timers;

impl<U: Copy, S: BuildHasher + Clone> Table<U, S> {
    /// An INVITE of ours that left in an earlier life: nothing leaves now. `answered`: its 2xx came;
    /// else it counts as one with a provisional response, which ends by its final response, or 64*T1
    /// after its CANCEL.
    pub fn revive<K: From<Due>>(
        &mut self,
        now: Instant,
        invite: &Request<'_>,
        flow: Flow,
        owner: U,
        answered: bool,
        timers: &mut Timers<K>,
    ) -> TransactionId {
        let (mut machine, _) = ClientInvite::new(self.base(), flow.transport.is_reliable());
        let mut step = machine.responded(100);
        if answered {
            step = machine.responded(200);
        }
        key::client_key(invite.branch, invite.method, &mut self.scratch);
        let id = self.insert(Machine::ClientInvite(machine), flow, owner, invite.bytes.into());
        self.set_timers(now, id, &step, timers);
        id
    }
}
