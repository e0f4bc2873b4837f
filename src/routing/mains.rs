//! The number that stands for each account, where it has one.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::ids::NumberSid;

const SHARDS: u32 = 256;

type Shard = HashMap<u32, (NumberSid, Arc<str>), FixedState>;

/// Main numbers by the account's index, in shared shards; a change copies one.
#[derive(Clone, Debug)]
pub struct Mains {
    shards: Vec<Arc<Shard>>,
}

impl Default for Mains {
    fn default() -> Self {
        Self { shards: vec![Arc::default(); SHARDS as usize] }
    }
}

impl Mains {
    /// The main number of an account.
    #[must_use]
    pub fn get(&self, account: u32) -> Option<&Arc<str>> {
        self.shards[place(account)].get(&account).map(|(_, text)| text)
    }

    /// Makes a number its account's main one.
    pub fn set(&mut self, account: u32, sid: NumberSid, text: Arc<str>) {
        Arc::make_mut(&mut self.shards[place(account)]).insert(account, (sid, text));
    }

    /// A number is its account's main one no longer, if it was.
    pub fn unset(&mut self, account: u32, sid: NumberSid) {
        let shard = &mut self.shards[place(account)];
        if shard.get(&account).is_some_and(|(main, _)| *main == sid) {
            Arc::make_mut(shard).remove(&account);
        }
    }
}

const fn place(account: u32) -> usize {
    (account % SHARDS) as usize
}
