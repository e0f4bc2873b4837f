//! Calls of an earlier life of this node, from its journal.

use std::sync::Arc;

use crate::call::recover::Recovered;
use crate::call::state::Call;
use crate::engine::core::{Engine, Entry};

impl Engine {
    /// Takes a call over: it is counted as one that was admitted, but limits refuse it nothing, and it
    /// is not one of the unanswered.
    pub(super) fn recover(&mut self, recovered: &Recovered) {
        let facts = &recovered.facts;
        let known = facts.trunk.and_then(|sid| self.directory.as_ref()?.trunk(sid).cloned());
        // Nobody is asked about an emergency call, and it is no account's.
        let account = facts.number.map(|_| facts.account);
        let permit = Some(self.limits.admit_always(facts.trunk, account));
        let trunk = known.unwrap_or_else(|| Arc::clone(&self.stranger));
        let key = self.desk.next_call();
        let call = Call::recovered(&mut self.desk, key, trunk, recovered);
        self.sids.insert(call.sid(), key);
        self.calls.insert(key, Entry { call: Box::new(call), permit, unanswered: false });
        self.with(key, |call, desk| call.resume(desk, recovered));
    }
}
