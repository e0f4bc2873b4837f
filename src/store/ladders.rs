//! The ladders of the lists that were asked for last.

use std::sync::{Arc, Mutex};

use foldhash::HashMap;
use tokio::sync::{Mutex as Shared, OwnedMutexGuard};

use crate::ids::AccountSid;
use crate::store::ladder::Ladder;
use crate::store::list::List;

/// Lists remembered at most; of a million numbers one takes about 50 KB.
const MOST: usize = 64;

/// Accounts of which it is remembered that all their numbers are classified.
const MOST_ACCOUNTS: usize = 10_000;

/// What the store remembers of lists.
#[derive(Debug, Default)]
pub(crate) struct Ladders {
    /// The one asked for last stands last.
    known: Mutex<Vec<(List, Arc<Shared<Ladder>>)>>,
    classified: Mutex<HashMap<Option<AccountSid>, u64>>,
}

impl Ladders {
    /// The ladder of a list, for one request at a time.
    pub(crate) async fn of(&self, list: &List) -> OwnedMutexGuard<Ladder> {
        let ladder = {
            let mut known = self.known.lock().expect("nobody panics while holding it");
            let entry = match known.iter().position(|(other, _)| other == list) {
                Some(at) => known.remove(at),
                None => (list.clone(), Arc::new(Shared::new(Ladder::new(list.clone())))),
            };
            if known.len() >= MOST {
                known.remove(0);
            }
            let ladder = Arc::clone(&entry.1);
            known.push(entry);
            ladder
        };
        ladder.lock_owned().await
    }

    /// Up to which generation all numbers of an account (`None`: of the inventory) are known to be classified.
    pub(crate) fn classified(&self, account: Option<AccountSid>) -> Option<u64> {
        self.classified.lock().expect("nobody panics while holding it").get(&account).copied()
    }

    /// They are, up to this generation.
    pub(crate) fn set_classified(&self, account: Option<AccountSid>, generation: u64) {
        let mut classified = self.classified.lock().expect("nobody panics while holding it");
        if classified.len() >= MOST_ACCOUNTS {
            classified.clear();
        }
        classified.insert(account, generation);
    }
}
