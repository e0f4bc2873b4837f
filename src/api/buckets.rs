//! How often an account may do what is limited by the day: a bucket each, filled evenly.

use std::sync::Mutex;
use std::time::Instant;

use foldhash::HashMap;

use crate::ids::AccountSid;

/// The buckets of all accounts; of this node alone.
#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<HashMap<AccountSid, (f64, Instant)>>);

/// Seconds in which a bucket is filled.
const DAY: f64 = 86_400.0;

/// Accounts remembered at most; beyond, those with full buckets are forgotten.
const MOST: usize = 100_000;

impl Buckets {
    /// Takes one from the account's bucket, which holds `most`; whether there was one.
    pub(super) fn take(&self, account: AccountSid, most: u32) -> bool {
        let (now, most) = (Instant::now(), f64::from(most));
        let mut buckets = self.0.lock().expect("nobody panics while holding it");
        if buckets.len() >= MOST {
            buckets.retain(|_, (left, at)| filled(*left, *at, now, most) < most);
        }
        let (left, at) = buckets.entry(account).or_insert((most, now));
        let level = filled(*left, *at, now, most);
        let taken = level >= 1.0;
        (*left, *at) = (if taken { level - 1.0 } else { level }, now);
        taken
    }
}

fn filled(left: f64, at: Instant, now: Instant, most: f64) -> f64 {
    (left + now.duration_since(at).as_secs_f64() * most / DAY).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_is_emptied_and_filled() {
        let buckets = Buckets::default();
        let taken = (0..5).filter(|_| buckets.take(AccountSid(1), 3)).count();
        assert_eq!(taken, 3);
        assert!(buckets.take(AccountSid(2), 3), "each account has its own");
        let now = Instant::now() + Duration::from_secs(28_800);
        assert!(filled(0.0, Instant::now(), now, 3.0) >= 0.99);
        assert!((filled(2.5, Instant::now(), now, 3.0) - 3.0).abs() < f64::EPSILON);
    }
}
