//! Admission: calls at once and per second, by trunk and by account. The one mutable thing that
//! shards share below the line: reserved before a call, released after it, exactly once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::fast::FixedState;

use super::model::{Account, Trunk};
use crate::ids::{AccountSid, TrunkSid};
use crate::reason::Reason;
use crate::time::Instant;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;

/// The counters of all trunks and accounts; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    gauges: Arc<RwLock<HashMap<Owner, Arc<Gauge>, FixedState>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Trunk(TrunkSid),
    Account(AccountSid),
}

#[derive(Debug, Default)]
struct Gauge {
    /// Calls admitted and not yet released.
    calls: AtomicU32,
    /// When the rate's bucket is empty again, in nanoseconds on the engine's scale.
    full_until: AtomicU64,
    /// The same of the targets dialled, an account's.
    dialled_until: AtomicU64,
}

impl Limits {
    /// Reserves one call on `trunk` and `account` at `now`; all shards' `now` is of one scale.
    ///
    /// # Errors
    ///
    /// [`Reason::TrunkLimit`] or [`Reason::AccountLimit`], nothing being reserved then.
    pub fn admit(&self, now: Instant, trunk: Option<&Trunk>, account: &Account) -> Result<Permit, Reason> {
        let mut permit = Permit::default();
        if let Some(trunk) = trunk {
            let gauge = self.gauge(Owner::Trunk(trunk.sid));
            permit.trunk =
                Some(gauge.reserve(now, trunk.max_calls, trunk.max_calls_per_second, Reason::TrunkLimit)?);
        }
        let gauge = self.gauge(Owner::Account(account.sid));
        let held = gauge.reserve(now, account.max_calls, account.max_calls_per_second, Reason::AccountLimit);
        permit.account = Some(held.inspect_err(|_| permit.give_back_rate(trunk))?);
        Ok(permit)
    }

    /// Reserves one call without any limit, so that it is counted: recovered and emergency calls.
    pub fn admit_always(&self, trunk: Option<TrunkSid>, account: Option<AccountSid>) -> Permit {
        let hold = |owner| Held::of(self.gauge(owner));
        Permit { trunk: trunk.map(Owner::Trunk).map(hold), account: account.map(Owner::Account).map(hold) }
    }

    /// Takes one target of the account's minute; whether there was one.
    #[must_use]
    pub fn dial(&self, now: Instant, account: &Account) -> bool {
        let gauge = |rate| (rate, self.gauge(Owner::Account(account.sid)));
        let limited = account.dialling.per_minute.map(gauge);
        limited.is_none_or(|(rate, gauge)| fill(&gauge.dialled_until, now, rate, MINUTE))
    }

    /// Calls at once on a trunk now.
    #[must_use]
    pub fn on_trunk(&self, trunk: TrunkSid) -> u32 {
        self.gauge(Owner::Trunk(trunk)).calls.load(Ordering::Relaxed)
    }

    /// Calls at once of an account now.
    #[must_use]
    pub fn of_account(&self, account: AccountSid) -> u32 {
        self.gauge(Owner::Account(account)).calls.load(Ordering::Relaxed)
    }

    fn gauge(&self, owner: Owner) -> Arc<Gauge> {
        let known = self.gauges.read().unwrap_or_else(PoisonError::into_inner).get(&owner).cloned();
        known.unwrap_or_else(|| {
            let mut gauges = self.gauges.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(gauges.entry(owner).or_default())
        })
    }
}

/// One admitted call; released when dropped, exactly once.
#[derive(Debug, Default)]
#[must_use = "a dropped permit releases its call at once"]
pub struct Permit {
    trunk: Option<Held>,
    account: Option<Held>,
}

impl Permit {
    /// Releases now.
    pub fn release(self) {
        drop(self);
    }

    /// The account refused: the trunk's second is not used up by it.
    fn give_back_rate(&self, trunk: Option<&Trunk>) {
        if let (Some(held), Some(rate)) = (&self.trunk, trunk.and_then(|trunk| trunk.max_calls_per_second)) {
            held.0.full_until.fetch_sub(share(rate), Ordering::Relaxed);
        }
    }
}

/// One call counted in one gauge.
#[derive(Debug)]
struct Held(Arc<Gauge>);

impl Held {
    fn of(gauge: Arc<Gauge>) -> Self {
        gauge.calls.fetch_add(1, Ordering::Relaxed);
        Self(gauge)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gauge {
    fn reserve(
        self: Arc<Self>,
        now: Instant,
        at_once: Option<u32>,
        per_second: Option<u32>,
        reason: Reason,
    ) -> Result<Held, Reason> {
        let held = Held::of(self);
        // Counted first, so that two shards cannot both take the last place.
        let calls = held.0.calls.load(Ordering::Relaxed);
        let too_many = at_once.is_some_and(|limit| calls > limit);
        if too_many || !per_second.is_none_or(|rate| held.0.take(now, rate)) {
            return Err(reason);
        }
        Ok(held)
    }

    /// A bucket of one second: `rate` calls at once when idle, then one each `1/rate` second.
    fn take(&self, now: Instant, rate: u32) -> bool {
        fill(&self.full_until, now, rate, SECOND)
    }
}

/// Puts one more into a bucket that holds `rate` and is empty again after `whole`; whether it fits.
fn fill(bucket: &AtomicU64, now: Instant, rate: u32, whole: u64) -> bool {
    let now = now.as_nanos();
    if rate == 0 {
        return false;
    }
    let next = |full_until: u64| {
        let filled = full_until.max(now) + whole / u64::from(rate);
        (filled <= now + whole).then_some(filled)
    };
    bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
}

/// What one call takes of the second.
fn share(rate: u32) -> u64 {
    SECOND / u64::from(rate.max(1))
}
