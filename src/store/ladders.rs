//! The ladders of the lists that were asked for last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use foldhash::HashMap;
use tokio::sync::{Mutex as Shared, OwnedMutexGuard};

use crate::ids::AccountSid;
use crate::store::inventory::Wanted;
use crate::store::ladder::Ladder;
use crate::store::list::List;

/// Lists remembered at most; of a million numbers one takes about 50 KB.
const MOST: usize = 64;

/// Ends of pages of one search that are remembered.
const MOST_ENDS: usize = 1_000;

/// Accounts of which it is remembered that all their numbers are classified.
const MOST_ACCOUNTS: usize = 10_000;

/// What the store remembers of lists.
#[derive(Debug, Default)]
pub(crate) struct Ladders {
    /// The one asked for last stands last.
    known: Mutex<Vec<(List, Arc<Shared<Ladder>>)>>,
    classified: Mutex<HashMap<Option<AccountSid>, u64>>,
    /// Searches of the inventory; the one asked for last stands last.
    searches: Mutex<Vec<Search>>,
}

/// Where the pages of a search ended.
#[derive(Debug)]
struct Search {
    wanted: Wanted,
    generation: u64,
    /// How many rows there are up to a number, and that one; in their order.
    ends: BTreeMap<u64, String>,
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

    /// The end of a page of a search that is nearest to an offset and not behind it: how many rows, and the last one.
    pub(crate) fn end_before(&self, wanted: &Wanted, generation: u64, offset: u64) -> (u64, String) {
        let searches = self.searches.lock().expect("nobody panics while holding it");
        let search =
            searches.iter().find(|search| search.generation == generation && search.wanted == *wanted);
        let end = search.and_then(|search| search.ends.range(..=offset).next_back());
        end.map_or((0, String::new()), |(rows, last)| (*rows, last.clone()))
    }

    /// A page of a search ends behind so many rows, at this number.
    pub(crate) fn set_end(&self, wanted: &Wanted, generation: u64, rows: u64, last: String) {
        let mut searches = self.searches.lock().expect("nobody panics while holding it");
        let mut search = match searches.iter().position(|search| search.wanted == *wanted) {
            Some(at) => searches.remove(at),
            None => Search { wanted: wanted.clone(), generation, ends: BTreeMap::new() },
        };
        if search.generation != generation || search.ends.len() >= MOST_ENDS {
            (search.generation, search.ends) = (generation, BTreeMap::new());
        }
        search.ends.insert(rows, last);
        if searches.len() >= MOST {
            searches.remove(0);
        }
        searches.push(search);
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
