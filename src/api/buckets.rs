//! How often an account may do what is limited: a bucket each, filled evenly, of this node alone.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use foldhash::HashMap;

use crate::ids::AccountSid;

/// The buckets of all accounts.
#[derive(Debug)]
pub(super) struct Buckets {
    /// How long an empty one takes to be full.
    filled_in: Duration,
    /// What is left in each, and since when.
    levels: Mutex<HashMap<AccountSid, (f64, Instant)>>,
}

/// Accounts remembered at most; beyond, those with full buckets are forgotten, and when there are none all are.
const MOST: usize = 100_000;

impl Buckets {
    /// Buckets that are filled evenly within `filled_in`.
    pub(super) fn new(filled_in: Duration) -> Self {
        Self { filled_in, levels: Mutex::default() }
    }

    /// Takes one from the account's bucket, which holds `most`; whether there was one.
    pub(super) fn take(&self, account: AccountSid, most: u32) -> bool {
        let (now, most) = (Instant::now(), f64::from(most));
        let mut levels = self.levels.lock().expect("nobody panics while holding it");
        if levels.len() >= MOST && !levels.contains_key(&account) {
            levels.retain(|_, (left, at)| self.level(*left, *at, now, most) < most);
            if levels.len() >= MOST {
                levels.clear();
            }
        }
        let (left, at) = levels.entry(account).or_insert((most, now));
        let level = self.level(*left, *at, now, most);
        let taken = level >= 1.0;
        (*left, *at) = (if taken { level - 1.0 } else { level }, now);
        taken
    }

    fn level(&self, left: f64, at: Instant, now: Instant, most: f64) -> f64 {
        (left + now.duration_since(at).as_secs_f64() * most / self.filled_in.as_secs_f64()).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_emptied_and_filled() {
        let buckets = Buckets::new(Duration::from_hours(24));
        let taken = (0..5).filter(|_| buckets.take(AccountSid(1), 3)).count();
        assert_eq!(taken, 3);
        assert!(buckets.take(AccountSid(2), 3), "each account has its own");
        let now = Instant::now() + Duration::from_hours(8);
        assert!(buckets.level(0.0, Instant::now(), now, 3.0) >= 0.99);
        assert!((buckets.level(2.5, Instant::now(), now, 3.0) - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_is_remembered_of_very_many_accounts_is_bounded() {
        let buckets = Buckets::new(Duration::from_secs(1));
        for account in 0..=(MOST as u128 + 10) {
            assert!(buckets.take(AccountSid(account), 1_000_000));
        }
        assert!(buckets.levels.lock().unwrap().len() <= MOST);
        assert!(!buckets.take(AccountSid(1), 0), "none at all");
    }
}
